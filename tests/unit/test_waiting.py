from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from clusterlib.waiting import Deadline, backoff, poll, poll_async, wait_readable

SECONDS = 30.0


def test_backoff_grows_to_its_ceiling_and_stays_there() -> None:
    assert list(itertools.islice(backoff(1, 2, 5), 5)) == [1, 2, 4, 5, 5]


def test_poll_gives_back_the_first_true_answer() -> None:
    answers = iter([None, 0, "", "there"])

    assert poll(lambda: next(answers), Deadline(5)) == "there"


def test_poll_gives_back_the_last_false_answer_when_the_deadline_passes() -> None:
    assert poll(list, Deadline(0.01)) == []


def test_poll_asks_at_least_once_even_when_the_deadline_has_passed() -> None:
    assert poll(lambda: "now", Deadline(0)) == "now"


def test_poll_async_gives_back_the_first_true_answer() -> None:
    answers = iter([False, True])

    assert asyncio.run(poll_async(lambda: next(answers), Deadline(5)))


def test_a_deadline_knows_what_is_left_and_never_less_than_nothing() -> None:
    assert 0 < Deadline(60).left <= 60
    assert Deadline(0).left == 0
    assert Deadline(0).passed


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def _signal_another_thread(number: int) -> threading.Thread:
    """Noted by the interpreter, but it does not interrupt a blocking call of the main thread."""
    thread = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number))
    thread.start()
    return thread


def test_what_can_be_read_ends_the_wait(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"!")

    assert wait_readable(pipe[0])


def test_a_wait_that_nothing_ends_is_over_at_its_time(pipe: tuple[int, int]) -> None:
    assert not wait_readable(pipe[0], 0.01)


def test_another_thread_can_wait_too(pipe: tuple[int, int]) -> None:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(wait_readable(pipe[0], SECONDS)))
    thread.start()
    os.write(pipe[1], b"!")
    thread.join(SECONDS)

    assert answers == [True]


def test_a_handler_runs_while_its_signal_does_not_interrupt_the_wait(pipe: tuple[int, int]) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: os.write(pipe[1], b"!"))
    try:
        thread = _signal_another_thread(signal.SIGUSR1)
        assert wait_readable(pipe[0], SECONDS)
        thread.join(SECONDS)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_that_raises_ends_the_wait(pipe: tuple[int, int]) -> None:
    def end(*_: object) -> None:
        raise InterruptedError

    def wait() -> None:
        _signal_another_thread(signal.SIGUSR1)
        wait_readable(pipe[0], SECONDS)

    before = signal.signal(signal.SIGUSR1, end)
    try:
        with pytest.raises(InterruptedError):
            wait()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert signal.set_wakeup_fd(-1) == -1


def test_an_event_loop_that_listens_for_signals_hears_of_those_that_came_meanwhile(
    pipe: tuple[int, int],
) -> None:
    heard: list[int] = []

    async def wait_within_a_loop() -> None:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()

        def hear() -> None:
            heard.append(1)
            came.set()

        loop.add_signal_handler(signal.SIGUSR1, hear)
        thread = _signal_another_thread(signal.SIGUSR1)
        wait_readable(pipe[0], 0.2)
        thread.join(SECONDS)
        await asyncio.wait_for(came.wait(), SECONDS)
        loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(wait_within_a_loop())

    assert heard == [1]
