"""A role gets more nodes, or fewer; the others go on meanwhile."""

from __future__ import annotations

from clusterlib.errors import NotSupported, UsageError
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.members import Members
from clusterlib.keeper.role import ManagedRole
from clusterlib.keeper.taint import Taint
from clusterlib.messages.events import ClusterScaling
from clusterlib.messages.plan import NodePlan, Plan
from clusterlib.remedies import do

__all__ = ["check_size", "scale"]


def check_size(plan: Plan, role: ManagedRole, count: int) -> None:
    """Raises where the role cannot have so many nodes."""
    if count < 1:
        what = "a cluster has" if len(plan.roles) == 1 else "each role has"
        raise UsageError(f"{what} at least one node", remedies=[do("cluster.down")])
    fixed = role.plan.fixed
    if fixed and count != len(role.nodes):
        what = f"cluster '{plan.name}' stays" if len(plan.roles) == 1 else f"role {role.plan.name!r} stays"
        raise NotSupported(
            f"{what} at {len(role.nodes)} nodes: {fixed}",
            remedies=[
                do("cluster.down"),
                do("cluster.up", profile=plan.profile, nodes=count),
            ],
        )


async def scale(members: Members, role: ManagedRole, count: int, taint: Taint, tell: Tell) -> None:
    """Adds or removes nodes of the role, the last ones first."""
    current = list(role.nodes.values())
    tell(ClusterScaling(len(current), count, role.plan.name if len(members.roles) > 1 else None))
    if count < len(current):
        await members.dismiss(current[count:])
        taint.gone([node.name for node in current[count:]])
        role.tell_all()
    elif count > len(current):
        await _grow(members, role, range(len(current) + 1, count + 1))


async def _grow(members: Members, role: ManagedRole, indexes: range) -> None:
    added = members.admit(role, [NodePlan.of(role.plan.node_name, index) for index in indexes])
    try:
        await members.prepare(added)
        role.tell_all()
        await members.bring_up(added, together=True)
    except BaseException:
        await members.dismiss(added)
        role.tell_all()
        raise
