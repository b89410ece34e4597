"""The tasks of a project, each called in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clusterlib.waiting import Deadline, poll

__all__ = ["PATIENCE", "Invoke", "begun", "environment", "words"]


Invoke = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE = 90


def environment(**more: str) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("CLUSTERLIB_", "CI"))}
    return {**ours, "NO_COLOR": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


def begun(process: subprocess.Popen[Any], folder: Path, sign: str) -> bool:
    """Waits until the sign is somewhere in the folder, or the process has ended."""
    poll(lambda: any(folder.rglob(sign)) or process.poll() is not None, Deadline(PATIENCE))
    return any(folder.rglob(sign))


def words(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "invoke", *arguments]
