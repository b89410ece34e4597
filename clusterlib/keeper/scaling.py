"""A role gets more nodes, or fewer; the others go on meanwhile."""

from __future__ import annotations

from clusterlib.errors import NotSupported, UsageError
from clusterlib.keeper.diary import Tell
from clusterlib.keeper.roster import Roster
from clusterlib.keeper.rosters import Rosters
from clusterlib.keeper.taint import Taint
from clusterlib.messages.events import ClusterScaling
from clusterlib.messages.plan import NodePlan, Plan

__all__ = ["check_size", "scale"]


def check_size(plan: Plan, roster: Roster, count: int) -> None:
    """Raises where the role cannot have so many nodes."""
    if count < 1:
        what = "a cluster has" if len(plan.roles) == 1 else "each role has"
        raise UsageError(f"{what} at least one node", remedies=["invoke cluster.down"])
    fixed = roster.driver.fixed
    if fixed and count != len(roster.nodes):
        what = f"cluster '{plan.name}' stays" if len(plan.roles) == 1 else f"role {roster.plan.name!r} stays"
        raise NotSupported(
            f"{what} at {len(roster.nodes)} nodes: {fixed}",
            remedies=[
                "invoke cluster.down",
                f"invoke cluster.up --profile {plan.profile} --nodes {count}",
            ],
        )


async def scale(rosters: Rosters, roster: Roster, count: int, taint: Taint, tell: Tell) -> None:
    """Adds or removes nodes of the role, the last ones first."""
    current = list(roster.nodes.values())
    tell(ClusterScaling(len(current), count, roster.plan.name if len(rosters.roles) > 1 else None))
    if count < len(current):
        await rosters.dismiss(current[count:])
        taint.gone([node.name for node in current[count:]])
        roster.tell_all()
    elif count > len(current):
        await _grow(rosters, roster, range(len(current) + 1, count + 1))


async def _grow(rosters: Rosters, roster: Roster, indexes: range) -> None:
    added = rosters.admit(roster, [NodePlan.of(roster.plan.node_name, index) for index in indexes])
    try:
        await rosters.prepare(added)
        roster.tell_all()
        await rosters.bring_up(added, together=True)
    except BaseException:
        await rosters.dismiss(added)
        roster.tell_all()
        raise
