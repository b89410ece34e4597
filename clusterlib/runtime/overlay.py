"""Who links to whom, and who watches whom: pure functions of the roster.

Up to eight nodes all link to all. Beyond that every node reaches for its next three on the ring of sorted names and for
nodes further away by growing steps: about ten links a node whatever the size, and news crosses a hundred nodes in four hops.
Steps are counted on the whole roster, living or not, so that a death moves no link but those of its ring neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["links_of", "mutual", "watched_by"]

FULL_MESH = 8
SUCCESSORS = 3
WATCHERS = 2  # beyond the full mesh; up to there three, as everybody is linked anyway
MOST_EXTRA = 16
STEP_FACTOR = 4


def links_of(name: str, ring: Sequence[str]) -> set[str]:
    """Whom `name` links to, by itself; `ring` is the sorted roster."""
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
    """True where both want the link, and it is enough that one of them opens it."""
    return len(ring) <= FULL_MESH or name in links_of(other, ring)


def watched_by(name: str, ring: Sequence[str], living: Callable[[str], bool], more: int = 0) -> list[str]:
    """Whose heartbeats `name` listens for: its next living ones on the ring. So everybody is watched by two or three.

    `more` widens that: where many are dead at once, those after them may be too."""
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
