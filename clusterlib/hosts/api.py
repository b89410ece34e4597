"""What a host is: the seam between those who decide what runs (keeper, drivers) and how it runs here."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from clusterlib.frozen import frozen

if TYPE_CHECKING:
    from clusterlib.hosts.listeners import Listener
    from clusterlib.messages.measurements import Sample

__all__ = ["Entry", "Exit", "Host", "Process", "Program", "Spawn", "Survivor"]


@frozen
class Program:
    """A program to execute: a list of arguments, never a shell line."""

    argv: tuple[str, ...]


@frozen
class Entry:
    """A Python function to call in a fork of the warm process: `package.module:function(argument)`.

    `argument` is plain data (what JSON can hold). The function's integer result, or None, is the exit code."""

    target: str
    argument: Mapping[str, object] = field(default_factory=dict)


@frozen
class Spawn:
    """One process to start. It stands for all that it starts, daemonised or not, and all that helpers of its name left: that
    is paused and killed with it, counted with it, and ends when it ends."""

    name: str
    run: Program | Entry
    directory: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """The whole environment of the process, but for the marker that the host adds."""
    inherit: Mapping[str, int] = field(default_factory=dict)
    """Descriptors the process inherits, by name. It finds the number in its environment: CLUSTERLIB_FD_<NAME>."""
    helper: bool = False
    """A command that is run for the node of this name. What is left of its process group ends with it; what else it leaves
    running belongs to the node."""
    shared: tuple[str, ...] = ()
    """Names of programs that it starts for others, too: they do not end, and are not paused, with it, but with the host."""
    user: str | None = None
    """Who the process is to be, where we are root; it can still enter the folders that only root may. None: as we are."""


@frozen
class Exit:
    """How a process ended: with a code, or by a signal."""

    code: int | None = None
    signal: int | None = None
    left: tuple[str, ...] = field(default=(), compare=False)
    """The programs that it had started and that still ran when it had ended by itself. They were ended, too."""

    @property
    def clean(self) -> bool:
        return self.code == 0

    @property
    def into_background(self) -> bool:
        """Whether it ended as a server does that continues as a daemon."""
        return self.clean and bool(self.left)

    def __str__(self) -> str:
        if self.signal is not None:
            try:
                name = signal.Signals(self.signal).name
            except ValueError:
                name = f"signal {self.signal}"
            return f"killed by {name}"
        behind = f" and left {', '.join(self.left)} running" if self.into_background else ""
        return f"exited with code {self.code}{behind}"


@frozen
class Survivor:
    """A process of this cluster found alive when none should be."""

    pid: int
    command: str


class Process(Protocol):
    """A process that a host started."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int:
        """As the user sees it in `ps`, also where the process lives in a PID namespace of its own."""

    @property
    def output(self) -> int:
        """Descriptor on which the owner reads stdout and stderr, non-blocking. The owner closes it."""

    @property
    def exit(self) -> asyncio.Future[Exit]:
        """Done as soon as the process ended, and with it all that belonged to it. Never cancelled by the host."""

    def usage(self) -> Sample | None:
        """What it uses now, with all that belongs to it; None once it ended, or where that cannot be told."""

    def listener(self, address: str, port: int) -> Listener:
        """Who takes connections to this port: a process of this node, or somebody else."""

    def signal(self, number: int) -> None:
        """Delivers a signal to this very process (never to another that got its number); no-op once it ended.

        The signals that no process can hear (SIGKILL, SIGSTOP, SIGCONT) go to all that belongs to it."""

    def end_in_order(self) -> None:
        """What is left of a program when it ends is asked to end as it was itself, and killed only by a SIGKILL from now on.

        Otherwise, and for an entry, what is left is killed at once."""


class Host(Protocol):
    """Starts processes and answers for their end. All methods belong to the keeper's event loop."""

    async def spawn(self, order: Spawn) -> Process:
        """Starts a process. Raises ProgramMissing or StartError."""

    def drain(self) -> None:
        """Passes on to each process's `output` what it had printed and the host still has in its own hands, if anything."""

    async def sweep(self, seconds: float) -> list[Survivor]:
        """Kills everything that descends from what this host started, daemonised or not; gives back what still lives."""

    async def close(self) -> None:
        """Ends the host itself, after its processes. Idempotent."""
