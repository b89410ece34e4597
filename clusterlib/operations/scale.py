"""Add nodes to a running cluster, or remove some."""

from __future__ import annotations

import time

from clusterlib.client.arguments import check_scale
from clusterlib.client.cluster import Cluster
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import Count, RoleName
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Scaled", "scale"]


@frozen
class Scaled(Result):
    cluster: ClusterView
    added: tuple[str, ...]
    removed: tuple[str, ...]
    seconds: float


@operation(effect="destroy", taints=False)
def scale(cluster: Cluster, caller: Caller, count: Count, *, role: RoleName | None = None) -> Scaled:
    """Add or remove nodes of a running cluster until it has COUNT; the others go on."""
    began = time.monotonic()
    before = [node.name for node in cluster]
    cluster.scale(count, role=role, on_event=caller.on_event)
    after = [node.name for node in cluster]
    view = ClusterView.of(cluster.status())
    added = tuple(one for one in after if one not in before)
    removed = tuple(one for one in before if one not in after)
    return Scaled(view, added, removed, round(time.monotonic() - began, 4))


@scale.foresees
def _foresee_scale(cluster: Cluster, count: Count, *, role: RoleName | None = None) -> list[str]:
    check_scale(count, role, cluster.roles)
    present = len(cluster.nodes_of(role) if role else cluster.nodes)
    if present == count:
        return []
    if present < count:
        return [f"{count - present} nodes would be added to the {present} that there are"]
    return [f"{present - count} of {present} nodes would be stopped and removed"]
