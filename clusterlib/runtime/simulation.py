"""Several nodes in one process, on one event loop: the same node, in a network in memory.

Clients reach every simulated node through its own inherited TCP listener, like a real node. Between
nodes, what one sends arrives in a later iteration of the loop. A signal to a simulated node has the
effect of a signal to a process, as far as possible: a killed node's connections all end at once; a
paused node neither sends nor answers until it is resumed. The limit: a function that already runs
in a thread is not stopped by either; its result is lost or delayed."""

from __future__ import annotations

import array
import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from clusterlib.errors import ClusterError, UsageError
from clusterlib.runtime.config import Config, Sockets
from clusterlib.runtime.log import Log
from clusterlib.runtime.memory_pipes import MemoryPipe, memory_pair
from clusterlib.runtime.network import Cancellable, Dialed, NodeNetwork
from clusterlib.runtime.node import EmbeddedNode
from clusterlib.runtime.output import NodeOutput, print_to
from clusterlib.runtime.pipes import Pipe

__all__ = ["FDS_OF_A_SPAWN", "main"]

FDS_OF_A_SPAWN = 4  # control, cluster, http, output
ROOM = 65536
MOST_FDS = 64

Doors = dict[tuple[str, int], "SimulatedNetwork"]


class SimulatedNetwork(NodeNetwork):
    """The network of one simulated node.

    `doors` is shared by all of them: which node listens where."""

    def __init__(self, loop: asyncio.AbstractEventLoop, doors: Doors) -> None:
        super().__init__(loop)
        self.context = copy_context()
        self._doors = doors
        self._door: tuple[str, int] | None = None
        self._accepted: Callable[[Pipe], None] | None = None
        self._frozen = False
        self._thawed: asyncio.Future[None] | None = None
        self._held: list[_Holdable] = []

    def held(self) -> asyncio.Future[None] | None:
        return self._thawed

    def later(self, delay: float, callback: Callable[..., None], *arguments: Any) -> Cancellable:
        held = _Holdable(self, partial(callback, *arguments))
        held.handle = self.loop.call_later(delay, held)
        return held

    def soon(self, callback: Callable[..., None], *arguments: Any) -> Cancellable:
        held = _Holdable(self, partial(callback, *arguments))
        held.handle = self.loop.call_soon(held)
        return held

    def listen(self, listener: socket.socket, accepted: Callable[[Pipe], None]) -> None:
        super().listen(listener, partial(self._accept_unless_frozen, accepted))

    def listen_to_peers(
        self, address: str, listener: socket.socket, accepted: Callable[[Pipe], None]
    ) -> None:
        self._door = (address, listener.getsockname()[1])
        self._accepted = accepted
        self._doors[self._door] = self

    def dial(self, address: str, port: int, dialed: Dialed) -> Callable[[], None]:
        handle = self.soon(self._reach, (address, port), dialed)
        return handle.cancel

    def stop_listening(self) -> None:
        super().stop_listening()
        if self._door is not None and self._doors.get(self._door) is self:
            del self._doors[self._door]

    def close(self) -> None:
        self.stop_listening()
        super().close()

    def freeze(self) -> None:
        self._frozen = True
        self._thawed = self._thawed or self.loop.create_future()
        for pipe in list(self.pipes):
            pipe.hold()

    def thaw(self) -> None:
        self._frozen = False
        if self._thawed is not None:
            self._thawed.set_result(None)
            self._thawed = None
        held, self._held = self._held, []
        for callback in held:
            callback.handle = self.loop.call_soon(callback, context=self.context)
        for pipe in list(self.pipes):
            pipe.release()

    def holds(self, callback: _Holdable) -> bool:
        """Keeps the callback for later if the node is paused."""
        if self._frozen:
            self._held.append(callback)
        return self._frozen

    def _accept_unless_frozen(self, accepted: Callable[[Pipe], None], pipe: Pipe) -> None:
        """A paused process has its connections accepted by the kernel, and does not answer."""
        if self._frozen:
            pipe.hold()
        accepted(pipe)

    def _reach(self, door: tuple[str, int], dialed: Dialed) -> None:
        there = self._doors.get(door)
        if there is None:
            dialed(None, ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)))
            return
        ours = MemoryPipe(self.loop, self.context, f"{door[0]}:{door[1]}")
        theirs = MemoryPipe(self.loop, there.context, "a simulated node")
        memory_pair(ours, theirs)
        self.pipes.add(ours)
        there.admit(theirs)
        dialed(ours, None)

    def admit(self, pipe: MemoryPipe) -> None:
        """Another simulated node connects."""
        assert self._accepted is not None
        self.pipes.add(pipe)
        self.context.run(self._accept_unless_frozen, self._accepted, pipe)


class _Holdable:
    """A callback that waits while its node is paused, and can be cancelled meanwhile."""

    def __init__(self, network: SimulatedNetwork, callback: Callable[[], None]) -> None:
        self.handle: asyncio.Handle | None = None
        self._network = network
        self._callback = callback
        self._cancelled = False

    def __call__(self) -> None:
        if not self._cancelled and not self._network.holds(self):
            self._callback()

    def cancel(self) -> None:
        self._cancelled = True
        if self.handle is not None:
            self.handle.cancel()


class _SimulatedNode:
    """One node of the simulation, and the effects of signals on it."""

    def __init__(self, simulation: Simulation, order: dict[str, Any], descriptors: list[int]) -> None:
        self.name = str(order["name"])
        self._simulation = simulation
        self._paused = False
        self._held_signals: list[int] = []
        *sockets, output = descriptors
        self._output = open(output, "w", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115
        print_to(self._output)
        control, cluster, http = (socket.socket(fileno=descriptor) for descriptor in sockets)
        self.network = SimulatedNetwork(simulation.loop, simulation.doors)
        self._sockets = (control, cluster, http)
        try:
            config = Config.read(str(order["config"]))
            sys.path[:0] = [root for root in config.code_roots if root not in sys.path]
            environment = {str(name): str(value) for name, value in order.get("environment", {}).items()}
            self.node = EmbeddedNode(
                config, environment, self.network, Sockets(control, cluster, http), self._ended
            )
            self.node.start()
        except BaseException as error:
            message = str(error) if isinstance(error, ClusterError) else traceback.format_exc()
            print(message, flush=True)  # noqa: T201  into the log of this node
            self.network.close()
            self._close()
            raise
        self.network.context = copy_context()

    def signal(self, number: int) -> None:
        if number == signal.SIGKILL:
            self.node.stop()
            self._gone(None, number)
        elif number == signal.SIGSTOP:
            self._paused = True
            self.network.freeze()
        elif number == signal.SIGCONT:
            self._paused = False
            self.network.thaw()
            held, self._held_signals = self._held_signals, []
            for waiting in held:
                self.signal(waiting)
        elif self._paused:
            self._held_signals.append(number)
        elif number in (signal.SIGTERM, signal.SIGINT):
            self.node.leave()
        else:
            self.node.stop()
            self._gone(None, number)

    def _ended(self, code: int | None) -> None:
        self._gone(1 if code is None else code, None)

    def _gone(self, code: int | None, number: int | None) -> None:
        self._close()
        self._simulation.gone(self.name, code, number)

    def _close(self) -> None:
        for inherited in self._sockets:
            inherited.close()
        with contextlib.suppress(OSError):
            self._output.close()


class Simulation:
    """All simulated nodes of one process, and the connection to the process that controls them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, control: socket.socket) -> None:
        self.loop = loop
        self.doors: Doors = {}
        self._control = control
        self._nodes: dict[str, _SimulatedNode] = {}
        self._line = b""
        self._descriptors: deque[int] = deque()
        self._unsent = b""
        self._log = Log()
        control.setblocking(False)
        loop.add_reader(control.fileno(), self._readable)

    def gone(self, name: str, code: int | None, number: int | None) -> None:
        self._nodes.pop(name, None)
        self._tell({"event": "exit", "name": name, "code": code, "signal": number})

    def complain(self, error: BaseException) -> None:
        self._log.say(f"the simulation ignored {type(error).__name__} raised by a task")

    def _tell(self, event: dict[str, Any]) -> None:
        self._unsent += json.dumps(event, separators=(",", ":")).encode() + b"\n"
        self._writable()

    def _writable(self) -> None:
        try:
            self._unsent = self._unsent[self._control.send(self._unsent) :]
        except BlockingIOError:
            self.loop.add_writer(self._control.fileno(), self._writable)
            return
        except OSError:
            os._exit(1)
        if self._unsent:
            self.loop.add_writer(self._control.fileno(), self._writable)
        else:
            self.loop.remove_writer(self._control.fileno())

    def _readable(self) -> None:
        try:
            data, ancillary, _, _ = self._control.recvmsg(
                ROOM, socket.CMSG_SPACE(MOST_FDS * 4), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            os._exit(1)  # the keeper died, and its nodes with it
        self._descriptors.extend(_descriptors(ancillary))
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        name = str(order.get("name"))
        if order.get("do") == "spawn":
            descriptors = [self._descriptors.popleft() for _ in range(FDS_OF_A_SPAWN)]
            # Everything that a node starts inherits its context: its `this_node()`, its output.
            Context().run(self._spawn, name, order, descriptors)
        elif order.get("do") == "signal" and name in self._nodes:
            node = self._nodes[name]
            node.network.context.run(node.signal, int(order["number"]))

    def _spawn(self, name: str, order: dict[str, Any], descriptors: list[int]) -> None:
        if name in self._nodes:
            for descriptor in descriptors:
                os.close(descriptor)
            self._log.say(f"the simulation runs {name} already")
            return
        self._tell({"event": "spawned", "name": name})
        try:
            self._nodes[name] = _SimulatedNode(self, order, descriptors)
        except Exception as error:  # noqa: BLE001  what would end a process ends a simulated node, and no other
            code = error.exit_code if isinstance(error, ClusterError) else 1
            self._tell({"event": "exit", "name": name, "code": code, "signal": None})


def _descriptors(ancillary: Iterable[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()


def main(argument: Mapping[str, object]) -> int:  # noqa: ARG001  every entry takes an argument; this one needs none
    """The program of a simulation. It ends when the other end of its control connection closes."""
    try:
        control = socket.socket(fileno=int(os.environ["CLUSTERLIB_FD_CONTROL"]))
    except (KeyError, ValueError, OSError) as error:
        problem = UsageError(
            "a simulation cannot be started by hand", cause=f"CLUSTERLIB_FD_CONTROL: {error!r}"
        )
        print(problem, file=sys.stderr)  # noqa: T201  the log of a simulation is its stderr
        return problem.exit_code
    sys.stdout, sys.stderr = NodeOutput(sys.stdout), NodeOutput(sys.stderr)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    simulation = Simulation(loop, control)
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            # A task of the user raised it; asyncio passes these on. SIGINT is handled by the
            # keeper.
            simulation.complain(error)
