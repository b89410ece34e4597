"""Faults: deliberate changes of nodes, and how they are undone.

A fault is remembered until it is undone."""

from __future__ import annotations

from collections.abc import Callable

from clusterlib.errors import ClusterError, NodeNotReady, NodeUnavailable, NodeUnknown
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.members import Members
from clusterlib.keeper.node import ManagedNode
from clusterlib.keeper.revival import Changes
from clusterlib.keeper.taint import Taint
from clusterlib.messages.events import (
    ClusterRestarting,
    FaultKill,
    FaultPause,
    FaultStop,
    HealResume,
    HealStart,
)
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import NodeStatus
from clusterlib.remedies import do
from clusterlib.waiting import Deadline, poll_async

__all__ = ["Faults"]

GONE = frozenset({NodeState.PLANNED, NodeState.DEAD, NodeState.WAITING, NodeState.STOPPED})


class Faults:
    def __init__(
        self,
        cluster: str,
        members: Members,
        taint: Taint,
        changes: Changes,
        tell: Tell,
        save: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._members = members
        self._taint = taint
        self._changes = changes
        self._tell = tell
        self._save = save

    async def kill(self, name: str, by: str = "") -> NodeStatus:
        """`by` names who did it, for clients that find the node dead."""
        node = self._alive(name)
        self._tell(FaultKill(name, by))
        self._taint.ended(name, "was killed")
        await node.kill(by)
        return node.status()

    async def pause(self, name: str, by: str = "") -> NodeStatus:
        node = self._alive(name)
        if node.state not in {NodeState.READY, NodeState.PAUSED}:
            raise NodeUnavailable(
                f"{name} is {node.state}: only a node that is ready can be paused",
                remedies=[do("cluster.status")],
            )
        if node.state is NodeState.READY:
            self._tell(FaultPause(name, by))
            self._taint.paused(name)
            node.pause(by)
            self._members.look_again()
        return node.status()

    async def resume(self, name: str, by: str = "") -> NodeStatus:
        node = self._alive(name)
        self._resume(node, by)
        return node.status()

    async def stop(self, name: str, by: str = "") -> NodeStatus:
        """Ends it in order.

        It stays down until it is started; the restart policy does not revive it. Idempotent."""
        async with self._changes.alone():
            node = self.find(name)
            if node.state is not NodeState.STOPPED:
                if node.state is not NodeState.WAITING:
                    self._alive(name)
                self._tell(FaultStop(name, by))
                self._taint.ended(name, "was stopped")
                await self._members.stop([node], with_the_cluster=False)
                node.by = by or None
                self._members.look_again()
                self._save()
            return node.status()

    async def start(self, name: str, by: str = "") -> NodeStatus:
        """Starts a node that is down, and waits until it has rejoined the others.

        A running node is left alone."""
        async with self._changes.alone():
            node = self.find(name)
            if node.state is NodeState.PAUSED:
                raise NodeUnavailable(
                    f"{name} is paused: it runs, and cannot be started",
                    remedies=[do("cluster.resume", name)],
                )
            if node.state in GONE:
                self._tell(HealStart(name, by))
                await self._bring_back(node)
            return node.status()

    async def _bring_back(self, node: ManagedNode) -> None:
        self._taint.ended_on_request([node.name], everything=False)
        try:
            await self._members.prepare([node])
            await self._members.bring_up([node], together=False)
        except ClusterError:
            self._taint.ended(node.name, f"is gone: {node.reason}")
            raise
        finally:
            self._save()

    async def restart(self, nodes: list[ManagedNode], *, fresh: bool = False) -> None:
        """Restarts them on request."""
        names = [node.name for node in nodes]
        everything = fresh and self._members.nodes.keys() <= set(names)
        await self._restart(
            nodes, lambda: self._taint.ended_on_request(names, everything=everything), fresh=fresh
        )

    async def heal(self, deadline: Deadline, *, fresh: bool) -> None:
        """Resumes paused nodes and restarts dead ones, or restarts all without data, until the
        cluster is complete."""
        nodes = self._members.nodes
        self._members.check_can_start("nodes")
        if fresh:
            await self._restart(list(nodes.values()), fresh=True)
        for node in nodes.values():
            self._resume(node)
        while not self._members.whole:
            if gone := self._gone():
                await self._restart(gone)
            await poll_async(lambda: self._members.whole or self._gone(), deadline)
            if deadline.passed and not self._members.whole:
                raise NodeNotReady(
                    f"cluster '{self._cluster}' did not get whole within {deadline.seconds:g} s",
                    evidence=[
                        f"{node.name} is {node.state} and sees {', '.join(sorted(node.view)) or 'no other node'}"
                        for node in nodes.values()
                    ],
                    remedies=[do("cluster.health"), do("cluster.restart")],
                )
        self._taint.clear()

    def find(self, name: str) -> ManagedNode:
        nodes = self._members.nodes
        if name not in nodes:
            raise NodeUnknown(
                f"cluster '{self._cluster}' has no node {name!r}",
                evidence=[f"its nodes: {', '.join(nodes)}"],
                remedies=[do("cluster.status")],
            )
        return nodes[name]

    def _alive(self, name: str) -> ManagedNode:
        node = self.find(name)
        if node.pid is None:
            raise NodeUnavailable(
                f"{name} is not running ({node.state}{': ' + node.reason if node.reason else ''})",
                remedies=[do("cluster.start", name)],
            )
        return node

    def _gone(self) -> list[ManagedNode]:
        return [node for node in self._members.nodes.values() if node.state in GONE]

    def _resume(self, node: ManagedNode, by: str = "") -> None:
        if node.state is NodeState.PAUSED:
            self._tell(HealResume(node.name, by))
            node.resume()
            self._taint.resumed(node.name)
            self._members.look_again()

    async def _restart(
        self, nodes: list[ManagedNode], ended: Callable[[], None] = lambda: None, *, fresh: bool = False
    ) -> None:
        """`ended` is called when the old processes have ended: from then on, damage concerns the
        new ones."""
        await self._members.prepare(nodes)
        self._tell(ClusterRestarting(tuple(node.name for node in nodes), fresh))
        await self._members.stop(nodes)
        if fresh:
            await self._members.clear(nodes)
        ended()
        await self._members.bring_up(nodes, together=False)
