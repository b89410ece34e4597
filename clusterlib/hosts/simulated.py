"""A host whose nodes are not processes: embedded nodes, simulated in one process of another host.

An order for an embedded node makes one inside the simulation; other orders are passed to the other
host. The simulation is started with its first node, and its end is the end of all its nodes. A
simulation without living nodes is not used again, because the modules that it has loaded may be
outdated."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from clusterlib.errors import StartError
from clusterlib.hosts.api import Entry, Exit, Host, Process, Spawn, Survivor
from clusterlib.hosts.logs import unread

if TYPE_CHECKING:
    from clusterlib.hosts.listeners import Listener
    from clusterlib.messages.measurements import Sample

__all__ = ["SimulatedHost", "SimulatedProcess"]

NODE = "clusterlib.runtime.node:main"
SIMULATION = "clusterlib.runtime.simulation:main"
INHERITED = ("control", "cluster", "http")
ROOM = 65536
TAIL = 4096


class SimulatedProcess:
    """A node of the simulation. Implements `Process`; its PID is that of the whole simulation."""

    def __init__(self, simulation: _Simulation, name: str, output: int, spare: int) -> None:
        self._simulation = simulation
        self.name = name
        self.pid = simulation.process.pid
        self.output = output
        self.exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.spawned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._spare = spare
        """The writing end of `output`, for output of the simulation itself."""

    def usage(self) -> Sample | None:
        """What the whole simulation uses: the share of a node is unknown."""
        return None if self.exit.done() else self._simulation.process.usage()

    def listener(self, address: str, port: int) -> Listener:
        return self._simulation.process.listener(address, port)

    def end_in_order(self) -> None:
        """Does nothing: what it has started belongs to the process of the simulation."""

    def signal(self, number: int) -> None:
        if not self.exit.done():
            self._simulation.send({"do": "signal", "name": self.name, "number": number})

    def overhear(self, data: bytes) -> None:
        """Adds output of the whole simulation to this node's; dropped if it is not read."""
        waiting = select.poll()
        waiting.register(self._spare, select.POLLOUT)
        for start in range(0, len(data), select.PIPE_BUF):
            if not waiting.poll(0):
                return
            os.write(self._spare, data[start : start + select.PIPE_BUF])

    def end(self, how: Exit) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
        if not self.exit.done():
            self.exit.set_result(how)
        if not self.spawned.done():
            self.spawned.set_result(None)


class SimulatedHost:
    """Implements `Host` on top of another one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._simulation: _Simulation | None = None
        self._starting = asyncio.Lock()

    @property
    def lost(self) -> asyncio.Future[str]:
        return self._host.lost

    async def spawn(self, order: Spawn) -> Process:
        if not isinstance(order.run, Entry) or order.run.target != NODE:
            return await self._host.spawn(order)
        simulation = await self._running(order)
        process = simulation.spawn(order)
        await asyncio.shield(process.spawned)
        if simulation.process.exit.done():
            os.close(process.output)
            raise StartError(
                f"{order.name} could not be started: the simulation ended",
                cause=str(simulation.process.exit.result()),
                evidence=simulation.tail.decode(errors="replace").splitlines(),
            )
        return process

    def drain(self) -> None:
        self._host.drain()
        if self._simulation is not None:
            self._simulation.drain()

    async def sweep(self, seconds: float) -> list[Survivor]:
        return await self._host.sweep(seconds)

    async def close(self) -> None:
        if self._simulation is not None:
            self._simulation.close()
        await self._host.close()

    async def _running(self, order: Spawn) -> _Simulation:
        async with self._starting:
            if self._simulation is not None and self._simulation.empty:
                self._simulation.close()
                await asyncio.wait([self._simulation.process.exit])
            if self._simulation is None or self._simulation.process.exit.done():
                self._simulation = await self._start(order)
            return self._simulation

    async def _start(self, order: Spawn) -> _Simulation:
        ours, theirs = socket.socketpair()
        try:
            process = await self._host.spawn(
                Spawn(
                    name="simulation",
                    run=Entry(SIMULATION),
                    directory=order.directory,
                    environment=order.environment,
                    inherit={"control": theirs.fileno()},
                )
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Simulation(process, ours)


class _Simulation:
    """The process of all nodes, and the connection to it."""

    def __init__(self, process: Process, control: socket.socket) -> None:
        self.process = process
        self.tail = b""
        """The last output of the whole simulation."""
        self._loop = asyncio.get_running_loop()
        self._control = control
        self._nodes: dict[str, SimulatedProcess] = {}
        self._line = b""
        self._outbox: deque[tuple[bytes, list[int]]] = deque()
        self._open = True
        control.setblocking(False)
        self._loop.add_reader(control, self._readable)
        self._loop.add_reader(process.output, self._drain)
        process.exit.add_done_callback(self._ended)

    @property
    def empty(self) -> bool:
        """Whether no node lives in it."""
        return not self._nodes

    def spawn(self, order: Spawn) -> SimulatedProcess:
        assert isinstance(order.run, Entry)
        inherit = {name.lower(): descriptor for name, descriptor in order.inherit.items()}
        output, writing = os.pipe()
        os.set_blocking(output, False)
        descriptors = [os.dup(inherit[name]) for name in INHERITED]
        node = SimulatedProcess(self, order.name, output, os.dup(writing))
        self._nodes[order.name] = node
        message = {
            "do": "spawn",
            "name": order.name,
            "config": order.run.argument["config"],
            "environment": dict(order.environment),
        }
        self.send(message, [*descriptors, writing])
        if self.process.exit.done():
            self._end_all(self.process.exit.result())
        return node

    def send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Sends an order, in time and in order.

        The descriptors go with its first byte and are closed here.
        """
        self._outbox.append((json.dumps(message).encode() + b"\n", descriptors or []))
        self._flush()

    def drain(self) -> None:
        """Reads the output of the whole simulation so far. Nodes write to pipes of their own."""
        if not self.process.exit.done():
            for _ in range(-(-unread(self.process.output) // ROOM)):
                self._drain()

    def close(self) -> None:
        """Closes the connection, which ends the simulation."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._control)
            self._loop.remove_writer(self._control)
            self._control.close()
            for _, descriptors in self._outbox:
                _close_all(descriptors)
            self._outbox.clear()

    def _flush(self) -> None:
        while self._outbox:
            data, descriptors = self._outbox.popleft()
            try:
                if not self._open:
                    sent = len(data)
                elif descriptors:
                    sent = socket.send_fds(self._control, [data], descriptors)
                else:
                    sent = self._control.send(data)
            except BlockingIOError:
                self._outbox.appendleft((data, descriptors))
                self._loop.add_writer(self._control, self._flush)
                return
            except OSError:
                sent = len(data)  # it is gone, as its exit will show
            _close_all(descriptors)
            if sent < len(data):
                self._outbox.appendleft((data[sent:], []))
        if self._open:
            self._loop.remove_writer(self._control)

    def _readable(self) -> None:
        try:
            data = self._control.recv(ROOM)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._control)
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, event: dict[str, Any]) -> None:
        node = self._nodes.get(event["name"])
        if node is None:
            return
        if event["event"] == "spawned" and not node.spawned.done():
            node.spawned.set_result(None)
        elif event["event"] == "exit":
            del self._nodes[node.name]
            node.end(Exit(event["code"], event["signal"]))

    def _drain(self) -> None:
        try:
            data = os.read(self.process.output, ROOM)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self.process.output)
            return
        self.tail = (self.tail + data)[-TAIL:]
        node = next(iter(self._nodes.values()), None)
        if node is not None:
            node.overhear(data)

    def _ended(self, exit: asyncio.Future[Exit]) -> None:  # noqa: A002  as the protocol calls it
        with contextlib.suppress(OSError):
            self._drain()
        self._loop.remove_reader(self.process.output)
        os.close(self.process.output)
        self.close()
        self._end_all(exit.result())

    def _end_all(self, how: Exit) -> None:
        nodes, self._nodes = list(self._nodes.values()), {}
        for node in nodes:
            node.end(how)


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
