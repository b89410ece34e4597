"""What was done to a cluster on purpose, and not undone. It is no failure of the cluster, whatever it looks like afterwards."""

from __future__ import annotations

from collections.abc import Iterable

from clusterlib.artifacts.story import moment
from clusterlib.messages.events import Event

__all__ = ["WHOLE", "damage_at"]

WHOLE = ""
"""Stands for the cluster as a whole, where damage is told by node."""


def damage_at(time: float, events: Iterable[Event]) -> dict[str, str]:
    """What tests had done by then that was still there: a clause for each node. A crash, which nobody asked for, is not in it."""
    found: dict[str, str] = {}
    for event in events:
        if (moment(event.get("time")) or 0.0) > time:
            break
        kind, node = str(event.get("kind", "")), str(event.get("node", ""))
        sort, _, what = kind.partition(".")
        if sort == "fault":
            found[node] = f"{node} {_PAST.get(what, f'has a {what}')}".strip()
        elif kind == "turn.ended" and event.get("dirty"):
            found[WHOLE] = f"the cluster was {event['dirty']}"
        elif kind == "cluster.stopping" and event.get("by"):
            found[WHOLE] = "the cluster was taken down"
        elif kind == "cluster.healed":
            found.clear()
        elif sort == "heal" or (kind == "node.state" and event.get("state") in {"starting", "ready"}):
            found.pop(node, None)
    return found


_PAST = {"kill": "was killed", "pause": "was paused", "stop": "was stopped"}
