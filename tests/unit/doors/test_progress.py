from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from clusterlib.doors.paint import Paint
from clusterlib.doors.progress import SHOWN_NODES, LinesProgress, LiveProgress, Picture
from clusterlib.messages.event import Event, now
from clusterlib.messages.events import (
    ClusterReady,
    ClusterRetrying,
    ClusterStarting,
    NodeMoved,
    NodeReached,
    NodeStarted,
)
from clusterlib.messages.states import NodeState

STORY = [
    Event(number, now(), what)
    for number, what in enumerate(
        (
            ClusterStarting("default", "dev", 2),
            NodeMoved("node1", NodeState.STARTING),
            NodeStarted("node1", 7),
            NodeReached("node1", "listening"),
            NodeMoved("node1", NodeState.READY, seconds=0.08),
            NodeMoved("node2", NodeState.DEAD, "exited with code 1"),
            ClusterReady(0.1),
        )
    )
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
        state = NodeState.READY if number < 95 else NodeState.STARTING
        picture.take(Event(number, now(), NodeMoved(f"node{number}", state)))

    assert [name for name, _ in picture.shown()] == [f"node{number}" for number in range(95, 100)]
    assert len(picture.shown()) <= SHOWN_NODES


def test_another_try_begins_with_a_clean_picture_and_says_why() -> None:
    picture = Picture()
    for event in STORY:
        picture.take(event)

    picture.take(Event(9, now(), ClusterRetrying(1, "a port was stolen")))

    assert picture.nodes == {}
    assert "a port was stolen" in picture.note


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
