"""Examines the nodes on request: their health as their driver sees it, and what they use."""

from __future__ import annotations

import asyncio

from clusterlib.errors import DriverUnusable
from clusterlib.keeper.members import Members
from clusterlib.keeper.node import ManagedNode
from clusterlib.keeper.role import ManagedRole
from clusterlib.messages.findings import Finding, failed
from clusterlib.messages.measurements import Examined, Measured
from clusterlib.waiting import pause_async

__all__ = ["Looking"]


class Looking:
    def __init__(self, members: Members) -> None:
        self._members = members

    async def examine(self, within: float) -> Examined:
        """What the drivers find out about the health of their nodes; for drivers whose nodes
        clients cannot ask."""
        columns = {name: tuple(role.driver.columns) for name, role in self._members.roles.items()}
        return Examined(columns, await self._examined(within))

    async def measure(self) -> Measured:
        """What each running node uses now, with everything that belongs to it.

        The loop runs after each."""
        found = {}
        for node in list(self._members.nodes.values()):
            used = node.usage()
            if used is not None:
                found[node.name] = used
            await pause_async(0)
        return Measured(found)

    async def observe(self, node: ManagedNode, *, simulated: bool) -> None:
        """Tells a node that there are questions in its folder."""
        from clusterlib.keeper.stacks import wake_observer

        wake_observer(self._members.role_of(node).driver, node, simulated=simulated)

    async def _examined(self, within: float) -> dict[str, dict[str, Finding]]:
        """By the names of the ready nodes; all are asked at the same time.

        A node that has not answered within so many seconds is missing, and does not delay the
        others. Where the driver fails to examine a node, that is the finding."""
        loop = asyncio.get_running_loop()
        asked = {
            loop.create_task(_looked_at(node, role, within)): name
            for role in self._members.roles.values()
            if role.driver.columns
            for name, node in role.ready().items()
        }
        if not asked:
            return {}
        try:
            done, _ = await asyncio.wait(asked, timeout=within)
        finally:
            for task in asked:
                task.cancel()
        return {asked[task]: task.result() for task in done}


async def _looked_at(node: ManagedNode, role: ManagedRole, within: float) -> dict[str, Finding]:
    """A finding for each column of the driver."""
    columns = [name for _, name in role.driver.columns]
    try:
        found = await node.examine(frozenset(role.ready()), within)
    except DriverUnusable as error:
        return {name: failed(name, f"{error.problem}: {error.cause}") for name in columns}
    nothing = "the driver says nothing about it"
    return {**found, **{name: failed(name, nothing) for name in columns if name not in found}}
