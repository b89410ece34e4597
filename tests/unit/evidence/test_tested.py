"""How tests ended, including those whose end could not be recorded."""

from __future__ import annotations

import pytest

from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.verdict import judge
from tests.unit.evidence.stage import (
    DOWN,
    OVER,
    START,
    STARTED,
    UP,
    ToldRun,
    ran,
    record,
    story,
)


def test_a_test_that_never_ended_was_running_when_the_run_was_killed() -> None:
    told = story([STARTED, *ran(1, 2, "t::a"), ran(3, 4, "t::b")[0]], ToldRun(events=UP))

    assert [test.outcome for test in told.tests] == [Outcome.PASSED, Outcome.CUT]
    assert told.killed
    assert judge(told).sentence == "The run was killed while a test was running."
    assert "was running when the run was killed" in told.tests[1].message


@pytest.mark.parametrize("code", [2, 7])
def test_a_test_that_was_running_when_its_run_was_interrupted_says_so(code: int) -> None:
    """As after Ctrl-C and `pytest.exit(returncode=7)`: the process records its end, and that of the
    test is missing."""
    records = [STARTED, *ran(1, 2, "t::a"), ran(3, 4, "t::b")[0], {**OVER, "exit_code": code}]
    told = story(records)

    assert told.tests[1].outcome is Outcome.CUT
    assert told.tests[1].message == "It was running when the run was interrupted."
    assert judge(told).sentence == "The run was interrupted while a test was running."
    failing = story([*records, *ran(2, 2.5, "t::c", "failed")])
    assert judge(failing).sentence == (
        "1 of 3 tests failed; the run was interrupted while a test was running."
    )


def test_a_run_that_was_interrupted_outside_of_its_tests_says_so() -> None:
    told = story([STARTED, *ran(1, 2, "t::a"), {**OVER, "exit_code": 2}])

    assert judge(told).sentence == "The test passed; the run was interrupted."


def test_a_test_of_a_run_that_goes_on_is_running() -> None:
    told = story([STARTED, *ran(1, 2, "t::a"), ran(3, 4, "t::b")[0]], alive=frozenset({"main"}))

    assert told.tests[1].outcome is Outcome.RUNNING
    assert told.going
    assert not told.killed
    assert not told.failures


def test_a_worker_that_crashed_is_told_from_one_that_lives() -> None:
    records = [STARTED, ran(1, 2, "t::a", worker="gw0")[0], ran(1, 2, "t::b", worker="gw1")[0]]
    told = story(records, alive=frozenset({"main", "gw1"}))

    assert {test.test: test.outcome for test in told.tests} == {"t::a": Outcome.CUT, "t::b": Outcome.RUNNING}
    assert told.tests[0].message == "It was running when its worker gw0 ended."


def test_who_leads_a_run_tells_how_it_ended_whichever_worker_began_first() -> None:
    records = [
        record(0, "run.started", worker="gw0", argv=["-c"]),
        record(0.1, "run.started", argv=["pytest", "-n2"]),
        record(0.2, "run.started", worker="gw1", argv=["-c"]),
        *ran(1, 2, "t::a", "failed", worker="gw1"),
        record(1, "test.started", worker="gw0", test="t::b", file="t.py", line=7),
        record(3, "run.ended", worker="gw1", exit_code=0),
        OVER,
    ]

    told = story(records)

    assert (told.killed, told.exit_code, told.command) == (False, 1, ("pytest", "-n2"))
    assert judge(told).sentence == "1 of 2 tests failed; a worker ended while a test was running."
    (cut,) = [test for test in told.tests if test.outcome is Outcome.CUT]
    assert (cut.file, cut.line) == ("t.py", 7)


def test_the_end_of_a_test_whose_worker_crashed_may_be_told_by_another() -> None:
    begun, ended = ran(1, 2, "t::a", "failed", worker="gw0", message="worker 'gw0' crashed")
    told = story([STARTED, begun, {**ended, "worker": "main", "began": None}, OVER])

    (test,) = told.tests
    assert (test.outcome, test.worker, test.message) == (Outcome.FAILED, "gw0", "worker 'gw0' crashed")


def test_an_attempt_that_was_run_again_is_no_failure_the_last_one_counts() -> None:
    attempts = [*ran(1, 2, "t::a", "failed", message="no"), *ran(2, 3, "t::a", "error"), *ran(3, 4, "t::a")]
    told = story([STARTED, *attempts, *ran(4, 5, "t::b"), {**OVER, "exit_code": 0}])

    assert [str(test.outcome) for test in told.tests] == ["rerun", "rerun", "passed", "passed"]
    assert not told.failures
    assert (told.total, told.failed) == (2, 0)
    assert judge(told).sentence == "All 2 tests passed."
    assert judge(told).tone == "good"


def test_the_last_attempt_may_fail_and_other_workers_run_for_themselves() -> None:
    told = story(
        [
            STARTED,
            *ran(1, 2, "t::a", "failed", worker="gw0"),
            *ran(2, 3, "t::a", "failed", worker="gw0"),
            *ran(2, 3, "t::a", worker="gw1"),
            OVER,
        ]
    )

    assert [str(test.outcome) for test in told.tests] == ["rerun", "failed", "passed"]
    assert judge(told).sentence == "1 of 2 tests failed."


def test_a_test_that_was_cut_ended_at_the_latest_with_its_cluster() -> None:
    records = [
        STARTED,
        ran(1, 2, "t::a", worker="gw0")[0],
        *ran(1, 30, "t::b", worker="gw1", cluster="other"),
        OVER,
    ]
    told = story(records, ToldRun(events=[*UP, *DOWN]))

    assert round(told.tests[0].end - START, 3) == 9.1
