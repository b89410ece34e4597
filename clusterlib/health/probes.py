"""Readiness is a ladder of questions. Each answer is: ready, not yet (why), never (why)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.waiting import Deadline, backoff

__all__ = ["Answer", "Never", "NotYet", "Probe", "Ready", "Rung", "climb"]


@frozen
class Ready:
    pass


@frozen
class NotYet:
    why: str


@frozen
class Never:
    why: str


LAST_CHANCE = 0.1
SOON = 0.01
LATE = 0.05
SELDOM = 0.1
"""Pauses between two questions: growing to 10 ms, then this share of the time that was waited already, at most 100 ms."""
LONGEST_REST = 1.0

Answer = Ready | NotYet | Never
Probe = Callable[[], Awaitable[Answer]]


def _silent() -> str:
    return "it does not answer"


@frozen
class Rung:
    """One question of the ladder, and its name in progress and reports."""

    name: str
    probe: Probe
    polls: bool = True
    """False where the answer is there at once, and a change is always announced through `news`."""
    interval: float = 0.0
    """Seconds between two questions; 0: they back off."""
    silence: Callable[[], str] = _silent
    """Why it is not ready where the probe hangs: a probe that knows what it asks can say that."""


async def climb(
    ladder: list[Rung],
    deadline: Deadline,
    news: asyncio.Event,
    reached: Callable[[str], None] = lambda _: None,
    ended: asyncio.Future[Any] | None = None,
) -> tuple[str, Answer]:
    """Climbs until the top, a dead end or the deadline. Gives back the last rung asked and its answer.

    `news` wakes the climber at once when something changed (an exit, a line, a message); polling is the fallback. `ended` is
    done when there is nobody left to ask: also a probe that hangs, or is slow to answer, does not hide that.
    A probe that takes long is asked less often, so that asking never takes all of a machine."""
    name, answer = "", Answer.__args__[0]()
    for rung in ladder:
        name = rung.name
        for pause in itertools.repeat(rung.interval) if rung.interval else _pauses():
            news.clear()
            began = time.monotonic()
            answer = await _asked(rung, deadline, ended)
            took = time.monotonic() - began
            if not isinstance(answer, NotYet):
                break
            if deadline.passed:
                return name, answer
            limit = min(max(pause, min(took, LONGEST_REST)), deadline.left) if rung.polls else deadline.left
            try:
                async with asyncio.timeout(limit):
                    await news.wait()
            except TimeoutError:
                continue
        if isinstance(answer, Never):
            return name, answer
        reached(name)
    return name, answer


def _pauses() -> Iterator[float]:
    """What comes is noticed a little late at most, measured by how long it took; what takes long is asked for less often."""
    begun = time.monotonic()
    for pause in backoff(0.001, 1.6, SOON):
        yield min(max(pause, LATE * (time.monotonic() - begun)), SELDOM)


async def _asked(rung: Rung, deadline: Deadline, ended: asyncio.Future[Any] | None) -> Answer:
    """The answer of a probe. One that hangs has until the deadline, or a moment more where that has just passed."""
    if not rung.polls:
        return await rung.probe()
    asking = asyncio.ensure_future(rung.probe())
    try:
        waited = [asking] if ended is None else [asking, ended]
        limit = max(deadline.left, LAST_CHANCE)
        await asyncio.wait(waited, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    return Never(str(ended.result())) if ended is not None and ended.done() else NotYet(rung.silence())
