"""Plain lines on stderr, which the keeper collects.

Lines that strangers can cause are limited, so they cannot fill a disk."""

from __future__ import annotations

import sys
import time

__all__ = ["Log"]

QUIET_SECONDS = 1.0


class Log:
    """The log of a node.

    The name of the node is added when the log is shown. Secrets are never passed to it."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def say(self, line: str) -> None:
        try:
            print(line, file=sys.stderr, flush=True)  # noqa: T201  the log of a node is its stderr
        except (OSError, ValueError):
            return  # the reader is gone, which must not end the node

    def limited(self, topic: str, line: str) -> None:
        """Writes at most one line a second about a topic, with the number of lines that were left
        out before it.
        """
        now = time.monotonic()
        if now < self._quiet_until.get(topic, 0.0):
            self._suppressed[topic] = self._suppressed.get(topic, 0) + 1
            return
        left_out = self._suppressed.pop(topic, 0)
        self._quiet_until[topic] = now + QUIET_SECONDS
        self.say(f"{line} ({left_out} more like it)" if left_out else line)
