"""Readiness is a ladder of questions. Each answer is: ready, not yet (why), never (why)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clusterlib.waiting import Deadline, backoff

__all__ = ["Answer", "Never", "NotYet", "Probe", "Ready", "Rung", "climb"]


@dataclass(frozen=True, slots=True)
class Ready:
    pass


@dataclass(frozen=True, slots=True)
class NotYet:
    why: str


@dataclass(frozen=True, slots=True)
class Never:
    why: str


LAST_CHANCE = 0.1

Answer = Ready | NotYet | Never
Probe = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Rung:
    """One question of the ladder, and its name in progress and reports."""

    name: str
    probe: Probe
    polls: bool = True
    """False where the answer is there at once, and a change is always announced through `news`."""


async def climb(
    ladder: list[Rung],
    deadline: Deadline,
    news: asyncio.Event,
    reached: Callable[[str], None] = lambda _: None,
) -> tuple[str, Answer]:
    """Climbs until the top, a dead end or the deadline. Gives back the last rung asked and its answer.

    `news` wakes the climber at once when something changed (an exit, a line, a message); polling is the fallback."""
    name, answer = "", Answer.__args__[0]()
    for rung in ladder:
        name = rung.name
        for pause in backoff(0.001, 1.6, 0.1):
            news.clear()
            answer = await _asked(rung, deadline)
            if not isinstance(answer, NotYet):
                break
            if deadline.passed:
                return name, answer
            limit = min(pause, deadline.left) if rung.polls else deadline.left
            try:
                async with asyncio.timeout(limit):
                    await news.wait()
            except TimeoutError:
                continue
        if isinstance(answer, Never):
            return name, answer
        reached(name)
    return name, answer


async def _asked(rung: Rung, deadline: Deadline) -> Answer:
    """The answer of a probe. One that hangs has until the deadline, or a moment more where that has just passed."""
    if not rung.polls:
        return await rung.probe()
    try:
        async with asyncio.timeout(max(deadline.left, LAST_CHANCE)):
            return await rung.probe()
    except TimeoutError:
        return NotYet("it does not answer")
