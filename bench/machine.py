"""Facts from the kernel: the machine, and the memory, CPU time and end of processes."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import select
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clusterlib.hosts.proc import marked
from clusterlib.waiting import Deadline

__all__ = ["Wake", "cpu_seconds", "facts", "memory_mb"]


def facts() -> dict[str, Any]:
    model = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": model[1] if model else platform.machine(),
        "memory_mb": int(memory[1]) // 1024 if memory else None,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def memory_mb(pid: int) -> float:
    """Its own share of the memory (PSS): pages that several processes share count in parts."""
    found = re.search(r"^Pss:\s*(\d+)", _read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
    return int(found[1]) / 1024 if found else float("nan")


def cpu_seconds(pid: int) -> float:
    """Time on a CPU so far, in nanosecond steps, all threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


class Wake:
    """Waits for the end of all processes of a cluster, by descriptors opened while they lived."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pinned: list[int] = []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                self._pinned.append(os.pidfd_open(pid))

    @staticmethod
    def of(status: dict[str, Any]) -> Wake:
        """Keeper, guard, nursery, nodes, and what else carries the cluster's marker."""
        return Wake(seen.pid for seen in marked(status["marker"]))

    def all_gone(self, seconds: float = 30.0) -> float:
        """Seconds until the last is gone."""
        begin = time.perf_counter()
        deadline = Deadline(seconds)
        waiting = select.poll()
        for descriptor in self._pinned:
            waiting.register(descriptor, select.POLLIN)
        left = len(self._pinned)
        try:
            while left:
                if deadline.passed:
                    raise RuntimeError(f"{left} processes still live after {seconds} s")
                for descriptor, _ in waiting.poll(deadline.left * 1000):
                    waiting.unregister(descriptor)
                    left -= 1
            return time.perf_counter() - begin
        finally:
            for descriptor in self._pinned:
                os.close(descriptor)
            self._pinned.clear()


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
