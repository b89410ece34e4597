"""The nodes of a cluster together: places for them, their start side by side, who belongs to whom, and their leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from clusterlib.drivers.api import Driver, NodeSpec
from clusterlib.errors import ClusterError, NodeNotReady, NodeUnavailable
from clusterlib.hosts.api import Exit, Host
from clusterlib.keeper.code_at_start import CodeAtStart
from clusterlib.keeper.diary import Tell
from clusterlib.keeper.node import ManagedNode
from clusterlib.keeper.provision import Provisioner
from clusterlib.messages.plan import NodePlan, Plan, RunningCode
from clusterlib.messages.states import NodeState
from clusterlib.network.ports import Claim
from clusterlib.rundir.folders import RunFolder
from clusterlib.waiting import Deadline, poll_async

__all__ = ["Roster", "side_by_side"]

T = TypeVar("T")
CODE_SECONDS = 2.0
"""For a node to say which of the files that it has loaded have changed."""


class Roster:
    """Who belongs to the cluster. What to do about a node that ends by itself is the keeper's call."""

    def __init__(
        self,
        plan: Plan,
        run: RunFolder,
        driver: Driver,
        host: Host,
        provisioner: Provisioner,
        tell: Tell,
        ended: Callable[[ManagedNode, Exit], None],
    ) -> None:
        self.nodes: dict[str, ManagedNode] = {}
        self._plan = plan
        self._run = run
        self._driver = driver
        self._host = host
        self._provisioner = provisioner
        self._tell = tell
        self._ended = ended
        self._rising: set[ManagedNode] = set()
        self._awaited: frozenset[str] | None = None
        self.code = CodeAtStart(plan.sources, shares_modules=plan.simulated)

    @property
    def whole(self) -> bool:
        """Whether every node is ready and sees every other."""
        everyone = frozenset(self.nodes)
        return all(n.state is NodeState.READY and n.view >= everyone for n in self.nodes.values())

    def is_rising(self, node: ManagedNode) -> bool:
        """Whether somebody waits for this node to get ready, and so will hear of its end."""
        return node in self._rising

    # -- coming

    def admit(self, plans: Iterable[NodePlan]) -> list[ManagedNode]:
        """Gives these nodes places among the others. All are admitted, or none."""
        placed = self._provisioner.place(self._plan, plans, self._specs())
        return [self._admit(spec, claims) for spec, claims in placed]

    def prepare(self, nodes: Iterable[ManagedNode], code: dict[str, str] | None = None) -> None:
        """Writes what these nodes read when they start, and notes which code that is; see `CodeAtStart.note`.

        What is written names the nodes that belong to the cluster now, and those that run. A node that is still to be
        stopped for this start does not count as one that runs."""
        starting = list(nodes)
        alive = [node.name for node in self.nodes.values() if node.living and node not in starting]
        self.code.note([node.name for node in starting], alive, code)
        specs = [node.spec for node in starting]
        self._provisioner.write_configs(self._plan, self._specs(), specs, alive)

    def clear(self, nodes: Iterable[ManagedNode]) -> None:
        """Deletes the data of these nodes, none of which lives now."""
        from clusterlib.keeper.clearing import clear

        cleared = list(nodes)
        for node in cleared:
            clear(self._driver, node, self._tell)
        self.prepare(cleared)

    async def bring_up(self, nodes: list[ManagedNode], *, together: bool) -> None:
        """Starts these nodes side by side and waits until they see all that live.

        Where they are wanted together, the first failure ends the wait. Otherwise each has its own fate; one that
        fails is ended, for it must not look as if it were about to be ready."""
        deadline = Deadline(self._plan.timeouts.start)
        await self._forgotten(nodes)

        async def one(node: ManagedNode) -> ClusterError | None:
            try:
                await node.launch(deadline)
                await node.climb(self._expected, deadline)
            except NodeNotReady as late:
                return late  # the others share the deadline: let them say how far they got
            except ClusterError as error:
                if together:
                    raise
                self._rising.discard(node)
                self.look_again()
                return error
            self._rising.discard(node)
            return None

        self._rising.update(nodes)
        self.look_again()
        try:
            outcomes = await side_by_side(one(node) for node in nodes)
            failed = [(node, error) for node, error in zip(nodes, outcomes, strict=True) if error is not None]
            if not together:
                await side_by_side(node.give_up(self._plan.timeouts.stop) for node, _ in failed)
        finally:
            self._rising.difference_update(nodes)
        if failed:
            raise min(failed, key=lambda entry: entry[0].rungs)[1]
        if together:
            _check_alive(nodes)
        await self._seen_by_all(nodes, deadline)

    async def _forgotten(self, nodes: Iterable[ManagedNode]) -> None:
        """Waits until nobody sees a former life of these nodes, which would be taken for the new one, and then be missed.

        No longer than it takes to notice a death twice over: whoever does not notice it must not keep them from coming back."""
        names = {node.name for node in nodes}

        def forgotten() -> bool:
            return not any(names & node.view for node in self.nodes.values() if node.state is NodeState.READY)

        await poll_async(forgotten, Deadline(2 * self._plan.timeouts.detect))

    async def _seen_by_all(self, nodes: Iterable[ManagedNode], deadline: Deadline) -> None:
        """The other half of joining: those who were there see the newcomers, too."""

        def blind() -> list[str]:
            ready = {n.name: n for n in self.nodes.values() if n.state is NodeState.READY}
            newcomers = {node.name for node in nodes} & ready.keys()
            return [name for name, node in ready.items() if not newcomers <= node.view]

        if not await poll_async(lambda: not blind(), deadline):
            raise NodeNotReady(
                f"{', '.join(blind())} did not see everybody within {deadline.seconds:g} s",
                cause=f"{', '.join(node.name for node in nodes)} started well, but it takes two to meet",
                remedies=["invoke cluster.health"],
            )

    # -- belonging

    def tell_all(self) -> None:
        """Tells every node who belongs to the cluster now."""
        roster = self._provisioner.roster(self._specs())
        for node in self.nodes.values():
            node.expect(roster)

    def look_again(self) -> None:
        """Somebody's state changed: whoever waits to see all that are ready need not wait for one that is not."""
        self._awaited = None
        for node in self._rising:
            node.look_again()

    async def running_code(self) -> RunningCode:
        """What the nodes were started with, and what they say that they have loaded since."""
        started = [node.name for node in self.nodes.values() if node.state is not NodeState.STOPPED]
        living = [node for node in self.nodes.values() if node.living]
        answers = await side_by_side(node.stale_files(CODE_SECONDS) for node in living)
        told = {node.name: answer for node, answer in zip(living, answers, strict=True)}
        return RunningCode(
            files=self.code.different(started),
            stale={name: tuple(answer) for name, answer in told.items() if answer},
            unasked=tuple(name for name, answer in told.items() if answer is None),
        )

    def those_that_load(self) -> list[str]:
        """The nodes that live, all of which must be able to load new code now."""
        living = [node for node in self.nodes.values() if node.living]
        deaf = [node for node in living if node.state is not NodeState.READY]
        if deaf:
            verb = "resume" if deaf[0].state is NodeState.PAUSED else "restart"
            raise NodeUnavailable(
                f"{', '.join(node.name for node in deaf)} cannot be given new code now",
                cause=f"{deaf[0].name} is {deaf[0].state}",
                remedies=[f"invoke cluster.{verb} {deaf[0].name}"],
            )
        return [node.name for node in living]

    def flush_logs(self) -> None:
        """All that the nodes have printed by now is in their log files when this returns."""
        self._host.drain()
        for node in self.nodes.values():
            node.flush_log()

    # -- leaving

    async def stop(self, nodes: Iterable[ManagedNode], *, with_the_cluster: bool = True) -> None:
        """Stops them side by side. One that cannot be stopped does not keep the others from it.

        Not `with_the_cluster`: each as one that leaves others behind, also where it happens to be the last."""
        seconds = self._plan.timeouts.stop
        nodes = list(nodes)
        self._driver.stopping([node.name for node in nodes] if with_the_cluster else [])

        async def one(node: ManagedNode) -> ClusterError | None:
            try:
                await node.stop(seconds)
            except ClusterError as error:
                return error
            return None

        for error in await side_by_side(one(node) for node in nodes):
            if error is not None:
                raise error

    async def dismiss(self, nodes: Iterable[ManagedNode]) -> None:
        """Takes nodes out of the cluster, stopped if they still live, their ports released."""
        leaving = list(nodes)
        await self.stop(leaving)
        for node in leaving:
            node.close()
            self._driver.forget(node.spec)
            del self.nodes[node.name]
            self.code.forget(node.name)

    def _specs(self) -> list[NodeSpec]:
        return [node.spec for node in self.nodes.values()]

    def _expected(self) -> frozenset[str]:
        """Asked by every node at every piece of news, so it is made only when somebody's state has changed."""
        if self._awaited is None:
            ready = (n.name for n in self.nodes.values() if n in self._rising or n.state is NodeState.READY)
            self._awaited = frozenset(ready)
        return self._awaited

    def _admit(self, spec: NodeSpec, claims: dict[str, Claim]) -> ManagedNode:
        log = self._run.log(spec.name)
        node = ManagedNode(spec, claims, self._driver, self._host, log, self._tell, self._node_ended)
        self.nodes[spec.name] = node
        return node

    def _node_ended(self, node: ManagedNode, how: Exit) -> None:
        self.look_again()
        self._ended(node, how)


def _check_alive(nodes: Iterable[ManagedNode]) -> None:
    """One may have been ready, and ended while the others were not yet."""
    for node in nodes:
        if node.exit is not None:
            raise node.ended_early("was ready, but ended before the others were")


async def side_by_side(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Runs them at once; the first failure cancels the rest, which are waited for, and is raised as it is."""
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
