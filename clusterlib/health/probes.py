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
"""Pauses between two questions grow to 10 ms, then to this share of the elapsed time, at most 100
ms."""
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
    """False if the answer is immediate, and every change is announced through `news`."""
    interval: float = 0.0
    """Seconds between two questions; 0 for back-off."""
    silence: Callable[[], str] = _silent
    """The reason why it is not ready, if the probe hangs."""


async def climb(
    ladder: list[Rung],
    deadline: Deadline,
    news: asyncio.Event,
    reached: Callable[[str], None] = lambda _: None,
    ended: asyncio.Future[Any] | None = None,
) -> tuple[str, Answer]:
    """Climbs to the top, a dead end or the deadline. Returns the last rung and its answer.

    `news` wakes the climber at once when something has changed (an exit, a line, a message);
    polling is the fallback. `ended` is done when the node has ended, so a probe that hangs or is
    slow does not hide an exit. A probe that takes long is asked less often, so that questions never
    take all of the processor."""
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
    """A change is noticed after a delay relative to the elapsed time.

    Slow probes are asked less often."""
    begun = time.monotonic()
    for pause in backoff(0.001, 1.6, SOON):
        yield min(max(pause, LATE * (time.monotonic() - begun)), SELDOM)


async def _asked(rung: Rung, deadline: Deadline, ended: asyncio.Future[Any] | None) -> Answer:
    """The answer of a probe.

    A probe that hangs has until the deadline, or a moment more if that has just passed."""
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
