"""Questions about what a node does are answered whole, however many ask at the same time."""

from __future__ import annotations

import _thread
import asyncio
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clusterlib.client.observing import observed_activity
from clusterlib.runtime.observing import SIGNAL, allow_observing
from clusterlib.waiting import Deadline, poll

pytestmark = pytest.mark.skipif(SIGNAL is None, reason="this system has no such signal")


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Path]:
    """The folder of a node that this process is."""
    assert SIGNAL is not None
    before = signal.getsignal(SIGNAL)
    loop = asyncio.new_event_loop()
    allow_observing(str(tmp_path), loop)
    yield tmp_path
    signal.signal(SIGNAL, before)
    loop.close()


def wake() -> None:
    assert SIGNAL is not None
    signal.raise_signal(SIGNAL)


@contextmanager
def asked(folder: Path, name: str, text: str) -> Iterator[Path]:
    path = folder / f"{name}.question"
    with path.open("w+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(text)
        file.flush()
        yield path
        path.unlink()


def test_a_question_is_seen_only_when_it_is_locked_and_written(
    answering: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, write = fcntl.flock, os.write

    def flock(descriptor: int, operation: int) -> None:
        another_asks()
        lock(descriptor, operation)

    def writing(descriptor: int, data: bytes) -> int:
        another_asks()
        return write(descriptor, data)

    def another_asks() -> None:
        with monkeypatch.context() as at_once:  # answers before the other goes on
            at_once.setattr(_thread, "start_new_thread", lambda function, given: function(*given))
            at_once.setattr(fcntl, "flock", lock)
            at_once.setattr(os, "write", write)
            wake()

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(os, "write", writing)

    activity = observed_activity("node1", answering, wake, list)

    assert not activity.from_signal
    assert activity.threads
    assert poll(lambda: not list(answering.iterdir()), Deadline(10))


def test_a_question_that_cannot_be_read_is_not_begun_for_good(
    answering: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_thread, "start_new_thread", lambda function, given: function(*given))
    with asked(answering, "half", '{"sec') as question:
        wake()
        assert not question.with_suffix(".begun").exists()
        question.write_text("{}")
        wake()
        assert question.with_suffix(".answer").exists()


def test_two_questions_for_one_signal_do_not_wait_for_each_other(answering: Path) -> None:
    long = json.dumps({"seconds": 300, "rate": 10})
    with asked(answering, "one", long), asked(answering, "two", long):
        wake()

        assert poll(lambda: list(answering.glob("*.answer")), Deadline(20))
        (answer,) = answering.glob("*.answer")
        assert json.loads(answer.read_text()) == {"busy": True}
        answer.unlink()
    assert poll(lambda: not list(answering.iterdir()), Deadline(20))
