"""A cluster and its nodes as an operation reports them: what the keeper said, typed and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.operations.result import Result

__all__ = ["ClusterView", "NodeView", "TurnView"]


@frozen
class NodeView(Result):
    name: str
    state: str
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
        """Where the node is reached: its address with the first of its ports."""
        port = next(iter(self.ports.values()), None)
        return self.address if port is None else f"{self.address}:{port}"

    @staticmethod
    def of(node: Mapping[str, Any]) -> NodeView:
        http = node["ports"].get("http")
        return NodeView(
            name=node["name"],
            state=node["state"],
            reason=node.get("reason") or "",
            pid=node["pid"],
            address=node["address"],
            host=node["host"],
            ports=dict(node["ports"]),
            url=f"http://{node['address']}:{http}" if http else None,
            sees=tuple(node["view"]),
            starts=node["starts"],
            uptime=node["uptime"],
            ready_seconds=node["ready_seconds"],
            log=node["log"],
        )


@frozen
class TurnView(Result):
    """Who uses the cluster now: alone, or beside others."""

    holder: str
    exclusive: bool
    since: str


@frozen
class ClusterView(Result):
    name: str
    state: str
    profile: str
    driver: str
    simulated: bool
    project: str
    run: str
    held: bool
    holders: tuple[str, ...]
    turns: tuple[TurnView, ...]
    waiting: int
    """How many wait for a turn."""
    dirty: tuple[str, ...]
    """Why it is not as it was when it got ready; empty where it is."""
    peak: Mapping[str, float]
    """`memory` of all nodes together at its highest, in bytes; `cpu` seconds of all their lives."""
    uptime: float
    ready_seconds: float | None
    containment: str
    adaptations: tuple[str, ...]
    cookie_file: str
    nodes: tuple[NodeView, ...]

    @staticmethod
    def of(status: Mapping[str, Any]) -> ClusterView:
        return ClusterView(
            name=status["name"],
            state=status["state"],
            profile=status["profile"],
            driver=status["driver"],
            simulated=status["simulated"],
            project=status["project"],
            run=status["run"],
            held=status["held"],
            holders=tuple(lease["holder"] for lease in status["leases"]),
            turns=tuple(
                TurnView(turn["holder"], turn["exclusive"], turn["since"]) for turn in status["turns"]
            ),
            waiting=status["waiting"],
            dirty=tuple(status["dirty"]),
            peak=dict(status["peak"]),
            uptime=status["uptime"],
            ready_seconds=status["ready_seconds"],
            containment=status["keeper"]["containment"],
            adaptations=tuple(status["adaptations"]),
            cookie_file=status["cookie_file"],
            nodes=tuple(NodeView.of(node) for node in status["nodes"]),
        )

    def node(self, name: str) -> NodeView:
        return next(node for node in self.nodes if node.name == name)
