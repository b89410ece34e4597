"""The clusters that `up` and `attach` return in this process: a test run shows the logs of clusters
that a test has started or joined itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = ["handed_out", "unwatched", "watch_clusters"]

Watcher = Callable[["Cluster"], None]
_watchers: list[Watcher] = []
_unwatched = ContextVar("unwatched", default=False)


def watch_clusters(watcher: Watcher) -> Callable[[], None]:
    """Calls the function with each cluster from now on.

    Returns a function that ends this; idempotent."""
    _watchers.append(watcher)
    return lambda: _watchers.remove(watcher) if watcher in _watchers else None


def handed_out(cluster: Cluster) -> Cluster:
    if not _unwatched.get():
        for watcher in _watchers:
            watcher(cluster)
    return cluster


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """For clusters that a test run looks at before it chooses one for a test."""
    before = _unwatched.set(True)
    try:
        yield
    finally:
        _unwatched.reset(before)
