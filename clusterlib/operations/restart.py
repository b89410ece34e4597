"""Restart one or all nodes with the project's current code."""

from __future__ import annotations

import time

from clusterlib.client.cluster import Cluster
from clusterlib.client.code.looking import build_code
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import Fresh, NodeName, Rolling
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView
from clusterlib.remedies import do

__all__ = ["Restarted", "restart"]


@frozen
class Restarted(Result):
    cluster: ClusterView
    restarted: tuple[str, ...]
    fresh: bool
    """Whether their data was deleted."""
    seconds: float


@operation(effect="destroy", taints=False)
def restart(
    cluster: Cluster,
    caller: Caller,
    node: NodeName | None = None,
    *,
    rolling: Rolling = False,
    fresh: Fresh = False,
) -> Restarted:
    """Restart one or all nodes with the project's current code. Data is kept without --fresh."""
    if rolling and node:
        raise UsageError(
            f"{node} alone cannot be restarted in turn with others",
            remedies=[do("cluster.restart", node), do("cluster.restart", rolling=True)],
        ).of_cluster(cluster.name)
    began = time.monotonic()
    names = [cluster[node].name] if node else [one.name for one in cluster]
    if node is None:
        build_code(cluster, caller.on_event)
    cluster.restart(*names, on_event=caller.on_event, rolling=rolling, fresh=fresh)
    view = ClusterView.of(cluster.status())
    return Restarted(view, tuple(names), fresh, round(time.monotonic() - began, 4))


@restart.foresees
def _foresee_restart(
    cluster: Cluster,
    node: NodeName | None = None,
    *,
    rolling: Rolling = False,
    fresh: Fresh = False,
) -> list[str]:
    names = [cluster[node].name] if node else [one.name for one in cluster]
    how = "one after another" if rolling else "at once"
    data = "all data in their folders would be deleted" if fresh else "their data would be kept"
    return [f"{', '.join(names)} would be stopped and started again{'' if node else f', {how}'}", data]
