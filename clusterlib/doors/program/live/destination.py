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

    def __init__(self, terminal: Console, out: TextIO, called: str) -> None:
        super().__init__(json=True, out=out, err=terminal.err, wording=terminal.wording)
        self.compact = terminal.compact
        self.abandoned = False
        self._terminal = terminal
        self._called = called
        """How an error names the destination."""

    def error(self, error: ClusterError) -> None:
        self._terminal.error(error)

    def interrupted(self) -> None:
        self._terminal.interrupted()

    def abandon(self) -> None:
        """The program reads no more, as `head` does."""
        self.abandoned = True

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            super()._write(stream, text)
        except BrokenPipeError:
            raise
        except OSError as error:  # the disk is full
            self.abandoned = True
            raise _unwritable(self._called, error) from error


@contextmanager
def opened(destination: Destination, terminal: Console) -> Iterator[tuple[Console, Ending]]:
    """Raises UsageError."""
    if not destination.program:
        with _file(destination, terminal) as console:
            yield console, int
        return
    from clusterlib.hosts.launch import FedCommand

    with FedCommand(destination.program) as command:
        console = _AsideConsole(terminal, command.stream, destination.program[0])
        yield console, lambda code: command.finish() or (0 if console.abandoned else code)


@contextmanager
def _file(destination: Destination, terminal: Console) -> Iterator[_AsideConsole]:
    mode: Literal["a", "w"] = "a" if destination.append else "w"
    try:
        stream = Path(destination.file).expanduser().open(mode, encoding="utf-8")
    except (OSError, RuntimeError) as error:
        raise _unwritable(destination.file, error) from error
    console = _AsideConsole(terminal, stream, destination.file)
    try:
        yield console
    finally:
        try:
            stream.close()
        except OSError as error:
            if not console.abandoned:  # else it was said before
                raise _unwritable(destination.file, error) from error


def _unwritable(called: str, error: Exception) -> UsageError:
    return UsageError(f"{called} cannot be written", cause=str(error))
