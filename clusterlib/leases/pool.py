"""The clusters that one test process keeps for its tests.

A need is served by the first of these that is available: the borrowed cluster, if it fits; the
pool's own cluster of that profile, healed and scaled if necessary; a running cluster that can be
borrowed; a new one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from clusterlib.client.cluster import Cluster
from clusterlib.client.connection import Listener
from clusterlib.errors import (
    ClusterError,
    ClusterNotRunning,
    LeftBehind,
    ProfileError,
    UsageError,
)
from clusterlib.evidence.records import RecordWriter
from clusterlib.leases.borrowing import Lender, nodes_asked_for
from clusterlib.leases.failures import Failures
from clusterlib.leases.ladder import Stranded, may_skip
from clusterlib.leases.lease import ClusterLease, Unserved
from clusterlib.leases.ledger import Ledger
from clusterlib.leases.need import Need
from clusterlib.leases.pooled import GONE, BeyondRepair, KeepsItsSize, PooledCluster, TooSmall
from clusterlib.leases.schedule import Asked, Group, Schedule, Shape, make_schedule, too_large
from clusterlib.leases.settings import Settings
from clusterlib.leases.starting import StartedCluster, Starter
from clusterlib.leases.terms import Terms, read_terms
from clusterlib.leases.usage import ClusterUsage, Usage
from clusterlib.profiles import default_profile
from clusterlib.waiting import Deadline

__all__ = ["ClusterLease", "Pool", "Settings", "Unserved"]

LIVES = 5
"""How many clusters may end during one test before this is an error."""


class Pool:
    """Provides a cluster for each need: one that it keeps already, a borrowed one, or a new one.

    `acquire` and `release` are called by one thread at a time; `close` ends everything that the
    pool started."""

    def __init__(
        self,
        project: Path,
        settings: Settings | None = None,
        *,
        worker: str = "main",
        record: RecordWriter = lambda _: None,
        on_event: Listener | None = None,
        diagnose: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        """`record` records every step; `diagnose(profile)` finds problems of the machine after a
        failed start."""
        self.usage = Usage()
        self._ledger = Ledger(project, self.usage, record)
        self._project = project
        self._settings = settings or Settings()
        self._worker = worker
        self._record = record
        self._on_event = on_event
        self._process = os.getpid()
        self._default = self._settings.profile or default_profile(project)
        self._lender = Lender(project, os.environ)
        self._starter = Starter(project, self._settings, record, on_event, diagnose)
        self._failures = Failures(self.usage.failures)
        self._terms: dict[str, Terms] = {}
        self._groups: dict[str, Group] = {}
        self._borrowed: dict[str, PooledCluster] = {}
        self._own: dict[str, PooledCluster] = {}
        self._private: dict[int, tuple[Cluster, ClusterUsage, Terms]] = {}

    # -- planning

    @property
    def default_profile(self) -> str:
        """The profile of needs without one."""
        return self._default

    def shape(self, profile: str) -> Shape:
        """The shape of a profile under the settings of this run, which does not change.

        Raises ProfileError."""
        return self.terms(profile).shape

    def terms(self, profile: str) -> Terms:
        """What a profile says about its tests, with the command line applied.

        Raises ProfileError."""
        if profile not in self._terms:
            self._terms[profile] = read_terms(profile, self._project, self._settings.overrides)
        return self._terms[profile]

    def schedule(self, asked: Sequence[Asked]) -> Schedule:
        """The schedule of these tests with the shapes that this pool will use."""
        return make_schedule(asked, self.shape, default=self._default)

    def expect(self, schedule: Schedule) -> None:
        """Announces the tests, so that a cluster starts as large as the largest of its
        tests needs."""
        for group in schedule.groups:
            self._groups.setdefault(group.profile, group)

    def no_more(self, profile: str) -> None:
        """No later test needs this profile, so its cluster is ended now.

        Not for a run of several workers."""
        for shelf in (self._own, self._borrowed):
            if profile in shelf and not shelf[profile].held:
                self._ledger.end(shelf.pop(profile))

    # -- serving

    def acquire(self, need: Need, who: str, *, afresh: bool = False) -> ClusterLease:
        """A cluster that satisfies the need, complete and undamaged, with a turn on it. Raises
        Unserved.

        `afresh`: for a test that has failed and runs again. All nodes are restarted without data.
        """
        profile = need.profile or self._default
        try:
            return self._serve(need, self._check(need, profile, who), who, afresh=afresh)
        except (
            ClusterError
        ) as error:  # a turn that was not given, or an end that failed, is no reason to skip a test
            raise Unserved(error, may_skip=False, profile=profile) from error

    def _serve(self, need: Need, terms: Terms, who: str, *, afresh: bool) -> ClusterLease:
        lost: ClusterError | None = None
        for _ in range(LIVES):
            pooled, how = self._find(need, terms, lost)
            try:
                again = afresh and how != "started"  # a new cluster has no data of the last attempt
                status = pooled.enter(need, self._signed(who), Deadline(terms.tests.turn), afresh=again)
            except (*GONE, TooSmall, KeepsItsSize, BeyondRepair) as error:
                lost = self._part_with(pooled, error)
                continue
            pooled.held = True
            pooled.usage.tests += 1
            pooled.usage.reuses += how == "reused"
            return ClusterLease(pooled, need, who, status, how)
        last = lost or ClusterError(f"no cluster stayed as {who} needs it")
        raise Unserved(last, may_skip=may_skip(terms, last), profile=terms.profile) from lost

    def private(
        self,
        profile: str | None = None,
        size: int | None = None,
        *,
        simulate: bool | None = None,
        overrides: Mapping[str, object] | None = None,
        who: str = "",
        written: str = "cluster_factory",
    ) -> Cluster:
        """A cluster for one test or fixture alone. Release it with `end_private`.

        `written` is the call that requested it. Raises Unserved."""
        need = Need(profile, size)
        terms = self._check(need, profile or self._default, who, f"{written}(size={{}})", overrides or {})
        try:
            started = self._starter.start_private(terms, size or terms.shape.count, simulate, overrides or {})
        except Stranded as failure:
            raise self._failures.reported_once(terms.profile, failure) from failure
        usage = self._ledger.open(started, terms, private_to=who)
        usage.tests = 1
        self._private[id(started.cluster)] = started.cluster, usage, terms
        return started.cluster

    def count_private(self, cluster: Cluster) -> None:
        """One more test uses this private cluster."""
        if id(cluster) in self._private:
            self._private[id(cluster)][1].tests += 1

    def end_private(self, cluster: Cluster) -> None:
        """Ends a private cluster. If it has ended already, this succeeds."""
        known = self._private.pop(id(cluster), None)
        if known is not None:
            _, usage, terms = known
            self._ledger.end(PooledCluster(cluster, terms, usage, record=self._record))

    def close(self) -> None:
        """Releases every cluster, the last one first. Idempotent; does nothing in a fork of the
        process that created it.

        Raises the error of a cluster that could not be ended, after all others were."""
        if os.getpid() != self._process:
            return
        errors = []
        ends: list[Callable[[], None]] = [
            partial(self._ledger.end, one) for one in [*self._borrowed.values(), *self._own.values()]
        ]
        ends += [partial(self.end_private, one) for one, *_ in self._private.values()]
        self._borrowed, self._own = {}, {}
        for end in reversed(ends):
            try:
                end()
            except ClusterError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise LeftBehind(
                f"{len(errors)} clusters did not end in order",
                evidence=[line for error in errors for line in (error.problem, *error.evidence)],
                remedies=["invoke cluster.clean"],
            )

    # -- finding one

    def _check(
        self,
        need: Need,
        profile: str,
        who: str,
        written: str = "@pytest.mark.cluster_size({})",
        overrides: Mapping[str, object] = MappingProxyType({}),
    ) -> Terms:
        """Reports a need that can never be served before anything is tried.

        `written` is how a size was requested."""
        try:
            terms = self._terms_with(profile, overrides)
        except ProfileError as error:
            raise Unserved(error, may_skip=False, profile=profile) from error
        impossible = too_large(who, need.size, profile, terms.shape, written=written)
        if impossible is not None:
            raise Unserved(impossible, may_skip=False, profile=profile)
        return terms

    def _terms_with(self, profile: str, overrides: Mapping[str, object]) -> Terms:
        if not overrides:
            return self.terms(profile)
        return read_terms(profile, self._project, {**self._settings.overrides, **overrides})

    def _find(self, need: Need, terms: Terms, lost: ClusterError | None) -> tuple[PooledCluster, str]:
        """A cluster that serves the need or can be made to, and how it was obtained."""
        profile = terms.profile
        misfit: str | None = None
        if (loan := self._borrowed.get(profile)) and not loan.size_fits(need):
            asked = nodes_asked_for(need, terms)
            misfit = f"cluster {loan.cluster.name} runs with {len(loan.cluster)} nodes, tests ask for {asked}"
            loan = None
        for pooled in (loan, self._own.get(profile)):
            if pooled is not None:
                self._check_use(pooled, need)
                self._note_beside(misfit)
                return pooled, "reused"
        if profile not in self._borrowed:
            borrowed, misfit = self._borrow(need, terms)
            if borrowed is not None:
                return borrowed, "borrowed"
        if not terms.tests.auto:
            raise self._nothing_to_borrow(need, terms, misfit)
        self._note_beside(misfit)
        return self._start(need, terms, lost)

    def _note_beside(self, misfit: str | None) -> None:
        if misfit is not None:
            self._ledger.note(f"{misfit}: another one serves them beside it")

    def _check_use(self, pooled: PooledCluster, need: Need) -> None:
        if pooled.held:
            error = UsageError(
                f"cluster '{pooled.cluster.name}' is in use by this very test",
                cause="one test holds one cluster of a profile at a time",
                remedies=["cluster_factory()  # gives another one"],
            )
            raise Unserved(error, may_skip=False, profile=pooled.terms.profile)
        if pooled.required(need) > len(pooled.cluster):
            known = self._failures.remembered(pooled.terms.profile, pooled.required(need))
            if known is not None:
                raise known

    def _borrow(self, need: Need, terms: Terms) -> tuple[PooledCluster | None, str | None]:
        """The running cluster, or why it does not fit."""
        manual = not terms.tests.auto
        cluster, misfit = self._lender.borrow(terms, need, self._settings.overrides, as_it_is=manual)
        if cluster is None:
            return None, misfit
        usage = self._ledger.open(StartedCluster(cluster, "borrowed", 0.0, len(cluster)), terms)
        pooled = PooledCluster(
            cluster,
            terms,
            usage,
            borrowed=True,
            content=self._lender.given or manual,
            record=self._record,
            on_event=self._on_event,
        )
        self._borrowed[terms.profile] = pooled
        return pooled, None

    def _start(self, need: Need, terms: Terms, lost: ClusterError | None) -> tuple[PooledCluster, str]:
        nodes, least = self._size(need, terms)
        self._make_room()
        started: StartedCluster | None = None
        while started is None:
            smallest = self._failures.smallest(terms.profile)
            if smallest is not None and smallest <= nodes:
                nodes = least = terms.least(need)
                if known := self._failures.remembered(terms.profile, nodes):
                    raise known
            try:
                started = self._starter.start(terms, nodes, least, default=terms.profile == self._default)
            except Stranded as failure:
                self._failures.add(terms.profile, failure)
        usage = self._ledger.open(started, terms)
        base = started.base if not need.exact else max(terms.shape.count, started.base)
        pooled = PooledCluster(
            started.cluster, terms, usage, base=base, record=self._record, on_event=self._on_event
        )
        self._own[terms.profile] = pooled
        if lost is not None and started.how == "started":  # to join a cluster is not to replace one
            self._ledger.replaced(pooled.usage, lost, started.seconds)
        return pooled, started.how

    def _size(self, need: Need, terms: Terms) -> tuple[int, int]:
        """The number of nodes to start with, and the minimum."""
        if need.exact:
            return need.size or 1, need.size or 1
        group = self._groups.get(terms.profile)
        nodes, least = max(terms.shape.count, need.size or 0), terms.least(need)
        if group is not None and not group.exact:
            nodes, least = max(nodes, group.nodes), max(least, group.least)
        return nodes, least

    def _nothing_to_borrow(self, need: Need, terms: Terms, misfit: str | None) -> Unserved:
        """If none runs at all, all tests of the profile get the same answer, with the size of the
        largest of them."""
        profile, name = terms.resolved.name, self._lender.name
        nodes = need.size or terms.shape.count
        if misfit is None and (group := self._groups.get(terms.profile)) is not None:
            nodes = max(nodes, group.nodes)
        asked = f"{nodes_asked_for(need, terms)} {'node' if nodes == 1 else 'nodes'}"
        error = ClusterNotRunning(
            f"no running cluster serves {asked} of profile {profile}"
            if misfit
            else f"no cluster of profile {profile} runs",
            cause="tests start none of their own: tests.auto is false",
            evidence=[misfit] if misfit else [],
            remedies=[
                f"invoke cluster.up --profile {profile} --nodes {nodes}"
                + ("" if name == "default" else f" --name {name}"),
                "CLUSTERLIB_TESTS_AUTO=true python -m pytest --distributed",
            ],
        )
        answers = need if misfit else None
        return self._failures.absent(answers, terms.profile, nodes, error, may_skip=terms.may_skip)

    # -- releasing

    def _part_with(self, pooled: PooledCluster, error: Exception) -> ClusterError | None:
        """The cluster could not be used. Returns the error if another one should replace it."""
        name, profile = pooled.cluster.name, pooled.terms.profile
        match error:
            case BeyondRepair() if pooled.borrowed:
                skips = may_skip(pooled.terms, error.error)
                raise Unserved(error.error, may_skip=skips, profile=profile) from error
            case TooSmall():
                self._ledger.note(f"cluster {name} has another size now: another one serves beside it")
                self._drop(pooled, None)
                return None
            case KeepsItsSize():
                self._drop(pooled, None, for_all=True)  # other workers would only join it again
                return None
            case BeyondRepair():
                self._drop(pooled, error.error)
                return error.error
            case _:
                assert isinstance(error, ClusterError)
                if pooled.borrowed:
                    self._ledger.note(f"cluster {name}, which was borrowed, ended while the tests ran")
                ended = pooled.ended(error)
                self._drop(pooled, None if ended.on_purpose else ended.error)
                return ended.error

    def _drop(self, pooled: PooledCluster, error: ClusterError | None, *, for_all: bool = False) -> None:
        shelf = self._borrowed if pooled.borrowed else self._own
        shelf.pop(pooled.terms.profile, None)
        self._ledger.end(pooled, error, for_all=for_all)

    def _make_room(self) -> None:
        """Of its own clusters, the pool keeps the most recently used ones."""
        idle = sorted((one for one in self._own.values() if not one.held), key=lambda one: one.used)
        for pooled in idle[: max(0, len(self._own) + 1 - max(1, self._settings.keep))]:
            self._drop(pooled, None)

    def _signed(self, who: str) -> str:
        return who if self._worker == "main" else f"{who} [{self._worker}]"
