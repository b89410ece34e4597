"""Where an answer goes that is not for the terminal: to a file, or to a program. It is JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from clusterlib.doors.console import Console
from clusterlib.doors.program.live.line import Destination
from clusterlib.errors import ClusterError, UsageError

__all__ = ["opened"]

Ending = Callable[[int], int]
"""Makes the exit code of the whole from that of the command."""


class _AsideConsole(Console):
    """Answers go elsewhere; errors and notes stay on the terminal."""

    def __init__(self, terminal: Console, out: TextIO) -> None:
        super().__init__(json=True, out=out, err=terminal.err, wording=terminal.wording)
        self.compact = terminal.compact
        self.abandoned = False
        self._terminal = terminal

    def error(self, error: ClusterError) -> None:
        self._terminal.error(error)

    def interrupted(self) -> None:
        self._terminal.interrupted()

    def abandon(self) -> None:
        """The program reads no more, as `head` does."""
        self.abandoned = True


@contextmanager
def opened(destination: Destination, terminal: Console) -> Iterator[tuple[Console, Ending]]:
    """Raises UsageError."""
    if not destination.program:
        with _file(destination) as stream:
            yield _AsideConsole(terminal, stream), int
        return
    from clusterlib.hosts.launch import FedCommand

    with FedCommand(destination.program) as command:
        console = _AsideConsole(terminal, command.stream)
        yield console, lambda code: command.finish() or (0 if console.abandoned else code)


@contextmanager
def _file(destination: Destination) -> Iterator[TextIO]:
    mode: Literal["a", "w"] = "a" if destination.append else "w"
    try:
        stream = Path(destination.file).expanduser().open(mode, encoding="utf-8")
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{destination.file} cannot be written", cause=str(error)) from error
    with stream:
        yield stream
