"""Bring the project's code, as it is now, to the nodes of a running cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from clusterlib.client.code.syncing import sync_code
from clusterlib.client.connection import Listener
from clusterlib.frozen import frozen
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView

__all__ = ["Synchronised", "synchronise"]


@frozen
class Synchronised(Result):
    cluster: ClusterView
    changed: tuple[str, ...]
    """Files that differ from those that the nodes ran before."""
    loaded: Mapping[str, tuple[str, ...]]
    """By node, the modules that it was given while it ran."""
    restarted: tuple[str, ...]
    why: str
    """Why nodes were restarted; empty where none was."""
    looked_at: tuple[str, ...]
    """What was compared with the disk, in plain words; empty where that is all that the nodes run."""
    seconds: float


def synchronise(
    name: str | None = None, *, project: Path | str | None = None, on_event: Listener | None = None
) -> Synchronised:
    """Builds the project, loads what has changed into every node, and verifies that all run what is on disk.

    What cannot be loaded into a running node takes a restart of all, one after another."""
    began = time.monotonic()
    with reached(name, project=project) as cluster:
        synced = sync_code(cluster, on_event)
        view = ClusterView.of(cluster.status())
    return Synchronised(
        cluster=view,
        changed=synced.changed,
        loaded=synced.loaded,
        restarted=synced.restarted,
        why=synced.why,
        looked_at=synced.looked_at,
        seconds=round(time.monotonic() - began, 4),
    )
