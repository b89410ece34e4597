"""What a status says of its nodes, also where they have several roles."""

from __future__ import annotations

import pytest

from clusterlib.messages.plan import CodeSources
from clusterlib.messages.states import NodeState
from clusterlib.messages.status import ClusterStatus, NodeStatus, RoleStatus
from tests.statuses import cluster_status, node_status

ROLES = tuple(RoleStatus(name, "python", "", CodeSources()) for name in ("web", "store"))


def node(name: str, role: str, *view: str, state: NodeState = NodeState.READY) -> NodeStatus:
    return node_status(name=name, role=role, view=view, state=state)


def status(*nodes: NodeStatus) -> ClusterStatus:
    return cluster_status(roles=ROLES, nodes=nodes)


@pytest.mark.parametrize(
    ("view", "state", "all_running"),
    [
        (("store1", "store2"), NodeState.READY, True),
        (("store1",), NodeState.READY, False),
        (("store1", "store2"), NodeState.PAUSED, False),
        ((), NodeState.STOPPED, True),
    ],
)
def test_nodes_have_to_see_the_others_of_their_role(
    view: tuple[str, ...], state: NodeState, all_running: bool
) -> None:
    seen = status(
        node("web1", "web", "web1"),
        node("store1", "store", *view, state=state),
        node("store2", "store", "store1", "store2", state=NodeState.READY),
    )

    assert seen.has_all_running is all_running


def test_nodes_that_were_stopped_are_not_missed() -> None:
    seen = status(
        node("store1", "store", "store1"),
        node("store2", "store", state=NodeState.STOPPED),
    )

    assert seen.has_all_running
    assert seen.role_of(seen.nodes[0]) is ROLES[1]
