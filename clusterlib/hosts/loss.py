"""The end of the process that starts nodes, while they run."""

from __future__ import annotations

from clusterlib.errors import StartError
from clusterlib.remedies import do

__all__ = ["cannot_start", "describe_loss"]


def cannot_start(what: str, why: str) -> StartError:
    return StartError(
        f"{what} could not be started: the process that starts nodes is gone",
        cause=why,
        remedies=[do("cluster.down"), do("cluster.up")],
    )


def describe_loss(how: str) -> str:
    """For people who see only that the cluster is damaged. `how`: how the process ended."""
    return (
        f"no node can be started any more: the process that starts them (the nursery) was lost ({how}); "
        "nodes that run go on; end the cluster and start it again"
    )
