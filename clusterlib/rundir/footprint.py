"""What the nodes of a profile took in earlier runs of a project, by the samples that their keepers have left."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.rundir.folders import RunFolder, all_names, runs_of

__all__ = ["Footprint", "measured_footprint"]

LOOKED_AT = 20
"""Runs of the project, the newest first, ..."""
ENOUGH = 3
"""... until so many of the profile were measured."""
TAIL = 64 * 1024
"""Bytes at the end of a file: some hundred looks at a cluster."""
MOST = 2**50


@frozen
class Footprint:
    """The most that a process of a cluster took: a node, or the simulation that all nodes are in."""

    memory: int
    run: RunFolder

    @property
    def when(self) -> str:
        begun = self.run.begun
        return f"in the run of {begun:%Y-%m-%d %H:%M} UTC" if begun else f"in the run {self.run.path.name}"


def measured_footprint(
    project: Path, profile: str, *, driver: str, simulated: bool, besides: Path | None = None
) -> Footprint | None:
    """Of the newest runs, the one whose processes took most; None where none was measured. `besides` does not count.

    Bounded, however many runs there are and however long they were."""
    wanted = {"profile": profile, "driver": driver, "simulated": simulated}
    found: list[Footprint] = []
    for run in _newest(project, besides):
        state = run.read_state()
        if any(state.get(key) != value for key, value in wanted.items()):
            continue
        memory = max(_amounts(run.samples), default=0)
        if memory:
            found.append(Footprint(memory, run))
        if len(found) == ENOUGH:
            break
    return max(found, key=lambda one: one.memory, default=None)


def _newest(project: Path, besides: Path | None) -> list[RunFolder]:
    try:
        runs = [run for name in all_names(project) for run in runs_of(project, name) if run.path != besides]
    except OSError:  # somebody cleans at this moment, or we may not look
        return []
    return sorted(runs, key=lambda run: run.path.name, reverse=True)[:LOOKED_AT]


def _amounts(samples: Path) -> Iterator[int]:
    for line in _tail(samples).splitlines():
        try:
            sample: Any = json.loads(line)
        except (ValueError, RecursionError):  # the first line may be cut, and the last one of a full disk
            continue
        nodes = sample.get("nodes") if isinstance(sample, dict) else None
        for figures in nodes.values() if isinstance(nodes, dict) else ():
            memory = figures.get("memory") if isinstance(figures, dict) else None
            if type(memory) is int and 0 < memory <= MOST:
                yield memory


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            return file.read(TAIL)
    except OSError:
        return b""
