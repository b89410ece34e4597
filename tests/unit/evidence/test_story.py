"""From records and diaries to one story, however much of them is missing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from clusterlib.evidence.story import Story, duration
from clusterlib.evidence.verdict import judge
from clusterlib.messages.event import Event
from tests.unit.evidence.stage import (
    DOWN,
    KILLED,
    OVER,
    START,
    STARTED,
    UP,
    ToldRun,
    event,
    failed,
    looks,
    ran,
    record,
    story,
)


def spans(told: Story, node: str) -> list[tuple[str, float, float]]:
    (lane,) = [lane for lane in told.lanes if lane.node == node]
    return [(span.state, round(span.begin - START, 3), round(span.end - START, 3)) for span in lane.spans]


def test_a_node_has_a_span_for_each_state() -> None:
    told = story([STARTED, OVER], ToldRun(events=[*UP, *KILLED, *DOWN]))

    assert spans(told, "node1") == [("starting", 0.1, 0.2), ("ready", 0.2, 9.0), ("stopping", 9.0, 9.1)]
    assert spans(told, "node2") == [("starting", 0.1, 0.2), ("ready", 0.2, 1.5), ("dead", 1.5, 9.1)]


def test_a_second_start_is_a_restart_and_an_unknown_state_is_unhealthy() -> None:
    again = [
        event(2, "node.state", node="node2", state="starting"),
        event(2.1, "node.state", node="node2", state="ready"),
        event(3, "node.state", node="node2", state="limping"),
    ]
    told = story([STARTED, OVER], ToldRun(events=[*UP, *KILLED, *again, *DOWN]))

    assert [state for state, _, _ in spans(told, "node2")] == [
        "starting",
        "ready",
        "dead",
        "restarting",
        "ready",
        "unhealthy",
    ]


def test_a_waiting_node_is_restarting_and_one_given_up_is_dead() -> None:
    crash = [
        event(1, "node.state", node="node1", state="dead", reason="exited with code 1"),
        event(1, "node.restarting", node="node1", reason="exited with code 1", after=0.1),
        event(2, "node.abandoned", node="node1", reason="too many restarts"),
    ]
    told = story([STARTED, OVER], ToldRun(events=[*UP, *crash, *DOWN[2:]]))

    assert spans(told, "node1")[2:] == [("dead", 1.0, 1.0), ("restarting", 1.0, 2.0), ("dead", 2.0, 9.1)]
    assert [mark.label for mark in told.marks] == ["node1 ended by itself", "node1 was given up"]


def test_a_fault_is_a_mark_and_no_crash() -> None:
    told = story([STARTED, OVER], ToldRun(events=[*UP, *KILLED, *DOWN]))

    assert [(mark.kind, mark.label) for mark in told.marks] == [("kill", "node2 was killed")]
    assert told.troubles == ()


def test_faults_to_come_are_marks_too() -> None:
    events = [*UP, event(1, "fault.partition", node="node1"), event(2, "heal.partition", node="node1")]

    assert [mark.kind for mark in story([STARTED], ToldRun(events=events)).marks] == ["fault", "heal"]


def test_the_nodes_of_a_run_that_was_killed_are_drawn_until_the_last_sign_of_it() -> None:
    told = story(
        [STARTED, *ran(1, 2, "t::a"), *ran(2, 6, "t::b", cluster="other", run="/x/other/run9")],
        ToldRun(events=UP),
    )

    assert spans(told, "node1")[-1] == ("ready", 0.2, 2.0)


def test_two_runs_of_a_cluster_share_its_lanes() -> None:
    first, second = ToldRun(name="run1", events=[*UP, *DOWN]), ToldRun(name="run2", events=[*UP])
    told = story([STARTED], first, second)

    assert len(told.lanes) == 2
    assert len(told.clusters) == 1
    assert told.clusters[0].folders == ("clusters/pytest/run1", "clusters/pytest/run2")


def test_clusters_tell_what_they_gave_and_took() -> None:
    mib = 2**20
    samples: list[dict[str, Any]] = [
        {
            "time": event(1, "").time,
            "nodes": {"node1": {"memory": 10 * mib, "cpu": 0.5}, "node2": {"memory": 9 * mib, "cpu": 0.1}},
        },
        {
            "time": event(2, "").time,
            "nodes": {"node1": {"memory": 12 * mib, "cpu": 1.0}, "node2": {"memory": 9 * mib, "cpu": 0.05}},
        },
        {"time": "nonsense", "nodes": 3},
    ]
    records = [
        STARTED,
        record(
            0.2,
            "cluster.started",
            cluster="pytest",
            run="/r/run1",
            profile="dev",
            nodes=2,
            seconds=0.12,
            how="started",
            simulated=False,
        ),
        *ran(1, 2, "t::a"),
        *ran(2, 3, "t::b", "failed"),
        record(4, "cluster.healed", cluster="pytest", run="/r/run1", how="healed", seconds=0.1, reason="x"),
        record(5, "cluster.healed", cluster="pytest", run="/r/run1", how="scaled", seconds=0.1, reason="y"),
        OVER,
    ]
    told = story(records, ToldRun(events=[*UP, *DOWN], samples=looks(samples)))

    (served,) = told.clusters
    assert (served.nodes, served.start_seconds, served.tests, served.failed, served.healed) == (
        2,
        0.12,
        2,
        1,
        1,
    )
    assert served.peak_memory == 21 * mib
    assert served.cpu_seconds == pytest.approx(1.0 + 0.15), "a restart counts from nothing again"


def test_nothing_at_all_is_a_story_too() -> None:
    told = story([])

    assert judge(told).sentence == "Nothing is known of this run."
    assert told.tests == ()


def test_whatever_is_missing_or_odd_in_the_records_the_story_is_told() -> None:
    """Each record loses or garbles each of its facts in turn."""
    chance = random.Random(7)
    explained = {
        "sources": [{"file": "f", "lines": ["x"]}, 3, {}],
        "remotes": [{"node": "n"}],
        "traceback": "t",
    }
    whole = [
        STARTED,
        failed(1),
        *ran(1, 2, outcome="failed", message="m", file="f", line=3, explained=explained),
        OVER,
    ]
    whole.append(record(3, "preflight", profile="dev", findings=[{"name": "x", "outcome": "failed"}]))
    whole.append(record(3, "health", cluster="pytest", run="/r", nodes=[{"node": "n", "checks": []}]))
    whole.append(
        record(0.2, "cluster.started", cluster="pytest", run="/r/run1", profile="dev", nodes=2, seconds=0.1)
    )
    odd: list[Any] = [None, 7, "text", [], {}, [None], {"a": 1}, True]
    for _ in range(300):
        records = []
        for entry in whole:
            changed = dict(entry)
            for key in entry:
                if key not in {"time", "kind", "worker"} and chance.random() < 0.3:
                    changed[key] = chance.choice(odd)
            records.append(changed)
        events = [
            Event.of({**entry.to_dict(), **({"node": chance.choice(odd)} if chance.random() < 0.2 else {})})
            for entry in [*UP, *KILLED, *DOWN]
        ]
        judge(story(records, ToldRun(events=events)))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.0123, "12 ms"),
        (0.96, "1.0 s"),
        (3.14, "3.1 s"),
        (59, "59 s"),
        (600, "10 min"),
        (9000, "2.5 h"),
        (-1, "0.0 ms"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
