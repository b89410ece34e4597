"""One cluster: its nodes, its holders, and the reactions to events.

Everything here runs on one event loop, in one thread. Operations that change the cluster are queued
on one lock; only `shut_down` overrides them all."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import shlex
import time
import traceback
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clusterlib.drivers.api import Driver
from clusterlib.errors import (
    ClusterError,
    ClusterNotRunning,
    LeftBehind,
)
from clusterlib.hosts.api import Exit, Host
from clusterlib.hosts.loss import describe_loss
from clusterlib.keeper.early_ends import worth_another_try
from clusterlib.keeper.event_log import EventLog
from clusterlib.keeper.faults import Faults
from clusterlib.keeper.holding import Holding
from clusterlib.keeper.leftovers import left_behind
from clusterlib.keeper.members import Members
from clusterlib.keeper.node import ManagedNode
from clusterlib.keeper.revival import Revival
from clusterlib.keeper.state_file import StateFile
from clusterlib.keeper.turns import Turn
from clusterlib.messages.events import (
    ClusterHealed,
    ClusterReady,
    ClusterRetrying,
    ClusterStarting,
    ClusterStopped,
    ClusterStopping,
)
from clusterlib.messages.happening import unexpected_end
from clusterlib.messages.plan import Plan, RunningCode
from clusterlib.messages.requests import Loaded
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.messages.status import ClusterStatus, KeeperPlace, Peak, TurnGiven
from clusterlib.network.ports import PortAllocator
from clusterlib.remedies import do
from clusterlib.rundir.folders import RunFolder
from clusterlib.waiting import Deadline, backoff, pause_async

if TYPE_CHECKING:
    from clusterlib.keeper.looking import Looking
    from clusterlib.keeper.monitor import Monitor

__all__ = ["Keeper"]

SWEEP_SECONDS = 8.0
"""A killed process also needs processor time to die."""


class Keeper:
    def __init__(
        self,
        plan: Plan,
        run: RunFolder,
        drivers: Mapping[str, Driver],
        host: Host,
        allocator: PortAllocator,
        place: KeeperPlace,
    ) -> None:
        """`drivers`: one for each role, by the name of the role."""
        self.plan = plan
        self.run = run
        self.events = EventLog(run.events)
        self.finished: asyncio.Future[ClusterError | None] = asyncio.get_running_loop().create_future()
        """Done when the cluster is gone and the process may end.

        Its result is the error of the shutdown, if any."""
        self._state = StateFile(run.state, self.status, self.events.tell)
        self.holding = Holding(self, self.events.tell, plan.linger, self._state.save_soon)
        tell = self.events.tell
        self._members = Members(plan, run, drivers, host, allocator, tell, self._node_ended)
        self.faults = Faults(plan.name, self._members, self.holding.taint, self, tell, self._state.save_soon)
        self._monitor: Monitor | None = None  # until there is something to measure
        self._revival = Revival(plan.restart, self._members, self, tell, self._state.save_soon)
        self._host = host
        host.lost.add_done_callback(lambda lost: self.holding.taint.lost(describe_loss(lost.result())))
        self._place = place
        self._phase = ClusterState.STARTING
        self._busy = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._begun = time.monotonic()
        self._ready_seconds: float | None = None
        self._why = ""
        self._ending: asyncio.Task[None] | None = None
        self._work: asyncio.Task[Any] | None = None

    # -- what it is now

    @functools.cached_property
    def looking(self) -> Looking:
        from clusterlib.keeper.looking import Looking  # most clusters are never looked at

        return Looking(self._members)

    @property
    def nodes(self) -> dict[str, ManagedNode]:
        return self._members.nodes

    @property
    def state(self) -> ClusterState:
        if self._phase is not ClusterState.READY:
            return self._phase
        return ClusterState.READY if self._members.whole else ClusterState.DEGRADED

    @property
    def starting(self) -> bool:
        return self._phase is ClusterState.STARTING

    @property
    def ending(self) -> bool:
        return self._ending is not None

    def gone(self) -> ClusterNotRunning:
        """The error for requests to a cluster that is ending."""
        return ClusterNotRunning(
            f"cluster '{self.plan.name}' was stopped", cause=self._why or None, remedies=[do("cluster.up")]
        )

    @property
    def _peak(self) -> Peak:
        return self._monitor.peak if self._monitor else Peak()

    def status(self) -> ClusterStatus:
        plan, holding = self.plan, self.holding
        return ClusterStatus(
            name=plan.name,
            identifier=plan.identifier,
            project=plan.project,
            profile=plan.profile,
            roles=tuple(role.status() for role in self._members.roles.values()),
            simulated=plan.simulated,
            state=self.state,
            linger=plan.linger,
            fingerprint=plan.fingerprint,
            run=str(self.run.path),
            cookie_file=str(self.run.cookie),
            timeouts=plan.timeouts,
            adaptations=plan.adaptations,
            uptime=round(time.monotonic() - self._begun, 3),
            ready_seconds=self._ready_seconds,
            leased=holding.leased,
            leases=holding.leases.status(),
            turns=holding.turns.status(),
            waiting=holding.turns.waiting,
            dirty=tuple(holding.taint.reasons()),
            damaged=holding.taint.of_the_whole,
            peak=self._peak,
            nodes=tuple(node.status() for node in self.nodes.values()),
            keeper=self._place.keeper,
            control=self._place.control,
            marker=self._place.marker,
        )

    # -- operations

    async def start(self) -> ClusterStatus:
        """Starts the whole cluster.

        On failure everything is stopped again, and the error has the reason."""
        async with self.alone():
            if self._phase is not ClusterState.STARTING:
                return self.status()
            plan = self.plan
            self.events.tell(ClusterStarting(plan.name, plan.profile, plan.size, plan.simulated))
            pauses = backoff(plan.retry.first, plan.retry.factor, plan.retry.ceiling)
            for attempt in itertools.count(1):
                try:
                    nodes = self._members.admit_all()
                    await self._members.prepare(nodes, as_planned=True)
                    await self._members.bring_up(nodes, together=True)
                    break
                except ClusterError as error:
                    ended = (node for node in self.nodes.values() if node.exit is not None)
                    stolen = (node.ports_were_stolen() for node in ended)
                    again = attempt <= plan.retry.attempts and worth_another_try(error, stolen)
                    await self._members.dismiss(self.nodes.values())
                    if not again:
                        raise
                    self.events.tell(ClusterRetrying(attempt, error.problem))
                    await pause_async(next(pauses))
            self._ready_seconds = round(time.monotonic() - self._begun, 4)
            self._phase = ClusterState.READY
            self.events.tell(ClusterReady(self._ready_seconds, plan.simulated))
            self._state.save()
            if plan.monitor > 0:
                self.spawn(self._watch_costs())
            return self.status()

    async def restart(self, names: Sequence[str], *, fresh: bool = False) -> ClusterStatus:
        """Restarts these nodes (none named: all), which then run the current code; `fresh`: without
        data."""
        async with self.alone():
            nodes = [self.faults.find(name) for name in dict.fromkeys(names)] or list(self.nodes.values())
            if fresh:
                from clusterlib.keeper.clearing import check_fresh

                for role, group in self._members.by_role(nodes):
                    check_fresh(role.driver, [node.name for node in group])
            try:
                await self.faults.restart(nodes, fresh=fresh)
            except ClusterError:
                self._note_the_gone()
                raise
            finally:
                self._state.save()
            return self.status()

    async def load(
        self,
        code: Mapping[str, str],
        modules: Mapping[str, str],
        gone: Sequence[str],
        role: str | None = None,
    ) -> Loaded:
        """Has the nodes of a role run these compiled modules as they are on disk, without a
        restart."""
        from clusterlib.keeper.loading import load

        chosen = self._members.role(role)
        async with self.alone():
            loaded = await load(chosen, code, modules, gone, self.events.tell)
            return Loaded(self.status(), loaded)

    async def code(self) -> RunningCode:
        return await self._members.running_code()

    async def heal(self, *, fresh: bool = False) -> ClusterStatus:
        """Makes the cluster complete again with as few restarts as possible; `fresh`: restarts all
        nodes without data."""
        async with self.alone():
            begun = time.monotonic()
            try:
                await self.faults.heal(Deadline(self.plan.timeouts.start), fresh=fresh)
            except ClusterError:
                self._note_the_gone()
                raise
            finally:
                self._state.save()
            self.events.tell(ClusterHealed(round(time.monotonic() - begun, 4), fresh))
            return self.status()

    async def stacks(self, name: str) -> tuple[str, ...]:
        from clusterlib.keeper.stacks import dump_stacks

        node = self.faults.find(name)
        driver = self._members.role_of(node).driver
        return tuple(await dump_stacks(driver, node, simulated=self.plan.simulated))

    async def scale(self, count: int, role: str | None = None) -> ClusterStatus:
        """Adds or removes nodes of a role, which must be named where there are several."""
        from clusterlib.keeper.scaling import check_size, scale

        chosen = self._members.role(role, count)
        check_size(self.plan, chosen, count)
        async with self.alone():
            await scale(self._members, chosen, count, self.holding.taint, self.events.tell)
            self._state.save()
            return self.status()

    def shut_down(self, reason: str, by: str = "") -> asyncio.Task[None]:
        """Ends the cluster once; all callers wait for the same end.

        `by`: the test that requests it."""
        if self._ending is None:
            self._phase = ClusterState.STOPPING
            self._why = reason
            self.events.tell(ClusterStopping(reason, by))
            self.holding.turns.refuse(self.gone())
            overtaken = self._work if self._work is not asyncio.current_task() else None
            self._ending = asyncio.get_running_loop().create_task(self._end(overtaken))
        return self._ending

    async def begin_turn(self, turn: Turn, timeout: float | None) -> TurnGiven:
        waited = await self.holding.turns.begin(turn, timeout)
        return TurnGiven(self.status(), waited)

    async def end_turn(self, turn: Turn, dirty: str | None = None) -> Peak:
        """Answers when all output of the nodes is in their log files: it belongs to this turn, not
        to the next."""
        self._members.flush_logs()
        self.holding.end_turn(turn, dirty)
        return self._peak

    async def flush_logs(self) -> None:
        """Returns when all output of the nodes is in their log files."""
        self._members.flush_logs()

    # -- when a start fails, and while it runs

    async def _watch_costs(self) -> None:
        """Begins after the start was answered, because its import would delay that, too."""
        await self._measuring().run()

    def _measuring(self) -> Monitor:
        from clusterlib.keeper.monitor import Monitor

        if self._monitor is None:
            plan, samples = self.plan, self.run.samples
            self._monitor = Monitor(samples, plan.monitor, self.nodes, simulated=plan.simulated)
        return self._monitor

    # -- when a node ends by itself

    def _node_ended(self, node: ManagedNode, how: Exit) -> None:
        if self._phase is not ClusterState.READY:
            return
        self._state.save_soon()
        if node.state is NodeState.DEAD and not self._members.awaits(node):
            self.holding.taint.ended(node.name, ": ".join(filter(None, unexpected_end(str(how)))))
            self._revival.crashed(node, str(how), clean=how.clean)

    def _note_the_gone(self) -> None:
        """A change has failed.

        Nodes that are down after it are recorded as ended, whatever happened before."""
        for node in self.nodes.values():
            if node.state is NodeState.DEAD:
                self.holding.taint.ended(node.name, f"is gone: {node.reason}")

    # -- ending

    async def _end(self, overtaken: asyncio.Task[Any] | None) -> None:
        problem: ClusterError | None
        try:
            problem = await self._wind_down(overtaken)
        except Exception as error:  # noqa: BLE001 - whatever happens here, the process must end, and with it all it kept
            traceback.print_exc()
            problem = ClusterError(
                f"cluster '{self.plan.name}' did not end in order",
                cause=f"{type(error).__name__}: {error}",
                remedies=[f"cat {shlex.quote(str(self.run.keeper_log))}", do("cluster.clean")],
            )
        self._phase = ClusterState.STOPPED
        try:
            self.holding.operations.cluster_ended()
            self.events.tell(ClusterStopped(problem is None))
            self._state.save()
        except Exception:  # noqa: BLE001 - as above: a driver may fail to describe its nodes
            traceback.print_exc()
        finally:
            if not self.finished.done():
                self.finished.set_result(problem)

    async def _wind_down(self, overtaken: asyncio.Task[Any] | None) -> ClusterError | None:
        for task in [*self._background, *([overtaken] if overtaken else [])]:
            task.cancel()
        if overtaken:
            await asyncio.wait([overtaken])
        if self._ready_seconds is not None and self.plan.monitor > 0:
            self._measuring().last_look()
        async with contextlib.AsyncExitStack() as closing:  # each, whatever happens in the others
            closing.push_async_callback(self._host.close)
            if self._monitor is not None:
                closing.callback(self._monitor.close)
            closing.callback(self._members.close)
            try:
                with contextlib.suppress(LeftBehind):
                    # The sweep has the final result: it also ends a process that contains nodes (a
                    # paused simulation).
                    await self._members.stop(self.nodes.values())
            finally:
                survivors = await self._host.sweep(SWEEP_SECONDS)
        return left_behind(self.plan.name, survivors) if survivors else None

    # -- helpers

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """One change at a time; a shutdown cancels a running change."""
        async with self._busy:
            if self._ending is not None:
                raise self.gone()
            self._work = asyncio.current_task()
            try:
                yield
            finally:
                self._work = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
