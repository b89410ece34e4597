"""The part of the health matrix that runs inside a node.

Uses the standard library and the runtime only."""

from __future__ import annotations

import time

from clusterlib.runtime.current import this_node

__all__ = ["round_trip", "who_am_i"]

ROUNDS = 5


def round_trip(peer: str, timeout: float) -> float:
    """Seconds for a call from this node to `peer`: the median of a few, on an open connection."""
    node = this_node()
    node.call(peer, "operator:add", 1, 1, timeout=timeout)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        node.call(peer, "operator:add", 1, 1, timeout=timeout)
        taken.append(time.perf_counter() - began)
    return sorted(taken)[ROUNDS // 2]


def who_am_i() -> str:
    return this_node().name
