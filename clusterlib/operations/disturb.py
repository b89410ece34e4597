"""Stop, start, kill, pause or resume a node."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clusterlib.frozen import frozen
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result
from clusterlib.operations.views import NodeView

__all__ = ["Disturbance", "Disturbed", "disturb"]

Disturbance = Literal["stop", "start", "kill", "pause", "resume"]


@frozen
class Disturbed(Result):
    cluster: str
    what: Disturbance
    node: NodeView
    """As it is afterwards."""


def disturb(
    what: Disturbance, node: str, *, name: str | None = None, project: Path | str | None = None
) -> Disturbed:
    """`stop` ends it in order, until `start`; `kill` is SIGKILL, as a crash would be.

    A paused node is there but does nothing, until it is resumed."""
    with reached(name, project=project) as cluster:
        target = cluster[node]
        getattr(target, what)()
        return Disturbed(cluster.name, what, NodeView.of(target.status()))
