"""When clients begin their requests, and how one client works. Clocks are given, so that tests
have theirs."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

from clusterlib.load.histogram import Histogram
from clusterlib.load.orders import NodeCounts

__all__ = [
    "ERROR_PAUSE",
    "OTHER_KINDS",
    "AsyncClock",
    "Clock",
    "ClosedPace",
    "LoadRecorder",
    "OpenPace",
    "Pace",
    "drive",
    "drive_async",
]

MOST_KINDS = 50
OTHER_KINDS = "other errors"
ERROR_PAUSE = 10_000_000
"""Nanoseconds that a client of a closed loop waits after an error. A node that refuses at once
would otherwise be asked in a busy loop, which takes the processor from the others."""


class Pace(Protocol):
    """The starts of the requests to one node."""

    error_pause: int

    def take(self, now: int) -> int | None:
        """When the next request should begin; None if there is none any more."""


class ClosedPace:
    """A client sends its next request when the last one is answered."""

    error_pause = ERROR_PAUSE

    def __init__(self, end: int) -> None:
        self.end = end

    def take(self, now: int) -> int | None:
        return now if now < self.end else None


class OpenPace:
    """Requests begin at fixed times, whether the earlier ones are answered or not.

    The clients of a node share one. If all of them wait, later requests wait for a client; they
    count from the time at which they should have begun."""

    error_pause = 0

    def __init__(self, first: float, end: int, interval: float) -> None:
        self._first, self._interval = first, interval
        self.end = end
        self._numbers = itertools.count()  # its next() is atomic
        self._taken = 0

    def take(self, now: int) -> int | None:
        if now >= self.end:
            return None
        number = next(self._numbers)
        intended = int(self._first + number * self._interval)
        if intended >= self.end:
            return None
        self._taken = max(self._taken, number + 1)
        return intended

    def unsent(self, now: int) -> int:
        """How many should have begun by now or by the end, and have not."""
        until = min(now, self.end)
        return max(0, math.ceil((until - self._first) / self._interval) - self._taken)


class LoadRecorder:
    """What the clients of one node have measured since the last report."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latency, self._errors = Histogram(), dict[str, int]()

    def note(self, nanoseconds: int, error: str | None) -> None:
        with self._lock:
            if error is None:
                self._latency.record(nanoseconds)
            else:
                if len(self._errors) >= MOST_KINDS:  # a target may name each of its errors differently
                    error = error if error in self._errors else OTHER_KINDS
                self._errors[error] = self._errors.get(error, 0) + 1

    def take(self) -> NodeCounts:
        with self._lock:
            counts = NodeCounts(self._latency.data(), self._errors)
            self._latency, self._errors = Histogram(), {}
        return counts


class Clock(Protocol):
    def now(self) -> int: ...

    def wait_until(self, moment: int) -> bool:
        """False if the load was stopped meanwhile."""


class AsyncClock(Protocol):
    def now(self) -> int: ...

    async def wait_until(self, moment: int) -> bool: ...


def drive(
    pace: Pace, clock: Clock, request: Callable[[], str | None], recorder: LoadRecorder, late: Histogram
) -> None:
    """One client, until its pace has no more requests. `request` returns the kind of its error."""
    while (intended := pace.take(now := clock.now())) is not None:
        if intended > now:
            if not clock.wait_until(intended):
                return
            late.record(clock.now() - intended)
        error = request()
        done = clock.now()
        recorder.note(done - intended, error)
        if error is not None and pace.error_pause and not clock.wait_until(done + pace.error_pause):
            return


async def drive_async(
    pace: Pace,
    clock: AsyncClock,
    request: Callable[[], Awaitable[str | None]],
    recorder: LoadRecorder,
    late: Histogram,
) -> None:
    """The same for a client that is a coroutine."""
    while (intended := pace.take(now := clock.now())) is not None:
        if intended > now:
            if not await clock.wait_until(intended):
                return
            late.record(clock.now() - intended)
        error = await request()
        done = clock.now()
        recorder.note(done - intended, error)
        if error is not None and pace.error_pause and not await clock.wait_until(done + pace.error_pause):
            return
