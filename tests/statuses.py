"""Statuses for tests that need one, and no cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clusterlib.messages.containing import ContainmentRung
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.messages.status import ClusterStatus, KeeperFacts, NodeStatus, Peak, RoleStatus
from tests.plans import timeouts

__all__ = ["cluster_status", "node_status"]

NODE = NodeStatus(
    name="node1",
    role="node",
    index=1,
    address="127.0.0.1",
    host="localhost",
    ports={"cluster": 20000, "http": 24000},
    directory="/d",
    memory=1,
    state=NodeState.READY,
    reason="",
    since="2026-01-01T00:00:00.000000Z",
    by=None,
    pid=9,
    starts=1,
    view=("node1",),
    uptime=1.4,
    ready_seconds=0.1,
    log="/l",
)
CLUSTER = ClusterStatus(
    name="default",
    identifier="abc",
    project="/project",
    profile="dev",
    roles=(RoleStatus("node", "python", "", CodeSources()),),
    simulated=False,
    state=ClusterState.READY,
    linger=0.0,
    fingerprint="f",
    run="/project/.clusterlib/default/1",
    cookie_file="/project/.clusterlib/default/1/cookie",
    timeouts=timeouts(),
    adaptations=(),
    uptime=1.5,
    ready_seconds=0.1,
    leased=False,
    leases=(),
    turns=(),
    waiting=0,
    dirty=(),
    damaged=False,
    peak=Peak(),
    nodes=(NODE,),
    keeper=KeeperFacts(pid=1, guard=2, containment=ContainmentRung.NAMESPACE),
    control="/run/control",
    marker="abc",
)


def node_status(**changes: Any) -> NodeStatus:
    return replace(NODE, **changes)


def cluster_status(**changes: Any) -> ClusterStatus:
    return replace(CLUSTER, **changes)
