"""What clients are doing to the cluster: operations of theirs that have begun and not ended. Each is in the diary."""

from __future__ import annotations

import time

from clusterlib.keeper.diary import Tell
from clusterlib.keeper.taint import Taint
from clusterlib.messages.events import OperationBegan, OperationEnded
from clusterlib.messages.requests import BeginOperation, EndOperation

__all__ = ["RunningOperations"]


class RunningOperations:
    """Those of one connection. One operation may be part of another."""

    def __init__(self, taint: Taint, tell: Tell) -> None:
        self._taint = taint
        self._tell = tell
        self._running: list[tuple[BeginOperation, float]] = []

    def begin(self, asked: BeginOperation, by: str) -> None:
        self._running.append((asked, time.monotonic()))
        self._tell(OperationBegan(asked.operation, asked.arguments, asked.effect, by))

    def end(self, asked: EndOperation) -> None:
        """Ends it, and what it had begun and not ended. One that has not begun cannot end."""
        while any(one.operation == asked.operation for one, _ in self._running):
            ended, began = self._running.pop()
            self._end(ended, began, asked.error)
            if ended.operation == asked.operation:
                return

    def lose(self) -> None:
        """The connection is closed in the middle of them."""
        while self._running:
            self._end(*self._running.pop(), "its caller is gone")

    def _end(self, ended: BeginOperation, began: float, error: str) -> None:
        self._tell(OperationEnded(ended.operation, round(time.monotonic() - began, 4), error))
        if ended.taints:
            self._taint.spoilt(f"{ended.operation} {f'failed: {error}' if error else 'was carried out'}")
