"""Start a cluster that stays, or find that it runs already."""

from __future__ import annotations

import time

from clusterlib.client.start import up
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.parameters import ClusterName, NodeCount, ProfileName, Simulate
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Started", "bring_up"]


@frozen
class Started(Result):
    cluster: ClusterView
    already_running: bool
    notes: tuple[str, ...]
    seconds: float


@operation(effect="change", name="up")
def bring_up(
    caller: Caller,
    *,
    profile: ProfileName | None = None,
    name: ClusterName | None = None,
    nodes: NodeCount | None = None,
    simulate: Simulate = False,
) -> Started:
    """Start a cluster that stays until cluster.down; one that runs already is left as it is."""
    began = time.monotonic()
    cluster = up(
        profile,
        name=name,
        nodes=nodes,
        simulate=simulate or None,
        project=caller.project,
        hold=False,
        on_event=caller.on_event,
    )
    try:
        view = ClusterView.of(cluster.status())
    finally:
        cluster.close()
    return Started(view, bool(cluster.notes), tuple(cluster.notes), round(time.monotonic() - began, 4))
