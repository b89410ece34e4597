"""What the restart policy says when a node ended by itself: whether it is started again, and after what pause."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from clusterlib.messages.plan import RestartPolicy
from clusterlib.waiting import backoff

__all__ = ["Restarts"]


class Restarts:
    """Remembers the crashes of each node within the window, so that one that fails for ever is given up."""

    def __init__(self, policy: RestartPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._crashes: dict[str, list[float]] = {}

    def wanted(self, *, clean: bool) -> bool:
        """Whether a node that ended this way is to be started again."""
        return self._policy.policy == "always" or (self._policy.policy == "on-failure" and not clean)

    def next_pause(self, name: str) -> float | None:
        """Takes note of a crash; gives back the pause before the restart, or None where it has been enough."""
        now, policy = self._clock(), self._policy
        recent = [then for then in self._crashes.get(name, []) if now - then < policy.window]
        self._crashes[name] = [*recent, now]
        if len(recent) >= policy.attempts:
            return None
        pauses = backoff(policy.first, policy.factor, policy.ceiling)
        return next(itertools.islice(pauses, len(recent), None))

    def __str__(self) -> str:
        return f"given up after {self._policy.attempts} restarts within {self._policy.window:g} s"
