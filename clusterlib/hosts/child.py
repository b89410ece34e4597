"""A process that the keeper has started on this machine.

It is signalled, measured and ended with all that belongs to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlib.hosts import proc
from clusterlib.hosts.api import Exit, Program, Spawn
from clusterlib.hosts.belonging import signal_all, signal_one

if TYPE_CHECKING:
    from clusterlib.hosts.listeners import Listener
    from clusterlib.messages.measurements import Sample

__all__ = ["LocalProcess"]

FOR_ALL = frozenset({signal.SIGKILL, signal.SIGSTOP, signal.SIGCONT})
"""Signals that a process cannot handle. They are sent to everything that belongs to a process."""
LONGEST_COMMAND = 15
"""The length of a program's name in the kernel."""


class LocalProcess:
    """A child of the keeper. Implements `Process`."""

    def __init__(
        self,
        order: Spawn,
        local_pid: int,
        pid: int,
        output: int,
        belonging: Callable[[LocalProcess], list[proc.ProcessStatus]],
        outside: str = "/proc",
    ) -> None:
        self.name = order.name
        self.helper = order.helper
        self.pid = pid
        self.local_pid = local_pid
        """The PID in the keeper's namespace, which differs from `pid` in a PID namespace."""
        self.reaped = False
        """Whether its PID may belong to another process by now. Only the reaper sets it."""
        self.output = output
        self.exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._belonging = belonging
        self._outside = outside
        self._is_program = isinstance(order.run, Program)
        self._orderly = False
        """Whether the rest of it is asked to end before it is killed."""
        self._request: int = signal.SIGTERM
        """The signal that asked it to end."""
        self._asked: set[tuple[int, float]] = set()
        """The processes of the rest that were sent the same signal."""
        self._shared = {name[:LONGEST_COMMAND] for name in order.shared}
        self._descriptor = os.pidfd_open(local_pid) if sys.platform == "linux" else -1

    def usage(self) -> Sample | None:
        if self.exit.done():
            return None
        # later than a cluster's start, which it would delay
        from clusterlib.hosts.resources import sample_all

        return sample_all([*self._itself(), *(seen.pid for seen in self.rest())])

    def listener(self, address: str, port: int) -> Listener:
        from clusterlib.hosts.listeners import listener_of

        pids = [] if self.exit.done() else [*self._itself(), *(seen.pid for seen in self._belonging(self))]
        return listener_of(address, port, pids, self._outside)

    def rest(self) -> list[proc.ProcessStatus]:
        """All living processes that belong to it, without itself."""
        if self.helper:
            return []
        return [seen for seen in self._belonging(self) if seen.command not in self._shared]

    def signal(self, number: int) -> None:
        if self.exit.done():
            return
        if number == signal.SIGKILL:
            self._orderly = False
        elif number not in FOR_ALL:
            self._request = number
            self._asked.clear()
        if number in FOR_ALL and not self.helper:
            signal_all(self._all, number)
        if self.reaped:
            return
        with contextlib.suppress(ProcessLookupError):
            if number in FOR_ALL:
                self._signal_group(number)
            elif sys.platform == "linux":
                signal.pidfd_send_signal(self._descriptor, number)
            else:
                os.kill(self.local_pid, number)  # not reaped yet, so the PID is still its own

    def end_in_order(self) -> None:
        # An embedded node is responsible for what it starts. Outside of Linux, processes that have
        # lost their parent cannot be found.
        self._orderly = self._is_program and proc.LINUX

    @property
    def orderly(self) -> bool:
        return self._orderly

    def end_rest(self) -> list[proc.ProcessStatus]:
        """Ends the rest of it after its own end, or asks it to end. Returns these processes.

        What a helper leaves belongs to the node that it was run for, and lives on, even if it is
        still in the helper's process group.
        """
        if self.helper:
            return []
        if self._orderly and (rest := self.rest()):
            self._ask(rest)
            return rest
        if not self.reaped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self._signal_group(signal.SIGKILL)
        return signal_all(self.rest, signal.SIGKILL)

    def end(self, how: Exit) -> None:
        """Called by the reaper only."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if not self.exit.done():
            self.exit.set_result(how)

    def _ask(self, rest: list[proc.ProcessStatus]) -> None:
        """Signals those that have lost their parent: each knows best how to end its own
        children.
        """
        known = {seen.pid for seen in rest}
        for seen in rest:
            if seen.parent not in known and (seen.pid, seen.started) not in self._asked:
                self._asked.add((seen.pid, seen.started))
                signal_one(seen, self._request)

    def _itself(self) -> list[int]:
        return [] if self.reaped else [self.local_pid]

    def _all(self) -> list[proc.ProcessStatus]:
        itself = None if self.reaped else proc.status(self.local_pid)
        return [itself, *self.rest()] if itself is not None and itself.alive else self.rest()

    def _signal_group(self, number: int) -> None:
        """It is not reaped yet, so the number of its group is its own, if it has made one."""
        if os.getpgid(self.local_pid) == self.local_pid:
            os.killpg(self.local_pid, number)
        else:
            os.kill(self.local_pid, number)
