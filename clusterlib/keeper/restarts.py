"""Whether a node that ended by itself is started again, and after what pause, according to the
restart policy."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from clusterlib.messages.plan import RestartPolicy
from clusterlib.values.choices import RestartWhen
from clusterlib.waiting import backoff

__all__ = ["Restarts"]


class Restarts:
    """Remembers the crashes of each node within the window, so that a node that keeps failing is
    given up."""

    def __init__(self, policy: RestartPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._crashes: dict[str, list[float]] = {}

    def wanted(self, *, clean: bool) -> bool:
        """Whether a node that ended this way is started again."""
        match self._policy.policy:
            case RestartWhen.ALWAYS:
                return True
            case RestartWhen.ON_FAILURE:
                return not clean
            case RestartWhen.NEVER:
                return False

    def next_pause(self, name: str) -> float | None:
        """Records a crash. Returns the pause before the restart, or None if there were too many."""
        now, policy = self._clock(), self._policy
        recent = [then for then in self._crashes.get(name, []) if now - then < policy.window]
        self._crashes[name] = [*recent, now]
        if len(recent) >= policy.attempts:
            return None
        pauses = backoff(policy.first, policy.factor, policy.ceiling)
        return next(itertools.islice(pauses, len(recent), None))

    def __str__(self) -> str:
        return f"given up after {self._policy.attempts} restarts within {self._policy.window:g} s"
