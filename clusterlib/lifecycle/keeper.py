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
from collections.abc import AsyncIterator, Coroutine, Iterable
from enum import StrEnum
from typing import Any, TypeVar

from clusterlib.drivers.api import Driver, NodeSpec
from clusterlib.errors import (
    ClusterError,
    LeftBehind,
    NodeExited,
    NodeNotReady,
    NodeUnavailable,
    NodeUnknown,
    StartError,
    UsageError,
)
from clusterlib.hosts.api import Exit, Host
from clusterlib.hosts.ports import Claim
from clusterlib.lifecycle.events import EventLog
from clusterlib.lifecycle.folders import RunFolder, write_private
from clusterlib.lifecycle.leases import Leases
from clusterlib.lifecycle.node import ManagedNode, NodeState
from clusterlib.lifecycle.plan import NodePlan, Plan
from clusterlib.lifecycle.provision import Provisioner
from clusterlib.waiting import Deadline, backoff, pause_async

__all__ = ["ClusterState", "Keeper"]

T = TypeVar("T")

SWEEP_SECONDS = 3.0


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
        self.nodes: dict[str, ManagedNode] = {}
        self.finished: asyncio.Future[ClusterError | None] = asyncio.get_running_loop().create_future()
        """Done when the cluster is gone and the process may end; holds what went wrong in the shutdown, if anything."""
        self._driver = driver
        self._host = host
        self._provisioner = provisioner
        self._facts = facts
        self._phase = ClusterState.STARTING
        self.leases = Leases(self.events.tell, self._unwanted)
        self._busy = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        self._begun = time.monotonic()
        self._ready_seconds: float | None = None
        self._ending: asyncio.Task[None] | None = None
        self._work: asyncio.Task[Any] | None = None
        self._crashes: dict[str, list[float]] = {}

    # -- what it is now

    @property
    def state(self) -> ClusterState:
        if self._phase is not ClusterState.READY:
            return self._phase
        everyone = frozenset(self.nodes)
        whole = all(node.state is NodeState.READY and node.view >= everyone for node in self.nodes.values())
        return ClusterState.READY if whole else ClusterState.DEGRADED

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
            "held": plan.held,
            "linger": plan.linger,
            "fingerprint": plan.fingerprint,
            "code_digest": plan.code_digest,
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
                    await self._start_once()
                    break
                except ClusterError as error:
                    again = attempt <= plan.retry.attempts and self._worth_another_try(error)
                    await self._discard(list(self.nodes))
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
            nodes = [self._node(name) for name in names] or list(self.nodes.values())
            if code is not None:
                self.plan = dataclasses.replace(self.plan, code=code)
            self.events.tell("cluster.restarting", nodes=[node.name for node in nodes])
            await _all(node.stop(self.plan.timeouts.stop) for node in nodes)
            await self._bring_up(nodes)
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
                leaving = current[count:]
                await _all(node.stop(self.plan.timeouts.stop) for node in leaving)
                await self._discard([node.name for node in leaving])
                self._tell_roster()
            elif count > len(current):
                await self._grow(count)
            self._save()
            return self.status()

    async def kill(self, name: str) -> dict[str, Any]:
        node = self._alive(name)
        self.events.tell("fault.kill", node=name)
        await node.kill()
        return node.describe()

    async def pause(self, name: str) -> dict[str, Any]:
        node = self._alive(name)
        if node.state is not NodeState.PAUSED:
            self.events.tell("fault.pause", node=name)
            node.pause()
        return node.describe()

    async def resume(self, name: str) -> dict[str, Any]:
        node = self._alive(name)
        if node.state is NodeState.PAUSED:
            self.events.tell("heal.resume", node=name)
            node.resume()
        return node.describe()

    def shut_down(self, reason: str) -> asyncio.Task[None]:
        """Ends the cluster, once; everybody who asks waits for the same end."""
        if self._ending is None:
            self._phase = ClusterState.STOPPING
            self.events.tell("cluster.stopping", reason=reason)
            overtaken = self._work if self._work is not asyncio.current_task() else None
            self._ending = asyncio.get_running_loop().create_task(self._end(overtaken))
        return self._ending

    # -- who holds it

    def keep(self) -> None:
        """From now on the cluster lives until it is told to stop, whoever holds it."""
        self.plan = dataclasses.replace(self.plan, held=False)

    def _unwanted(self) -> None:
        """The last lease is gone. A cluster that is still starting has nobody left to tell; one that is kept lives on."""
        if self._phase is ClusterState.STARTING:
            self.shut_down("who started it is gone")
        elif self.plan.held:
            self._spawn(self._linger())

    async def _linger(self) -> None:
        if self.plan.linger > 0:
            self.events.tell("cluster.lingering", seconds=self.plan.linger)
            await pause_async(self.plan.linger)
        if not self.leases:
            self.shut_down("the last lease was released")

    # -- starting

    async def _start_once(self) -> None:
        for spec, claims in self._provisioner.place(self.plan, self.plan.nodes, []):
            self._admit(spec, claims)
        self._provisioner.write_configs(self.plan, [node.spec for node in self.nodes.values()])
        await self._bring_up(list(self.nodes.values()))

    async def _bring_up(self, nodes: list[ManagedNode]) -> None:
        """Starts these nodes in parallel and waits until they see all that live. The first failure ends the wait."""
        deadline = Deadline(self.plan.timeouts.start)
        expected = {n.name for n in self.nodes.values() if n in nodes or n.state is NodeState.READY}

        async def one(node: ManagedNode) -> NodeNotReady | None:
            await node.launch()
            try:
                await node.climb(expected, deadline)
            except NodeNotReady as late:
                return late  # the others share the deadline: let them say how far they got
            return None

        late = await _all([one(node) for node in nodes])
        behind = [(node.rungs, error) for node, error in zip(nodes, late, strict=True) if error is not None]
        if behind:
            raise min(behind, key=lambda entry: entry[0])[1]

    async def _grow(self, count: int) -> None:
        current = list(self.nodes.values())
        plans = [self._plan_node(index) for index in range(len(current) + 1, count + 1)]
        added = []
        for spec, claims in self._provisioner.place(self.plan, plans, [node.spec for node in current]):
            added.append(self._admit(spec, claims))
        self._provisioner.write_configs(self.plan, [node.spec for node in self.nodes.values()])
        self._tell_roster()
        try:
            await self._bring_up(added)
        except BaseException:
            await _all(node.stop(self.plan.timeouts.stop) for node in added)
            await self._discard([node.name for node in added])
            self._tell_roster()
            raise

    def _plan_node(self, index: int) -> NodePlan:
        name = self.plan.node_name.format(index=index)
        return NodePlan(name, index)

    def _admit(self, spec: NodeSpec, claims: dict[str, Claim]) -> ManagedNode:
        node = ManagedNode(
            spec,
            claims,
            self._driver,
            self._host,
            self.run.log(spec.name),
            self.events.tell,
            self._node_ended,
        )
        self.nodes[spec.name] = node
        return node

    def _tell_roster(self) -> None:
        roster = self._provisioner.roster([node.spec for node in self.nodes.values()])
        for node in self.nodes.values():
            node.expect(roster)

    def _worth_another_try(self, error: ClusterError) -> bool:
        """A stolen port or a machine out of processes may pass; a program that fails will fail again."""
        if isinstance(error, NodeExited):
            return any(node.exit is not None and node.ports_were_stolen() for node in self.nodes.values())
        return type(error) is StartError

    # -- when a node ends by itself

    def _node_ended(self, node: ManagedNode, how: Exit) -> None:
        self._save()
        policy = self.plan.restart
        if self._phase is not ClusterState.READY or node.state is not NodeState.DEAD or self._busy.locked():
            return
        if policy.policy == "never" or (policy.policy == "on-failure" and how.clean):
            return
        recent = [t for t in self._crashes.get(node.name, []) if time.monotonic() - t < policy.window]
        self._crashes[node.name] = [*recent, time.monotonic()]
        if len(recent) >= policy.attempts:
            node.reason = f"{how}; given up after {policy.attempts} restarts within {policy.window:g} s"
            self.events.tell("node.abandoned", node=node.name, reason=node.reason)
            return
        pause = next(
            itertools.islice(backoff(policy.first, policy.factor, policy.ceiling), len(recent), None)
        )
        self._spawn(self._revive(node, pause))

    async def _revive(self, node: ManagedNode, pause: float) -> None:
        node.state = NodeState.WAITING
        self.events.tell("node.restarting", node=node.name, reason=str(node.exit), after=pause)
        await pause_async(pause)
        async with self._alone():
            if self.nodes.get(node.name) is not node or node.state is not NodeState.WAITING:
                return
            try:
                await self._bring_up([node])
                return
            except ClusterError as error:
                self.events.tell("node.restart-failed", node=node.name, error=error.to_dict())
        if node.exit is not None:
            node.state = NodeState.DEAD
            self._node_ended(node, node.exit)

    # -- ending

    async def _end(self, overtaken: asyncio.Task[Any] | None) -> None:
        problem: ClusterError | None = None
        for task in [*self._background, *([overtaken] if overtaken else [])]:
            task.cancel()
        if overtaken:
            await asyncio.wait([overtaken])
        try:
            await _all(node.stop(self.plan.timeouts.stop) for node in self.nodes.values())
        except LeftBehind:
            pass  # the last word on that is the sweep's: it also ends what holds a node (a paused simulation)
        except ClusterError as error:
            problem = error
        survivors = await self._host.sweep(SWEEP_SECONDS)
        if survivors:
            problem = LeftBehind(
                f"{len(survivors)} process(es) of cluster '{self.plan.name}' survived the shutdown",
                evidence=[f"pid {survivor.pid}: {survivor.command}" for survivor in survivors],
                remedies=["invoke cluster.clean"],
            )
        for node in self.nodes.values():
            node.close()
        await self._host.close()
        self._phase = ClusterState.STOPPED
        self.events.tell("cluster.stopped", clean=problem is None)
        self._save()
        if not self.finished.done():
            self.finished.set_result(problem)

    async def _discard(self, names: Iterable[str]) -> None:
        """Takes nodes out of the cluster, stopped if they still live, their ports released."""
        leaving = [self.nodes[name] for name in names]
        await _all(node.stop(self.plan.timeouts.stop) for node in leaving)
        for node in leaving:
            node.close()
            del self.nodes[node.name]

    # -- helpers

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One change at a time; a change that a shutdown overtakes is cancelled."""
        async with self._busy:
            if self._ending is not None:
                raise NodeUnavailable(f"cluster '{self.plan.name}' is stopping")
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

    def _save(self) -> None:
        """The state on disk, for whoever comes after a crash. A full disk must not end the cluster."""
        try:
            write_private(self.run.state, json.dumps({**self.status(), "saved": time.time()}, indent=1))
        except OSError as error:
            self.events.tell("state.not-saved", reason=str(error))


async def _all(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Runs them side by side; the first failure cancels the rest, which are waited for, and is raised as it is."""
    tasks = [asyncio.get_running_loop().create_task(work) for work in works]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
