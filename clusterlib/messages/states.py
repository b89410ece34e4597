"""The states of a cluster and a node, as used in status, events and reports."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LIVING", "ClusterState", "NodeState", "unexpected_end"]


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


def unexpected_end(exit_text: str) -> tuple[str, str]:
    """The sentence about a node that ended although clusterlib did not end it, and the rest of the
    information.

    A signal may come from the node, from the kernel, or from outside. The origin is unknown, so the
    sentence does not say that the node ended by itself."""
    _, killed, signal = exit_text.partition("killed by ")
    if killed and exit_text.startswith(killed):
        return f"died unexpectedly ({signal})", ""
    return "ended by itself", exit_text
