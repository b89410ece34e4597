"""The live prompt, opened at a real terminal or run without one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.terminal import Terminal


@contextmanager
def prompt(project: Path, *words: str, term: str = "xterm") -> Iterator[Terminal]:
    with Terminal("live", *words, folder=project, term=term) as terminal:
        terminal.shows("Ctrl-D ends.")
        yield terminal


def live(project: Path, *words: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clusterlib", "live", *words],
        cwd=project,
        input=typed,
        stdin=subprocess.DEVNULL if typed is None else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
