"""On which node a new process is started: a pure decision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

__all__ = ["heir", "place"]


def place(living: Sequence[str], loads: Mapping[str, int], here: str, prefer: str | None = None) -> str:
    """The preferred node if it lives, else the node with the fewest processes.

    Of several such nodes it is this one, or the first by name. A node whose load is not known yet
    has none."""
    if prefer is not None and prefer in living:
        return prefer
    return min(living, key=lambda node: (loads.get(node, 0), node != here, node), default=here)


def heir(living: Sequence[str], name: str) -> str:
    """The node that starts the process of that name again after its node was lost.

    All nodes that see the same members choose the same one, and different names spread."""
    return max(living, key=lambda node: hashlib.sha256(f"{node} {name}".encode()).digest(), default="")
