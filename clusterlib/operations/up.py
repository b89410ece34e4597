"""Start a cluster that stays, or find that it runs already."""

from __future__ import annotations

import time
from pathlib import Path

from clusterlib.client.connection import Listener
from clusterlib.client.start import up
from clusterlib.frozen import frozen
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Started", "bring_up"]


@frozen
class Started(Result):
    cluster: ClusterView
    already_running: bool
    notes: tuple[str, ...]
    seconds: float


def bring_up(
    profile: str | None = None,
    *,
    name: str | None = None,
    nodes: int | None = None,
    simulate: bool | None = None,
    project: Path | str | None = None,
    on_event: Listener | None = None,
) -> Started:
    """A cluster that lives until `take_down`. One that runs already is a success that says so."""
    began = time.monotonic()
    cluster = up(
        profile, name=name, nodes=nodes, simulate=simulate, project=project, hold=False, on_event=on_event
    )
    try:
        view = ClusterView.of(cluster.status())
    finally:
        cluster.close()
    return Started(view, bool(cluster.notes), tuple(cluster.notes), round(time.monotonic() - began, 4))
