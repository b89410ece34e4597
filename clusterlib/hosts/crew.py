"""Processes that work for this one, and end when it does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from clusterlib.hosts.command_groups import start_error, warden
from clusterlib.hosts.launch import CHANNEL

__all__ = ["Crew"]


class Crew:
    """Processes of one group. All of them are killed at the end, with what they have started in the
    group, and also when this process is killed.

    Ctrl-C in a terminal does not reach them: this process decides what becomes of them."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._group = self._stack.enter_context(warden())
        return self

    def hire(
        self, argv: Sequence[str], *, environment: Mapping[str, str], directory: str | Path
    ) -> socket.socket:
        """Starts a process, and returns our end of a socket to it. The number of its end replaces
        `{channel}` in the arguments. What it prints goes to our stderr."""
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(
                [str(theirs.fileno()) if word == CHANNEL else word for word in argv],
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=(theirs.fileno(),),
                process_group=self._group,
            )
        except OSError as error:
            ours.close()
            raise start_error(argv[0], error) from error
        finally:
            theirs.close()
        self._processes.append(process)
        self._stack.callback(ours.close)
        return ours

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)
            for process in self._processes:
                process.wait()
        finally:
            self._stack.close()
