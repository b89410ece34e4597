"""The keeper's mind: one cluster, its nodes, who holds it, and what is done when something happens to it.

Everything here runs on one event loop, in one thread. Operations that change the cluster are queued on one lock;
only `shut_down` overrides them all."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import time
import traceback
from collections.abc import AsyncIterator, Coroutine
from enum import StrEnum
from typing import Any

from clusterlib.drivers.api import Driver
from clusterlib.errors import (
    ClusterError,
    ClusterNotRunning,
    LeftBehind,
    NodeExited,
    NodeUnavailable,
    NodeUnknown,
    StartError,
    UsageError,
)
from clusterlib.hosts.api import Exit, Host
from clusterlib.hosts.places import write_private
from clusterlib.lifecycle.events import EventLog
from clusterlib.lifecycle.folders import RunFolder
from clusterlib.lifecycle.leases import Leases
from clusterlib.lifecycle.node import ManagedNode, NodeState
from clusterlib.lifecycle.plan import NodePlan, Plan
from clusterlib.lifecycle.provision import Provisioner
from clusterlib.lifecycle.restarts import Restarts
from clusterlib.lifecycle.roster import Roster
from clusterlib.waiting import backoff, pause_async

__all__ = ["ClusterState", "Keeper"]

SWEEP_SECONDS = 3.0
SAVING_SECONDS = 0.05
"""Ends that come together are saved together: a hundred nodes make a state that takes milliseconds to write."""


class ClusterState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Keeper:
    def __init__(
        self,
        plan: Plan,
        run: RunFolder,
        driver: Driver,
        host: Host,
        provisioner: Provisioner,
        facts: dict[str, Any],
    ) -> None:
        self.plan = plan
        self.run = run
        self.events = EventLog(run.events)
        self.finished: asyncio.Future[ClusterError | None] = asyncio.get_running_loop().create_future()
        """Done when the cluster is gone and the process may end; holds what went wrong in the shutdown, if anything."""
        self.leases = Leases(self.events.tell, self._unwanted)
        self._roster = Roster(plan, run, driver, host, provisioner, self.events.tell, self._node_ended)
        self._restarts = Restarts(plan.restart)
        self._host = host
        self._facts = facts
        self._code_digest = plan.code_digest
        self._held = True  # until whoever started it asks to keep it
        self._phase = ClusterState.STARTING
        self._busy = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._begun = time.monotonic()
        self._ready_seconds: float | None = None
        self._why = ""
        self._ending: asyncio.Task[None] | None = None
        self._work: asyncio.Task[Any] | None = None
        self._saving: asyncio.TimerHandle | None = None

    # -- what it is now

    @property
    def nodes(self) -> dict[str, ManagedNode]:
        return self._roster.nodes

    @property
    def state(self) -> ClusterState:
        if self._phase is not ClusterState.READY:
            return self._phase
        return ClusterState.READY if self._roster.whole else ClusterState.DEGRADED

    @property
    def ending(self) -> bool:
        return self._ending is not None

    def gone(self) -> ClusterNotRunning:
        """What to tell whoever wants something of a cluster that ends."""
        return ClusterNotRunning(
            f"cluster '{self.plan.name}' was stopped", cause=self._why or None, remedies=["invoke cluster.up"]
        )

    def status(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "name": plan.name,
            "identifier": plan.identifier,
            "project": plan.project,
            "profile": plan.profile,
            "driver": plan.driver,
            "simulated": plan.simulated,
            "state": str(self.state),
            "held": self._held,
            "linger": plan.linger,
            "fingerprint": plan.fingerprint,
            "code_digest": self._code_digest,
            "run": str(self.run.path),
            "cookie_file": str(self.run.cookie),
            "timeouts": dataclasses.asdict(plan.timeouts),
            "adaptations": list(plan.adaptations),
            "uptime": round(time.monotonic() - self._begun, 3),
            "ready_seconds": self._ready_seconds,
            "leases": self.leases.describe(),
            "nodes": [node.describe() for node in self.nodes.values()],
            **self._facts,
        }

    # -- the verbs

    async def start(self) -> dict[str, Any]:
        """Brings the whole cluster up; on failure nothing of it is left, and the error says why."""
        async with self._alone():
            if self._phase is not ClusterState.STARTING:
                return self.status()
            plan = self.plan
            self.events.tell(
                "cluster.starting",
                name=plan.name,
                profile=plan.profile,
                simulated=plan.simulated,
                nodes=len(plan.nodes),
            )
            pauses = backoff(plan.retry.first, plan.retry.factor, plan.retry.ceiling)
            for attempt in itertools.count(1):
                try:
                    nodes = self._roster.admit(plan.nodes)
                    self._roster.prepare(nodes)
                    await self._roster.bring_up(nodes, together=True)
                    break
                except ClusterError as error:
                    again = attempt <= plan.retry.attempts and self._worth_another_try(error)
                    await self._roster.dismiss(self.nodes.values())
                    if not again:
                        raise
                    self.events.tell("cluster.retrying", attempt=attempt, reason=error.problem)
                    await pause_async(next(pauses))
            self._ready_seconds = round(time.monotonic() - self._begun, 4)
            self._phase = ClusterState.READY
            self.events.tell("cluster.ready", seconds=self._ready_seconds, simulated=plan.simulated)
            self._save()
            return self.status()

    async def restart(self, names: list[str], code: dict[str, str] | None = None) -> dict[str, Any]:
        """Stops and starts these nodes (none named: all), which then run the code as it is now."""
        async with self._alone():
            nodes = [self._node(name) for name in dict.fromkeys(names)] or list(self.nodes.values())
            self._roster.prepare(nodes)
            if code is not None:
                self.plan = dataclasses.replace(self.plan, code=code)
                self._code_digest = self.plan.code_digest
            self.events.tell("cluster.restarting", nodes=[node.name for node in nodes])
            try:
                await self._roster.stop(nodes)
                await self._roster.bring_up(nodes, together=False)
            finally:
                self._save()
            return self.status()

    async def scale(self, count: int) -> dict[str, Any]:
        """Adds or removes nodes, the last ones first, while the others go on."""
        if count < 1:
            raise UsageError("a cluster has at least one node", remedies=["invoke cluster.down"])
        async with self._alone():
            current = list(self.nodes.values())
            self.events.tell("cluster.scaling", before=len(current), after=count)
            if count < len(current):
                await self._roster.dismiss(current[count:])
                self._roster.tell_all()
            elif count > len(current):
                await self._grow(range(len(current) + 1, count + 1))
            self._save()
            return self.status()

    async def kill(self, name: str) -> dict[str, Any]:
        node = self._alive(name)
        self.events.tell("fault.kill", node=name)
        await node.kill()
        return node.describe()

    async def pause(self, name: str) -> dict[str, Any]:
        node = self._alive(name)
        if node.state not in {NodeState.READY, NodeState.PAUSED}:
            raise NodeUnavailable(
                f"{name} is {node.state}: only a node that is ready can be paused",
                remedies=["invoke cluster.status"],
            )
        if node.state is NodeState.READY:
            self.events.tell("fault.pause", node=name)
            node.pause()
            self._roster.look_again()
        return node.describe()

    async def resume(self, name: str) -> dict[str, Any]:
        node = self._alive(name)
        if node.state is NodeState.PAUSED:
            self.events.tell("heal.resume", node=name)
            node.resume()
            self._roster.look_again()
        return node.describe()

    def shut_down(self, reason: str) -> asyncio.Task[None]:
        """Ends the cluster, once; everybody who asks waits for the same end."""
        if self._ending is None:
            self._phase = ClusterState.STOPPING
            self._why = reason
            self.events.tell("cluster.stopping", reason=reason)
            overtaken = self._work if self._work is not asyncio.current_task() else None
            self._ending = asyncio.get_running_loop().create_task(self._end(overtaken))
        return self._ending

    # -- who holds it

    def keep(self) -> None:
        """From now on the cluster lives until it is told to stop, whoever holds it."""
        self._held = False

    def abandon(self) -> None:
        """Whoever started it changed its mind: it ends, unless somebody else has come to hold it."""
        if not self.leases:
            self.shut_down("who started it changed its mind")

    def _unwanted(self) -> None:
        """The last lease is gone. A cluster that is still starting has nobody left to tell; one that is kept lives on."""
        if self._phase is ClusterState.STARTING:
            self.shut_down("who started it is gone")
        elif self._held and self.plan.linger > 0:
            self._spawn(self._linger(self.leases.taken))
        elif self._held:
            self.shut_down("the last lease was released")

    async def _linger(self, taken: int) -> None:
        """Waits for another holder. One that came and went meanwhile has started a wait of its own."""
        self.events.tell("cluster.lingering", seconds=self.plan.linger)
        await pause_async(self.plan.linger)
        if self._held and not self.leases and self.leases.taken == taken:
            self.shut_down("nobody came to hold it")

    # -- growing

    async def _grow(self, indexes: range) -> None:
        plans = [NodePlan(self.plan.node_name.format(index=index), index) for index in indexes]
        added = self._roster.admit(plans)
        try:
            self._roster.prepare(added)
            self._roster.tell_all()
            await self._roster.bring_up(added, together=True)
        except BaseException:
            await self._roster.dismiss(added)
            self._roster.tell_all()
            raise

    def _worth_another_try(self, error: ClusterError) -> bool:
        """A stolen port or a machine out of processes may pass; a program that fails will fail again."""
        if isinstance(error, NodeExited):
            return any(node.exit is not None and node.ports_were_stolen() for node in self.nodes.values())
        return type(error) is StartError

    # -- when a node ends by itself

    def _node_ended(self, node: ManagedNode, how: Exit) -> None:
        if self._phase is not ClusterState.READY:
            return
        self._save_soon()
        if node.state is NodeState.DEAD and not self._roster.is_rising(node):
            self._crashed(node, str(how), clean=how.clean)

    def _crashed(self, node: ManagedNode, why: str, *, clean: bool) -> None:
        if not self._restarts.wanted(clean=clean):
            return
        pause = self._restarts.next_pause(node.name)
        if pause is None:
            node.reason = f"{why}; {self._restarts}"
            self.events.tell("node.abandoned", node=node.name, reason=node.reason)
            return
        node.state = NodeState.WAITING
        self.events.tell("node.restarting", node=node.name, reason=why, after=pause)
        self._spawn(self._revive(node, pause))

    async def _revive(self, node: ManagedNode, pause: float) -> None:
        await pause_async(pause)
        async with self._alone():
            if self.nodes.get(node.name) is not node or node.state is not NodeState.WAITING:
                return  # somebody restarted or removed it meanwhile
            try:
                self._roster.prepare([node])
                await self._roster.bring_up([node], together=False)
                return
            except ClusterError as error:
                self.events.tell("node.restart-failed", node=node.name, error=error.to_dict())
                node.state = NodeState.DEAD
                self._crashed(node, error.problem, clean=False)
            finally:
                self._save_soon()

    # -- ending

    async def _end(self, overtaken: asyncio.Task[Any] | None) -> None:
        problem: ClusterError | None
        try:
            problem = await self._wind_down(overtaken)
        except Exception as error:  # noqa: BLE001 - whatever happens here, the process must end, and with it all it kept
            traceback.print_exc()
            problem = ClusterError(
                f"cluster '{self.plan.name}' did not end in order", cause=f"{type(error).__name__}: {error}"
            )
        self._phase = ClusterState.STOPPED
        self.events.tell("cluster.stopped", clean=problem is None)
        self._save()
        if not self.finished.done():
            self.finished.set_result(problem)

    async def _wind_down(self, overtaken: asyncio.Task[Any] | None) -> ClusterError | None:
        for task in [*self._background, *([overtaken] if overtaken else [])]:
            task.cancel()
        if overtaken:
            await asyncio.wait([overtaken])
        try:
            with contextlib.suppress(LeftBehind):
                # The last word on that is the sweep's: it also ends what holds a node (a paused simulation).
                await self._roster.stop(self.nodes.values())
            survivors = await self._host.sweep(SWEEP_SECONDS)
        finally:
            for node in self.nodes.values():
                node.close()
            await self._host.close()
        if not survivors:
            return None
        return LeftBehind(
            f"{len(survivors)} process(es) of cluster '{self.plan.name}' survived the shutdown",
            evidence=[f"pid {survivor.pid}: {survivor.command}" for survivor in survivors],
            remedies=["invoke cluster.clean"],
        )

    # -- helpers

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One change at a time; a change that a shutdown overtakes is cancelled."""
        async with self._busy:
            if self._ending is not None:
                raise self.gone()
            self._work = asyncio.current_task()
            try:
                yield
            finally:
                self._work = None

    def _node(self, name: str) -> ManagedNode:
        if name not in self.nodes:
            raise NodeUnknown(
                f"cluster '{self.plan.name}' has no node {name!r}",
                evidence=[f"its nodes: {', '.join(self.nodes)}"],
                remedies=["invoke cluster.status"],
            )
        return self.nodes[name]

    def _alive(self, name: str) -> ManagedNode:
        node = self._node(name)
        if node.pid is None:
            raise NodeUnavailable(
                f"{name} is not running ({node.state}{': ' + node.reason if node.reason else ''})",
                remedies=[f"invoke cluster.restart {name}"],
            )
        return node

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _save_soon(self) -> None:
        if self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(SAVING_SECONDS, self._save)

    def _save(self) -> None:
        """The state on disk, for whoever comes after a crash. A full disk must not end the cluster."""
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        try:
            write_private(self.run.state, json.dumps({**self.status(), "saved": time.time()}, indent=1))
        except OSError as error:
            self.events.tell("state.not-saved", reason=str(error))
