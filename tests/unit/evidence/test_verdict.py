"""A run in one sentence: the verdict, its cause, and the rest."""

from __future__ import annotations

from typing import Any

import pytest

from clusterlib.evidence.verdict import judge
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


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ([*ran(1, 2)], "The test passed."),
        ([*ran(1, 2), *ran(2, 3, "t::b")], "All 2 tests passed."),
        ([*ran(1, 2), *ran(2, 3, "t::b", "skipped")], "1 test passed, 1 skipped."),
        ([*ran(1, 2, outcome="skipped")], "The test was skipped."),
        ([*ran(1, 2, outcome="failed")], "The only test failed."),
        ([failed(1)], "No cluster started: no port is free."),
        (
            [*ran(1, 2, outcome="error", message="no cluster: no port is free [ports-exhausted]"), failed(2)],
            "The only test failed; 1 test got no cluster: no port is free.",
        ),
        ([record(1, "cluster.started", cluster="pytest", nodes=3)], "No test used a cluster."),
    ],
)
def test_the_verdict_is_one_sentence(records: list[dict[str, Any]], sentence: str) -> None:
    assert judge(story([STARTED, *records, record(9.2, "run.ended", exit_code=0)])).sentence == sentence


@pytest.mark.parametrize("going", [True, False])
def test_a_headline_takes_two_lines_of_a_phone_at_most(going: bool) -> None:
    many = [
        entry
        for number in range(1200)
        for entry in ran(1, 2, f"tests/test_a.py::test_{'long_' * 30}{number}", "failed")
    ]
    cut = [record(3, "test.started", test=f"t::{number}") for number in range(1200)]
    ends = [OVER, {**OVER, "exit_code": 0}]
    stories = [[*many, *cut], [*many, failed(3, "p" * 200)], cut, many, [failed(3, "p" * 200)], []]
    for records in stories:
        for end in [[], *([one] for one in ends)]:
            told = story([STARTED, *records, *end], alive=frozenset({"main"} if going else ()))
            assert len(judge(told).headline) <= 54, judge(told).headline


def test_what_else_there_was_begins_like_a_sentence() -> None:
    besides = judge(story([STARTED, failed(1, tests=2), OVER])).besides

    assert besides.startswith("One problem outside of tests; ")


def test_the_verdict_names_the_first_crash_that_met_a_failing_test() -> None:
    crash = event(1.5, "node.state", node="node2", state="dead", reason="exited with code 3")
    run = ToldRun(events=[*UP, crash, *DOWN])
    one = judge(story([STARTED, *ran(1, 1.8, outcome="failed"), *ran(2, 3, "t::b"), OVER], run))
    several = [*ran(0.8, 0.9, "t::a", "failed"), *ran(1, 1.8, f"t::{'b' * 99}", "failed")]
    first = judge(story([STARTED, *several, OVER], run))

    assert one.sentence == (
        "1 of 2 tests failed; node2 of cluster pytest ended by itself 300 ms before it failed."
    )
    assert one.tone == "bad"
    assert first.headline == "2 of 2 tests failed"
    cause = f"node2 of cluster pytest ended by itself 300 ms before {'b' * 57}... failed"
    assert first.because == cause
