"""The clusters that `up` returns in this process: a test run shows the logs of clusters that a test
has started itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = ["handed_out", "watch_clusters"]

Watcher = Callable[["Cluster"], None]
_watchers: list[Watcher] = []


def watch_clusters(watcher: Watcher) -> Callable[[], None]:
    """Calls the function with each cluster from now on.

    Returns a function that ends this; idempotent."""
    _watchers.append(watcher)
    return lambda: _watchers.remove(watcher) if watcher in _watchers else None


def handed_out(cluster: Cluster) -> Cluster:
    for watcher in _watchers:
        watcher(cluster)
    return cluster
