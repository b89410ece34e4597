from __future__ import annotations

import resource
from pathlib import Path

from clusterlib.keeper.event_log import EventLog
from clusterlib.messages.event import Event
from clusterlib.messages.events import ClusterDirty, NodeStarted
from clusterlib.rundir.event_files import read_events


def test_events_are_on_disk_as_soon_as_they_are_told(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")

    log.tell(NodeStarted("node1", 7))

    (event,) = read_events(tmp_path / "events.jsonl")
    assert (event.number, event.kind, event.node) == (1, "node.started", "node1")
    log.close()


def test_watchers_hear_events_until_they_stop_watching(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    heard: list[Event] = []
    stop = log.watch(heard.append)

    log.tell(ClusterDirty("one"))
    stop()
    stop()
    log.tell(ClusterDirty("two"))

    assert [event.what.detail() for event in heard] == ["one"]
    log.close()


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.tell(ClusterDirty("whole"))
    log.close()
    with path.open("a") as file:
        file.write('{"number": 2, "ki')

    assert [event.what.detail() for event in read_events(path)] == ["whole"]


def test_a_diary_that_cannot_be_written_costs_lines_not_the_cluster() -> None:
    log = EventLog(Path("/dev/full"))

    log.tell(ClusterDirty("lost"))

    assert log.lost == 1
    assert [event.what.detail() for event in log.recent] == ["lost"]
    log.close()


def test_no_events_are_read_where_there_are_none(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "nothing.jsonl")) == []


def test_a_line_that_a_full_disk_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    log.tell(ClusterDirty("whole"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, usual[1]))
    try:
        log.tell(ClusterDirty("cut"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    log.tell(ClusterDirty("after"))
    log.close()

    assert log.lost == 1
    assert [event.what.detail() for event in read_events(path)] == ["whole", "after"]
