"""Real Erlang nodes for tests, started as the driver starts them, without the machine's epmd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.epmd import Directory, NameServer
from clusterlib.drivers.beam.starting import BeamBoot
from clusterlib.waiting import Deadline, poll

__all__ = ["COOKIE", "PATIENCE", "Nodes", "stop_for_good"]

COOKIE = "a cookie of tests"
PATIENCE = 30.0  # seconds; far more than anything takes, for machines under load


def stop_for_good(pid: int) -> None:
    """Sends SIGSTOP and waits until the process has stopped: its threads may answer until then."""
    os.kill(pid, signal.SIGSTOP)

    def stopped() -> bool:
        stats = Path(f"/proc/{pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in stats)

    assert poll(stopped, Deadline(PATIENCE))


class Nodes:
    """Starts nodes and ends them. Names are given without their host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = Directory()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listener = socket.create_server(("127.0.0.1", 0))
        self.epmd_port: int = listener.getsockname()[1]
        self._server = NameServer(self.directory)
        asyncio.run_coroutine_threadsafe(self._server.start(listener), self._loop).result(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name)
        self._loop.call_soon_threadsafe(self._server.close)
        asyncio.run_coroutine_threadsafe(self._rest(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def boot(self, name: str, at: int | None = None, **more: Any) -> BeamBoot:
        """`at`: the port of another epmd than ours."""
        return BeamBoot(f"{name}@127.0.0.1", at or self.epmd_port, self.folder / name, **more)

    def launch(self, name: str, **more: Any) -> subprocess.Popen[bytes]:
        boot = self.boot(name, **more)
        boot.write_cookie(COOKIE)
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                boot.arguments(),
                cwd=boot.home,
                env=boot.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes[name] = process
        return process

    def start(self, *names: str, **more: Any) -> None:
        for name in names:
            self.launch(name, **more)
        self.wait_registered(names)

    def wait_registered(self, names: Iterable[str]) -> None:
        wanted = set(names)
        seen = poll(lambda: wanted <= self.directory.ports.keys(), Deadline(PATIENCE))
        assert seen, {name: self.log(name) for name in wanted}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def connect(self, name: str, cookie: str = COOKIE, **more: Any) -> Connection:
        return Connection.open(
            f"{name}@127.0.0.1", cookie, epmd_port=self.epmd_port, timeout=PATIENCE, **more
        )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait(PATIENCE)

    def pause(self, name: str) -> None:
        stop_for_good(self.processes[name].pid)

    @staticmethod
    async def _rest() -> None:
        """Lets what was cancelled end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), PATIENCE)
