"""Plain lines on stderr, which the keeper collects. What strangers can cause is limited, so they cannot fill a disk."""

from __future__ import annotations

import sys
import time

__all__ = ["Log"]

QUIET_SECONDS = 1.0


class Log:
    """The log of a node: what happened. Who says so is added by whoever shows it. Never given secrets."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def say(self, line: str) -> None:
        try:
            print(line, file=sys.stderr, flush=True)  # noqa: T201  the log of a node is its stderr
        except (OSError, ValueError):
            return  # nobody reads any more; a node does not die of that

    def limited(self, topic: str, line: str) -> None:
        """Says at most one line a second of a topic, and how many were left out before it."""
        now = time.monotonic()
        if now < self._quiet_until.get(topic, 0.0):
            self._suppressed[topic] = self._suppressed.get(topic, 0) + 1
            return
        left_out = self._suppressed.pop(topic, 0)
        self._quiet_until[topic] = now + QUIET_SECONDS
        self.say(f"{line} ({left_out} more like it)" if left_out else line)
