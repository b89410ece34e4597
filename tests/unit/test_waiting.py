from __future__ import annotations

import asyncio
import itertools

from clusterlib.waiting import Deadline, backoff, poll, poll_async


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
