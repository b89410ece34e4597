"""What a profile means for the tests of a run: its values with the command line applied, and its
shape on this machine."""

from __future__ import annotations

from pathlib import Path

from clusterlib.frozen import frozen, replace
from clusterlib.leases.need import Need
from clusterlib.leases.schedule import ClusterShape, Group
from clusterlib.leases.situation import ToCome, Wanted
from clusterlib.profiles import ResolvedProfile, capacity, load_profile
from clusterlib.profiles.model import Tests
from clusterlib.values.choices import Fallback, Strictness, WorkerClusters
from clusterlib.values.overrides import Overrides

__all__ = ["Terms", "read_terms"]

PLENTY = 2**62


@frozen
class Terms:
    profile: str
    """The name that the tests use."""
    resolved: ResolvedProfile
    shape: ClusterShape

    @property
    def tests(self) -> Tests:
        return self.resolved.values.tests

    @property
    def strict(self) -> bool:
        """Whether tests fail if they cannot have a cluster."""
        said = self.tests.strict
        return said is Strictness.ALWAYS or (said is Strictness.CI and self.resolved.machine.ci is not None)

    @property
    def may_skip(self) -> bool:
        return Fallback.SKIP in self.tests.fallbacks and not self.strict

    @property
    def shared(self) -> bool:
        return self.tests.workers is WorkerClusters.SHARED

    def wants_alone(self, need: Need) -> bool:
        """Whether a test with this need has the cluster for itself while it runs."""
        return not self.shared or need.exclusive or need.exact or need.dirty is True

    def wanted(self, need: Need, to_come: Group | None = None) -> Wanted:
        """The need with everything of the profile that a decision depends on."""
        return Wanted(
            need,
            self.profile,
            count=self.shape.count,
            least=self.least(need),
            alone=self.wants_alone(need),
            shared=self.shared,
            fixed=self.shape.fixed,
            auto=self.tests.auto,
            may_skip=self.may_skip,
            to_come=None if to_come is None else ToCome(to_come.nodes, to_come.least, to_come.exact),
        )

    def least(self, need: Need) -> int:
        """The fewest nodes that can serve the need, on any machine."""
        if need.size is not None:
            return need.size
        return self.shape.least if Fallback.SMALLER in self.tests.fallbacks else self.shape.count


def read_terms(profile: str, project: Path, overrides: Overrides) -> Terms:
    """Raises ProfileError."""
    resolved = load_profile(profile, project=project, overrides=overrides)
    nodes = resolved.values.nodes
    most = capacity(resolved)
    shape = ClusterShape(
        count=nodes.count,
        capacity=most.nodes,
        capacity_reason=most.reason,
        steady=_steady(resolved, profile, project, overrides),
        least=min(nodes.min, nodes.count),
        fixed=bool(resolved.traits.fixed),
    )
    return Terms(profile, resolved, shape)


def _steady(resolved: ResolvedProfile, profile: str, project: Path, overrides: Overrides) -> int:
    """The count with plenty of memory, which is the same for every process of a run."""
    if not any(change.field == "nodes.count" for change in resolved.adaptations):
        return resolved.values.nodes.count
    machine = replace(resolved.machine, memory=PLENTY)
    calm = load_profile(profile, project=project, overrides=overrides, machine=machine)
    return calm.values.nodes.count
