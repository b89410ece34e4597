"""How an operation gets hold of a running cluster, and which clusters a project has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.client.connection import KeeperClient
from clusterlib.client.start import cluster_name, is_running, lock_of, project_folder, taken_locks
from clusterlib.errors import ClusterError, ClusterNotRunning, KeeperLost
from clusterlib.hosts.places import socket_path
from clusterlib.messages.requests import StatusRequest
from clusterlib.operations.held import held_connections
from clusterlib.remedies import do
from clusterlib.rundir.folders import all_names, cluster_identifier, latest_run
from clusterlib.waiting import Deadline, poll

__all__ = ["not_running", "reached", "running_names", "wanted_names"]

BOOTING_SECONDS = 5.0


@contextmanager
def reached(name: str | None = None, *, project: Path | str | None = None) -> Iterator[Cluster]:
    """A running cluster, to read or to control. No lease is taken: this neither keeps the cluster
    alive nor ends it.

    Errors get remedies for this cluster."""
    folder, called = project_folder(project), cluster_name(name)
    held = held_connections()
    taken = held.take(folder, called) if held is not None else None
    cluster = _connected(folder, called) if taken is None else taken
    unharmed = False
    try:
        yield cluster
        unharmed = True
    except ClusterError as error:
        error.of_cluster(called, _findable(cluster.profile, folder))
        raise
    finally:
        for node in cluster:
            node.close()
        if held is not None and unharmed:
            held.give_back(folder, called, cluster)
        else:
            cluster.keeper.close()


def _connected(folder: Path, called: str) -> Cluster:
    lock = lock_of(folder, called)
    if lock.is_free():
        raise not_running(called, folder)
    control = socket_path(cluster_identifier(folder, called))
    # The lock is taken a moment before the socket is there, and freed a moment after it is gone.
    poll(lambda: control.exists() or lock.is_free(), Deadline(BOOTING_SECONDS))
    try:
        client = KeeperClient.connect(control, called)
    except KeeperLost:
        if lock.is_free():
            raise not_running(called, folder) from None
        raise
    try:
        return Cluster(client, client.ask(StatusRequest()), lock)
    except BaseException:
        client.close()
        raise


def _findable(profile: str, project: Path) -> str | None:
    """None for a profile that was given as a file: a cluster knows only the name of it."""
    from clusterlib.profiles.catalogue import locate  # only where something goes wrong

    return profile if locate(profile, project) is not None else None


def not_running(name: str, project: Path) -> ClusterNotRunning:
    run = latest_run(project, name)
    return ClusterNotRunning(
        f"cluster '{name}' is not running",
        cause=f"its last run is in {run.path}"
        if run
        else f"no cluster of that name was ever started in {project}",
        remedies=[do("cluster.up")],
    ).of_cluster(name)


def running_names(project: Path | str | None = None) -> list[str]:
    """The clusters of this project that run now, also one that has not yet made its first
    folder."""
    folder = project_folder(project)
    beginning = (lock.name_in(folder) for lock in taken_locks())
    return sorted(
        {name for name in all_names(folder) if is_running(name, project=folder)} | {*filter(None, beginning)}
    )


def wanted_names(name: str | None, *, project: Path | str | None = None) -> list[str]:
    """The clusters a command means: the one that was named, by option or environment, or else all
    that run."""
    if name or os.environ.get("CLUSTERLIB_NAME"):
        return [cluster_name(name)]
    return running_names(project)
