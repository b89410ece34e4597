"""Restart a node, or all of them, with the project's code as it is now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from clusterlib.lifecycle.client import Listener
from clusterlib.lifecycle.planning import code_of
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Restarted", "restart"]


@dataclass(frozen=True, slots=True)
class Restarted(Result):
    cluster: ClusterView
    restarted: tuple[str, ...]
    seconds: float


def restart(
    node: str | None = None,
    *,
    name: str | None = None,
    project: Path | str | None = None,
    on_event: Listener | None = None,
) -> Restarted:
    """Stops and starts the node, or all; gives back when they are among the others again."""
    began = time.monotonic()
    with reached(name, project=project) as cluster:
        names = [cluster[node].name] if node else [one.name for one in cluster]
        code = None
        if node is None:  # only when all nodes take it is it the code of the cluster
            code = code_of([Path(root) for root in cluster.status()["code_roots"]])
        cluster.keeper.request("watch")
        cluster.restart(*names, on_event=on_event, code=code)
        view = ClusterView.of(cluster.status())
    return Restarted(view, tuple(names), round(time.monotonic() - began, 4))
