"""What the process of a call tells the server: lines, which the server passes on to the client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from clusterlib.doors.mcp.messages import encoded, notification

__all__ = ["FINAL", "LEVELS", "PASSING", "Channel"]

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
PASSING, FINAL = b"~", b"="
"""The first byte of a line: of one that comes before the answer, and of the answer."""


class Channel:
    def __init__(self, descriptor: int, token: str | int | None, level: str) -> None:
        """`token`: what progress is reported with; `level`: the least important that is logged."""
        self._descriptor = descriptor
        self._token = token
        self._least = LEVELS.index(level)
        self._steps = 0

    def progress(self, text: str) -> None:
        if text and self._token is not None:
            self._steps += 1
            params = {"progressToken": self._token, "progress": self._steps, "message": text}
            self._write(PASSING, notification("notifications/progress", params))

    def log(self, level: str, text: str) -> None:
        if LEVELS.index(level) >= self._least:
            params = {"level": level, "logger": "clusterlib", "data": text}
            self._write(PASSING, notification("notifications/message", params))

    def finish(self, answer: Mapping[str, Any]) -> None:
        self._write(FINAL, answer)

    def _write(self, kind: bytes, message: Mapping[str, Any]) -> None:
        line = memoryview(kind + encoded(message))
        while line:
            line = line[os.write(self._descriptor, line) :]
