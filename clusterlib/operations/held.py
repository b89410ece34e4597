"""Connections to keepers that are kept between operations, for a process that carries out many.

A connection that is held neither keeps its cluster alive nor delays its end. One whose cluster has
ended is noticed when it is taken, because each is asked for the status then."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError

__all__ = ["HeldConnections", "held_connections", "held_in"]

MOST_OF_A_CLUSTER = 4
MOST = 32


class HeldConnections:
    """Safe to use from many threads. Each connection is used by one of them at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[Path, str], list[Cluster]] = {}

    def take(self, project: Path, name: str) -> Cluster | None:
        """One that works, if there is one."""
        while True:
            with self._lock:
                idle = self._idle.get((project, name))
                cluster = idle.pop() if idle else None
            if cluster is None:
                return None
            try:
                cluster.status()
            except ClusterError:
                cluster.keeper.close()  # of a cluster that has ended
            else:
                return cluster

    def give_back(self, project: Path, name: str, cluster: Cluster) -> None:
        with self._lock:
            idle = self._idle.setdefault((project, name), [])
            total = sum(map(len, self._idle.values()))
            if len(idle) < MOST_OF_A_CLUSTER and total < MOST:
                idle.append(cluster)
                return
        cluster.keeper.close()

    def close(self) -> None:
        with self._lock:
            every = [cluster for idle in self._idle.values() for cluster in idle]
            self._idle.clear()
        for cluster in every:
            with contextlib.suppress(ClusterError):
                cluster.keeper.close()


_held: ContextVar[HeldConnections | None] = ContextVar("held", default=None)


@contextlib.contextmanager
def held_in(connections: HeldConnections) -> Iterator[None]:
    """Operations within the block use these. Only for operations that leave nothing behind in a
    connection, such as a turn: those that only look."""
    before = _held.set(connections)
    try:
        yield
    finally:
        _held.reset(before)


def held_connections() -> HeldConnections | None:
    return _held.get()
