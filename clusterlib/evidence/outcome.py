"""How a test went."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    RUNNING = "running"
    """It had not ended when the report was made, and its process is still there."""
    CUT = "cut"
    """It never ended: its process was killed or interrupted."""
    RERUN = "rerun"
    """It did not pass, and was run again: the last attempt counts."""

    @property
    def bad(self) -> bool:
        return self in {Outcome.FAILED, Outcome.ERROR, Outcome.CUT}
