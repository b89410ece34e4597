"""The nodes of a role run compiled modules as they are on disk, without a restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clusterlib.errors import NodeUnavailable
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.role import ManagedRole
from clusterlib.messages.events import ClusterLoaded
from clusterlib.messages.states import NodeState
from clusterlib.remedies import do

__all__ = ["load"]


async def load(
    role: ManagedRole, code: Mapping[str, str], modules: Mapping[str, str], gone: Sequence[str], tell: Tell
) -> dict[str, tuple[str, ...]]:
    """Returns the modules that each node was given.

    Nodes that are dead read them when they start."""
    loaded = await role.driver.load(_those_that_load(role), modules, gone)
    role.code.runs(role.nodes, code)
    names = sorted({name for names in loaded.values() for name in names})
    if names or gone:
        tell(ClusterLoaded(tuple(names), tuple(gone)))
    return {name: tuple(names) for name, names in loaded.items()}


def _those_that_load(role: ManagedRole) -> list[str]:
    """The nodes that live, all of which must be able to load new code now."""
    living = [node for node in role.nodes.values() if node.living]
    unable = [node for node in living if node.state is not NodeState.READY]
    if unable:
        raise NodeUnavailable(
            f"{', '.join(node.name for node in unable)} cannot be given new code now",
            cause=f"{unable[0].name} is {unable[0].state}",
            remedies=[
                do("cluster.resume", unable[0].name)
                if unable[0].state is NodeState.PAUSED
                else do("cluster.restart", unable[0].name)
            ],
        )
    return [node.name for node in living]
