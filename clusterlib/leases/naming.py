"""The names of test clusters.

A few names are used again and again, so that their run folders are pruned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.client.start import is_running
from clusterlib.errors import ClusterConflict
from clusterlib.network.ports import Lock, take_claim
from clusterlib.remedies import do
from clusterlib.rundir.folders import all_names, cluster_identifier

__all__ = ["Reservation", "names_in_use", "reserve_name", "start_in_free_slot"]

MOST_SLOTS = 200


class Reservation:
    """A name that no other run of this project takes meanwhile.

    The kernel frees it with its holder."""

    def __init__(self, name: str, lock: Lock) -> None:
        self.name = name
        self._lock = lock

    def close(self) -> None:
        self._lock.close()


def reserve_name(project: Path, prefix: str = "pytest-shared") -> Reservation:
    """The first of `prefix`, `prefix-2`, … that is neither reserved nor in use by a cluster: for
    all workers of one run."""
    for name in _slots(prefix):
        lock = take_claim(f"run/{cluster_identifier(project, name)}")
        if lock is None:
            continue
        if not is_running(name, project=project):
            return Reservation(name, lock)
        lock.close()
    raise _too_many(prefix)


def start_in_free_slot(prefix: str, project: Path, start: Callable[[str], Cluster]) -> Cluster:
    """Starts a cluster with the first free name.

    `start` raises ClusterConflict if another process was quicker."""
    for name in _slots(prefix):
        if is_running(name, project=project):
            continue
        try:
            return start(name)
        except ClusterConflict:
            continue
    raise _too_many(prefix)


def names_in_use(prefix: str, project: Path) -> list[str]:
    """The names of running clusters."""
    known = set(all_names(project))
    return [name for name in _slots(prefix) if name in known and is_running(name, project=project)]


def _slots(prefix: str) -> Iterator[str]:
    yield prefix
    for number in range(2, MOST_SLOTS + 1):
        yield f"{prefix}-{number}"


def _too_many(prefix: str) -> ClusterConflict:
    return ClusterConflict(
        f"all names from {prefix} to {prefix}-{MOST_SLOTS} are taken by clusters that run",
        cause="that many test runs at once, or clusters that linger or were kept",
        remedies=[do("cluster.status"), do("cluster.down", all=True)],
    )
