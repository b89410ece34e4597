"""Operations that clients have begun on the cluster and not ended, each recorded as an event."""

from __future__ import annotations

import time

from clusterlib.frozen import frozen
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.taint import Taint
from clusterlib.messages.events import OperationBegan, OperationEnded
from clusterlib.messages.requests import BeginOperation, EndOperation

__all__ = ["RunningOperations"]


@frozen
class _Running:
    asked: BeginOperation
    began: float
    connection: object
    """The connection that began it. It ends the operation, at the latest with its own end."""


class RunningOperations:
    """The operations of all connections. One may be part of another, or run beside it."""

    def __init__(self, tell: Tell, taint: Taint) -> None:
        self._tell = tell
        self._taint = taint
        self._running: dict[int, _Running] = {}
        self._begun = 0
        self._ends_cluster: object = None
        """The connection that has asked for the end of the cluster."""

    def begin(self, asked: BeginOperation, by: str, connection: object) -> int:
        """Returns the number that ends it."""
        self._begun += 1
        self._running[self._begun] = _Running(asked, time.monotonic(), connection)
        self._tell(OperationBegan(asked.operation, asked.arguments, asked.effect, by))
        return self._begun

    def end(self, asked: EndOperation, connection: object) -> None:
        """Ends it. Does nothing if it is not running, or belongs to another connection."""
        running = self._running.get(asked.number)
        if running is not None and running.connection is connection:
            self._end(self._running.pop(asked.number), asked.error)

    def lose(self, connection: object) -> None:
        """Ends those that were running when their connection was closed."""
        for number, running in reversed(list(self._running.items())):
            if running.connection is connection:
                del self._running[number]
                self._end(running, "the connection of its caller was closed")

    def ends_cluster(self, connection: object) -> None:
        """This connection asks for the end of the cluster, perhaps as a part of its operation."""
        if self._ends_cluster is None:
            self._ends_cluster = connection

    def cluster_ended(self) -> None:
        """Ends all: one that has ended the cluster is done, any other one was interrupted."""
        while self._running:
            running = self._running.popitem()[1]
            is_done = running.connection is self._ends_cluster
            self._record(running, "" if is_done else "the cluster was stopped")

    def _end(self, running: _Running, error: str) -> None:
        self._record(running, error)
        if running.asked.taints:
            outcome = f"failed: {error}" if error else "was carried out"
            self._taint.damaged(f"{running.asked.operation} {outcome}")

    def _record(self, running: _Running, error: str) -> None:
        seconds = round(time.monotonic() - running.began, 4)
        self._tell(OperationEnded(running.asked.operation, seconds, error, running.asked.taints))
