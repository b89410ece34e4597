"""One cluster of the pool: gives turns on it, after making it as the test needs it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from clusterlib.client.cluster import Cluster
from clusterlib.client.code.looking import CodeLook, look_at_code, restarted_in_words, some_files
from clusterlib.client.connection import Listener
from clusterlib.errors import ClusterBusy, ClusterError, ClusterNotRunning, HandleClosed, KeeperLost
from clusterlib.evidence.records import ClusterRepaired, RecordWriter
from clusterlib.frozen import frozen
from clusterlib.leases.need import Need
from clusterlib.leases.preparing import (
    Broken,
    Change,
    Ended,
    Enter,
    Repair,
    SetAside,
    TakeAlone,
    Trouble,
    prepare,
)
from clusterlib.leases.situation import ClusterSeen, PooledFacts, Wanted
from clusterlib.leases.terms import Terms
from clusterlib.leases.usage import ClusterUsage
from clusterlib.messages.events import ClusterStopped, ClusterStopping
from clusterlib.messages.status import ClusterStatus, Peak
from clusterlib.messages.uses import Obtained, Repaired
from clusterlib.remedies import do
from clusterlib.rundir.event_files import read_events
from clusterlib.waiting import Deadline

__all__ = ["Entered", "PooledCluster"]

GONE = (KeeperLost, ClusterNotRunning)
HANDING_BACK_SECONDS = 5.0
ROUNDS = 20
"""How often other processes may undo a change before this is an error."""


@frozen
class Entered:
    """The test has its turn, and the cluster is as the test needs it."""

    status: ClusterStatus


class PooledCluster:
    """A cluster of the pool, with what is known of it."""

    def __init__(
        self,
        cluster: Cluster,
        terms: Terms,
        usage: ClusterUsage,
        *,
        base: int | None = None,
        borrowed: bool = False,
        any_size: bool = False,
        record: RecordWriter,
        on_event: Listener | None = None,
    ) -> None:
        self.cluster = cluster
        self.terms = terms
        self.usage = usage
        self.borrowed = borrowed
        self.base = len(cluster) if base is None else base
        """Its size for tests that do not need more, or exactly another size."""
        self.in_use = False
        self.used = time.monotonic()
        self._any_size = any_size
        self._sizes = self._sizes_now()
        """The number of nodes of each role that the pool has set. If it differs now, a test has
        scaled it."""
        self._record = record
        self._on_event = on_event
        self._check_code = usage.how is not Obtained.STARTED
        self._peak = Peak()
        self._last_user: str | None = None
        self._lost: ClusterError | None = None

    # -- its turns

    @property
    def facts(self) -> PooledFacts:
        """The facts about it that decisions depend on."""
        return PooledFacts(
            name=self.cluster.name,
            nodes=len(self.cluster),
            base=self.base,
            left=sum(self._sizes.values()),
            borrowed=self.borrowed,
            any_size=self._any_size,
            in_use=self.in_use,
        )

    def enter(
        self, wanted: Wanted, who: str, deadline: Deadline, *, afresh: bool = False
    ) -> Entered | Trouble:
        """A turn for this test, on a cluster as it needs it. `afresh`: all nodes are restarted
        before it.

        If the test itself shares the cluster with others, necessary changes are made in a separate
        exclusive turn."""
        if self._lost is not None:
            return self._ended(self._lost)
        try:
            return self._enter(wanted, who, deadline, afresh=afresh)
        except GONE as error:
            return self._ended(error)

    def _enter(self, wanted: Wanted, who: str, deadline: Deadline, *, afresh: bool) -> Entered | Trouble:
        alone = wanted.alone
        for _ in range(ROUNDS):
            status = self._take(who, deadline, alone=alone)
            try:
                done = self._prepare(status, wanted, alone=alone, afresh=afresh)
            except BaseException:
                self._leave()
                raise
            fits = isinstance(done, Enter | Change)
            if fits and alone == wanted.alone:
                self._is_entered(status, wanted.need, who)
                return Entered(status if isinstance(done, Enter) else self.cluster.status())
            self._leave()
            if isinstance(done, SetAside | Broken):
                return done
            afresh = afresh and not fits
            alone = wanted.alone if fits else True
        raise ClusterBusy(
            f"others undo what {who} needs of cluster '{self.cluster.name}'",
            cause=f"it was made right {ROUNDS} times, and each time it had changed before the test had its turn",
            remedies=["@pytest.mark.cluster(exclusive=True)"],
        )

    def _is_entered(self, status: ClusterStatus, need: Need, who: str) -> None:
        self._peak, self._last_user = status.peak, who
        self._sizes = self._sizes_now()
        if not need.exact:
            self.base = max(self.base, need.size or 0)

    def leave(self, need: Need, who: str) -> None:
        """Ends the turn.

        A cluster that is gone by now is not an error here: the next need starts another one."""
        self.in_use = False
        self.used = time.monotonic()
        damaged = f"damaged by {who}" if need.dirty else None
        try:
            if need.dirty is False:
                self._believe_it_is_tidy()
            if self.borrowed and self.terms.wants_alone(need):
                self._put_back()
            self._peak = self.cluster.end_turn(dirty=damaged)
        except GONE as error:
            self._lost = error  # waited for once; the next user need not wait again
        except ClusterError:
            self._leave(dirty=damaged)

    def _ended(self, error: ClusterError) -> Ended:
        """How it ended, in a message for its users."""
        self._lost = error
        name, last = self.cluster.name, self._last_user
        happened = [event.what for event in read_events(self.cluster.run_folder.events)]
        stopping = next((what for what in happened if isinstance(what, ClusterStopping)), None)
        by_test = bool(last) and (isinstance(error, HandleClosed) or bool(stopping and stopping.by))
        when = f"while {last} used it, or after" if last else "before it could be used"
        cause = f"{error.problem}: {error.cause}" if error.cause else error.problem
        if stopping:
            cause = f"it was stopped: {stopping.reason}"
        return Ended(
            ClusterNotRunning(
                f"cluster '{name}' " + (f"was taken down by {last}" if by_test else f"ended {when}"),
                cause="a test may do so, and the next one gets another cluster" if by_test else cause,
                evidence=error.evidence,
                remedies=[do("cluster.events", name=name)],
            ),
            on_purpose=by_test and ClusterStopped(clean=False) not in happened,
        )

    def end(self, *, for_all: bool) -> None:
        """Releases it. `for_all`: ends it, even if others use it, unless it is borrowed."""
        if self._lost is not None:
            self.cluster.keeper.close()  # it does not answer, and is not asked again
        elif self.borrowed and self._last_user is not None:
            self._leave_it_whole()
        if for_all and not self.borrowed:
            self.cluster.down()
        else:
            self.cluster.close()

    def hang_up(self) -> None:
        """Closes the connections of the handle, which may still be open after a failed end."""
        self.cluster.keeper.close()
        for node in self.cluster.nodes:
            node.close()

    def _leave_it_whole(self) -> None:
        """A borrowed cluster is returned repaired, whatever the last test has broken.

        If others use it, they repair it."""
        with contextlib.suppress(ClusterError):
            if (status := self.cluster.status()).dirty and not status.turns:
                status = self.cluster.take_turn(
                    "handing it back", exclusive=True, timeout=HANDING_BACK_SECONDS
                ).status
                try:
                    if status.dirty:
                        self._heal(status, fresh=status.damaged)
                finally:
                    self.cluster.end_turn()

    def look(self) -> None:
        """Records what the cluster has used by now; of a cluster that is gone, what it had used
        when last seen."""
        if self._lost is None:
            with contextlib.suppress(ClusterError):
                self._peak = self.cluster.status().peak
        self.usage.peak_memory = max(self.usage.peak_memory, self._peak.memory)
        self.usage.cpu_seconds = max(self.usage.cpu_seconds, self._peak.cpu)

    def _take(self, who: str, deadline: Deadline, *, alone: bool) -> ClusterStatus:
        asked = time.monotonic()
        try:
            given = self.cluster.take_turn(who, exclusive=alone, timeout=deadline.left)
        except BaseException:
            self.usage.waited += time.monotonic() - asked
            raise
        self.usage.waited += given.waited
        return given.status

    def _leave(self, *, dirty: str | None = None) -> None:
        with contextlib.suppress(ClusterError):
            self.cluster.end_turn(dirty=dirty)

    def _believe_it_is_tidy(self) -> None:
        """The test declares that it repairs its damage itself: as long as the cluster is complete,
        nothing is restarted."""
        status = self.cluster.status()
        if status.dirty and status.is_ready:
            self.cluster.heal()

    def _put_back(self) -> None:
        """A borrowed cluster gets back the size it had before the test."""
        self.cluster.status()
        self._restore_sizes()

    def _sizes_now(self) -> dict[str, int]:
        return {role: len(self.cluster.nodes_of(role)) for role in self.cluster.roles}

    def _restore_sizes(self) -> None:
        for role, size in self._sizes.items():
            if len(self.cluster.nodes_of(role)) != size:
                self.cluster.scale(size, role=role, on_event=self._on_event)

    # -- making it as a test needs it

    def _prepare(
        self, status: ClusterStatus, wanted: Wanted, *, alone: bool, afresh: bool
    ) -> Enter | Change | TakeAlone | SetAside | Broken:
        look = look_at_code(self.cluster) if self._check_code else None
        seen = ClusterSeen(
            nodes=len(status.nodes),
            unwell=bool(status.dirty) or not status.is_ready,
            damaged=status.damaged,
            stale=bool(look and (look.changed or look.silent(status))),
            afresh=afresh,
        )
        decision = prepare(wanted, self.facts, seen, alone=alone)
        if isinstance(decision, Change):
            error = self._change(decision, status, look, afresh=afresh)
            if error is not None:
                return Broken(error)
        if isinstance(decision, Enter | Change):
            self._check_code = False
        return decision

    def _change(
        self, change: Change, status: ClusterStatus, look: CodeLook | None, *, afresh: bool
    ) -> ClusterError | None:
        """Returns the error if that fails."""
        error: ClusterError | None = None
        match change.repair:
            case Repair.RESTART if look is not None:
                error = self._renew(look, status, fresh=change.fresh)
            case Repair.HEAL:
                error = self._heal(status, fresh=change.fresh, afresh=afresh) or self._look_again(look)
        if error is None and change.nodes is not None:
            error = self._scale(change.nodes)
        return error

    def _look_again(self, look: CodeLook | None) -> ClusterError | None:
        """A node that was paused, and could not report its code, can be asked now."""
        if look and look.unasked:
            again = look_at_code(self.cluster)
            if again.changed:
                return self._renew(again, self.cluster.status(), fresh=False)
        return None

    def _renew(self, look: CodeLook, status: ClusterStatus, *, fresh: bool) -> ClusterError | None:
        """Restarts the nodes that run other code than is on disk now, or do not answer, or all
        nodes if the cluster needs repair, too."""
        silent = look.silent(status)
        why = f"its code had changed ({some_files(look.changed, self.cluster.project)})"
        if not look.changed:
            why = f"{', '.join(silent)} did not say which code it runs: it is stuck, or too busy to answer"
        well = status.is_ready and not status.dirty and not fresh
        names = tuple(dict.fromkeys((*look.outdated(status), *silent))) if well else ()
        which = restarted_in_words(status, names)
        error = self._do(
            Repaired.RENEWED, why, lambda: self.cluster.restart(*names, fresh=fresh, on_event=self._on_event)
        )
        if error is None:
            self.usage.notes.append(f"{why}; {which} were restarted")
        return error

    def _heal(self, status: ClusterStatus, *, fresh: bool, afresh: bool = False) -> ClusterError | None:
        why = "a test that failed is run again" if afresh else f"it was {status.state}"
        reason = "; ".join(status.dirty) or why
        how = Repaired.FRESH if fresh else Repaired.HEALED
        error = self._do(how, reason, lambda: self.cluster.heal(fresh=fresh, on_event=self._on_event))
        self.usage.heals += error is None
        return error

    def _scale(self, size: int) -> ClusterError | None:
        reason = f"{len(self.cluster)} -> {size} nodes"
        error = self._do(Repaired.SCALED, reason, lambda: self._scale_to(size))
        if error is None:
            self.usage.scalings += 1
            self.usage.nodes = max(self.usage.nodes, size)
        return error

    def _scale_to(self, size: int) -> None:
        """With several roles this is only possible if a test has scaled them."""
        if size == sum(self._sizes.values()):
            self._restore_sizes()
        else:
            self.cluster.scale(size, on_event=self._on_event)

    def _do(self, how: Repaired, reason: str, change: Callable[[], None]) -> ClusterError | None:
        begun = time.monotonic()
        try:
            change()
        except GONE:
            raise
        except ClusterError as error:
            return error
        seconds = round(time.monotonic() - begun, 4)
        run = str(self.cluster.run_folder.path)
        self._record(ClusterRepaired(self.cluster.name, run, how, seconds, reason))
        return None
