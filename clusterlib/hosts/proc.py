"""Examines processes and ends them without trusting a bare PID.

On Linux, /proc is read, or a folder that shows another PID namespace; on other systems psutil is
used."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.hosts import tags
from clusterlib.waiting import Deadline, poll

__all__ = [
    "LINUX",
    "MARKER",
    "ProcessStatus",
    "carries",
    "command_line",
    "descendants",
    "end_all",
    "folder_of",
    "kill",
    "marked",
    "processes",
    "read",
    "status",
]

MARKER = "CLUSTERLIB_MARKER"
"""The variable in the initial environment of every process of a cluster."""

LINUX = sys.platform == "linux"


@frozen
class ProcessStatus:
    pid: int
    command: str
    state: str
    parent: int
    started: float
    """In clock ticks since boot on Linux: use it for comparisons only."""
    threads: int = 1

    @property
    def alive(self) -> bool:
        """A process whose main thread has ended looks like a zombie, but lives as long as another
        thread runs.
        """
        return self.state != "X" and (self.state != "Z" or self.threads > 1)


def processes(proc: str = "/proc") -> Iterator[int]:
    if LINUX:
        with contextlib.suppress(OSError):
            yield from (int(name) for name in os.listdir(proc) if name.isdigit())  # noqa: PTH208 - 3x faster
        return
    import psutil

    yield from psutil.pids()


def status(pid: int, proc: str = "/proc") -> ProcessStatus | None:
    """The present status of the process; None if there is none."""
    if not LINUX:
        return _status_by_psutil(pid)
    text = read(f"{proc}/{pid}/stat")
    if not text:
        return None
    head, _, tail = text.rpartition(b")")
    fields = tail.split()
    command = head.partition(b"(")[2].decode(errors="replace")
    return ProcessStatus(pid, command, fields[0].decode(), int(fields[1]), float(fields[19]), int(fields[17]))


def folder_of(pid: int, proc: str = "/proc") -> str:
    """The folder of /proc that shows the memory and the open files of a process.

    A main thread that has ended shows none of them, but another thread of the process does."""
    whole = f"{proc}/{pid}"
    seen = status(pid, proc)
    if seen is None or seen.state != "Z" or not seen.alive:
        return whole
    threads: list[str] = []
    with contextlib.suppress(OSError):
        threads = os.listdir(f"{whole}/task")  # noqa: PTH208 - a path of /proc
    for thread in threads:
        one = status(int(thread), f"{whole}/task")
        if one is not None and one.state not in {"Z", "X"}:
            return f"{whole}/task/{thread}"
    return whole


def carries(pid: int, marker: str, proc: str = "/proc") -> bool:
    """Whether the process was started with this marker.

    A process that we may not read is not ours."""
    if LINUX:
        return f"{MARKER}={marker}".encode() in _read_of_any_thread(pid, "environ", proc).split(b"\0")
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return bool(psutil.Process(pid).environ().get(MARKER) == marker)
    return False


def marked(marker: str, proc: str = "/proc") -> list[ProcessStatus]:
    """Every living process of this user that belongs to the cluster with this marker. For root,
    processes with other users are included.

    It carries the marker in its initial environment, or has a tag of that cluster."""
    me = os.geteuid()
    cluster = tags.cluster_of(marker)
    found = []
    for pid in processes(proc):
        if LINUX and me != 0 and _owner(f"{proc}/{pid}") != me:
            continue
        seen = status(pid, proc)
        if seen is None or not seen.alive:
            continue
        if carries(pid, marker, proc) or _wears_tag_of(pid, cluster, proc):
            found.append(seen)
    return found


def _wears_tag_of(pid: int, cluster: int, proc: str) -> bool:
    found = tags.worn(read(f"{proc}/{pid}/limits")) if LINUX else None
    return found is not None and found[0] == cluster


def descendants(root: int, proc: str = "/proc") -> list[ProcessStatus]:
    """Every living process below this one."""
    children: dict[int, list[ProcessStatus]] = {}
    for pid in processes(proc):
        seen = status(pid, proc)
        if seen is not None:
            children.setdefault(seen.parent, []).append(seen)
    found: list[ProcessStatus] = []
    unseen = [root]
    while unseen:
        below = children.get(unseen.pop(), [])
        unseen += [seen.pid for seen in below]
        found += below
    return [seen for seen in found if seen.alive]


def command_line(pid: int, proc: str = "/proc") -> str:
    """The command line of the process, for people."""
    if LINUX:
        text = _read_of_any_thread(pid, "cmdline", proc)
        words = text.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
        seen = status(pid, proc)
        return words or (f"[{seen.command}]" if seen else "")
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return " ".join(psutil.Process(pid).cmdline())
    return ""


def end_all(find: Callable[[], Iterable[ProcessStatus]], deadline: Deadline) -> list[ProcessStatus]:
    """Kills what `find` finds until it finds nothing more, or the deadline passes. Returns what it
    has killed.

    Each process is checked again after a descriptor has pinned it, so a recycled PID is never hit.
    """
    killed: dict[int, ProcessStatus] = {}
    while not deadline.passed:
        found = list(find())
        if not found:
            break
        _end(found, deadline)
        killed.update((seen.pid, seen) for seen in found)
    return list(killed.values())


def kill(seen: ProcessStatus, number: int = signal.SIGKILL, proc: str = "/proc") -> int | None:
    """Signals exactly the process that was seen.

    Returns a descriptor that reports its end, if possible."""
    descriptor = None
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            descriptor = os.pidfd_open(seen.pid)
        now = status(seen.pid, proc)
        if now is not None and now.started == seen.started:
            if sys.platform == "linux" and descriptor is not None:
                signal.pidfd_send_signal(descriptor, number)
            else:
                os.kill(seen.pid, number)
    return descriptor


def _end(found: list[ProcessStatus], deadline: Deadline) -> None:
    pinned = [descriptor for descriptor in map(kill, found) if descriptor is not None]
    try:
        if not LINUX:
            poll(lambda: not any(_lives(seen) for seen in found), deadline)
            return
        waiting = select.poll()
        for descriptor in pinned:
            waiting.register(descriptor, select.POLLIN)
        alive = len(pinned)
        while alive and not deadline.passed:
            for descriptor, _ in waiting.poll(deadline.left * 1000):
                waiting.unregister(descriptor)
                alive -= 1
    finally:
        for descriptor in pinned:
            os.close(descriptor)


def _lives(seen: ProcessStatus) -> bool:
    now = status(seen.pid)
    return now is not None and now.alive and now.started == seen.started


def _status_by_psutil(pid: int) -> ProcessStatus | None:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        state = "Z" if process.status() == psutil.STATUS_ZOMBIE else "R"
        return ProcessStatus(pid, process.name(), state, process.ppid(), process.create_time())
    return None


def _read_of_any_thread(pid: int, file: str, proc: str) -> bytes:
    """Reads a file about the memory of a process, from its main thread or from another one."""
    text = read(f"{proc}/{pid}/{file}")
    if text:
        return text
    folder = folder_of(pid, proc)
    return read(f"{folder}/{file}") if folder != f"{proc}/{pid}" else b""


def _owner(path: str) -> int:
    try:
        return Path(path).stat().st_uid
    except OSError:
        return -1


def read(path: str) -> bytes:
    """The content of a file of /proc; empty if it is missing or unreadable."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - read for every process of the machine
            return file.read()
    except OSError:
        return b""
