from __future__ import annotations

import asyncio
from collections.abc import Callable

from clusterlib.load.histogram import Histogram
from clusterlib.load.pace import ERROR_PAUSE, ClosedPace, LoadRecorder, OpenPace, drive, drive_async

MS = 1_000_000


class SimulatedClock:
    """Time passes only while somebody waits, and while a request takes its time."""

    def __init__(self, stopped_at: int | None = None, lateness: int = 0) -> None:
        self.time = 0
        self.stopped_at = stopped_at
        self.lateness = lateness

    def now(self) -> int:
        return self.time

    def wait_until(self, moment: int) -> bool:
        self.time = max(self.time, moment + self.lateness)
        return self.stopped_at is None or self.time < self.stopped_at

    def taking(
        self, *milliseconds: float, then: float = 1, error: str | None = None
    ) -> Callable[[], str | None]:
        """A request that takes so long: each number once, then always the last one."""
        durations = iter(milliseconds)

        def request() -> str | None:
            self.time += int(next(durations, then) * MS)
            return error

        return request


def test_a_client_of_a_closed_loop_sends_its_next_request_when_the_last_is_answered() -> None:
    clock, recorder = SimulatedClock(), LoadRecorder()

    drive(ClosedPace(100 * MS), clock, clock.taking(then=10), recorder, Histogram())

    latency = Histogram(recorder.take().latency)
    assert latency.count == 10
    assert latency.most == 10 * MS


def test_a_stall_is_one_value_of_a_closed_loop_and_many_of_an_open_one() -> None:
    """The server answers nothing for 50 ms, then each request in 1 ms; requests begin each 2 ms."""
    closed, open_ = LoadRecorder(), LoadRecorder()
    for recorder, pace in (
        (closed, ClosedPace(100 * MS)),
        (open_, OpenPace(0, 100 * MS, 2 * MS)),
    ):
        clock = SimulatedClock()
        drive(pace, clock, clock.taking(50, then=1), recorder, Histogram())

    assert Histogram(closed.take().latency).percentile(90) < 2 * MS
    latency = Histogram(open_.take().latency)
    assert latency.count == 50, "each request that should have begun was sent"
    assert latency.percentile(50) > 20 * MS, "those that had to wait count from their intended begin"


def test_what_is_never_sent_in_an_open_loop_is_counted() -> None:
    clock, recorder = SimulatedClock(), LoadRecorder()
    pace = OpenPace(0, 100 * MS, 1 * MS)

    drive(pace, clock, clock.taking(then=10), recorder, Histogram())

    assert Histogram(recorder.take().latency).count == 10
    assert pace.unsent(clock.now()) == 90


def test_an_open_loop_that_keeps_up_has_sent_everything() -> None:
    clock, pace = SimulatedClock(), OpenPace(0, 100 * MS, 5 * MS)

    drive(pace, clock, clock.taking(then=1), LoadRecorder(), Histogram())

    assert pace.unsent(clock.now()) == 0


def test_clients_of_a_node_share_the_requests_of_its_open_loop() -> None:
    pace = OpenPace(0, 10, 1)

    assert [pace.take(0) for _ in range(12)] == [*range(10), None, None]


def test_lateness_is_that_of_clients_that_had_nothing_to_do() -> None:
    idle, late = SimulatedClock(lateness=3 * MS), Histogram()
    drive(OpenPace(0, 100 * MS, 10 * MS), idle, idle.taking(then=1), LoadRecorder(), late)
    busy, none = SimulatedClock(), Histogram()
    drive(OpenPace(0, 100 * MS, 1 * MS), busy, busy.taking(then=10), LoadRecorder(), none)

    assert late.most == 3 * MS
    assert none.count == 0, "a client that was busy is not late by itself"


def test_a_client_that_failed_does_not_ask_in_a_busy_loop() -> None:
    clock, recorder = SimulatedClock(), LoadRecorder()

    drive(ClosedPace(10 * ERROR_PAUSE), clock, clock.taking(then=0, error="refused"), recorder, Histogram())

    assert recorder.take().errors == {"refused": 10}


def test_a_client_that_waits_ends_when_the_load_is_stopped() -> None:
    clock, recorder = SimulatedClock(stopped_at=30 * MS), LoadRecorder()

    drive(OpenPace(0, 100 * MS, 10 * MS), clock, clock.taking(then=1), recorder, Histogram())

    assert Histogram(recorder.take().latency).count == 3


def test_a_client_that_is_a_coroutine_works_the_same() -> None:
    clock, recorder = SimulatedClock(), LoadRecorder()
    threaded = LoadRecorder()

    class LoopClock:
        def now(self) -> int:
            return clock.now()

        async def wait_until(self, moment: int) -> bool:
            return clock.wait_until(moment)

    answer = clock.taking(50, then=1)

    async def request() -> str | None:
        return answer()

    asyncio.run(drive_async(OpenPace(0, 100 * MS, 2 * MS), LoopClock(), request, recorder, Histogram()))
    other = SimulatedClock()
    drive(OpenPace(0, 100 * MS, 2 * MS), other, other.taking(50, then=1), threaded, Histogram())

    assert recorder.take() == threaded.take()


def test_a_recorder_gives_away_what_it_has_once() -> None:
    recorder = LoadRecorder()
    recorder.note(5, None)
    recorder.note(5, "timeout")

    first, second = recorder.take(), recorder.take()

    assert (Histogram(first.latency).count, first.errors) == (1, {"timeout": 1})
    assert (Histogram(second.latency).count, second.errors) == (0, {})
