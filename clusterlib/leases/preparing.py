"""What is done to a cluster before a test uses it, and what happens to one that cannot be used.

Pure functions, as in `choosing`. The test has a turn on the cluster when its state is read."""

from __future__ import annotations

from enum import Enum

from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen
from clusterlib.leases.choosing import Refuse
from clusterlib.leases.situation import ClusterSeen, PooledFacts, Wanted
from clusterlib.leases.skipping import is_skippable

__all__ = [
    "Broken",
    "Change",
    "Ended",
    "Enter",
    "Parting",
    "Preparation",
    "Repair",
    "SetAside",
    "TakeAlone",
    "Trouble",
    "part",
    "prepare",
]


class Repair(Enum):
    HEAL = "heal"
    RESTART = "restart"
    """All nodes are restarted, with the code that is on disk."""


@frozen
class Enter:
    """The test can use it as it is."""


@frozen
class TakeAlone:
    """It must be changed, which needs a turn in which no other test uses it."""


@frozen
class Change:
    repair: Repair | None = None
    fresh: bool = False
    """All nodes are restarted without data."""
    nodes: int | None = None
    """Grow or shrink to this size."""


@frozen
class SetAside:
    """It does not have the size that the test needs, and must not or cannot be scaled."""

    for_all: bool = False
    """It is ended, even if others use it: they would only join it again."""


Preparation = Enter | TakeAlone | Change | SetAside


def prepare(wanted: Wanted, pooled: PooledFacts, seen: ClusterSeen, *, alone: bool) -> Preparation:
    """`alone`: the turn is exclusive."""
    size = _new_size(wanted, pooled, seen.nodes)
    if isinstance(size, SetAside):
        return size
    unwell = seen.unwell or seen.afresh
    if not unwell and not seen.stale and size is None:
        return Enter()
    if not alone:
        return TakeAlone()
    repair = Repair.RESTART if seen.stale else Repair.HEAL if unwell else None
    return Change(repair, repair is not None and (seen.afresh or seen.damaged), size)


def _new_size(wanted: Wanted, pooled: PooledFacts, nodes: int) -> int | SetAside | None:
    """The size to scale to; None if it is right."""
    fewest = pooled.fewest(wanted)
    if wanted.need.exact:
        right = wanted.need.size or nodes
    elif nodes < fewest or (nodes != pooled.left and not wanted.shared):
        right = max(pooled.base, fewest)
    else:
        return None
    if right == nodes:
        return None
    if not pooled.borrowed:
        return SetAside(for_all=True) if wanted.fixed else right
    return SetAside() if wanted.need.exact or nodes < fewest else None


@frozen
class Broken:
    """A repair, a restart or a change of size has failed."""

    error: ClusterError


@frozen
class Ended:
    """It ended before the pool ended it."""

    error: ClusterError
    on_purpose: bool
    """A test ended it in order, which is not an error."""


Trouble = SetAside | Broken | Ended


@frozen
class Parting:
    """The pool releases it and chooses again."""

    because: ClusterError | None = None
    """Why it cannot be used any more. It is ended, even if others use it."""
    for_all: bool = False
    """It is ended, even if others use it."""
    lost: ClusterError | None = None
    """The error after which the next cluster replaces this one."""
    note: str | None = None


def part(wanted: Wanted, pooled: PooledFacts, trouble: Trouble) -> Parting | Refuse:
    match trouble:
        case SetAside(for_all=True):
            return Parting(for_all=True)
        case SetAside():
            return Parting(note=f"cluster {pooled.name} has another size now: another one serves beside it")
        case Broken(error=error) if pooled.borrowed:
            return Refuse(error, is_skippable(error, allowed=wanted.may_skip))
        case Broken(error=error):
            return Parting(because=error, lost=error)
        case Ended(error=error, on_purpose=on_purpose):
            note = f"cluster {pooled.name}, which was borrowed, ended while the tests ran"
            return Parting(
                because=None if on_purpose else error, lost=error, note=note if pooled.borrowed else None
            )
