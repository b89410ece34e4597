"""The clusters that one test process keeps for its tests.

A need is served by the first of these that is available: the borrowed cluster, if it fits; the
pool's own cluster of that profile, healed and scaled if necessary; a running cluster that can be
borrowed; a new one. `choosing` and `preparing` decide, the pool carries the decisions out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from clusterlib.client.cluster import Cluster
from clusterlib.client.connection import Listener
from clusterlib.errors import ClusterError, LeftBehind, ProfileError
from clusterlib.evidence.records import RecordWriter
from clusterlib.leases.borrowing import Lender
from clusterlib.leases.choosing import Borrow, Choice, LookAround, Refuse, Reuse, StartNew, choose
from clusterlib.leases.failures import Failures
from clusterlib.leases.ladder import Stranded
from clusterlib.leases.lease import ClusterLease, Unserved
from clusterlib.leases.ledger import Ledger
from clusterlib.leases.need import Need
from clusterlib.leases.pooled import Entered, PooledCluster
from clusterlib.leases.preparing import Parting, Trouble, part
from clusterlib.leases.schedule import Asked, ClusterShape, Group, Schedule, make_schedule, too_large
from clusterlib.leases.settings import Settings
from clusterlib.leases.situation import Running, Wanted
from clusterlib.leases.skipping import is_skippable
from clusterlib.leases.starting import StartedCluster, Starter
from clusterlib.leases.terms import Terms, read_terms
from clusterlib.leases.usage import ClusterUsage, Usage
from clusterlib.messages.uses import Obtained
from clusterlib.profiles import default_profile
from clusterlib.remedies import do
from clusterlib.values.overrides import Overrides
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

    def shape(self, profile: str) -> ClusterShape:
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
            if profile in shelf and not shelf[profile].in_use:
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
        wanted = terms.wanted(need, self._groups.get(terms.profile))
        lost: ClusterError | None = None
        for _ in range(LIVES):
            pooled, how = self._find(wanted, terms, lost)
            again = afresh and how is not Obtained.STARTED  # a new cluster has no data of the last attempt
            deadline = Deadline(terms.tests.turn)
            entered = pooled.enter(wanted, self._signed(who), deadline, afresh=again)
            if isinstance(entered, Entered):
                pooled.in_use = True
                pooled.usage.tests += 1
                pooled.usage.reuses += how is Obtained.REUSED
                return ClusterLease(pooled, need, who, entered.status, how)
            lost = self._part_with(pooled, wanted, entered)
        last = lost or ClusterError(f"no cluster stayed as {who} needs it")
        skips = is_skippable(last, allowed=terms.may_skip)
        raise Unserved(last, may_skip=skips, profile=terms.profile) from lost

    def private(
        self,
        profile: str | None = None,
        size: int | None = None,
        *,
        simulate: bool | None = None,
        overrides: Overrides | None = None,
        who: str = "",
        written: str = "cluster_factory",
    ) -> Cluster:
        """A cluster for one test or fixture alone. Release it with `end_private`.

        `written` is the call that requested it. Raises Unserved."""
        need = Need(profile, size)
        terms = self._check(need, profile or self._default, who, f"{written}(size={{}})", overrides or {})
        started = self._starter.start_private(terms, size or terms.shape.count, simulate, overrides or {})
        if isinstance(started, Stranded):
            raise self._failures.reported_once(terms.profile, started) from started.error
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
                remedies=[do("cluster.clean")],
            )

    # -- finding one

    def _check(
        self,
        need: Need,
        profile: str,
        who: str,
        written: str = "@pytest.mark.cluster_size({})",
        overrides: Overrides = MappingProxyType({}),
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

    def _terms_with(self, profile: str, overrides: Overrides) -> Terms:
        if not overrides:
            return self.terms(profile)
        return read_terms(profile, self._project, {**self._settings.overrides, **overrides})

    def _find(
        self, wanted: Wanted, terms: Terms, lost: ClusterError | None
    ) -> tuple[PooledCluster, Obtained]:
        """Carries out the choice: a cluster that serves the need or can be made to, and how it was
        obtained."""
        running: Running | None = None
        with contextlib.ExitStack() as unused:
            loan: Cluster | None = None
            while True:
                match self._choose(wanted, running):
                    case LookAround():
                        running, loan = self._lender.look(terms, self._settings.overrides)
                        if loan is not None:
                            unused.callback(loan.close)
                    case Borrow():
                        assert running is not None and loan is not None, "only what runs is borrowed"  # noqa: PT018
                        pooled = self._borrow(loan, running, terms)
                        unused.pop_all()
                        return pooled, Obtained.BORROWED
                    case Reuse(cluster=chosen, beside=misfit):
                        self._note_beside(misfit)
                        shelf = self._borrowed if chosen.borrowed else self._own
                        return shelf[terms.profile], Obtained.REUSED
                    case StartNew(beside=misfit) as start:
                        self._note_beside(misfit)
                        unused.close()
                        started = self._start(start, terms)
                        if started is not None:
                            return self._keep(started, start, terms, lost), started.how
                    case Refuse() as refuse:
                        raise self._failures.refuse(terms.profile, refuse)

    def _choose(self, wanted: Wanted, running: Running | None) -> Choice:
        shelves = (self._borrowed, self._own)
        known = [shelf[wanted.profile].facts for shelf in shelves if wanted.profile in shelf]
        return choose(wanted, known, self._failures.known(wanted.profile), running)

    def _note_beside(self, misfit: str | None) -> None:
        if misfit is not None:
            self._ledger.note(f"{misfit}: another one serves them beside it")

    def _borrow(self, cluster: Cluster, running: Running, terms: Terms) -> PooledCluster:
        cluster.protect()
        usage = self._ledger.open(StartedCluster(cluster, Obtained.BORROWED, 0.0, len(cluster)), terms)
        pooled = self._borrowed[terms.profile] = PooledCluster(
            cluster,
            terms,
            usage,
            borrowed=True,
            any_size=running.any_size,
            record=self._record,
            on_event=self._on_event,
        )
        return pooled

    def _start(self, start: StartNew, terms: Terms) -> StartedCluster | None:
        """None if it failed; the next choice depends on that failure."""
        self._make_room()
        default = terms.profile == self._default
        started = self._starter.start(terms, start.nodes, start.least, default=default)
        if isinstance(started, Stranded):
            self._failures.add(terms.profile, started)
            return None
        return started

    def _keep(
        self, started: StartedCluster, start: StartNew, terms: Terms, lost: ClusterError | None
    ) -> PooledCluster:
        usage = self._ledger.open(started, terms)
        base = max(start.base or 0, started.base)
        pooled = self._own[terms.profile] = PooledCluster(
            started.cluster, terms, usage, base=base, record=self._record, on_event=self._on_event
        )
        if lost is not None and started.how is Obtained.STARTED:  # to join a cluster is not to replace one
            self._ledger.replaced(usage, lost, started.seconds)
        return pooled

    # -- releasing

    def _part_with(self, pooled: PooledCluster, wanted: Wanted, trouble: Trouble) -> ClusterError | None:
        """The cluster could not be used. Returns the error if another one should replace it."""
        match part(wanted, pooled.facts, trouble):
            case Refuse() as refuse:
                raise self._failures.refuse(wanted.profile, refuse)
            case Parting(because=because, for_all=for_all, lost=lost, note=note):
                if note is not None:
                    self._ledger.note(note)
                self._drop(pooled, because, for_all=for_all)
                return lost

    def _drop(self, pooled: PooledCluster, error: ClusterError | None, *, for_all: bool = False) -> None:
        shelf = self._borrowed if pooled.borrowed else self._own
        shelf.pop(pooled.terms.profile, None)
        self._ledger.end(pooled, error, for_all=for_all)

    def _make_room(self) -> None:
        """Of its own clusters, the pool keeps the most recently used ones."""
        idle = sorted((one for one in self._own.values() if not one.in_use), key=lambda one: one.used)
        for pooled in idle[: max(0, len(self._own) + 1 - max(1, self._settings.keep))]:
            self._drop(pooled, None)

    def _signed(self, who: str) -> str:
        return who if self._worker == "main" else f"{who} [{self._worker}]"
