"""Add nodes to a running cluster, or remove some."""

from __future__ import annotations

import time
from pathlib import Path

from clusterlib.client.connection import Listener
from clusterlib.frozen import frozen
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Scaled", "scale"]


@frozen
class Scaled(Result):
    cluster: ClusterView
    added: tuple[str, ...]
    removed: tuple[str, ...]
    seconds: float


def scale(
    count: int,
    *,
    name: str | None = None,
    project: Path | str | None = None,
    on_event: Listener | None = None,
) -> Scaled:
    """Until the cluster has `count` nodes; the others go on meanwhile."""
    began = time.monotonic()
    with reached(name, project=project) as cluster:
        before = [node.name for node in cluster]
        cluster.scale(count, on_event=on_event)
        after = [node.name for node in cluster]
        view = ClusterView.of(cluster.status())
    added = tuple(one for one in after if one not in before)
    removed = tuple(one for one in before if one not in after)
    return Scaled(view, added, removed, round(time.monotonic() - began, 4))
