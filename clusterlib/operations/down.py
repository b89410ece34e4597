"""End clusters, and wait until their processes are gone."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from clusterlib.client.ending import Ending, take_down
from clusterlib.client.start import cluster_name, is_running, project_folder
from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName, Every
from clusterlib.operations.reach import reached, running_names
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
    """At the same time; those without a thread, if the user may not have more, one after
    another."""
    begun: dict[str, Future[Ending]] = {}
    with ThreadPoolExecutor(max_workers=8) as threads, contextlib.suppress(RuntimeError):
        for name in names:
            context = contextvars.copy_context()  # has the client that this is done for
            begun[name] = threads.submit(context.run, take_down, name, project=project)
    return [begun[name].result() if name in begun else take_down(name, project=project) for name in names]


@operation(effect="destroy", name="down")
def bring_down(caller: Caller, *, name: ClusterName | None = None, all: Every = False) -> Stopped:  # noqa: A002 - the name of the option
    """End a cluster, and return when its processes are gone. It is no error if none is running."""
    began = time.monotonic()
    folder = project_folder(caller.project)
    names = running_names(folder) if all else [cluster_name(name)]
    one = len(names) == 1
    endings = [take_down(names[0], project=folder)] if one else _take_down_all(names, folder)
    return Stopped(
        stopped=tuple(one.name for one in endings if one.was_running),
        asked=tuple(names),
        forced=tuple(f"{one.name}: {one.forced}" for one in endings if one.forced),
        seconds=round(time.monotonic() - began, 4),
    )


@bring_down.foresees
def _foresee_down(caller: Caller, *, name: ClusterName | None = None, all: Every = False) -> list[str]:  # noqa: A002
    folder = project_folder(caller.project)
    names = running_names(folder) if all else [cluster_name(name)]
    return [_foreseen_end(one, folder) for one in names if is_running(one, project=folder)]


def _foreseen_end(name: str, project: Path) -> str:
    try:
        with reached(name, project=project) as cluster:
            nodes = ", ".join(node.name for node in cluster)
    except ClusterError as error:
        return f"cluster {name} would be ended by force: {error.problem}"
    return f"cluster {name} would be ended, with its nodes {nodes}"
