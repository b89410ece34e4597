"""`this_node().processes`: the processes of the cluster, for code that runs on a node.

In a coroutine function, use the methods that end in `_async`; the others would block the node."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Any, TypeVar

from clusterlib.errors import CallTimeout, UsageError
from clusterlib.runtime.processes.mailbox import DEFAULT_ROOM
from clusterlib.runtime.processes.members import LiveProcess, current_process
from clusterlib.runtime.processes.service import ProcessService
from clusterlib.runtime.processes.specification import Child, ProcessFunction, child
from clusterlib.runtime.processes.values import ProcessId, RestartRule

__all__ = ["Processes"]

T = TypeVar("T")
DEFAULT_TIMEOUT = 10.0


class Processes:
    """Starts processes on any node, sends to them, and ends them."""

    def __init__(self, service: Callable[[], ProcessService], loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop

    # -- starting ---------------------------------------------------------------------------------

    def spawn(
        self,
        function: ProcessFunction | str,
        /,
        *args: Any,
        name: str | None = None,
        prefer: str | None = None,
        node: str | None = None,
        restart: RestartRule | str = RestartRule.NEVER,
        moves: bool = False,
        room: int = DEFAULT_ROOM,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> ProcessId:
        """Starts `function(box, *args)` as a process, and returns its id.

        It runs on `node`, else on the node `prefer` if that lives, else on the node with the fewest
        processes. A process that `moves` is continued on another node if its own leaves or is
        lost."""
        one = child(function, *args, name=name, restart=restart, moves=moves, room=room)
        return self.start(one, prefer=prefer, node=node, timeout=timeout)

    def start(
        self,
        child: Child,
        *,
        under: ProcessId | str | None = None,
        prefer: str | None = None,
        node: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> ProcessId:
        """Starts what `child` or `supervisor` has made, `under` a supervisor or where `spawn`
        would."""
        return self._wait(lambda: self._start(child, under, prefer, node), "start", timeout)

    async def start_async(
        self,
        child: Child,
        *,
        under: ProcessId | str | None = None,
        prefer: str | None = None,
        node: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> ProcessId:
        """`start` for coroutine functions."""
        return await self._await(self._start(child, under, prefer, node), "start", timeout)

    def _start(
        self, child: Child, under: ProcessId | str | None, prefer: str | None, node: str | None
    ) -> asyncio.Future[ProcessId]:
        if under is None:
            return self._service().spawn(child, prefer, node)
        if prefer is not None or node is not None:
            raise UsageError(
                "a child of a supervisor runs on the node of that: leave out `node` and `prefer`"
            )
        return self._service().start_under(child, under)

    async def spawn_async(
        self,
        function: ProcessFunction | str,
        /,
        *args: Any,
        name: str | None = None,
        prefer: str | None = None,
        node: str | None = None,
        restart: RestartRule | str = RestartRule.NEVER,
        moves: bool = False,
        room: int = DEFAULT_ROOM,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> ProcessId:
        """`spawn` for coroutine functions."""
        one = child(function, *args, name=name, restart=restart, moves=moves, room=room)
        return await self._await(self._service().spawn(one, prefer, node), "spawn", timeout)

    # -- messages ---------------------------------------------------------------------------------

    def send(self, target: ProcessId | str, message: Any) -> None:
        """Sends a message to the process with this id or name. Never blocks, from any thread."""
        if self._on_loop():
            self._service().send(target, message)
        else:
            self._now(lambda: self._service().send(target, message))

    def ask(self, target: ProcessId | str, message: Any, timeout: float = DEFAULT_TIMEOUT) -> Any:
        """Sends a message and waits until the process calls `box.reply`."""
        return self._wait(lambda: self._service().ask(target, message), "ask", timeout)

    async def ask_async(self, target: ProcessId | str, message: Any, timeout: float = DEFAULT_TIMEOUT) -> Any:
        """`ask` for coroutine functions."""
        return await self._await(self._service().ask(target, message), "ask", timeout)

    # -- names and ends ---------------------------------------------------------------------------

    def find(self, name: str) -> ProcessId | None:
        """The process with this name, on whichever node it runs."""
        return self._now(lambda: self._service().registry.find(name))

    def names(self) -> dict[str, ProcessId]:
        """All names of the cluster that this node knows."""
        return self._now(lambda: dict(self._service().registry.names()))

    def kill(self, target: ProcessId | str, reason: str = "killed", timeout: float = DEFAULT_TIMEOUT) -> None:
        """Ends a process, and waits until it has ended."""
        self._wait(lambda: self._service().end(target, reason), "kill", timeout)

    async def kill_async(
        self, target: ProcessId | str, reason: str = "killed", timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        """`kill` for coroutine functions."""
        await self._await(self._service().end(target, reason), "kill", timeout)

    def terminate(self, target: ProcessId | str, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Ends a process or a supervisor for good: its supervisor does not start it again."""
        self._wait(lambda: self._service().terminate(target), "terminate", timeout)

    async def terminate_async(self, target: ProcessId | str, timeout: float = DEFAULT_TIMEOUT) -> None:
        """`terminate` for coroutine functions."""
        await self._await(self._service().terminate(target), "terminate", timeout)

    def restart(self, target: ProcessId | str, timeout: float = DEFAULT_TIMEOUT) -> ProcessId:
        """Ends a process or a supervisor, starts it again, and returns its new id."""
        return self._wait(lambda: self._service().restart(target), "restart", timeout)

    async def restart_async(self, target: ProcessId | str, timeout: float = DEFAULT_TIMEOUT) -> ProcessId:
        """`restart` for coroutine functions."""
        return await self._await(self._service().restart(target), "restart", timeout)

    # -- for the process that calls ---------------------------------------------------------------

    def self(self) -> ProcessId:
        """The id of the process that calls this."""
        return _caller("self").id

    def monitor(self, target: ProcessId | str) -> ProcessId:
        """The calling process gets a `ProcessDown` message when that process has ended."""
        return self._bond(self._service().bonds.monitor, "monitor", target)

    def unmonitor(self, target: ProcessId | str) -> None:
        self._bond(self._service().bonds.unmonitor, "unmonitor", target)

    def link(self, target: ProcessId | str) -> ProcessId:
        """If the calling process or that process fails, the other one ends, too."""
        return self._bond(self._service().bonds.link, "link", target)

    def unlink(self, target: ProcessId | str) -> None:
        self._bond(self._service().bonds.unlink, "unlink", target)

    def trap(self) -> None:
        """The calling process gets a `LinkDown` message when a linked process ends."""
        _caller("trap").traps = True

    def _bond(
        self, bind: Callable[[LiveProcess, ProcessId], None], what: str, target: ProcessId | str
    ) -> ProcessId:
        one, process = _caller(what), self._service().resolve(target)
        bind(one, process)
        return process

    # -- threads and the loop ---------------------------------------------------------------------

    def _on_loop(self) -> bool:
        return asyncio._get_running_loop() is self._loop  # noqa: SLF001  its public twin raises instead

    def _now(self, ask: Callable[[], T]) -> T:
        """The answer from the loop, which is quick."""
        if self._on_loop():
            return ask()

        async def asked() -> T:
            return ask()

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result()

    def _wait(self, begin: Callable[[], asyncio.Future[T]], what: str, timeout: float) -> T:
        if self._on_loop():
            raise UsageError(
                f"processes.{what}() would block the event loop of the node",
                cause="it was called from a coroutine function",
                remedies=[f"await processes.{what}_async(...)"],
            )

        async def wait() -> T:
            return await begin()

        answer = asyncio.run_coroutine_threadsafe(wait(), self._loop)
        try:
            return answer.result(timeout)
        except concurrent.futures.TimeoutError:
            answer.cancel()
            raise _late(what, timeout) from None

    async def _await(self, answer: asyncio.Future[T], what: str, timeout: float) -> T:
        try:
            return await asyncio.wait_for(answer, timeout)
        except TimeoutError:
            raise _late(what, timeout) from None


def _caller(what: str) -> LiveProcess:
    process = current_process.get(None)
    if process is None:
        raise UsageError(f"processes.{what}() is for code that runs in a process")
    return process


def _late(what: str, timeout: float) -> CallTimeout:
    return CallTimeout(f"processes.{what}() had no answer after {timeout} s")
