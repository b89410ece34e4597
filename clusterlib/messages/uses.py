"""How clusters are obtained and given back, and what is done to go on using them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["AfterRefusal", "LeaseEnd", "Obtained", "Repaired"]


class Obtained(StrEnum):
    """How a run, or one of its tests, has got a cluster."""

    STARTED = "started"
    JOINED = "joined"
    """Another worker of the same run, or an earlier run, has started it."""
    BORROWED = "borrowed"
    """It ran already, and goes on running."""
    REUSED = "reused"
    """An earlier test of this process has used it."""


class LeaseEnd(StrEnum):
    RETURNED = "handed back"
    LOST = "its holder is gone"
    ABANDONED = "its holder does not want it any more"


class Repaired(StrEnum):
    """How a cluster was made fit for the next test."""

    HEALED = "healed"
    FRESH = "fresh"
    """All nodes were restarted without data, because the cluster was damaged."""
    RENEWED = "renewed"
    """Nodes were restarted, because their code had changed."""
    SCALED = "scaled"
    REPLACED = "replaced"

    @property
    def is_healing(self) -> bool:
        """Whether it undid damage."""
        return self in {Repaired.HEALED, Repaired.FRESH}


class AfterRefusal(StrEnum):
    """What follows when a cluster did not start."""

    RETRY = "retry"
    SMALLER = "smaller"
    SIMULATE = "simulate"
    SKIP = "skip"
    FAIL = "fail"

    @property
    def tries_again(self) -> bool:
        return self in {AfterRefusal.RETRY, AfterRefusal.SMALLER, AfterRefusal.SIMULATE}
