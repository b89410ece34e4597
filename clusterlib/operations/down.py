"""End clusters; done when their processes are really gone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from clusterlib.client.ending import Ending, take_down
from clusterlib.client.start import cluster_name, project_folder
from clusterlib.frozen import frozen
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


def _take_down_all(names: Sequence[str], project: Path) -> list[Ending]:
    """At once; those for whom there is no thread, as the user may have no more of them, one after the other."""
    begun: dict[str, Future[Ending]] = {}
    with ThreadPoolExecutor(max_workers=8) as threads, contextlib.suppress(RuntimeError):
        for name in names:
            begun[name] = threads.submit(take_down, name, project=project)
    return [begun[name].result() if name in begun else take_down(name, project=project) for name in names]


def bring_down(name: str | None = None, *, every: bool = False, project: Path | str | None = None) -> Stopped:
    """Ends one cluster, or every cluster of the project. One that does not run is a success."""
    began = time.monotonic()
    folder = project_folder(project)
    names = running_names(folder) if every else [cluster_name(name)]
    one = len(names) == 1
    endings = [take_down(names[0], project=folder)] if one else _take_down_all(names, folder)
    return Stopped(
        stopped=tuple(one.name for one in endings if one.was_running),
        asked=tuple(names),
        forced=tuple(f"{one.name}: {one.forced}" for one in endings if one.forced),
        seconds=round(time.monotonic() - began, 4),
    )
