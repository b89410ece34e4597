"""What is measured of processes that go on: operations that are new to them, the live prompt."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.figures import Figures, Row
from bench.programs import ROOT, environment
from bench.rows import Bench, ms

__all__ = ["LIVE"]

PATIENCE = 60.0
TIMES = 20


def new_operation(bench: Bench) -> list[Row]:
    """From the file until the operation has answered, in a process that has used others."""
    figures: dict[str, list[float]] = {}
    for _ in range(bench.few):
        with tempfile.TemporaryDirectory(prefix="clusterlib-bench-") as folder:
            done = subprocess.run(
                [sys.executable, "-m", "bench.new_operation", folder, str(TIMES)],
                cwd=ROOT,
                env=environment(),
                capture_output=True,
                text=True,
                check=True,
            )
        for key, values in json.loads(done.stdout).items():
            figures.setdefault(key, []).extend(values)
    alone = "Python alone: the file written, read, compiled and run"
    return [
        Row(
            "operation-new",
            "a new file in `operations/` beside 30 others, until its operation has answered",
            "ms",
            Figures.of(figures["ours"]),
            50,
            Figures.of(figures["bare"]),
            alone,
        ),
        Row(
            "operations-look",
            "a look at 30 files in `operations/` that have not changed",
            "ms",
            Figures.of(figures["looks"]),
            1,
            Figures.of(figures["bare_looks"]),
            "Python alone: the state of each file",
        ),
    ]


def prompt(bench: Bench) -> list[Row]:
    """Cold, at a terminal, until the first prompt is there."""
    ours, bare = [], []
    for _ in range(bench.repeat):
        ours.append(ms(_until([sys.executable, "-m", "clusterlib", "live"], b"]> ", bench.project)))
        bare.append(
            ms(
                _until(
                    [sys.executable, "-c", "import code, readline; code.interact()"], b">>> ", bench.project
                )
            )
        )
    return [
        Row(
            "live-prompt",
            "`clusterlib live` from the shell, until its prompt is there",
            "ms",
            Figures.of(ours),
            None,
            Figures.of(bare),
            'the prompt of `python -c "import code, readline; code.interact()"`',
        )
    ]


def _until(argv: Sequence[str], words: bytes, folder: Path) -> float:
    """Seconds until the program has shown the words at a terminal."""
    ours, theirs = os.openpty()
    begin = time.perf_counter()
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment(TERM="dumb", PYTHONPATH=str(ROOT)),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        heard = b""
        while words not in heard:
            if not select.select([ours], [], [], PATIENCE)[0]:
                raise RuntimeError(f"no prompt: {heard.decode(errors='replace')}")
            heard += os.read(ours, 4096)
        return time.perf_counter() - begin
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)


LIVE: dict[str, Callable[[Bench], list[Row]]] = {"operation-new": new_operation, "live-prompt": prompt}
