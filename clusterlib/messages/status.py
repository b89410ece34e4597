"""The state of a cluster and its nodes at a moment, as their keeper knows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any

from clusterlib.frozen import field_names, frozen
from clusterlib.messages.codec import plain
from clusterlib.messages.containing import ContainmentRung
from clusterlib.messages.plan import CodeSources, Timeouts
from clusterlib.messages.states import ClusterState, NodeState

__all__ = [
    "ClusterStatus",
    "KeeperFacts",
    "KeeperPlace",
    "LastNode",
    "LastRole",
    "LastState",
    "LeaseStatus",
    "NodePlace",
    "NodeStatus",
    "OwnShell",
    "Peak",
    "RoleStatus",
    "TurnGiven",
    "TurnStatus",
]


@frozen
class OwnShell:
    """The shell of a node that is not Python, as a command to run."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    execute: tuple[str, ...] = ()
    """Arguments between the command and one line of code to run."""


@frozen
class NodePlace:
    """The address of a node, as long as it belongs to its cluster."""

    name: str
    role: str
    index: int
    """Within its role, counted from 1."""
    address: str
    host: str
    ports: Mapping[str, int]
    directory: str
    memory: int

    def place(self) -> dict[str, Any]:
        """These fields, by name."""
        return {name: getattr(self, name) for name in field_names(NodePlace)}


@frozen
class NodeStatus(NodePlace):
    state: NodeState
    reason: str
    """Why it is in this state; empty if there is no reason."""
    since: str
    """When it entered this state."""
    by: str | None
    """The test or the process that has stopped, killed or paused it."""
    pid: int | None
    starts: int
    view: tuple[str, ...]
    """The nodes that it sees alive, including itself."""
    uptime: float | None
    ready_seconds: float | None
    """How long its last start took."""
    log: str
    shell: OwnShell | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    """Further information of its driver for clients, with names of the driver."""

    @property
    def is_ready(self) -> bool:
        return self.state is NodeState.READY

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return dict(plain(self))


@frozen
class LeaseStatus:
    number: int
    holder: str


@frozen
class TurnStatus:
    """Who uses the cluster, alone or together with others."""

    holder: str
    exclusive: bool
    since: str


@frozen
class Peak:
    memory: int = 0
    """The largest amount of memory of all nodes together, in bytes."""
    cpu: float = 0.0
    """The total processor time of all nodes, in seconds."""


@frozen
class KeeperFacts:
    pid: int
    guard: int
    containment: ContainmentRung
    refusals: tuple[str, ...] = ()
    """Why a stronger containment was not available."""


@frozen
class KeeperPlace:
    """The address of a keeper, and its environment."""

    keeper: KeeperFacts
    control: str
    """Its socket."""
    marker: str
    """The value that all processes of the cluster have in their environment."""


@frozen
class RoleStatus:
    """What holds for all nodes of a role."""

    name: str
    driver: str
    memory_origin: str
    """Where the memory of its nodes is written; empty where it is only the default."""
    sources: CodeSources
    server: str = ""
    """Which server its nodes are; empty if they are none."""

    def is_served_by(self, serves: Collection[str]) -> bool:
        """Whether an operation that is marked with these names can be used on its nodes."""
        return not serves or self.driver in serves or self.server in serves


@frozen
class ClusterStatus:
    name: str
    identifier: str
    project: str
    profile: str
    roles: tuple[RoleStatus, ...]
    simulated: bool
    state: ClusterState
    linger: float
    fingerprint: str
    run: str
    """The folder of this run."""
    cookie_file: str
    timeouts: Timeouts
    adaptations: tuple[str, ...]
    uptime: float
    ready_seconds: float | None
    """How long the start took."""
    leased: bool
    """Whether the cluster ends with its last lease."""
    leases: tuple[LeaseStatus, ...]
    turns: tuple[TurnStatus, ...]
    waiting: int
    """The number of requests that wait for a turn."""
    dirty: tuple[str, ...]
    """How it differs from a cluster that has just become ready."""
    damaged: bool
    """Whether the cluster as a whole is damaged: by a test, an operation or a lost turn."""
    peak: Peak
    nodes: tuple[NodeStatus, ...]
    keeper: KeeperFacts
    control: str
    marker: str

    @property
    def is_ready(self) -> bool:
        return self.state is ClusterState.READY

    @property
    def is_ending(self) -> bool:
        return self.state in {ClusterState.STOPPING, ClusterState.STOPPED}

    @property
    def has_all_running(self) -> bool:
        """Whether all nodes are ready and see the others of their role, except those that were
        stopped on purpose."""
        nodes = [node for node in self.nodes if node.state is not NodeState.STOPPED]
        members: dict[str, set[str]] = {role.name: set() for role in self.roles}
        for node in nodes:
            members[node.role].add(node.name)
        return all(node.is_ready and members[node.role] <= set(node.view) for node in nodes)

    def role_of(self, node: NodeStatus) -> RoleStatus:
        return next(role for role in self.roles if role.name == node.role)

    def node(self, name: str) -> NodeStatus | None:
        return next((node for node in self.nodes if node.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return dict(plain(self))


@frozen
class LastRole:
    name: str = ""
    driver: str = ""


@frozen
class LastNode:
    name: str = ""
    role: str = ""
    state: NodeState | None = None


@frozen
class LastState:
    """What is read from the state file of a run, which another version may have written."""

    state: ClusterState | None = None
    profile: str = ""
    roles: tuple[LastRole, ...] = ()
    nodes: tuple[LastNode, ...] = ()
    simulated: bool = False
    ready_seconds: float | None = None


@frozen
class TurnGiven:
    """The cluster as it is when a turn on it begins."""

    status: ClusterStatus
    waited: float
    """Seconds for which others had the cluster."""
