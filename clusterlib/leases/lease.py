"""A test's turn on a cluster, and the error if it can have none."""

from __future__ import annotations

from clusterlib.client.cluster import Cluster
from clusterlib.client.environment import environment_of
from clusterlib.errors import ClusterError
from clusterlib.leases.need import Need, need_of
from clusterlib.leases.pooled import PooledCluster
from clusterlib.leases.schedule import too_large
from clusterlib.messages.status import ClusterStatus
from clusterlib.messages.uses import Obtained

__all__ = ["ClusterLease", "Unserved"]


class Unserved(Exception):
    """No cluster is available for a need.

    Not a ClusterError itself: `error` is one, and is shown to the user."""

    def __init__(self, error: ClusterError, *, may_skip: bool, profile: str = "", first: bool = True) -> None:
        super().__init__(str(error))
        self.error = error
        self.may_skip = may_skip
        """Whether the affected tests may be skipped: the profile allows it, and the run is not
        strict."""
        self.profile = profile
        self.first = first
        """Whether this is the first affected test; later ones get a short message."""


class ClusterLease:
    """One test's turn on a cluster. `release` ends the turn; the cluster stays in the pool."""

    def __init__(
        self, pooled: PooledCluster, need: Need, who: str, status: ClusterStatus, how: Obtained
    ) -> None:
        self.cluster: Cluster = pooled.cluster
        self.need = need
        self.who = who
        self.borrowed = pooled.borrowed
        self.how = how
        self.status = status
        """The cluster as it was when the turn began."""
        self._pooled = pooled
        self._released = False

    def __repr__(self) -> str:
        return f"<ClusterLease {self.cluster.name!r} by {self.who!r}, {self.how}>"

    @property
    def notes(self) -> list[str]:
        """Messages about this cluster: that it is smaller than requested, or simulated instead."""
        return self._pooled.usage.notes

    @property
    def environment(self) -> dict[str, str]:
        """The environment for programs that the test starts: CLUSTERLIB_NAME and the others."""
        return environment_of(self.cluster, self.status)

    @property
    def scales(self) -> bool:
        """Whether the test may change its size: it is our own, no other test uses it, and its kind
        can be scaled."""
        alone = any(turn.exclusive for turn in self.status.turns)
        return alone and not self.borrowed and not self._pooled.terms.shape.fixed

    def check_size(self, size: int) -> None:
        """Raises NeedImpossible for a size that no cluster of this profile can have here."""
        written = "with_cluster_size({})"
        need_of(size=size, remedies=[written.format(3)])
        terms = self._pooled.terms
        fault = too_large(self.who, size, terms.profile, terms.shape, written=written)
        if fault is not None:
            raise fault

    def release(self) -> None:
        """Ends the turn. When it returns, all earlier output of the nodes is in their log files.
        Idempotent.

        The outcome of the test does not matter, only what the keeper saw. Never raises for a
        cluster that is gone: the next need starts another one."""
        if not self._released:
            self._released = True
            self._pooled.leave(self.need, self.who)
