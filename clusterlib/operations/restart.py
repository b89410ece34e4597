"""Restart a node, or all of them, with the project's code as it is now."""

from __future__ import annotations

import time
from pathlib import Path

from clusterlib.client.code.looking import build_code
from clusterlib.client.connection import Listener
from clusterlib.client.start import cluster_name
from clusterlib.errors import UsageError
from clusterlib.frozen import frozen
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Restarted", "restart"]


@frozen
class Restarted(Result):
    cluster: ClusterView
    restarted: tuple[str, ...]
    fresh: bool
    """Whether their data was deleted."""
    seconds: float


def restart(
    node: str | None = None,
    *,
    name: str | None = None,
    rolling: bool = False,
    fresh: bool = False,
    project: Path | str | None = None,
    on_event: Listener | None = None,
) -> Restarted:
    """Stops and starts the node, or all; gives back when they are among the others again.

    `rolling`: one after the other, each only when the cluster is whole again. `fresh`: the data in their folders is deleted."""
    if rolling and node:
        raise UsageError(
            f"{node} alone cannot be restarted in turn with others",
            remedies=[f"invoke cluster.restart {node}", "invoke cluster.restart --rolling"],
        ).of_cluster(cluster_name(name))
    began = time.monotonic()
    with reached(name, project=project) as cluster:
        names = [cluster[node].name] if node else [one.name for one in cluster]
        if node is None:
            build_code(cluster, on_event)
        cluster.restart(*names, on_event=on_event, rolling=rolling, fresh=fresh)
        view = ClusterView.of(cluster.status())
    return Restarted(view, tuple(names), fresh, round(time.monotonic() - began, 4))
