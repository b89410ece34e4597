"""The events of a cluster, for several readers of one follower."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from clusterlib.operations import run_events
from clusterlib.operations.run_events import MOST_KEPT, RunEvents
from clusterlib.rundir.folders import HOME, RunFolder, runs_of
from clusterlib.waiting import Deadline, poll

FIRST = "20260101-000000.000000-aaaa"
SECOND = "20260102-000000.000000-bbbb"


def write_run(project: Path, run: str, count: int) -> None:
    folder = project / HOME / "default" / run
    folder.mkdir(parents=True)
    event = {"time": "2026-01-01T00:00:00.000Z", "kind": "note"}
    lines = [json.dumps({"number": number, **event}) for number in range(1, count + 1)]
    RunFolder(folder).events.write_text("".join(f"{line}\n" for line in lines))


@contextmanager
def following(project: Path) -> Iterator[RunEvents]:
    events = RunEvents(project, "default", lambda: None)
    try:
        yield events
    finally:
        events.close()


def test_a_second_reader_gets_the_run_from_its_first_event(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, MOST_KEPT + 50)

    with following(tmp_path) as events:
        last = run_events.EventPlace(FIRST, MOST_KEPT + 49)
        assert poll(lambda: bool(events.after(last)) and events.after(last)[-1], Deadline(30))
        found = events.after(events.beginning())

    assert [one.place.number for one in found] == [*range(1, MOST_KEPT + 51)]


def test_a_reader_that_comes_after_a_restart_begins_with_the_present_run(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, 3)

    with following(tmp_path) as events:
        write_run(tmp_path, SECOND, 2)
        found = poll(lambda: events.after(events.beginning()), Deadline(30))

    assert {one.place.run for one in found} == {SECOND}


def test_it_goes_on_after_a_folder_could_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def without_descriptors(project: Path, name: str) -> Sequence[RunFolder]:
        if threading.current_thread().name.startswith("events of") and not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, "too many open files")
        return runs_of(project, name)

    monkeypatch.setattr(run_events, "runs_of", without_descriptors)
    with following(tmp_path) as events:
        beginning = events.beginning()
        assert failed.wait(30)
        write_run(tmp_path, FIRST, 2)
        found = poll(lambda: events.after(beginning), Deadline(30))

    assert [one.place.number for one in found] == [1, 2]
