"""What the nodes of a profile took in earlier runs of a project, from the samples of their
keepers."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.messages.status import LastRole
from clusterlib.rundir.folders import RunFolder, all_names, runs_of

__all__ = ["Footprint", "measured_footprint"]

LOOKED_AT = 20
"""Runs of the project that are read, the newest first, ..."""
ENOUGH = 3
"""... until this many runs of the profile were found."""
TAIL = 64 * 1024
"""Bytes at the end of a file: some hundred samples of a cluster."""
MOST = 2**50


@frozen
class Footprint:
    """The most that a process of a cluster took.

    The process is a node, or the simulation of all nodes."""

    memory: int
    run: RunFolder

    @property
    def when(self) -> str:
        begun = self.run.begun
        return f"in the run of {begun:%Y-%m-%d %H:%M} UTC" if begun else f"in the run {self.run.path.name}"


def measured_footprint(
    project: Path,
    profile: str,
    *,
    role: str,
    driver: str,
    simulated: bool,
    besides: Path | None = None,
) -> Footprint | None:
    """The footprint of the newest run with the largest one; None if there is none. `besides` is
    left out. `role`: only its nodes count, unless all nodes are one simulation.

    The work is bounded, for any number and length of runs."""
    wanted = LastRole(role, driver)
    found: list[Footprint] = []
    for run in _newest(project, besides):
        state = run.read_state()
        if state is None or (state.profile, state.simulated) != (profile, simulated):
            continue
        if wanted not in state.roles:
            continue
        counted = (
            None
            if simulated or len(state.roles) == 1
            else {one.name for one in state.nodes if one.role == role}
        )
        memory = max(_amounts(run.samples, counted), default=0)
        if memory:
            found.append(Footprint(memory, run))
        if len(found) == ENOUGH:
            break
    return max(found, key=lambda one: one.memory, default=None)


def _newest(project: Path, besides: Path | None) -> list[RunFolder]:
    try:
        runs = [run for name in all_names(project) for run in runs_of(project, name) if run.path != besides]
    except OSError:  # the folder is being removed, or we may not read it
        return []
    return sorted(runs, key=lambda run: run.path.name, reverse=True)[:LOOKED_AT]


def _amounts(samples: Path, counted: Collection[str] | None) -> Iterator[int]:
    """Of these nodes; None: of all."""
    for line in _tail(samples).splitlines():
        try:
            sample: Any = json.loads(line)
        except (ValueError, RecursionError):  # the first line may be cut, and the last one on a full disk
            continue
        nodes = sample.get("nodes") if isinstance(sample, dict) else None
        for name, figures in nodes.items() if isinstance(nodes, dict) else ():
            if counted is not None and name not in counted:
                continue
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
