"""How much slower a busy node is while it is sampled for a flame graph."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clusterlib
from bench.figures import Figures, Row

__all__ = ["slowdown"]

SECONDS = 2.0


def slowdown(project: Path, repeat: int) -> Row:
    """Both alternate, so that a busy moment of the machine affects both."""
    shares = []
    with clusterlib.up("ci-small", project=project, name="bench-sampling") as cluster:
        node = cluster["node1"]
        with ThreadPoolExecutor(1) as pool:
            for _ in range(repeat):
                alone = node.run(work_done, SECONDS)
                samples = pool.submit(node.samples, SECONDS)
                sampled = node.run(work_done, SECONDS)
                samples.result()
                shares.append(100 * (1 - sampled / alone))
    what = "slowdown of a busy node while it is sampled, 100 times a second"
    return Row("sampling", what, "%", Figures.of(shares), 5)


def work_done(seconds: float) -> int:
    """How many rounds of work fit into that time."""
    import json

    rounds, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        json.loads(json.dumps([{"number": number} for number in range(50)]))
        rounds += 1
    return rounds
