"""Remove what stopped clusters left: run folders, and remains of clusters whose keeper and guard
died."""

from __future__ import annotations

from pathlib import Path

from clusterlib.client.start import all_locks, cluster_name, lock_of, project_folder
from clusterlib.frozen import frozen
from clusterlib.hosts.registry import sweep_leftovers
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName, Every
from clusterlib.operations.result import Result
from clusterlib.rundir.folders import all_names, prune, runs_of

__all__ = ["Cleaned", "Leftover", "clean"]


@frozen
class Leftover(Result):
    """What was found of a cluster whose keeper is dead."""

    cluster: str
    project: str
    processes: tuple[str, ...]


@frozen
class Cleaned(Result):
    folders: tuple[str, ...]
    leftovers: tuple[Leftover, ...]
    running: tuple[str, ...]
    """Running clusters, whose latest run was kept."""


@operation(effect="destroy")
def clean(caller: Caller, *, name: ClusterName | None = None, all: Every = False) -> Cleaned:  # noqa: A002 - the name of the option
    """Remove the run folders of stopped clusters, and whatever a dead one left behind."""
    folder = project_folder(caller.project)
    swept = sweep_leftovers()
    for lock in all_locks():
        lock.remove()
    removed: list[Path] = []
    running = []
    for one in all_names(folder) if all else [cluster_name(name)]:
        lock = lock_of(folder, one)
        stopped = lock.take()  # held during the removal, so that none starts meanwhile
        try:
            removed += prune(folder, one, keep=0 if stopped else 1)
            if stopped:
                _remove_if_empty(folder, one)
            else:
                running.append(one)
        finally:
            if stopped:
                lock.remove()
    leftovers = tuple(
        Leftover(one.name, one.project, tuple(f"pid {seen.pid}: {seen.command}" for seen in one.processes))
        for one in swept
    )
    return Cleaned(tuple(str(path) for path in removed), leftovers, tuple(running))


def _remove_if_empty(project: Path, name: str) -> None:
    home = project / ".clusterlib" / name
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()


@clean.foresees
def _foresee_clean(caller: Caller, *, name: ClusterName | None = None, all: Every = False) -> list[str]:  # noqa: A002
    folder = project_folder(caller.project)
    would = []
    for one in all_names(folder) if all else [cluster_name(name)]:
        kept = 0 if lock_of(folder, one).is_free() else 1
        runs = runs_of(folder, one)
        would += [f"{run.path} would be removed" for run in runs[: len(runs) - kept]]
    return [*would, "processes of clusters whose keeper and guard are dead would be ended"]
