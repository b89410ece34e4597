"""Memory and processor time of processes.

On Linux from /proc, so that a keeper need not import psutil; otherwise from psutil."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from clusterlib.frozen import field_names
from clusterlib.hosts.proc import LINUX, folder_of
from clusterlib.messages.measurements import Sample

__all__ = ["sample", "sample_all"]


MEASURED = field_names(Sample)


def sample(pid: int, *, proc: str = "/proc") -> Sample | None:
    """What the process uses now; None if it is gone or we may not see it."""
    with contextlib.suppress(PermissionError):
        return _look(pid, proc)
    return None


def sample_all(pids: Iterable[int], *, proc: str = "/proc") -> Sample | None:
    """What these processes use now, together: a server often has several processes, or is started
    by a script.

    The processor time of ended processes counts if they were waited for, so that the sum never
    falls. None if one may not be read, because the sum of the others would be too small."""
    with contextlib.suppress(PermissionError):
        looks = [_look(pid, proc, with_ended=True) for pid in pids]
        return _together([seen for seen in looks if seen is not None])
    return None


def _look(pid: int, proc: str, *, with_ended: bool = False) -> Sample | None:
    """None if it is gone. PermissionError if it lives and may not be read."""
    if not LINUX:
        return _from_psutil(pid)
    try:
        return _from_proc(pid, proc, with_ended=with_ended)
    except PermissionError:
        raise
    except (OSError, ValueError, IndexError):
        return None


def _together(found: Sequence[Sample]) -> Sample | None:
    if not found:
        return None
    return Sample(*(_sum([getattr(one, name) for one in found]) for name in MEASURED))


def _sum(figures: Sequence[Any]) -> Any:
    return None if None in figures else sum(figures)


def _from_proc(pid: int, proc: str, *, with_ended: bool = False) -> Sample:
    """Time is counted for the whole process, even if its main thread has ended.

    The rest may need another thread."""
    fields = shown = _stat(Path(proc, str(pid)))
    folder = Path(proc, str(pid))
    if fields[0] == b"Z":
        folder = Path(folder_of(pid, proc))
        shown = _stat(folder)
    ticks = sum(map(int, fields[11 : 15 if with_ended else 13]))
    rss = int(shown[21]) * os.sysconf("SC_PAGE_SIZE")
    pss = rss
    with contextlib.suppress(OSError):
        for line in (folder / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                pss = int(line.split()[1]) * 1024
                break
    descriptors = None
    with contextlib.suppress(PermissionError):
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
    return Sample(rss, pss, ticks / os.sysconf("SC_CLK_TCK"), int(fields[17]), descriptors)


def _stat(folder: Path) -> list[bytes]:
    """The fields of its state, from the third one on."""
    return (folder / "stat").read_bytes().rpartition(b")")[2].split()


def _from_psutil(pid: int) -> Sample | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            memory, times = process.memory_info(), process.cpu_times()
            used = times.user + times.system
            return Sample(memory.rss, memory.rss, used, process.num_threads(), process.num_fds())
    except psutil.AccessDenied as error:
        raise PermissionError(error.msg) from error
    except (psutil.Error, OSError):
        return None
