"""What the timeline shows: states of nodes, marks, and what its legend calls them."""

from __future__ import annotations

from enum import StrEnum

from clusterlib.evidence.outcome import Outcome
from clusterlib.messages.events import FaultKill, FaultPause

__all__ = ["LEGEND_OF_BLOCKS", "LEGEND_OF_MARKS", "MarkKind", "SpanState"]


class SpanState(StrEnum):
    """A state of a node over some time."""

    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    """A state that only another version of clusterlib knows."""
    PAUSED = "paused"
    DEAD = "dead"
    WAITING = "waiting"
    """Dead, and to be started again by the restart policy."""
    RESTARTING = "restarting"
    STOPPING = "stopping"


class MarkKind(StrEnum):
    """What happened at one time."""

    KILL = "kill"
    PAUSE = "pause"
    FAULT = "fault"
    CRASH = "crash"
    ERROR = "error"
    HEAL = "heal"
    RESTART = "restart"
    SCALE = "scale"
    DIRTY = "dirty"

    @property
    def bad(self) -> bool:
        return self in {MarkKind.KILL, MarkKind.PAUSE, MarkKind.FAULT, MarkKind.CRASH, MarkKind.ERROR}


LEGEND_OF_BLOCKS: dict[Outcome | SpanState, str] = {
    Outcome.PASSED: "test passed",
    Outcome.FAILED: "test failed",
    Outcome.ERROR: "error",
    Outcome.SKIPPED: "skipped",
    Outcome.RERUN: "was run again",
    Outcome.CUT: "was cut short",
    Outcome.RUNNING: "running",
    **{state: str(state) for state in SpanState},
}
LEGEND_OF_MARKS: dict[MarkKind, str] = {
    MarkKind.KILL: f"was {FaultKill.done}",
    MarkKind.PAUSE: f"was {FaultPause.done}",
    MarkKind.FAULT: "fault",
    MarkKind.CRASH: "ended unexpectedly",
    MarkKind.ERROR: "error",
    MarkKind.HEAL: "healed",
    MarkKind.RESTART: "restarted",
    MarkKind.SCALE: "scaled",
    MarkKind.DIRTY: "dirty",
}
"""What the legend calls them, in its order."""
