"""How the pool gets a cluster of its own: a lingering one, one that other workers share, or a new
one."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import MappingProxyType

from clusterlib.client.cluster import Cluster
from clusterlib.client.connection import Listener
from clusterlib.client.start import attach, up
from clusterlib.errors import ClusterConflict, ClusterError, ClusterNotRunning
from clusterlib.evidence.records import RecordWriter
from clusterlib.frozen import frozen
from clusterlib.leases.fitting import misfit
from clusterlib.leases.ladder import Climb, Climbed, Diagnose, Step, Stranded
from clusterlib.leases.naming import names_in_use, start_in_free_slot
from clusterlib.leases.settings import Settings
from clusterlib.leases.terms import Terms
from clusterlib.messages.uses import Obtained
from clusterlib.remedies import do
from clusterlib.values.choices import Fallback
from clusterlib.values.overrides import Overrides
from clusterlib.waiting import Deadline

__all__ = ["StartedCluster", "Starter"]

SETTLING = 60.0
"""Seconds for one of several workers to start the shared cluster, in addition to the start
itself."""


@frozen
class StartedCluster:
    cluster: Cluster
    how: Obtained
    seconds: float
    base: int
    """Its size for tests that do not need more."""
    notes: tuple[str, ...] = ()


class Starter:
    def __init__(
        self,
        project: Path,
        settings: Settings,
        record: RecordWriter,
        on_event: Listener | None,
        diagnose: Diagnose | None,
    ) -> None:
        self._project = project
        self._settings = settings
        self._record = record
        self._on_event = on_event
        self._diagnose = diagnose

    def start(self, terms: Terms, nodes: int, least: int, *, default: bool) -> StartedCluster | Stranded:
        """A cluster for many tests.

        `default`: its profile is the one of tests without a profile."""
        begun = time.monotonic()
        if not terms.shared and terms.resolved.values.linger > 0:
            lingering = self._lingering(terms)
            if lingering is not None:
                note = "it had lingered since an earlier run"
                return StartedCluster(lingering, Obtained.JOINED, time.monotonic() - begun, nodes, (note,))
        how = Obtained.STARTED

        def begin(step: Step) -> Cluster:
            nonlocal how
            if not terms.shared or self._settings.shared_name is None:
                return start_in_free_slot(
                    self._settings.prefix, self._project, lambda name: self._up(terms, name, step)
                )
            shared = self._settings.shared_name + ("" if default else f"-{terms.resolved.name}")
            cluster, how = self._share(terms, shared, step)
            return cluster

        end = self._climb(terms).start(begin, nodes, least)
        if isinstance(end, Stranded):
            return end
        base = end.step.nodes if how is Obtained.STARTED else nodes
        return StartedCluster(end.cluster, how, time.monotonic() - begun, base, _notes(end, nodes, terms))

    def start_private(
        self, terms: Terms, nodes: int, simulate: bool | None, overrides: Overrides
    ) -> StartedCluster | Stranded:
        """A cluster for one test alone."""
        begun = time.monotonic()
        prefix = f"{self._settings.prefix}-private"

        def begin(step: Step) -> Cluster:
            return start_in_free_slot(
                prefix, self._project, lambda name: self._up(terms, name, step, {**overrides, "linger": 0.0})
            )

        end = self._climb(terms).start(begin, nodes, nodes, simulate=simulate)
        if isinstance(end, Stranded):
            return end
        return StartedCluster(
            end.cluster, Obtained.STARTED, time.monotonic() - begun, nodes, _notes(end, nodes, terms)
        )

    def _climb(self, terms: Terms) -> Climb:
        return Climb(terms, self._record, self._diagnose)

    def _up(self, terms: Terms, name: str, step: Step, more: Overrides = MappingProxyType({})) -> Cluster:
        return up(
            terms.profile,
            name=name,
            nodes=step.nodes,
            simulate=step.simulate,
            project=self._project,
            overrides={**self._settings.overrides, **more},
            on_event=self._on_event,
            join=False,
        )

    def _share(self, terms: Terms, name: str, step: Step) -> tuple[Cluster, Obtained]:
        """The first worker starts it, and the others join it, at whatever size it has by then."""
        deadline = Deadline(SETTLING + terms.resolved.values.timeouts.start)
        while True:
            with contextlib.suppress(ClusterNotRunning):
                return self._joined(
                    attach(name, project=self._project, check_code=False), terms
                ), Obtained.JOINED
            try:
                return self._up(terms, name, step), Obtained.STARTED
            except ClusterConflict:
                if deadline.passed:
                    raise

    def _joined(self, cluster: Cluster, terms: Terms) -> Cluster:
        """Another worker may have started it simulated, as the fallback allows."""
        allowed = cluster.simulated if Fallback.SIMULATE in terms.tests.fallbacks else None
        why = self._misfit(cluster, terms, simulated=allowed)
        if why is None:
            return cluster
        raise ClusterError(
            f"cluster '{cluster.name}', which the workers share, {why}",
            remedies=[do("cluster.status"), do("cluster.down", name=cluster.name)],
        )

    def _lingering(self, terms: Terms) -> Cluster | None:
        """A cluster of an earlier run without holders, with the same profile and settings."""
        for name in names_in_use(self._settings.prefix, self._project):
            with contextlib.suppress(ClusterError):
                cluster = attach(name, project=self._project, sole=True, check_code=False)
                if self._misfit(cluster, terms) is None:
                    return cluster
        return None

    def _misfit(self, cluster: Cluster, terms: Terms, *, simulated: bool | None = None) -> str | None:
        """Why it differs from its profile.

        Such a cluster is released at once, and so is one that cannot answer."""
        why: str | None = "does not report what it is"
        try:
            why = misfit(cluster.status(), terms, self._settings.overrides, simulated=simulated)
        finally:
            if why is not None:
                cluster.close()
        return why


def _notes(end: Climbed, nodes: int, terms: Terms) -> tuple[str, ...]:
    cluster, step = end.cluster, end.step
    notes = []
    if step.nodes < nodes:
        notes.append(f"{nodes} nodes did not start; it has {step.nodes}, which is what its tests ask for")
    asked = (
        terms.resolved.values.simulate
        if step.fallback is not None or step.simulate is None
        else step.simulate
    )
    if cluster.simulated and not asked:
        notes.append("no real cluster started; this one is SIMULATED")
    return tuple(notes)
