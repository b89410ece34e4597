"""Runs a program of clusterlib on untrusted data, with limits of time and memory."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

__all__ = ["run_confined"]

PACKAGES = str(Path(__file__).parents[2])


def run_confined(module: str, data: bytes, *, cpu_seconds: int, memory: int, patience: float) -> bytes:
    """Returns the output of the module until it ended or was ended at a limit. It reads `data` from
    its standard input.

    The current folder is not on its path, because its content is as untrusted as the data."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, _path()))},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        _limit(process.pid, cpu_seconds, memory)
        try:
            return process.communicate(data, timeout=patience)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0]
        except BaseException:
            process.kill()
            raise


def _path() -> list[str]:
    return [PACKAGES, os.environ.get("PYTHONPATH", "")]


def _limit(pid: int, cpu_seconds: int, memory: int) -> None:
    """Before it gets any data.

    If the system cannot limit another process, only the time is limited."""
    limit = getattr(resource, "prlimit", None)
    if limit is None:
        return
    with contextlib.suppress(OSError, ValueError):
        limit(pid, resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
        limit(pid, resource.RLIMIT_AS, (memory, memory))
        limit(pid, resource.RLIMIT_CORE, (0, 0))
