"""What the nodes use while they run: a line in `samples.jsonl` for each sample, and the peak of
memory.

    {"time": "…Z", "nodes": {"node1": {"memory": 8398848, "cpu": 0.31}}, "keeper": {"memory": …}}

`memory` is in bytes, shared pages in proportion; `cpu` in seconds since the process started.
Simulated nodes are one process, "simulation". Sampling many nodes is expensive: the more a sample
has cost, the later the next one is taken."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from clusterlib.hosts.resources import sample
from clusterlib.keeper.node import ManagedNode
from clusterlib.messages.codec import plain
from clusterlib.messages.event import now
from clusterlib.messages.measurements import Figures, Look, Sample
from clusterlib.messages.status import Peak
from clusterlib.waiting import pause_async

__all__ = ["Monitor", "pause_after"]

MOST_OF_A_CORE = 0.005
"""The limit for sampling, as a part of one core."""
CHEAP = 0.01
"""Seconds for which a last sample may delay the end of the nodes."""
THINNING = 1 << 20
"""With each of so many bytes in the file the pause doubles, so the file stays small in a
long life."""
MOST_DOUBLINGS = 16


class Monitor:
    def __init__(
        self, path: Path, interval: float, nodes: Mapping[str, ManagedNode], *, simulated: bool
    ) -> None:
        self.memory = 0
        """The peak of all nodes together, in bytes."""
        self._path = path
        self._interval = interval
        self._nodes = nodes
        self._simulated = simulated
        self._file: int | None = None
        self._written = 0
        self._noted = False
        self._cost = 0.0
        self._now: dict[str, tuple[int | None, float]] = {}
        """The CPU seconds of each node's present process, which is identified by its pid."""
        self._before = 0.0
        """Those of all earlier processes."""

    @property
    def cpu(self) -> float:
        """Seconds that all nodes have taken so far, in all their processes."""
        return self._before + sum(seconds for _, seconds in self._now.values())

    @property
    def peak(self) -> Peak:
        """Never without figures, even while the first sample is being taken."""
        if not self._noted:
            self.last_look()
        return Peak(self.memory, round(self.cpu, 2))

    async def run(self) -> None:
        """Samples repeatedly, the first time at once. The loop runs after each node."""
        while True:
            seen: dict[str, Sample] = {}
            self._cost = 0.0
            for name, node in self._watched().items():
                self._look(name, node, seen)
                await pause_async(0)
            self._note(seen)
            await pause_async(pause_after(self._interval, self._written, self._cost))

    def last_look(self) -> None:
        """Taken before the nodes are stopped, so that a short run has figures, too; left out if it
        would be expensive and there are others."""
        if self._cost <= CHEAP or not self._noted:
            seen: dict[str, Sample] = {}
            for name, node in self._watched().items():
                self._look(name, node, seen)
            self._note(seen)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _watched(self) -> dict[str, ManagedNode]:
        living = {name: node for name, node in self._nodes.items() if node.pid is not None}
        if self._simulated and living:
            return {"simulation": next(iter(living.values()))}
        return living

    def _look(self, name: str, node: ManagedNode, seen: dict[str, Sample]) -> None:
        begun = time.thread_time()
        found = node.usage()
        if found is not None:
            seen[name] = found
            pid, seconds = self._now.get(name, (node.pid, 0.0))
            if pid != node.pid:
                self._before += seconds
            self._now[name] = node.pid, found.cpu_seconds
        self._cost += time.thread_time() - begun

    def _note(self, seen: dict[str, Sample]) -> None:
        if not seen:
            return
        self._noted = True
        begun = time.thread_time()
        self.memory = max(self.memory, sum(found.pss for found in seen.values()))
        keeper = sample(os.getpid())
        nodes = {name: _figures(found) for name, found in seen.items()}
        look = Look(now(), nodes, _figures(keeper) if keeper is not None else None)
        with contextlib.suppress(OSError):  # a full disk loses the figures, but does not affect the cluster
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._written += os.write(self._file, json.dumps(plain(look)).encode() + b"\n")
        self._cost += time.thread_time() - begun


def pause_after(interval: float, written: int, cost: float) -> float:
    """Seconds until the next sample, with so many bytes written so far and `cost` seconds of CPU
    for the last sample."""
    doublings = min(written // THINNING, MOST_DOUBLINGS)
    return max(interval * (1 << doublings), cost / MOST_OF_A_CORE)


def _figures(found: Sample) -> Figures:
    return Figures(found.pss, round(found.cpu_seconds, 2))
