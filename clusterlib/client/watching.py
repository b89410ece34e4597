"""Which clusters `up` hands out in this process: a run of tests shows what the clusters said that a test has started itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = ["handed_out", "watch_clusters"]

Watcher = Callable[["Cluster"], None]
_watchers: list[Watcher] = []


def watch_clusters(watcher: Watcher) -> Callable[[], None]:
    """Calls it with each cluster from now on. Gives back what ends that; idempotent."""
    _watchers.append(watcher)
    return lambda: _watchers.remove(watcher) if watcher in _watchers else None


def handed_out(cluster: Cluster) -> Cluster:
    for watcher in _watchers:
        watcher(cluster)
    return cluster
