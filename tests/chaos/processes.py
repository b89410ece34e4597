"""Finds the processes of a round, and signals them without trusting a bare PID."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from clusterlib.hosts import proc

__all__ = ["MARK", "Seen", "everyone_with", "hit", "look", "socket_holders"]

MARK = "CLUSTERLIB_CHAOS"
"""The variable that everything a round starts inherits, whatever else it may lose."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One living process, pinned by its start time."""

    pid: int
    started: float
    state: str
    parent: int
    command: str
    marker: str | None
    directory: str | None

    def __str__(self) -> str:
        return (
            f"pid {self.pid} (parent {self.parent}, state {self.state}, marker {self.marker}): {self.command}"
        )

    @property
    def lives(self) -> bool:
        now = proc.status(self.pid)
        return now is not None and now.alive and now.started == self.started


def look(pid: int) -> Seen | None:
    """The process as it is now; None when there is none, or only its remains."""
    status = proc.status(pid)
    if status is None or not status.alive:
        return None
    environment = _environment(pid)
    directory = None
    with contextlib.suppress(OSError):
        directory = str(Path(f"/proc/{pid}/cwd").readlink())
    return Seen(
        pid,
        status.started,
        status.state,
        status.parent,
        proc.command_line(pid) or f"[{status.command}]",
        environment.get(proc.MARKER),
        directory,
    )


def everyone_with(variable: str, value: str | None = None, *, below: Path | None = None) -> list[Seen]:
    """Each living process that was started with that variable, or works in that folder, except
    ours.

    A value also stands for everything below it: `a.3` for `a.3.1`."""
    found = []
    for pid in proc.processes():
        if pid == os.getpid():
            continue
        carried = _environment(pid).get(variable)
        carries = carried is not None and (value is None or f"{carried}.".startswith(f"{value}."))
        if carries or (below is not None and _works_in(pid, below)):
            seen = look(pid)
            if seen is not None:
                found.append(seen)
    return found


def hit(target: Seen, number: int) -> bool:
    """Signals exactly the process that was seen. False when it was gone already."""
    try:
        descriptor = os.pidfd_open(target.pid)
    except ProcessLookupError:
        return False
    try:
        if not target.lives:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def socket_holders() -> dict[int, list[int]]:
    """Who holds each socket, by inode. Sockets of processes we may not look into are missing."""
    holders: dict[int, list[int]] = {}
    for pid in proc.processes():
        try:
            descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                link = str(descriptor.readlink())
                if link.startswith("socket:["):
                    holders.setdefault(int(link[8:-1]), []).append(pid)
    return holders


def _environment(pid: int) -> dict[str, str]:
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if entry)
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, _, value in pairs}


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    except OSError:
        return False
