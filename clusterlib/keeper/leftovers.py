"""The error for processes that are left after a shutdown."""

from __future__ import annotations

from collections.abc import Sequence

from clusterlib.errors import LeftBehind
from clusterlib.hosts.api import Survivor
from clusterlib.remedies import do

__all__ = ["left_behind"]


def left_behind(cluster: str, survivors: Sequence[Survivor]) -> LeftBehind:
    return LeftBehind(
        f"{len(survivors)} process(es) of cluster '{cluster}' survived the shutdown",
        evidence=[f"pid {survivor.pid}: {survivor.command}" for survivor in survivors],
        remedies=[do("cluster.clean")],
    )
