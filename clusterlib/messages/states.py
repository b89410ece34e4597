"""The states of a cluster and a node, as used in status, events and reports."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LIVING", "ClusterState", "NodeState"]


class ClusterState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STOPPED = "stopped"


class NodeState(StrEnum):
    PLANNED = "planned"
    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DEAD = "dead"
    WAITING = "waiting"
    """Dead, and to be started again by the restart policy."""


LIVING = frozenset({NodeState.STARTING, NodeState.READY, NodeState.PAUSED, NodeState.STOPPING})
