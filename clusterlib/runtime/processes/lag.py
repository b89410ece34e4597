"""Measures how late the event loop of a node is. Processes cannot be interrupted: one that does not
await delays all others, and this shows it."""

from __future__ import annotations

from collections import deque

from clusterlib.runtime.network import NodeNetwork

__all__ = ["LoopLag"]

INTERVAL = 0.5
REMEMBERED = 20


class LoopLag:
    """The delays of a timer, the last ten seconds of them."""

    def __init__(self, network: NodeNetwork) -> None:
        self._network = network
        self._delays: deque[float] = deque(maxlen=REMEMBERED)
        self._planned = 0.0
        self._stopped = False
        self._plan()

    @property
    def most(self) -> float:
        return max(self._delays, default=0.0)

    def stop(self) -> None:
        self._stopped = True

    def _plan(self) -> None:
        self._planned = self._network.now() + INTERVAL
        self._network.later(INTERVAL, self._measure)

    def _measure(self) -> None:
        if not self._stopped:
            self._delays.append(max(0.0, self._network.now() - self._planned))
            self._plan()
