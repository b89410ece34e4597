"""What a supervisor does when a child has ended: pure decisions."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from clusterlib.runtime.processes.values import RestartRule, Strategy

__all__ = ["Intensity", "affected", "is_due"]

T = TypeVar("T")


class Intensity:
    """How many restarts within how many seconds a supervisor permits before it gives up."""

    def __init__(self, restarts: int, within: float) -> None:
        self.restarts = restarts
        self.within = within
        self._times: deque[float] = deque()

    def permits(self, now: float) -> bool:
        """Counts one more restart. False if it is one too many."""
        self._times.append(now)
        while self._times and self._times[0] < now - self.within:
            self._times.popleft()
        return len(self._times) <= self.restarts


def is_due(policy: RestartRule, *, failed: bool) -> bool:
    """Whether the policy of a child that has ended wants it back."""
    return policy is RestartRule.ALWAYS or (policy is RestartRule.ON_ERROR and failed)


def affected(strategy: Strategy, children: Sequence[T], ended: T) -> Sequence[T]:
    """The children to start again, in the order of their start."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [ended]
        case Strategy.ONE_FOR_ALL:
            return list(children)
        case Strategy.REST_FOR_ONE:
            return list(children[children.index(ended) :])
