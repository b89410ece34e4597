"""The handles of a cluster's nodes, one for each node as long as it belongs to its role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clusterlib.client.node import Node
from clusterlib.errors import NodeUnknown, UsageError
from clusterlib.messages.status import ClusterStatus, RoleStatus
from clusterlib.remedies import do

if TYPE_CHECKING:
    from clusterlib.client.cluster import Cluster

__all__ = ["NodeHandles"]


class NodeHandles:
    def __init__(self, cluster: Cluster, status: ClusterStatus) -> None:
        self.roles: Mapping[str, RoleStatus] = {role.name: role for role in status.roles}
        self.nodes: dict[str, Node] = {}
        self._cluster = cluster
        self.meet(status)

    def meet(self, status: ClusterStatus) -> None:
        """Adds handles for nodes that have come, and closes those of nodes that have gone."""
        before, self.nodes = self.nodes, {}
        for one in status.nodes:
            known = before.pop(one.name, None)
            if known is not None and known.role != one.role:  # another node was given its name
                known.close()
                known = None
            self.nodes[one.name] = known or Node(self._cluster, one.name, self.roles[one.role])
        for gone in before.values():
            gone.close()

    def of(self, role: str) -> list[Node]:
        if role not in self.roles:
            raise UsageError(
                f"cluster '{self._cluster.name}' has no role {role!r}",
                evidence=[f"its roles: {', '.join(self.roles)}"],
                remedies=[do("cluster.status")],
            ).of_cluster(self._cluster.name)
        return [node for node in self.nodes.values() if node.role == role]

    def unknown(self, name: str) -> NodeUnknown:
        return NodeUnknown(
            f"cluster '{self._cluster.name}' has no node {name!r}",
            evidence=[f"its nodes: {', '.join(self.nodes)}"],
            remedies=[do("cluster.status")],
        ).of_cluster(self._cluster.name)

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()
