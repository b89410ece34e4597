"""The facts on which `choosing` and `preparing` decide, as plain values."""

from __future__ import annotations

from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen
from clusterlib.leases.need import Need
from clusterlib.remedies import DEFAULT_CLUSTER

__all__ = ["ClusterSeen", "FailedStart", "PooledFacts", "Running", "ToCome", "Wanted"]


@frozen
class ToCome:
    """The tests of a profile that were announced."""

    nodes: int
    """What the largest of them needs."""
    least: int = 1
    """The fewest nodes that serve all of them."""
    exact: bool = False


@frozen
class Wanted:
    """A need, with everything of its profile that a decision depends on."""

    need: Need
    profile: str
    count: int
    """Nodes that the profile starts with."""
    least: int
    """The fewest nodes that serve the need, on any machine."""
    alone: bool = True
    """The test has the cluster for itself."""
    shared: bool = False
    """All worker processes share one cluster, and each may scale it."""
    fixed: bool = False
    """Clusters of this profile cannot be scaled."""
    auto: bool = True
    """Clusters may be started."""
    may_skip: bool = False
    """Tests may be skipped if the machine cannot start clusters."""
    to_come: ToCome | None = None

    @property
    def asked(self) -> str:
        """How many nodes, in words."""
        return f"exactly {self._nodes}" if self.need.exact else str(self._nodes)

    @property
    def _nodes(self) -> int:
        return self.need.size or self.count


@frozen
class PooledFacts:
    """A cluster that the pool keeps."""

    name: str
    nodes: int
    base: int
    """Its size for tests that do not need more, or exactly another size."""
    left: int
    """The size that the pool has set. If it differs now, a test has scaled it."""
    borrowed: bool = False
    """It was not started by the pool, and is never scaled and never ended."""
    any_size: bool = False
    """A need without a size accepts it as it is: it was started for the tests."""
    in_use: bool = False
    """A test uses it now."""

    def fewest(self, wanted: Wanted) -> int:
        """The fewest nodes with which it serves the test."""
        if wanted.need.size is not None:
            return wanted.need.size
        return 1 if self.any_size else min(wanted.count, max(self.base, wanted.least))


@frozen
class Running:
    """The cluster that may be borrowed. Without nodes, none of that name runs."""

    name: str = DEFAULT_CLUSTER
    nodes: int = 0
    unlike: str | None = None
    """Why it cannot be used, whatever its size: a sentence that begins with its name."""
    any_size: bool = False


@frozen
class FailedStart:
    """A failed start. It is not repeated with as many nodes or more."""

    nodes: int
    error: ClusterError
    may_skip: bool


@frozen
class ClusterSeen:
    """The state of a cluster while a test has a turn on it."""

    nodes: int
    unwell: bool = False
    """A node is not ready, or it is damaged."""
    damaged: bool = False
    """A test has left something in the cluster as a whole, which only a fresh start removes."""
    stale: bool = False
    """Nodes run other code than is on disk."""
    afresh: bool = False
    """The test has failed and runs again, with all nodes restarted without data."""
