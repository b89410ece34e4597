from __future__ import annotations

import asyncio

import pytest

from clusterlib.health import probes
from clusterlib.health.probes import Answer, Never, NotYet, Probe, Ready, Rung, climb
from clusterlib.waiting import Deadline, pause_async


def answering(*answers: Answer) -> Probe:
    left = list(answers)

    async def probe() -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return probe


def climbed(ladder: list[Rung], seconds: float = 5) -> tuple[tuple[str, Answer], list[str]]:
    reached: list[str] = []
    result = asyncio.run(climb(ladder, Deadline(seconds), asyncio.Event(), reached.append))
    return result, reached


def test_every_rung_is_reached_in_order() -> None:
    result, reached = climbed(
        [Rung("alive", answering(Ready())), Rung("joined", answering(NotYet("alone"), Ready()))]
    )

    assert result == ("joined", Ready())
    assert reached == ["alive", "joined"]


def test_a_dead_end_ends_the_climb_at_once() -> None:
    result, reached = climbed([Rung("alive", answering(NotYet("booting"), Never("exited with code 1")))])

    assert result == ("alive", Never("exited with code 1"))
    assert reached == []


def test_the_deadline_tells_which_rung_was_not_reached_and_why() -> None:
    result, _ = climbed(
        [Rung("alive", answering(Ready())), Rung("joined", answering(NotYet("alone")))], seconds=0.02
    )

    assert result == ("joined", NotYet("alone"))


def test_news_wakes_a_climber_that_does_not_poll() -> None:
    async def story() -> tuple[str, Answer]:
        news = asyncio.Event()
        state: list[Answer] = [NotYet("quiet")]

        async def probe() -> Answer:
            return state[0]

        climbing = asyncio.create_task(climb([Rung("told", probe, polls=False)], Deadline(10), news))
        await asyncio.sleep(0)
        state[0] = Ready()
        news.set()
        return await climbing

    assert asyncio.run(story()) == ("told", Ready())


def test_an_empty_ladder_is_climbed() -> None:
    assert climbed([]) == (("", Ready()), [])


def test_a_probe_that_hangs_does_not_outlast_the_deadline() -> None:
    async def probe() -> Answer:
        await asyncio.Event().wait()
        return Ready()

    result, _ = climbed([Rung("protocol", probe)], seconds=0.05)

    assert result == ("protocol", NotYet("it does not answer"))


def test_a_probe_that_hangs_says_what_its_rung_knows_of_it() -> None:
    async def probe() -> Answer:
        await asyncio.Event().wait()
        return Ready()

    rung = Rung("formed", probe, silence=lambda: "port 7 does not answer")

    result, _ = climbed([rung], seconds=0.05)

    assert result == ("formed", NotYet("port 7 does not answer"))


def test_a_probe_that_hangs_does_not_hide_that_there_is_nobody_left_to_ask() -> None:
    asked = []

    async def probe() -> Answer:
        asked.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            asked.append(2)
        return Ready()

    async def story() -> tuple[str, Answer]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        loop.call_soon(ended.set_result, "killed by SIGKILL")
        async with asyncio.timeout(5):
            return await climb([Rung("protocol", probe)], Deadline(60), asyncio.Event(), ended=ended)

    assert asyncio.run(story()) == ("protocol", Never("killed by SIGKILL"))
    assert asked == [1, 2], "the question is given up, not left hanging"


def test_a_probe_that_takes_long_is_asked_less_often() -> None:
    asked: list[float] = []

    async def probe() -> Answer:
        asked.append(asyncio.get_running_loop().time())
        await pause_async(0.05)
        return NotYet("slow")

    climbed([Rung("protocol", probe)], seconds=0.32)

    assert len(asked) <= 5


def test_what_comes_is_noticed_soon_measured_by_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("clusterlib.health.probes.time.monotonic", lambda: now)
    asked = 0

    for pause in probes._pauses():
        assert pause <= max(0.01, min(0.05 * now, 0.1))
        now, asked = now + pause, asked + 1
        if now > 30:
            break

    assert asked < 400, "what takes long is not asked for all the time"
