"""The clusters of a process whose tests run without the plugin, as with `python -m unittest`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError, UsageError
from clusterlib.leases.lease import ClusterLease, Unserved
from clusterlib.leases.need import Need
from clusterlib.leases.pool import Pool
from clusterlib.testing.serving import put_into_environment, resized

__all__ = ["ProcessRun"]


class ProcessRun:
    """Keeps clusters from test to test until `close`."""

    def __init__(self, project: Path, give_up: Callable[[Unserved], NoReturn]) -> None:
        """`give_up` skips or fails the test that runs."""
        self._pool = Pool(project)
        self._give_up = give_up
        self._lease: ClusterLease | None = None
        self._who = ""

    @contextlib.contextmanager
    def turn(self, who: str, need: Callable[[], Need]) -> Iterator[None]:
        """The test's turn on a cluster. Raises Unserved, also for an invalid need."""
        self._who = who
        try:
            wanted = need()
        except ClusterError as error:
            raise Unserved(error, may_skip=False) from error
        lease = self._lease = self._pool.acquire(wanted, self._who)
        outside = put_into_environment(lease.environment)
        try:
            yield
        finally:
            self._lease = None
            put_into_environment(outside)
            lease.release()

    def lease(self) -> ClusterLease:
        if self._lease is None:
            raise UsageError(
                "no test runs that could have a cluster",
                cause="a test has its cluster from setUp to tearDown, and none in setUpClass",
                remedies=["use self.cluster in setUp"],
            )
        return self._lease

    def resized(self, size: int) -> AbstractContextManager[Cluster]:
        return resized(self.lease(), size, self._private)

    @contextlib.contextmanager
    def _private(self, profile: str | None, size: int | None) -> Iterator[Cluster]:
        try:
            cluster = self._pool.private(profile, size, who=self._who)
        except Unserved as unserved:
            self._give_up(unserved)
        try:
            yield cluster
        finally:
            self._pool.end_private(cluster)

    def close(self) -> None:
        self._pool.close()
