"""The only place that sleeps. Everything else waits on an event, or says here what it waits for and until when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

__all__ = ["Deadline", "backoff", "pause", "pause_async", "poll", "poll_async"]

T = TypeVar("T")

FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.05


class Deadline:
    """A moment on the monotonic clock, passed down so that a whole story shares one limit."""

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end

    def __repr__(self) -> str:
        return f"Deadline({self.left:.3f}s of {self.seconds}s left)"


def backoff(first: float, factor: float = 2.0, ceiling: float = 60.0) -> Iterator[float]:
    """Pauses that grow: first, first*factor, ... up to the ceiling, for ever."""
    seconds = first
    while True:
        yield min(seconds, ceiling)
        seconds = min(seconds * factor, ceiling)


def poll(check: Callable[[], T], deadline: Deadline, *, longest: float = LONGEST_PAUSE) -> T:
    """Calls `check` until it gives something true, or the deadline passes; gives back its last answer.

    Starts at a millisecond and backs off, so what is quick is seen quickly and what is slow costs little."""
    for seconds in backoff(FIRST_PAUSE, 1.5, longest):
        answer = check()
        if answer or deadline.passed:
            return answer
        time.sleep(min(seconds, deadline.left))
    raise AssertionError("backoff never ends")


async def poll_async(check: Callable[[], T], deadline: Deadline, *, longest: float = LONGEST_PAUSE) -> T:
    """`poll` for the event loop."""
    import asyncio  # 40 ms that only a process with an event loop should pay

    for seconds in backoff(FIRST_PAUSE, 1.5, longest):
        answer = check()
        if answer or deadline.passed:
            return answer
        await asyncio.sleep(min(seconds, deadline.left))
    raise AssertionError("backoff never ends")


def pause(seconds: float) -> None:
    """`pause_async` for who has no event loop."""
    time.sleep(seconds)


async def pause_async(seconds: float) -> None:
    """A pause that is itself the point, such as the back-off before a restart."""
    import asyncio

    await asyncio.sleep(seconds)
