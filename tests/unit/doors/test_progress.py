from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from clusterlib.doors.paint import Paint
from clusterlib.doors.progress import SHOWN_NODES, LinesProgress, LiveProgress, Picture, sentence

STORY: list[dict[str, Any]] = [
    {"kind": "cluster.starting", "name": "default", "profile": "dev", "simulated": False, "nodes": 2},
    {"kind": "node.state", "node": "node1", "state": "starting"},
    {"kind": "node.started", "node": "node1", "pid": 7},
    {"kind": "node.reached", "node": "node1", "rung": "listening"},
    {"kind": "node.state", "node": "node1", "state": "ready", "seconds": 0.08},
    {"kind": "node.state", "node": "node2", "state": "dead", "reason": "exited with code 1"},
    {"kind": "cluster.ready", "seconds": 0.1, "simulated": False},
]


def test_in_ci_the_story_is_told_in_lines() -> None:
    lines: list[str] = []
    progress = LinesProgress(lines.append, Paint(False))

    for event in STORY:
        progress(event)
    progress.close()

    assert lines == [
        "starting cluster default: 2 nodes, profile dev",
        "node1 is ready after 0.08 s",
        "node2 is dead: exited with code 1",
    ]


def test_the_picture_keeps_state_step_and_reason_of_every_node() -> None:
    picture = Picture()

    for event in STORY:
        picture.take(event)

    assert picture.ready == 1
    assert picture.nodes["node1"].step == "listening"
    assert picture.nodes["node2"].reason == "exited with code 1"


def test_of_many_nodes_only_those_not_ready_yet_are_shown() -> None:
    picture = Picture()
    for number in range(100):
        state = "ready" if number < 95 else "starting"
        picture.take({"kind": "node.state", "node": f"node{number}", "state": state})

    assert [name for name, _ in picture.shown()] == [f"node{number}" for number in range(95, 100)]
    assert len(picture.shown()) <= SHOWN_NODES


def test_another_try_begins_with_a_clean_picture_and_says_why() -> None:
    picture = Picture()
    for event in STORY:
        picture.take(event)

    picture.take({"kind": "cluster.retrying", "attempt": 1, "reason": "a port was stolen"})

    assert picture.nodes == {}
    assert "a port was stolen" in picture.note


def test_a_simulated_cluster_says_so_from_the_first_line() -> None:
    assert "[SIMULATED]" in sentence({**STORY[0], "simulated": True})


def test_live_progress_leaves_the_screen_as_it_was(seen: Callable[..., Any]) -> None:
    stream = seen(terminal=True).err
    progress = LiveProgress(stream, Paint(False))

    for event in STORY:
        progress(event)
    progress.close()
    progress.close()

    drawn = stream.getvalue()
    assert "node1" in drawn
    assert "\x1b[2m" not in drawn, "neither is anything dim without colours"
    assert drawn.rstrip().endswith("\x1b[2K")  # the last thing done is to clear the last line


def test_progress_without_events_draws_nothing() -> None:
    stream = io.StringIO()

    LiveProgress(stream, Paint(False)).close()

    assert stream.getvalue() == ""


def test_turns_and_dirt_are_told_in_sentences() -> None:
    told: list[dict[str, Any]] = [
        {"kind": "turn.taken", "holder": "test_one", "exclusive": True},
        {"kind": "turn.taken", "holder": "test_two", "exclusive": False},
        {"kind": "cluster.dirty", "reason": "node2 was killed"},
        {"kind": "turn.ended", "holder": "test_one", "dirty": None},
        {"kind": "turn.ended", "holder": "test_two", "dirty": "it failed in the middle"},
        {"kind": "cluster.healed", "seconds": 0.016},
    ]

    assert [sentence(event) for event in told] == [
        "test_one has the cluster alone",
        "test_two shares the cluster",
        "cluster is dirty: node2 was killed",
        "test_one is through with the cluster",
        "test_two is through with the cluster: it failed in the middle",
        "cluster is whole and clean again after 0.02 s",
    ]
