"""Which nodes link to which, and which watch which: pure functions of the roster.

Up to eight nodes all link to all. Beyond that, every node links to its next three on the ring of
sorted names and to nodes at growing distances: about ten links a node for any size, and news
crosses a hundred nodes in four hops. Distances are counted on the whole roster, living or not, so a
death changes only the links of its ring neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["links_of", "mutual", "watched_by"]

FULL_MESH = 8
SUCCESSORS = 3
WATCHERS = 2  # beyond the full mesh; up to there three, as all nodes are linked anyway
MOST_EXTRA = 16
STEP_FACTOR = 4


def links_of(name: str, ring: Sequence[str]) -> set[str]:
    """The nodes to which `name` opens links; `ring` is the sorted roster."""
    if name not in ring:
        return set()
    if len(ring) <= FULL_MESH:
        return set(ring) - {name}
    here = ring.index(name)
    steps = list(range(1, SUCCESSORS + 1))
    step = 2 * STEP_FACTOR
    while step <= len(ring) // 2:
        steps.append(step)
        step *= STEP_FACTOR
    return {ring[(here + step) % len(ring)] for step in steps} - {name}


def mutual(name: str, other: str, ring: Sequence[str]) -> bool:
    """True if both want the link, so that it is enough if one of them opens it."""
    return len(ring) <= FULL_MESH or name in links_of(other, ring)


def watched_by(name: str, ring: Sequence[str], living: Callable[[str], bool], more: int = 0) -> list[str]:
    """Whose heartbeats `name` expects: its next living nodes on the ring. So every node is watched
    by two or three.

    `more` adds further nodes: if many are dead at once, their successors may be dead, too."""
    if name not in ring:
        return []
    here = ring.index(name)
    enough = SUCCESSORS if len(ring) <= FULL_MESH else WATCHERS
    enough += min(more, MOST_EXTRA)
    found: list[str] = []
    for offset in range(1, len(ring)):
        other = ring[(here + offset) % len(ring)]
        if living(other):
            found.append(other)
            if len(found) == enough:
                break
    return found
