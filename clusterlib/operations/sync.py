"""Updates the nodes of a running cluster to the current code of the project."""

from __future__ import annotations

import time
from collections.abc import Mapping

from clusterlib.client.cluster import Cluster
from clusterlib.client.code.looking import some_files
from clusterlib.client.code.syncing import sync_code
from clusterlib.frozen import frozen
from clusterlib.operations.declaring import Caller, operation
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Synchronised", "synchronise"]


@frozen
class Synchronised(Result):
    cluster: ClusterView
    changed: tuple[str, ...]
    """Files that differ from those that the nodes ran before."""
    loaded: Mapping[str, tuple[str, ...]]
    """By node, the modules that it has loaded while it ran."""
    restarted: tuple[str, ...]
    why: str
    """Why nodes were restarted; empty if none was."""
    looked_at: tuple[str, ...]
    """What was compared with the disk, in plain words; empty if this is everything that the nodes
    run."""
    seconds: float


@operation(effect="destroy", name="sync", taints=False)
def synchronise(cluster: Cluster, caller: Caller) -> Synchronised:
    """Update all nodes to the project's current code: build it, load it, or restart the nodes."""
    began = time.monotonic()
    synced = sync_code(cluster, caller.on_event)
    return Synchronised(
        cluster=ClusterView.of(cluster.status()),
        changed=synced.changed,
        loaded=synced.loaded,
        restarted=synced.restarted,
        why=synced.why,
        looked_at=synced.looked_at,
        seconds=round(time.monotonic() - began, 4),
    )


@synchronise.foresees
def _foresee_sync(cluster: Cluster) -> list[str]:
    changed = cluster.stale
    if not changed:
        return []
    return [
        f"the nodes would get {some_files(changed, cluster.project)} as it is on disk",
        "nodes that cannot load it while they run would be restarted, one after another",
    ]
