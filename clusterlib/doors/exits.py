"""The exit codes of tasks, in addition to those of errors (`ClusterError.exit_code`: 2 bad input, 3
not running)."""

from __future__ import annotations

__all__ = ["BAD_INPUT", "FAILED", "INTERRUPTED"]

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
