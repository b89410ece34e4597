"""Clusters that tests start for themselves: for one test alone, or for the session."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from clusterlib.client.arguments import check_flag, check_overrides
from clusterlib.client.cluster import Cluster
from clusterlib.errors import ClusterError
from clusterlib.leases.lease import Unserved
from clusterlib.leases.need import need_of
from clusterlib.testing.needs import uses_session
from clusterlib.testing.outcome import TestOutcome
from clusterlib.values.overrides import Overrides

if TYPE_CHECKING:
    from clusterlib.leases.pool import Pool
    from clusterlib.testing.given import Display

__all__ = ["OUTCOME", "Factory", "OwnClusters"]

OUTCOME = pytest.StashKey[TestOutcome]()
"""What becomes of a test."""


class OwnClusters:
    """Those of this process, while they live. The pool starts and ends them."""

    def __init__(
        self, pool: Callable[[], Pool], display: Display, error: Callable[[Unserved], ClusterError]
    ) -> None:
        """`error`: what is raised in the test's code if a cluster does not start."""
        self._pool = pool
        self._display = display
        self._error = error
        self._of_test: list[Cluster] = []
        self._of_session: list[Cluster] = []
        self._handed_out: list[Cluster] = []
        """Those that `up` and `attach` have returned in this process since the test began, to any
        caller."""

    def begin_test(self) -> None:
        self._handed_out.clear()

    def handed_out(self, cluster: Cluster) -> None:
        self._handed_out.append(cluster)

    def seen_by(self, item: pytest.Item) -> list[Cluster]:
        """Those that may have information about this test."""
        of_session = self._of_session if uses_session(item) else []
        return [*self._of_test, *of_session, *self._handed_out]

    def heal(self, item: pytest.Item) -> None:
        """Before a test that uses a cluster of the session: nodes that have ended are started
        again.

        The others keep running with their memory, so that a client of the session stays connected
        to them."""
        if not uses_session(item) or not self._of_session:
            return
        for cluster in self._of_session:
            with contextlib.suppress(ClusterError):  # a test that uses one that is gone gets the error
                self._pool().count_private(cluster)
                if cluster.status().dirty:
                    cluster.heal()
        if OUTCOME in item.stash:
            item.stash[OUTCOME].uses_too(self._of_session)
            item.stash[OUTCOME].is_served()

    @contextlib.contextmanager
    def started(
        self,
        item: pytest.Item | None,
        profile: str | None,
        size: int | None,
        *,
        simulate: bool | None = None,
        overrides: Overrides | None = None,
        session: bool = False,
    ) -> Iterator[Cluster]:
        """A cluster of the test's own. Its output is shown with the test if that fails."""
        name = "session_cluster_factory" if session else "cluster_factory"
        who = item.nodeid if item is not None else name
        need_of(profile=profile, size=size, remedies=[f'{name}(size=3, profile="dev")'])
        check_flag("simulate", simulate, optional=True)
        check_overrides(overrides)
        try:
            with self._display.waiting(who, "a cluster of its own"):
                cluster = self._pool().private(
                    profile, size, simulate=simulate, overrides=overrides, who=who, written=name
                )
        except Unserved as unserved:
            raise self._error(unserved) from None
        clusters = self._of_session if session else self._of_test
        clusters.append(cluster)
        if item is not None and OUTCOME in item.stash:
            item.stash[OUTCOME].uses_too([cluster])
        try:
            yield cluster
        finally:
            clusters.remove(cluster)
            self._pool().end_private(cluster)


class Factory:
    """What the fixtures `cluster_factory` and `session_cluster_factory` are: call it for a
    cluster."""

    def __init__(
        self,
        own: OwnClusters,
        item: Callable[[], pytest.Item | None],
        *,
        profile: str | None = None,
        size: int | None = None,
        session: bool = False,
    ) -> None:
        self._own = own
        self._item = item
        self._profile = profile
        self._size = size
        self._session = session
        self._opened = contextlib.ExitStack()

    def __call__(
        self,
        size: int | None = None,
        *,
        profile: str | None = None,
        simulate: bool | None = None,
        overrides: Overrides | None = None,
    ) -> Cluster:
        """`overrides` are settings of the profile, as in `clusterlib.up`: `{"environment.DEBUG":
        "1"}`.

        Size and profile default to those of the test's markers."""
        return self._opened.enter_context(
            self._own.started(
                self._item(),
                self._profile if profile is None else profile,
                self._size if size is None else size,
                simulate=simulate,
                overrides=overrides,
                session=self._session,
            )
        )

    def close(self) -> None:
        """The last one first. Errors are raised after all others were closed."""
        self._opened.close()
