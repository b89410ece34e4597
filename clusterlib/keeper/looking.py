"""Looking at the nodes on request: what their driver finds out about their health, and what they use."""

from __future__ import annotations

import asyncio

from clusterlib.drivers.api import Driver
from clusterlib.keeper.roster import Roster
from clusterlib.messages.findings import Finding
from clusterlib.messages.measurements import Examined, Measured
from clusterlib.messages.states import NodeState
from clusterlib.waiting import pause_async

__all__ = ["Looking"]


class Looking:
    def __init__(self, roster: Roster, driver: Driver) -> None:
        self._roster = roster
        self._driver = driver

    async def examine(self, within: float) -> Examined:
        """What the driver finds out about the health of its nodes; for drivers whose nodes clients cannot ask."""
        return Examined(tuple(self._driver.columns), await self._examined(within))

    async def measure(self) -> Measured:
        """What each node that runs uses now, with all that belongs to it. The loop has its turn after each."""
        found = {}
        for node in list(self._roster.nodes.values()):
            used = node.usage()
            if used is not None:
                found[node.name] = used
            await pause_async(0)
        return Measured(found)

    async def _examined(self, within: float) -> dict[str, dict[str, Finding]]:
        """By the names of the nodes that are ready; all are asked side by side.

        Who has not answered within so many seconds is missing, and costs the others nothing."""
        ready = {node.name: node for node in self._roster.nodes.values() if node.state is NodeState.READY}
        loop, names = asyncio.get_running_loop(), frozenset(ready)
        asked = {loop.create_task(node.examine(names, within)): name for name, node in ready.items()}
        if not asked:
            return {}
        try:
            done, _ = await asyncio.wait(asked, timeout=within)
        finally:
            for task in asked:
                task.cancel()
        return {asked[task]: dict(task.result()) for task in done}
