"""Nodes for tests: real ones in processes, and simulated ones, used and broken in the same way."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clusterlib.runtime.client import NodeClient

PATIENCE = 20.0  # seconds; far more than anything takes, for machines under load

REAL = "import sys; from clusterlib.runtime.node import main; sys.exit(main({'config': sys.argv[1]}))"
SIMULATION = "import sys; from clusterlib.runtime.simulation import main; sys.exit(main({}))"


class Place:
    """A port that stays ours while nothing listens on it."""

    def __init__(self) -> None:
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.port: int = self._holder.getsockname()[1]

    def listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        return listener

    def close(self) -> None:
        self._holder.close()


class GridNode:
    """One node of a grid, as its keeper sees it."""

    def __init__(self, grid: Grid, name: str, index: int) -> None:
        self.grid = grid
        self.name = name
        self.index = index
        self.cluster = Place()
        self.http = Place()
        self.log = grid.folder / f"{name}.log"
        self.config = grid.folder / f"{name}.json"
        self.client = NodeClient(name, "127.0.0.1", self.cluster.port, str(grid.cookie))
        self.control = socket.socket()
        self.process: subprocess.Popen[bytes] | None = None
        self.view: list[str] = []
        self.events: list[dict[str, Any]] = []
        self._line = b""

    @property
    def peer(self) -> dict[str, Any]:
        return {"name": self.name, "address": "127.0.0.1", "port": self.cluster.port}

    def start(self, **changes: Any) -> None:
        config = {
            "name": self.name,
            "cluster": "grid",
            "index": self.index,
            "address": "127.0.0.1",
            "host": self.name,
            "ports": {"cluster": self.cluster.port, "http": self.http.port},
            "cookie_file": str(self.grid.cookie),
            "directory": str(self.grid.folder),
            "peers": self.grid.roster,
            "code_roots": [str(self.grid.code)],
            "simulated": self.grid.simulated,
            "app": None,
        }
        self.config.write_text(json.dumps(config | changes))
        self.view, self.events, self._line = [], [], b""
        self.control.close()
        self.control, theirs = socket.socketpair()
        inherited = [theirs, self.cluster.listen(), self.http.listen()]
        with self.log.open("ab") as log:
            self.grid.spawn(self, inherited, log.fileno())
        for lent in inherited:
            lent.close()

    def order(self, **order: Any) -> None:
        self.control.sendall(json.dumps(order).encode() + b"\n")

    def signal(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
        else:
            self.grid.tell_simulation({"do": "signal", "name": self.name, "number": number})

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait_for_end()

    def wait_for_end(self) -> int:
        """Its exit code; negative for a signal, as subprocess has it."""
        if self.process is not None:
            return self.process.wait(PATIENCE)
        return self.grid.wait_for_exit(self.name)

    def wait_for(self, event: str) -> dict[str, Any]:
        self.grid.wait_until(
            lambda: any(seen["event"] == event for seen in self.events), f"{self.name} tells {event}"
        )
        return next(seen for seen in self.events if seen["event"] == event)

    def hear(self) -> bool:
        """Reads what it has to say; False at the end."""
        try:
            data = self.control.recv(65536)
        except OSError:
            return False
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            self.events.append(event)
            if event["event"] == "view":
                self.view = event["alive"]
        return bool(data)

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def close(self) -> None:
        self.client.close()
        self.control.close()
        self.cluster.close()
        self.http.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Grid:
    """Some nodes, and the keeper's part for them."""

    def __init__(self, folder: Path, code: Path, *, simulated: bool) -> None:
        self.folder = folder
        self.code = code
        self.simulated = simulated
        self.cookie = folder / "cookie"
        self.cookie.write_text("a secret that is long enough")
        self.cookie.chmod(0o400)
        self.nodes: dict[str, GridNode] = {}
        self._control: socket.socket | None = None
        self._simulation: subprocess.Popen[bytes] | None = None
        self._line = b""
        self._exits: dict[str, int] = {}

    def __getitem__(self, name: str) -> GridNode:
        return self.nodes[name]

    @property
    def roster(self) -> list[dict[str, Any]]:
        return [node.peer for node in self.nodes.values()]

    def plan(self, *names: str) -> None:
        """Adds nodes, without starting them."""
        for name in names:
            self.nodes[name] = GridNode(self, name, len(self.nodes))

    def start(self, count: int, **changes: Any) -> None:
        """Starts nodes and waits until all see all."""
        self.plan(*(f"node{number}" for number in range(1, count + 1)))
        for node in self.nodes.values():
            node.start(**changes)
        self.wait_for_views(self.nodes)

    def wait_for_views(self, alive: Iterable[str], who: Iterable[str] | None = None) -> float:
        """Waits until all of `who` (by default: those alive) see exactly these; returns the
        seconds."""
        expected = sorted(alive)
        watched = [self.nodes[name] for name in (expected if who is None else who)]
        return self.wait_until(lambda: all(node.view == expected for node in watched), f"the view {expected}")

    def wait_until(self, done: Any, what: str) -> float:
        """Listens to all nodes until `done()`."""
        begun = time.monotonic()
        deaf: set[str] = set()
        while not done():
            left = begun + PATIENCE - time.monotonic()
            heard = [
                node for node in self.nodes.values() if node.name not in deaf and node.control.fileno() >= 0
            ]
            ready = select.select([node.control for node in heard], [], [], max(0.0, left))[0]
            if left <= 0 or not heard:
                logs = "".join(
                    f"\n--- {node.name} {node.view}\n{node.said()}" for node in self.nodes.values()
                )
                raise AssertionError(f"after {PATIENCE} s still waiting for {what}{logs}")
            deaf |= {node.name for node in heard if node.control in ready and not node.hear()}
        return time.monotonic() - begun

    def spawn(self, node: GridNode, inherited: list[socket.socket], output: int) -> None:
        descriptors = [one.fileno() for one in inherited]
        if self.simulated:
            order = {
                "do": "spawn",
                "name": node.name,
                "config": str(node.config),
                "environment": {"WHO": node.name},
            }
            self._exits.pop(node.name, None)
            self.tell_simulation(order, [*descriptors, output])
        else:
            node.process = self._process(
                REAL,
                output,
                dict(zip(("CONTROL", "CLUSTER", "HTTP"), descriptors, strict=True)),
                str(node.config),
            )

    def tell_simulation(self, order: dict[str, Any], descriptors: list[int] | None = None) -> None:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with (self.folder / "simulation.log").open("ab") as log:
                self._simulation = self._process(SIMULATION, log.fileno(), {"CONTROL": theirs.fileno()})
            theirs.close()
        socket.send_fds(self._control, [json.dumps(order).encode() + b"\n"], descriptors or [])

    def wait_for_exit(self, name: str) -> int:
        assert self._control is not None
        self._control.settimeout(PATIENCE)
        while name not in self._exits:
            *lines, self._line = (self._line + self._control.recv(65536)).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if event["event"] == "exit":
                    self._exits[event["name"]] = -event["signal"] if event["code"] is None else event["code"]
        return self._exits[name]

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()
        if self._control is not None:
            self._control.close()
        if self._simulation is not None:
            assert self._simulation.wait(PATIENCE) == 1, "the simulation outlived its keeper"

    @staticmethod
    def _process(
        program: str, output: int, inherited: dict[str, int], *arguments: str
    ) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            f"CLUSTERLIB_FD_{name}": str(number) for name, number in inherited.items()
        }
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=environment,
            pass_fds=list(inherited.values()),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
