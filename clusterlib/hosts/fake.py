"""A host in memory, for tests of code that uses a host. Its processes are scripted.

    async def server(process: FakeProcess) -> int:
        process.print("listening")
        await process.signalled(signal.SIGTERM)
        return 0

    host = FakeHost({"redis-server": server})
    process = await host.spawn(Spawn("node1", Program(("redis-server",)), "/"))

It passes the same contract tests as the real one. Signals have the same effects as on a real
process: those that it neither handles nor ignores end it, SIGSTOP suspends it at its next await,
and SIGCONT resumes it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from typing import Any

from clusterlib.errors import ProgramMissing, StartError
from clusterlib.hosts.api import Exit, Program, Spawn, Survivor
from clusterlib.hosts.birth import FIRST_INHERITED, descriptor_variable
from clusterlib.hosts.listeners import Listener, Owner
from clusterlib.hosts.proc import MARKER
from clusterlib.messages.measurements import Sample

__all__ = ["Behaviour", "FakeHost", "FakeProcess", "exits", "runs_forever"]

FIRST_PID = 1 << 23
"""Above what any kernel gives, so that a fake PID that escapes hits no process."""

HARMLESS = frozenset({signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT})


class FakeProcess:
    """Both sides of a fake process: the interface of its owner (`Process`), and of its
    behaviour."""

    def __init__(self, order: Spawn, pid: int, marker: str) -> None:
        self.order = order
        self.pid = pid
        self.exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.output, self._writing = os.pipe()
        os.set_blocking(self.output, False)
        os.set_blocking(self._writing, False)
        self.inherited = {name: os.dup(descriptor) for name, descriptor in order.inherit.items()}
        """The descriptors it inherited; closed when it ends."""
        self.environment = {**order.environment, MARKER: marker}
        for number, name in enumerate(order.inherit, FIRST_INHERITED):
            self.environment[descriptor_variable(name)] = str(number)
        self.received: list[int] = []
        """Every signal it has received."""
        self.unkillable = False
        """Set this to simulate a process that survives a sweep."""
        self.uses = Sample(rss=1 << 20, pss=1 << 20, cpu_seconds=0.0, threads=1, descriptors=3)
        """Its reported usage while it lives."""
        self.listens = Listener(Owner.NODE)
        """The reported listener on its ports."""
        self._handlers: dict[int, Callable[[], object]] = {}
        self._running = asyncio.Event()
        self._running.set()
        self._task: asyncio.Task[None] | None = None

    # The owner's side.

    @property
    def name(self) -> str:
        return self.order.name

    def usage(self) -> Sample | None:
        return None if self.exit.done() else self.uses

    def listener(self, address: str, port: int) -> Listener:
        del address, port
        return self.listens

    def end_in_order(self) -> None:
        """Does nothing: it starts no processes."""

    def signal(self, number: int) -> None:
        if self.exit.done():
            return
        self.received.append(number)
        if number == signal.SIGSTOP:
            self._running.clear()
        elif number == signal.SIGCONT:
            self._running.set()
        if number == signal.SIGKILL:
            if not self.unkillable:
                self.end(Exit(signal=number))
        elif number in self._handlers:
            self._handlers[number]()
        elif number not in HARMLESS and number != signal.SIGSTOP:
            self.end(Exit(signal=number))

    @property
    def stopped(self) -> bool:
        return not self._running.is_set()

    # The behaviour's side.

    @property
    def argument(self) -> Mapping[str, object]:
        """The argument of an Entry; empty for a Program."""
        return {} if isinstance(self.order.run, Program) else self.order.run.argument

    def write(self, data: bytes) -> None:
        """Writes to stdout. Output beyond the size of the pipe is lost if it is not read."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._writing, data)

    def print(self, text: str) -> None:
        self.write(text.encode() + b"\n")

    def handle(self, number: int, handler: Callable[[], object]) -> None:
        """Works as `signal.signal`. A handler that does nothing ignores the signal."""
        self._handlers[number] = handler

    async def signalled(self, number: int) -> None:
        """Waits for a signal, which then has a handler."""
        came = asyncio.Event()
        self.handle(number, came.set)
        await came.wait()

    def end(self, how: Exit) -> None:
        """Ends it at once, as a crash does."""
        if self.exit.done():
            return
        self.exit.set_result(how)
        if self._task is not None:
            self._task.cancel()
        os.close(self._writing)
        for descriptor in self.inherited.values():
            os.close(descriptor)
        self.inherited.clear()

    def start(self, behaviour: Behaviour) -> None:
        """Called once by the host."""
        self._task = asyncio.get_running_loop().create_task(self._live(behaviour))

    async def _live(self, behaviour: Behaviour) -> None:
        try:
            result = await _Stoppable(behaviour(self), self._running)
            how = Exit(code=0 if result is None else int(result) & 0xFF)
        except asyncio.CancelledError:
            return
        except SystemExit as ending:
            how = Exit(code=ending.code if isinstance(ending.code, int) else int(ending.code is not None))
        except BaseException:  # noqa: BLE001 - as the interpreter does at the end of a program
            self.write(traceback.format_exc().encode())
            how = Exit(code=1)
        self.end(how)


Behaviour = Callable[[FakeProcess], Coroutine[Any, Any, int | None]]


class _Stoppable(Awaitable[int | None]):
    """Runs a coroutine, but not while the event is clear: the effect of SIGSTOP."""

    def __init__(self, inner: Coroutine[Any, Any, int | None], running: asyncio.Event) -> None:
        self._inner = inner
        self._running = running

    def __await__(self) -> Generator[Any, Any, int | None]:
        problem: BaseException | None = None
        try:
            while True:
                while not self._running.is_set():
                    yield from self._running.wait().__await__()
                try:
                    waits_for = self._inner.send(None) if problem is None else self._inner.throw(problem)
                except StopIteration as done:
                    result: int | None = done.value
                    return result
                problem = None
                try:
                    yield waits_for
                except BaseException as error:  # noqa: BLE001 - it belongs to the coroutine
                    problem = error
        finally:
            self._inner.close()


class FakeHost:
    """Implements `Host`.

    The behaviour depends on the name of the program (`argv[0]`) or the target of the entry."""

    def __init__(self, behaviours: Mapping[str, Behaviour], *, marker: str = "fake") -> None:
        self._behaviours = dict(behaviours)
        self._marker = marker
        self._closed = False
        self.started: list[FakeProcess] = []
        """Every process that was started, in order."""

    @functools.cached_property
    def lost(self) -> asyncio.Future[str]:
        return asyncio.get_running_loop().create_future()

    async def spawn(self, order: Spawn) -> FakeProcess:
        if self._closed:
            raise StartError(f"{order.name} could not be started", cause="the host is closed")
        wanted = order.run.argv[0] if isinstance(order.run, Program) else order.run.target
        behaviour = self._behaviours.get(wanted)
        if behaviour is None and isinstance(order.run, Program):
            raise ProgramMissing(
                f"{order.name}: there is no program {wanted!r}",
                evidence=[f"this fake host knows: {', '.join(sorted(self._behaviours)) or 'nothing'}"],
                remedies=[f"install {wanted}, or add its folder to PATH"],
            )
        if behaviour is None:
            raise StartError(f"{order.name}: {wanted} cannot be imported")
        process = FakeProcess(order, FIRST_PID + len(self.started), self._marker)
        self.started.append(process)
        process.start(behaviour)
        return process

    def drain(self) -> None:
        """The output of a fake process is in its pipe at once."""

    async def sweep(self, seconds: float) -> list[Survivor]:
        del seconds  # a fake dies at once, or never
        for process in self.started:
            process.signal(signal.SIGKILL)
        return [Survivor(process.pid, process.name) for process in self.started if not process.exit.done()]

    async def close(self) -> None:
        self._closed = True
        await self.sweep(0)


# Behaviours that most tests need.


def exits(code: int = 0, says: str = "") -> Behaviour:
    """Prints a text and ends."""

    async def behaviour(process: FakeProcess) -> int:
        if says:
            process.print(says)
        return code

    return behaviour


async def runs_forever(process: FakeProcess) -> None:
    """Lives until a signal ends it."""
    del process
    await asyncio.Event().wait()
