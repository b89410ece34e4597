"""What every way of running tests does alike with a cluster that a test holds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from clusterlib.client.cluster import Cluster
from clusterlib.leases.lease import ClusterLease

__all__ = ["ClusterSource", "Private", "given_server", "put_into_environment", "resized", "serve_with"]

Private = Callable[[str | None, int | None], AbstractContextManager[Cluster]]
"""Starts a cluster of the running test's own, with this profile and number of nodes."""


class ClusterSource(Protocol):
    """Provides clusters for the tests of this process."""

    def lease(self) -> ClusterLease:
        """The turn of the test that runs now."""
        ...

    def resized(self, size: int) -> AbstractContextManager[Cluster]:
        """The cluster of the test that runs now with exactly that many nodes, for a block."""
        ...


_given: ClusterSource | None = None


def serve_with(server: ClusterSource | None) -> None:
    """The tests of this process get their clusters from this server; None: from the process
    itself."""
    global _given  # noqa: PLW0603 - a process runs its tests in one way
    _given = server


def given_server() -> ClusterSource | None:
    return _given


def put_into_environment(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Returns the previous values, so that they can be restored."""
    before = {name: os.environ.get(name) for name in values}
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return before


@contextlib.contextmanager
def resized(lease: ClusterLease, size: int, private: Private) -> Iterator[Cluster]:
    """The cluster with exactly that many nodes, for a block. If the test may not scale it,
    another one."""
    cluster = lease.cluster
    before = len(cluster)
    if before == size:
        yield cluster
        return
    lease.check_size(size)
    if not lease.scales:
        with private(cluster.profile, size) as other:
            yield other
        return
    cluster.scale(size)
    try:
        yield cluster
    finally:
        cluster.scale(before)
