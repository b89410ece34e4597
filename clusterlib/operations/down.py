"""End clusters; done when their processes are really gone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.lifecycle.ending import take_down
from clusterlib.lifecycle.start import cluster_name, project_folder
from clusterlib.operations.reach import running_names
from clusterlib.operations.result import Result

__all__ = ["Stopped", "bring_down"]


@frozen
class Stopped(Result):
    stopped: tuple[str, ...]
    """The clusters that were running and are gone now."""
    asked: tuple[str, ...]
    forced: tuple[str, ...]
    """Why a keeper had to be killed, for each that had."""
    seconds: float


def bring_down(name: str | None = None, *, every: bool = False, project: Path | str | None = None) -> Stopped:
    """Ends one cluster, or every cluster of the project. One that does not run is a success."""
    began = time.monotonic()
    folder = project_folder(project)
    names = running_names(folder) if every else [cluster_name(name)]
    if len(names) == 1:
        endings = [take_down(names[0], project=folder)]
    else:
        with ThreadPoolExecutor(max_workers=8) as threads:
            endings = list(threads.map(lambda one: take_down(one, project=folder), names))
    return Stopped(
        stopped=tuple(one.name for one in endings if one.was_running),
        asked=tuple(names),
        forced=tuple(f"{one.name}: {one.forced}" for one in endings if one.forced),
        seconds=round(time.monotonic() - began, 4),
    )
