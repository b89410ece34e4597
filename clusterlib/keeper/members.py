"""All nodes of a cluster: how they start side by side, and how they leave.

The roles start, stop and fail side by side, as the nodes of one role do. A node sees only the nodes
of its own role."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from clusterlib.drivers.api import Driver
from clusterlib.errors import ClusterError, NodeNotReady, UsageError
from clusterlib.hosts.api import Host
from clusterlib.hosts.loss import cannot_start
from clusterlib.keeper.code_at_start import CodeAtStart, SharedModules
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.node import ManagedNode
from clusterlib.keeper.provision import Provisioner
from clusterlib.keeper.role import Ended, ManagedRole
from clusterlib.messages.plan import NodePlan, Plan, RunningCode
from clusterlib.messages.states import NodeState
from clusterlib.network.ports import PortAllocator
from clusterlib.remedies import do
from clusterlib.rundir.folders import RunFolder
from clusterlib.waiting import Deadline, poll_async

__all__ = ["Members", "side_by_side"]

T = TypeVar("T")
CODE_SECONDS = 2.0
"""Seconds for a node to report which of the files that it has loaded have changed."""


class Members:
    """All nodes of the cluster. The keeper decides what to do about a node that ends by itself."""

    def __init__(
        self,
        plan: Plan,
        run: RunFolder,
        drivers: Mapping[str, Driver],
        host: Host,
        allocator: PortAllocator,
        tell: Tell,
        ended: Ended,
    ) -> None:
        self.nodes: dict[str, ManagedNode] = {}
        """The nodes, role by role. This dictionary is never replaced."""
        self._plan = plan
        self._host = host
        self._tell = tell
        self.roles: dict[str, ManagedRole] = {}
        self._shared = SharedModules() if plan.simulated else None
        for planned in plan.roles:
            driver = drivers[planned.name]
            places = Provisioner(plan, planned, run, driver, allocator)
            code = CodeAtStart(planned.name, planned.sources, self._shared)
            self.roles[planned.name] = ManagedRole(planned, driver, host, places, code, tell, ended)

    @property
    def whole(self) -> bool:
        return all(role.whole for role in self.roles.values())

    def role_of(self, node: ManagedNode) -> ManagedRole:
        return self.roles[node.spec.role]

    def role(self, name: str | None, count: int | None = None) -> ManagedRole:
        """The role of that name. The name can be left out if there is only one.

        `count`: the number of nodes that the caller asks for, if it scales the role."""
        if name is None and len(self.roles) == 1:
            return next(iter(self.roles.values()))
        if name not in self.roles:
            wrong = f"has no role {name!r}" if name else "has several roles, and none was named"
            raise UsageError(
                f"cluster '{self._plan.name}' {wrong}",
                evidence=[f"its roles: {', '.join(self.roles)}"],
                remedies=[do("cluster.scale", count, role=one) for one in self.roles]
                if count is not None
                else [],
            )
        return self.roles[name]

    def awaits(self, node: ManagedNode) -> bool:
        """Whether a caller waits for this node to get ready, and so learns of its end."""
        return self.role_of(node).awaits(node)

    # -- coming

    def admit_all(self) -> list[ManagedNode]:
        """Gives all nodes of the plan their places."""
        return [node for role in self.roles.values() for node in self.admit(role, role.plan.nodes)]

    def admit(self, role: ManagedRole, plans: Iterable[NodePlan]) -> list[ManagedNode]:
        """Gives these nodes places in this role. Either all are admitted, or none."""
        coming = list(plans)
        _check_names(self.nodes, role, coming)
        admitted = role.admit(coming)
        self._gather()
        return admitted

    async def prepare(self, nodes: Iterable[ManagedNode], *, as_planned: bool = False) -> None:
        """Writes the files that these nodes read when they start, and reads which code that is.

        Nothing is written if the files of any role cannot be rendered. The files name the nodes
        that belong to the cluster now, and those that run. A node that is still to be stopped for
        this start does not count as running. `as_planned` says that the code was just compared with
        the plan and is the same. See also `CodeAtStart`."""
        starting = list(nodes)
        self.check_can_start(", ".join(node.name for node in starting))
        groups = [
            (role, [node for node in starting if self.role_of(node) is role]) for role in self.roles.values()
        ]
        for role, own in groups:
            await role.read_code(own, as_planned=as_planned)
        everyone = [node.spec for node in self.nodes.values()]
        rendered = [role.render(own, everyone) for role, own in groups]
        for (role, _), files in zip(groups, rendered, strict=True):
            role.write(files)

    def check_can_start(self, what: str) -> None:
        """Raises before a running node is stopped that could not be started again."""
        if self._host.lost.done():
            raise cannot_start(what, self._host.lost.result())

    async def clear(self, nodes: Iterable[ManagedNode]) -> None:
        """Deletes the data of these nodes. None of them may be running."""
        from clusterlib.keeper.clearing import clear

        cleared = list(nodes)
        for node in cleared:
            clear(self.role_of(node).driver, node, self._tell)
        await self.prepare(cleared)

    async def bring_up(self, nodes: list[ManagedNode], *, together: bool) -> None:
        """Starts these nodes side by side and waits until they see all running nodes of their role.

        If they are wanted together, the first failure ends the wait. Otherwise each succeeds or
        fails by itself. A node that fails is ended, because it must not look as if it were about to
        be ready."""
        deadline = Deadline(self._plan.timeouts.start)
        groups = self.by_role(nodes)
        await self._forgotten(groups)

        async def one(node: ManagedNode) -> ClusterError | None:
            role = self.role_of(node)
            try:
                await node.launch(deadline)
                await node.climb(role.expected, deadline)
            except NodeNotReady as late:
                return late  # the others share the deadline: let them report, too
            except ClusterError as error:
                if together:
                    raise
                role.await_no_longer([node])
                role.look_again()
                return error
            role.await_no_longer([node])
            return None

        if self._shared is not None and not any(node.living for node in self.nodes.values()):
            self._shared.forget()
        for role, group in groups:
            role.begin_to_await(group)
        try:
            outcomes = await side_by_side(one(node) for node in nodes)
            failed = [(node, error) for node, error in zip(nodes, outcomes, strict=True) if error is not None]
            if not together:
                await side_by_side(node.give_up(self._plan.timeouts.stop) for node, _ in failed)
        finally:
            for role, group in groups:
                role.await_no_longer(group)
        if failed:
            raise min(failed, key=lambda entry: entry[0].progress)[1]
        if together:
            _check_alive(nodes)
        await self._seen_by_all(groups, deadline)

    async def _forgotten(self, groups: list[tuple[ManagedRole, list[ManagedNode]]]) -> None:
        """Waits until no node sees a former process of these: it would be taken for the new one,
        and then be missed.

        Waits at most twice as long as it takes to notice a death. A node that does not notice it
        must not prevent the others from coming back."""

        def forgotten() -> bool:
            return not any(role.remembers([node.name for node in group]) for role, group in groups)

        await poll_async(forgotten, Deadline(2 * self._plan.timeouts.detect))

    async def _seen_by_all(
        self, groups: list[tuple[ManagedRole, list[ManagedNode]]], deadline: Deadline
    ) -> None:
        """The other half of joining: the earlier nodes see the new ones, too."""

        def blind() -> list[str]:
            return [name for role, group in groups for name in role.blind(group)]

        if not await poll_async(lambda: not blind(), deadline):
            newcomers = ", ".join(node.name for _, group in groups for node in group)
            raise NodeNotReady(
                f"{', '.join(blind())} did not see all others within {deadline.seconds:g} s",
                cause=f"{newcomers} started well, but these nodes have not noticed them",
                remedies=[do("cluster.health")],
            )

    # -- belonging

    def look_again(self) -> None:
        for role in self.roles.values():
            role.look_again()

    async def running_code(self) -> RunningCode:
        """What the nodes were started with, and what they say that they have loaded since."""
        living = [node for node in self.nodes.values() if node.living]
        answers = await side_by_side(node.stale_files(CODE_SECONDS) for node in living)
        stale = {node.name: answer for node, answer in zip(living, answers, strict=True)}
        return RunningCode(
            files={
                name: role.code.different(
                    node.name for node in role.nodes.values() if node.state is not NodeState.STOPPED
                )
                for name, role in self.roles.items()
            },
            stale={name: tuple(answer) for name, answer in stale.items() if answer},
            unasked=tuple(name for name, answer in stale.items() if answer is None),
        )

    def flush_logs(self) -> None:
        """Returns when everything that the nodes have printed so far is in their log files."""
        self._host.drain()
        for node in self.nodes.values():
            node.flush_log()

    # -- leaving

    async def stop(self, nodes: Iterable[ManagedNode], *, with_the_cluster: bool = True) -> None:
        """Stops them side by side. If one cannot be stopped, the others still are.

        Not `with_the_cluster`: each stops as if others outlive it, even if it is the last."""
        seconds = self._plan.timeouts.stop
        leaving = list(nodes)
        for role, group in self.by_role(leaving):
            role.driver.stopping([node.name for node in group] if with_the_cluster else [])

        async def one(node: ManagedNode) -> ClusterError | None:
            try:
                await node.stop(seconds)
            except ClusterError as error:
                return error
            return None

        for error in await side_by_side(one(node) for node in leaving):
            if error is not None:
                raise error

    async def dismiss(self, nodes: Iterable[ManagedNode]) -> None:
        """Removes nodes from the cluster. Running ones are stopped, and the ports are released."""
        leaving = list(nodes)
        await self.stop(leaving)
        for node in leaving:
            self.role_of(node).forget(node)
        self._gather()

    def close(self) -> None:
        """Releases what the nodes held, at the end of the cluster. They stay in the status."""
        for role in self.roles.values():
            role.close()

    # -- helpers

    def by_role(self, nodes: Iterable[ManagedNode]) -> list[tuple[ManagedRole, list[ManagedNode]]]:
        """These nodes, in groups of the same role."""
        groups: dict[str, list[ManagedNode]] = {}
        for node in nodes:
            groups.setdefault(node.spec.role, []).append(node)
        return [(self.roles[role], group) for role, group in groups.items()]

    def _gather(self) -> None:
        self.nodes.clear()
        for role in self.roles.values():
            self.nodes.update(role.nodes)


def _check_names(taken: Iterable[str], role: ManagedRole, coming: Iterable[NodePlan]) -> None:
    """Nodes are identified by their names alone, so names are unique in the whole cluster."""
    known = set(taken)
    for node in coming:
        if node.name in known:
            raise UsageError(
                f"two nodes of the cluster would be called {node.name!r}",
                cause=f"role {role.plan.name!r} names its nodes {role.plan.node_name!r}",
                remedies=["give the nodes of each role a name of their own"],
            )
        known.add(node.name)


def _check_alive(nodes: Iterable[ManagedNode]) -> None:
    """A node may have been ready, and have ended before the others were."""
    for node in nodes:
        if node.exit is not None:
            raise node.ended_early("was ready, but ended before the others were")


async def side_by_side(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Runs them at once. The first failure cancels and awaits the rest, and is raised unchanged."""
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
