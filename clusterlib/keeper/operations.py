"""Operations that clients have begun on the cluster and not ended. The diary records each one."""

from __future__ import annotations

import time

from clusterlib.keeper.diary import Tell
from clusterlib.keeper.taint import Taint
from clusterlib.messages.events import OperationBegan, OperationEnded
from clusterlib.messages.requests import BeginOperation, EndOperation

__all__ = ["RunningOperations"]


class RunningOperations:
    """The operations of one connection. One may be part of another, or run beside it."""

    def __init__(self, taint: Taint, tell: Tell) -> None:
        self._taint = taint
        self._tell = tell
        self._running: dict[int, tuple[BeginOperation, float]] = {}
        self._begun = 0

    def begin(self, asked: BeginOperation, by: str) -> int:
        """Returns the number that ends it."""
        self._begun += 1
        self._running[self._begun] = (asked, time.monotonic())
        self._tell(OperationBegan(asked.operation, asked.arguments, asked.effect, by))
        return self._begun

    def end(self, asked: EndOperation) -> None:
        """Ends it. Does nothing if it is not running."""
        if asked.number in self._running:
            self._end(*self._running.pop(asked.number), asked.error)

    def lose(self) -> None:
        """Ends those that were running when the connection was closed."""
        while self._running:
            self._end(*self._running.popitem()[1], "the connection of its caller was closed")

    def _end(self, ended: BeginOperation, began: float, error: str) -> None:
        self._tell(OperationEnded(ended.operation, round(time.monotonic() - began, 4), error))
        if ended.taints:
            self._taint.spoilt(f"{ended.operation} {f'failed: {error}' if error else 'was carried out'}")
