"""The only module that sleeps.

Other code waits on an event, or calls these functions with a deadline."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self, TypeVar

__all__ = ["Deadline", "backoff", "pause", "pause_async", "poll", "poll_async", "wait_readable"]

T = TypeVar("T")

FIRST_PAUSE = 0.001
LONGEST_PAUSE = 0.05


class Deadline:
    """A moment on the monotonic clock. It is passed down, so that all steps share one limit."""

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
    """Growing pauses: first, first*factor, ... up to the ceiling, endlessly."""
    seconds = first
    while True:
        yield min(seconds, ceiling)
        seconds = min(seconds * factor, ceiling)


def poll(check: Callable[[], T], deadline: Deadline, *, longest: float = LONGEST_PAUSE) -> T:
    """Calls `check` until the result is true or the deadline passes. Returns the last result.

    The first pause is a millisecond, later ones are longer, so quick results are noticed quickly
    and slow ones cost little."""
    for seconds in backoff(FIRST_PAUSE, 1.5, longest):
        answer = check()
        if answer or deadline.passed:
            return answer
        time.sleep(min(seconds, deadline.left))
    raise AssertionError("backoff never ends")


async def poll_async(check: Callable[[], T], deadline: Deadline, *, longest: float = LONGEST_PAUSE) -> T:
    """`poll` for the event loop."""
    import asyncio  # takes 40 ms, only for processes with an event loop

    for seconds in backoff(FIRST_PAUSE, 1.5, longest):
        answer = check()
        if answer or deadline.passed:
            return answer
        await asyncio.sleep(min(seconds, deadline.left))
    raise AssertionError("backoff never ends")


def wait_readable(descriptor: int, seconds: float | None = None) -> bool:
    """Waits until the descriptor is readable, and returns whether it is. Signal handlers run
    meanwhile.

    A blocking call alone can miss a signal: the interpreter notes it in C and runs its handler when
    the call returns. A signal that arrives just before the call, or in another thread, does not
    make the call return. So this also waits for the descriptor to which the interpreter writes when
    it notes a signal."""
    deadline = None if seconds is None else Deadline(seconds)
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    with _SignalNotes() as notes:
        if notes.descriptor is not None:
            waiting.register(notes.descriptor, select.POLLIN)
        while True:
            found = waiting.poll(None if deadline is None else deadline.left * 1000)
            if any(ready != notes.descriptor for ready, _ in found):
                return True
            if found:
                notes.read()  # the handlers have run by now
            elif deadline is not None and deadline.passed:
                return False


class _SignalNotes:
    """The descriptor to which the interpreter writes when it notes a signal.

    Only the main thread can set it up; in another thread there is no descriptor. If an event loop
    has set up its own, it receives what was written meanwhile."""

    descriptor: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        self.descriptor, self._theirs = os.pipe()
        for end in (self.descriptor, self._theirs):
            os.set_blocking(end, False)
        self._before = signal.set_wakeup_fd(self._theirs, warn_on_full_buffer=False)
        self._notes = b""
        return self

    def read(self) -> None:
        if self.descriptor is not None:
            with contextlib.suppress(BlockingIOError):
                self._notes += os.read(self.descriptor, 4096)

    def __exit__(self, *_: object) -> None:
        if self.descriptor is None:
            return
        signal.set_wakeup_fd(self._before)
        self.read()
        if self._before != -1 and self._notes:
            with contextlib.suppress(OSError):
                os.write(self._before, self._notes)
        os.close(self._theirs)
        os.close(self.descriptor)


def pause(seconds: float) -> None:
    """`pause_async` without an event loop."""
    time.sleep(seconds)


async def pause_async(seconds: float) -> None:
    """A pause that is intended as such, for example the back-off before a restart."""
    import asyncio

    await asyncio.sleep(seconds)
