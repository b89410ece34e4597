"""The simulated host starts nodes that are not processes, and keeps the promises of a host for
them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import StartError
from clusterlib.hosts.api import Entry, Exit, Process, Program, Spawn, Survivor
from clusterlib.hosts.listeners import Listener, listener_of
from clusterlib.hosts.resources import sample
from clusterlib.hosts.simulated import SimulatedHost
from clusterlib.messages.measurements import Sample

PATIENCE = 20.0


class PlainProcess:
    """A subprocess as a `Process`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, output: int) -> None:
        self.name = name
        self.pid = process.pid
        self.output = output
        self.exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._process = process
        self._waiting = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        code = await self._process.wait()
        self.exit.set_result(Exit(code=code) if code >= 0 else Exit(signal=-code))

    def usage(self) -> Sample | None:
        return None if self.exit.done() else sample(self.pid)

    def end_in_order(self) -> None: ...

    def listener(self, address: str, port: int) -> Listener:
        return listener_of(address, port, [self.pid])

    def signal(self, number: int) -> None:
        if not self.exit.done():
            self._process.send_signal(number)


class PlainHost:
    """The least host that can start the simulation. With `broken`, what it starts ends at once."""

    def __init__(self, *, broken: bool = False) -> None:
        self.processes: list[PlainProcess] = []
        self._broken = broken
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def spawn(self, order: Spawn) -> Process:
        output, writing = os.pipe()
        os.set_blocking(output, False)
        if self._broken:
            code = "print('no simulation today', flush=True); raise SystemExit(7)"
        elif isinstance(order.run, Entry):
            module, _, function = order.run.target.partition(":")
            code = f"import sys; from {module} import {function}; sys.exit({function}({dict(order.run.argument)!r}))"
        else:
            code = "pass"
        variables = {f"CLUSTERLIB_FD_{name.upper()}": str(number) for name, number in order.inherit.items()}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            code,
            env=os.environ | order.environment | variables,
            pass_fds=list(order.inherit.values()),
            stdout=writing,
            stderr=writing,
        )
        os.close(writing)
        self.processes.append(PlainProcess(order.name, process, output))
        return self.processes[-1]

    def drain(self) -> None:
        pass

    async def sweep(self, seconds: float) -> list[Survivor]:
        for process in self.processes:
            process.signal(signal.SIGKILL)
            await asyncio.wait_for(asyncio.shield(process.exit), seconds)
        return []

    async def close(self) -> None:
        await self.sweep(PATIENCE)


class Desk:
    """Places orders for nodes of a cluster of two."""

    def __init__(self, folder: Path, host: SimulatedHost) -> None:
        self.folder = folder
        self.host = host
        self.cookie = folder / "cookie"
        self.cookie.write_text("a secret that is long enough")
        self.cookie.chmod(0o400)
        self.listeners = {name: [self._listener(), self._listener()] for name in ("a", "b")}
        self.peers = [
            {"name": name, "address": "127.0.0.1", "port": listeners[0].getsockname()[1]}
            for name, listeners in self.listeners.items()
        ]
        self.controls: dict[str, socket.socket] = {}

    async def spawn(self, name: str) -> Process:
        config = {
            "name": name,
            "cluster": "c",
            "index": 0,
            "address": "127.0.0.1",
            "host": name,
            "ports": {},
            "cookie_file": str(self.cookie),
            "directory": str(self.folder),
            "peers": self.peers,
            "simulated": True,
        }
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(config))
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.controls[name] = ours
        inherit = dict(zip(("control", "cluster", "http"), (theirs, *self.listeners[name]), strict=True))
        order = Spawn(
            name,
            Entry("clusterlib.runtime.node:main", {"config": str(path)}),
            str(self.folder),
            inherit={purpose: lent.fileno() for purpose, lent in inherit.items()},
        )
        try:
            return await self.host.spawn(order)
        finally:
            for lent in inherit.values():
                lent.close()

    async def view(self, name: str, alive: list[str]) -> None:
        """Waits until a node tells that view."""
        loop, text = asyncio.get_running_loop(), b""
        expected = json.dumps(alive, separators=(",", ":")).encode()
        while expected not in text:
            text += await loop.sock_recv(self.controls[name], 65536)

    def close(self) -> None:
        for one in (
            *self.controls.values(),
            *(lent for listeners in self.listeners.values() for lent in listeners),
        ):
            one.close()

    @staticmethod
    def _listener() -> socket.socket:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener


def story(
    folder: Path, tell: Callable[[Desk, SimulatedHost, PlainHost], Awaitable[Any]], *, broken: bool = False
) -> None:
    async def told() -> None:
        plain = PlainHost(broken=broken)
        host = SimulatedHost(plain)
        desk = Desk(folder, host)
        try:
            async with asyncio.timeout(PATIENCE):
                await tell(desk, host, plain)
        finally:
            await host.close()
            desk.close()
            for process in plain.processes:
                if process.name != "simulation":  # the output of that one belongs to the simulated host
                    os.close(process.output)

    asyncio.run(told())


def test_nodes_share_one_process_and_see_each_other(tmp_path: Path) -> None:
    async def tell(desk: Desk, host: SimulatedHost, plain: PlainHost) -> None:
        first, second = await asyncio.gather(desk.spawn("a"), desk.spawn("b"))
        assert first.pid == second.pid == plain.processes[0].pid
        await asyncio.gather(desk.view("a", ["a", "b"]), desk.view("b", ["a", "b"]))
        await host.sweep(PATIENCE)
        assert (await first.exit).signal == signal.SIGKILL
        for process in (first, second):
            os.close(process.output)

    story(tmp_path, tell)


def test_a_signal_reaches_one_node_only(tmp_path: Path) -> None:
    async def tell(desk: Desk, host: SimulatedHost, plain: PlainHost) -> None:
        first, second = await desk.spawn("a"), await desk.spawn("b")
        await desk.view("b", ["a", "b"])
        first.signal(signal.SIGKILL)
        assert await first.exit == Exit(signal=signal.SIGKILL)
        await desk.view("b", ["b"])
        second.signal(signal.SIGTERM)
        assert await second.exit == Exit(code=0)
        first.signal(signal.SIGKILL)  # it ended: nothing happens
        assert not plain.processes[0].exit.done()
        for process in (first, second):
            os.close(process.output)

    story(tmp_path, tell)


def test_the_end_of_the_simulation_is_the_end_of_its_nodes(tmp_path: Path) -> None:
    async def tell(desk: Desk, host: SimulatedHost, plain: PlainHost) -> None:
        node = await desk.spawn("a")
        plain.processes[0].signal(signal.SIGKILL)
        assert await node.exit == Exit(signal=signal.SIGKILL)
        os.close(node.output)

    story(tmp_path, tell)


def test_what_simulated_nodes_use_is_what_their_one_process_uses(tmp_path: Path) -> None:
    async def tell(desk: Desk, host: SimulatedHost, plain: PlainHost) -> None:
        one, other = await desk.spawn("a"), await desk.spawn("b")
        used, same = one.usage(), other.usage()
        assert used is not None
        assert same is not None
        assert used.pss > 1 << 20
        assert abs(used.pss - same.pss) < 1 << 20
        other.signal(signal.SIGKILL)
        await other.exit
        assert other.usage() is None
        assert one.usage() is not None

    story(tmp_path, tell)


def test_a_simulation_that_does_not_start_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    async def tell(desk: Desk, host: SimulatedHost, plain: PlainHost) -> None:
        with pytest.raises(StartError) as raised:
            await desk.spawn("a")
        assert "exited with code 7" in str(raised.value)
        assert "no simulation today" in str(raised.value)

    story(tmp_path, tell, broken=True)


def test_other_programs_are_left_to_the_other_host(tmp_path: Path) -> None:
    async def tell(desk: Desk, host: SimulatedHost, plain: PlainHost) -> None:
        process = await host.spawn(Spawn("other", Program(("true",)), str(tmp_path)))
        assert process is plain.processes[0]

    story(tmp_path, tell)
