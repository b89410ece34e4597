"""What was done to a cluster on purpose and not undone. It is not a failure of the cluster, even if
the cluster looks broken afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlib.evidence.story import moment
from clusterlib.messages.event import Event
from clusterlib.messages.events import (
    ClusterHealed,
    ClusterStopping,
    Fault,
    Healing,
    NodeMoved,
    OperationEnded,
    TurnEnded,
)
from clusterlib.messages.states import NodeState

__all__ = ["WHOLE", "damage_at"]

WHOLE = ""
"""Stands for the whole cluster in a mapping of damage by node."""


def damage_at(time: float, events: Iterable[Event]) -> dict[str, str]:
    """The damage that tests and operations had done by then and not undone: a clause for each node.
    An unrequested crash is not included."""
    found: dict[str, str] = {}
    for event in events:
        if (moment(event.time) or 0.0) > time:
            break
        match event.what:
            case Fault() as fault:
                found[fault.node] = fault.headline()
            case ClusterStopping(by=by) as stopping if by:
                found[WHOLE] = stopping.headline()
            case TurnEnded(dirty=dirty) if dirty:
                found[WHOLE] = f"the cluster was {dirty}"
            case OperationEnded(operation=operation, taints=True):
                found[WHOLE] = f"{operation} was carried out"
            case ClusterHealed():
                found.clear()
            case Healing(node=node) | NodeMoved(node=node, state=NodeState.STARTING | NodeState.READY):
                found.pop(node, None)
    return found
