"""A cluster and its nodes as operations report them: the keeper's answer, typed and frozen."""

from __future__ import annotations

from collections.abc import Mapping

from clusterlib.frozen import frozen
from clusterlib.messages.containing import ContainmentRung
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.messages.status import ClusterStatus, NodeStatus, Peak, TurnStatus
from clusterlib.operations.result import Result

__all__ = ["ClusterView", "NodeView", "RoleView"]


@frozen
class NodeView(Result):
    name: str
    role: str
    state: NodeState
    reason: str
    pid: int | None
    address: str
    host: str
    ports: Mapping[str, int]
    url: str | None
    sees: tuple[str, ...]
    starts: int
    uptime: float | None
    ready_seconds: float | None
    log: str

    @property
    def endpoint(self) -> str:
        """The address of the node with the first of its ports."""
        port = next(iter(self.ports.values()), None)
        return self.address if port is None else f"{self.address}:{port}"

    @staticmethod
    def of(node: NodeStatus) -> NodeView:
        http = node.ports.get("http")
        return NodeView(
            name=node.name,
            role=node.role,
            state=node.state,
            reason=node.reason,
            pid=node.pid,
            address=node.address,
            host=node.host,
            ports=node.ports,
            url=f"http://{node.address}:{http}" if http else None,
            sees=node.view,
            starts=node.starts,
            uptime=node.uptime,
            ready_seconds=node.ready_seconds,
            log=node.log,
        )


@frozen
class RoleView(Result):
    name: str
    driver: str
    server: str
    """Which server its nodes are, by which operations are marked; empty if they are none."""


@frozen
class ClusterView(Result):
    name: str
    state: ClusterState
    profile: str
    driver: str
    """The drivers of its roles, with a comma between them if they differ."""
    roles: tuple[RoleView, ...]
    simulated: bool
    project: str
    run: str
    held: bool
    holders: tuple[str, ...]
    turns: tuple[TurnStatus, ...]
    waiting: int
    """How many wait for a turn."""
    dirty: tuple[str, ...]
    """Why it is damaged; empty if it is not."""
    peak: Peak
    uptime: float
    ready_seconds: float | None
    containment: ContainmentRung
    adaptations: tuple[str, ...]
    cookie_file: str
    nodes: tuple[NodeView, ...]

    @staticmethod
    def of(status: ClusterStatus) -> ClusterView:
        return ClusterView(
            name=status.name,
            state=status.state,
            profile=status.profile,
            driver=", ".join(dict.fromkeys(role.driver for role in status.roles)),
            roles=tuple(RoleView(role.name, role.driver, role.server) for role in status.roles),
            simulated=status.simulated,
            project=status.project,
            run=status.run,
            held=status.leased,
            holders=tuple(lease.holder for lease in status.leases),
            turns=status.turns,
            waiting=status.waiting,
            dirty=status.dirty,
            peak=status.peak,
            uptime=status.uptime,
            ready_seconds=status.ready_seconds,
            containment=status.keeper.containment,
            adaptations=status.adaptations,
            cookie_file=status.cookie_file,
            nodes=tuple(NodeView.of(node) for node in status.nodes),
        )

    def node(self, name: str) -> NodeView:
        return next(node for node in self.nodes if node.name == name)
