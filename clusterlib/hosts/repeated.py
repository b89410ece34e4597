"""Runs a command again and again, as the requests of a load: what it prints is of no interest, only
its end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing

from clusterlib.frozen import frozen
from clusterlib.hosts import proc
from clusterlib.waiting import wait_readable

__all__ = ["CommandEnd", "RepeatedCommand"]

MOST_READ = 4096
"""Bytes of what a command has printed as errors."""


@frozen
class CommandEnd:
    code: int
    """As `subprocess` has it: below zero, the number of the signal that ended it."""
    said: str = ""
    """The last line of its errors, if it failed."""


class RepeatedCommand:
    """For one thread. The command belongs to the process group of its caller."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._argv = list(argv)
        self._environment = dict(environment)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its client

    def run(self, timeout: float) -> CommandEnd:
        """Raises TimeoutError, when the command has been killed, and OSError if it cannot be
        started."""
        process = subprocess.Popen(
            self._argv,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        if not _has_ended(process, timeout):
            _kill(process)
            self._last_line()
            raise TimeoutError
        said = self._last_line()
        return CommandEnd(process.returncode, said if process.returncode else "")

    def _last_line(self) -> str:
        """What was printed last, which is deleted."""
        size = self._errors.seek(0, os.SEEK_END)
        if not size:
            return ""
        self._errors.seek(max(0, size - MOST_READ))
        lines = self._errors.read().decode(errors="replace").splitlines()
        self._errors.seek(0)
        self._errors.truncate()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _has_ended(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """`Popen.wait` with a timeout asks again and again, up to 50 ms apart, which would be
    measured."""
    if sys.platform != "linux":
        return _has_ended_in_time(process, timeout)
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:  # no descriptor is left
        _kill(process)
        raise
    with closing(os.fdopen(descriptor, "rb", buffering=0)):
        ended = wait_readable(descriptor, timeout)
    if ended:
        process.wait()
    return ended


def _has_ended_in_time(process: subprocess.Popen[bytes], timeout: float) -> bool:
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(timeout, end)
    timer.start()
    process.wait()
    timer.cancel()
    return not late.is_set()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With what is below it, which would otherwise go on beside the load. What it has started in a
    session of its own, and whose parent has ended, is not found."""
    below = proc.descendants(process.pid)
    process.kill()
    for one in below:
        descriptor = proc.kill(one)
        if descriptor is not None:
            os.close(descriptor)
    process.wait()
