"""The interface of a host, between the code that decides what runs (keeper, drivers) and the way it
runs here."""

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
    """A Python function to call in a fork of the nursery: `package.module:function(argument)`.

    `argument` is plain data (what JSON can hold). The function's integer result, or None, is the
    exit code."""

    target: str
    argument: Mapping[str, object] = field(default_factory=dict)


@frozen
class Spawn:
    """One process to start, together with all that it starts, daemonised or not, and all that
    helpers of its name leave running.

    All of these are paused, killed and measured with it, and end when it ends."""

    name: str
    run: Program | Entry
    directory: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """The whole environment of the process, except the marker that the host adds."""
    inherit: Mapping[str, int] = field(default_factory=dict)
    """Descriptors that the process inherits, by name.

    Their numbers are in its environment: CLUSTERLIB_FD_<NAME>."""
    helper: bool = False
    """A command that is run for the node of this name.

    When it ends, the rest of its process group ends; other processes that it leaves running belong
    to the node."""
    shared: tuple[str, ...] = ()
    """Names of programs that it also starts for other nodes.

    They are not ended or paused with it, but end with the host."""
    user: str | None = None
    """The user of the process, if we are root.

    It may still enter folders that only root may enter. None: our user."""


@frozen
class Exit:
    """How a process ended: with a code, or by a signal."""

    code: int | None = None
    signal: int | None = None
    left: tuple[str, ...] = field(default=(), compare=False)
    """The programs that it had started and that still ran when it ended by itself.

    They were ended, too."""

    @property
    def clean(self) -> bool:
        return self.code == 0

    @property
    def into_background(self) -> bool:
        """Whether it ended like a server that continues as a daemon."""
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
    """A process of this cluster that is still alive after a shutdown."""

    pid: int
    command: str


class Process(Protocol):
    """A process that a host started."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int:
        """The PID that users see in `ps`, even if the process lives in a PID namespace."""

    @property
    def output(self) -> int:
        """The descriptor for reading stdout and stderr, non-blocking. The owner closes it."""

    @property
    def exit(self) -> asyncio.Future[Exit]:
        """Done as soon as the process and everything that belonged to it has ended.

        Never cancelled by the host.
        """

    def usage(self) -> Sample | None:
        """What it uses now, with everything that belongs to it.

        None if it has ended, or if this is unknown.
        """

    def listener(self, address: str, port: int) -> Listener:
        """Who accepts connections on this port: a process of this node, or another one."""

    def signal(self, number: int) -> None:
        """Sends a signal to this process, never to another one with the same PID. Does nothing once
        it has ended.

        Signals that a process cannot handle (SIGKILL, SIGSTOP, SIGCONT) go to everything that
        belongs to it.
        """

    def end_in_order(self) -> None:
        """From now on, when the program ends, the rest of it is asked to end in the same way, and
        killed only by a SIGKILL.

        Without this, and for an entry, the rest is killed at once.
        """


class Host(Protocol):
    """Starts processes and ensures that they end. All methods belong to the keeper's event loop."""

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done as soon as this host can start nothing any more, although it was not closed.

        The result is the reason."""

    async def spawn(self, order: Spawn) -> Process:
        """Starts a process. Raises ProgramMissing or StartError."""

    def drain(self) -> None:
        """Passes output that the host still holds on to each process's `output`."""

    async def sweep(self, seconds: float) -> list[Survivor]:
        """Kills everything that this host started and its descendants, daemonised or not.

        Returns what still lives.
        """

    async def close(self) -> None:
        """Ends the host itself, after its processes. Idempotent."""
