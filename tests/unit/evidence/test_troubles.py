"""What went wrong outside of tests is listed once, with what explains it."""

from __future__ import annotations

from clusterlib.evidence.verdict import judge
from clusterlib.messages.event import Event
from tests.unit.evidence.stage import (
    DOWN,
    OVER,
    STARTED,
    UP,
    ToldRun,
    event,
    failed,
    ran,
    record,
    story,
)


def test_a_start_that_failed_is_told_once_with_its_cost() -> None:
    skipped = [
        entry
        for number in range(4)
        for entry in ran(
            2 + number,
            2 + number,
            f"t::{number}",
            "skipped",
            cluster=None,
            run=None,
            message="no port is free [..]",
        )
    ]
    told = story([STARTED, failed(1), failed(1.5), *skipped, OVER])

    (trouble,) = told.troubles
    assert (trouble.attempts, trouble.tests, trouble.code) == (2, 4, "ports-exhausted")
    assert trouble.remedies == ("ss -ltnp",)
    assert trouble.where == "a cluster of profile dev, 3 nodes"


def test_a_node_that_ended_by_itself_is_a_trouble_with_its_last_words() -> None:
    crash = event(2, "node.state", node="node1", state="dead", reason="exited with code 3")
    run = ToldRun(events=[*UP, crash, *DOWN[2:]], lines=[(1.9, "node1", "RuntimeError: the shelf broke")])

    (trouble,) = story([STARTED, OVER], run).troubles

    assert trouble.problem == "node1 ended by itself: exited with code 3"
    assert trouble.evidence == ("RuntimeError: the shelf broke",)


def test_a_node_that_a_signal_ended_is_not_said_to_have_ended_by_itself() -> None:
    crash = event(1.5, "node.state", node="node2", state="dead", reason="killed by SIGKILL")
    told = story([STARTED, *ran(1, 1.8, outcome="failed"), OVER], ToldRun(events=[*UP, crash, *DOWN]))

    assert judge(told).sentence == (
        "The only test failed; node2 of cluster pytest died unexpectedly (SIGKILL) 300 ms before it failed."
    )
    assert [trouble.problem for trouble in told.troubles] == ["node2 died unexpectedly (SIGKILL)"]


def test_the_last_words_of_a_node_are_of_the_test_that_ran_and_of_its_last_start() -> None:
    crash = event(5, "node.state", node="node1", state="dead", reason="exited with code 3")
    lines = [
        (1.4, "node1", "node2 is dead: its process is gone"),
        (3.2, "node1", "a line before it was started again"),
        (4.5, "node1", "RuntimeError: the shelf broke"),
    ]
    again = event(4, "node.state", node="node1", state="starting")
    records = [STARTED, *ran(1, 1.8, "t::a"), *ran(3, 5.5, "t::b"), OVER]

    def evidence(*events: Event) -> tuple[str, ...]:
        (trouble,) = story(records, ToldRun(events=[*UP, *events, *DOWN[2:]], lines=lines)).troubles
        return trouble.evidence

    assert evidence(crash) == ("a line before it was started again", "RuntimeError: the shelf broke")
    assert evidence(again, crash) == ("RuntimeError: the shelf broke",)
    between = event(1.9, "node.state", node="node1", state="dead", reason="exited with code 3")
    assert evidence(between) == ("node2 is dead: its process is gone",), "of the test that had just ended"


def test_what_was_left_behind_and_what_preflight_refused_are_troubles() -> None:
    error = {"code": "left-behind", "problem": "2 processes survived", "remedies": ["invoke cluster.clean"]}
    finding = {"name": "memory", "outcome": "failed", "evidence": "8 MiB are free", "remedies": ["free -m"]}
    records = [
        record(1, "preflight", profile="dev", findings=[finding, {"name": "x", "outcome": "ok"}]),
        record(1, "preflight", profile="ci", findings=[finding]),
        record(8, "cluster.ended", cluster="pytest", run="/r", seconds=1, error=error),
    ]

    assert [(trouble.code, trouble.problem) for trouble in story([STARTED, *records]).troubles] == [
        ("memory", "8 MiB are free"),
        ("left-behind", "2 processes survived"),
    ]
