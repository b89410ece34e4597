"""From records and diaries to one story, however much of them is missing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.story import Story, duration
from clusterlib.evidence.telling import tell_story
from clusterlib.evidence.verdict import judge
from clusterlib.messages.event import Event
from tests.unit.evidence.stage import START, ToldRun, event, failed, looks, ran, read, record

STARTED = record(0, "run.started", argv=["pytest"], project="/shop")
UP = [
    event(0.1, "cluster.starting", nodes=2, profile="dev"),
    event(0.1, "node.state", node="node1", state="starting"),
    event(0.1, "node.state", node="node2", state="starting"),
    event(0.2, "node.state", node="node1", state="ready", seconds=0.1),
    event(0.2, "node.state", node="node2", state="ready", seconds=0.1),
    event(0.2, "cluster.ready", seconds=0.1),
]
KILLED = [
    event(1.5, "fault.kill", node="node2"),
    event(
        1.5, "node.state", node="node2", state="dead", exit="killed by SIGKILL", reason="killed by SIGKILL"
    ),
]
DOWN = [
    event(9, "node.state", node="node1", state="stopping"),
    event(9.1, "node.state", node="node1", state="stopped", exit="exited with code 0"),
    event(9.1, "cluster.stopped", clean=True),
]
OVER = record(9.2, "run.ended", exit_code=1)


def story(records: list[dict[str, Any]], *runs: ToldRun, alive: frozenset[str] = frozenset()) -> Story:
    records = sorted(records, key=lambda record: record["time"])
    return tell_story(Evidence(read(records), list(runs), alive))


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


def test_a_failure_knows_what_happened_before_it_and_what_the_nodes_said() -> None:
    lines = [
        (0.5, "node1", "before"),
        (1.6, "node1", "node2 is dead"),
        (1.7, "node3", "so it is"),
        (5, "node1", "after"),
    ]
    records = [
        STARTED,
        *ran(1, 1.8, outcome="failed", message="1 != 2", file="tests/test_a.py", line=7),
        OVER,
    ]
    told = story(records, ToldRun(events=[*UP, *KILLED, *DOWN], lines=lines))

    (failure,) = told.failures
    assert failure.did == "the test killed node2 300 ms before it failed"
    assert [line.text for said in failure.said for line in said.lines] == ["node2 is dead", "so it is"]
    assert failure.said[0].file == "clusters/pytest/run1/logs/node1.log"
    assert (failure.tested.file, failure.tested.line) == ("tests/test_a.py", 7)


def test_what_was_healed_before_the_test_is_not_its_cause() -> None:
    healed = [
        event(2, "node.state", node="node2", state="starting"),
        event(2.1, "node.state", node="node2", state="ready"),
    ]
    records = [STARTED, *ran(2.5, 3, outcome="failed"), OVER]
    told = story(records, ToldRun(events=[*UP, *KILLED, *healed, *DOWN]))

    assert told.failures[0].culprit is None
    assert told.failures[0].cause == ""


def test_what_was_healed_while_the_test_waited_for_its_cluster_is_not_its_cause() -> None:
    healed = [
        event(2, "node.state", node="node2", state="starting"),
        event(2.1, "node.state", node="node2", state="ready"),
        event(2.1, "cluster.healed", seconds=0.1),
    ]
    begun, ended = ran(2.2, 3, outcome="failed")
    asked = {**ended, "began": record(1.4, "")["time"], "served": begun["time"]}
    told = story([STARTED, begun, asked, OVER], ToldRun(events=[*UP, *KILLED, *healed, *DOWN]))

    (failure,) = told.failures
    assert (failure.culprit, failure.deed, failure.cause, failure.did) == (None, None, "", "")
    assert judge(told).sentence == "The only test failed."
    assert round(failure.tested.begin - START, 3) == 2.2, "it is told from when it had its cluster"
    assert round(failure.tested.waited, 3) == 0.8


def test_a_test_that_got_no_cluster_begins_when_that_was_known() -> None:
    begun, ended = ran(5, 5.1, outcome="error", cluster=None, run=None)
    told = story([STARTED, begun, {**ended, "began": STARTED["time"], "served": None}, OVER])

    assert (round(told.tests[0].begin - START, 3), told.tests[0].waited) == (5.0, 5.0)


def test_a_node_that_was_not_back_when_the_test_began_is_told_as_the_cause() -> None:
    told = story([STARTED, *ran(2.5, 3, outcome="failed"), OVER], ToldRun(events=[*UP, *KILLED, *DOWN]))

    assert told.failures[0].cause == "node2 was killed 1.0 s before it began, and was not back"


def test_what_a_test_did_itself_is_told_as_its_act_and_not_as_a_cause() -> None:
    turn = event(1, "turn.taken", holder="tests/test_a.py::test_it", exclusive=True)
    told = story([STARTED, *ran(1, 1.8, outcome="failed"), OVER], ToldRun(events=[*UP, turn, *KILLED, *DOWN]))

    (failure,) = told.failures
    assert (failure.cause, failure.did) == ("", "the test killed node2 300 ms before it failed")
    assert judge(told).sentence == "The only test failed."


def test_a_cluster_that_the_test_took_down_is_told_as_its_act() -> None:
    turn = event(1, "turn.taken", holder="tests/test_a.py::test_it", exclusive=True)
    asked = event(1.5, "cluster.stopping", reason="asked to", by="tests/test_a.py::test_it")
    gone = event(1.6, "cluster.stopped", clean=True)
    told = story([STARTED, *ran(1, 1.8, outcome="failed"), OVER], ToldRun(events=[*UP, turn, asked, gone]))

    (failure,) = told.failures
    assert (failure.cause, failure.did) == ("", "the test took the cluster down 300 ms before it failed")


def test_a_worker_is_no_other_test() -> None:
    turn = event(1, "turn.taken", holder="tests/test_a.py::test_it [gw1]", exclusive=True)
    records = ran(1, 1.8, outcome="failed", worker="gw1")
    told = story([STARTED, *records, OVER], ToldRun(events=[*UP, turn, *KILLED, *DOWN]))

    (failure,) = told.failures
    assert (failure.cause, failure.did) == ("", "the test killed node2 300 ms before it failed")


def test_what_another_did_meanwhile_is_told_as_the_cause() -> None:
    turn = event(1, "turn.taken", holder="tests/test_b.py::test_other", exclusive=True)
    told = story([STARTED, *ran(1, 1.8, outcome="failed"), OVER], ToldRun(events=[*UP, turn, *KILLED, *DOWN]))

    (failure,) = told.failures
    assert (failure.cause, failure.did) == ("node2 was killed 300 ms before it failed", "")


def test_what_went_wrong_with_the_cluster_as_a_whole_is_no_cause() -> None:
    events = [*UP, event(1.5, "state.not-saved", reason="the disk is full"), *DOWN]

    assert (
        story([STARTED, *ran(1, 2, outcome="failed"), OVER], ToldRun(events=events)).failures[0].cause == ""
    )


def test_a_crash_that_is_noticed_just_after_the_test_is_its_cause() -> None:
    crash = event(2.01, "node.state", node="node1", state="dead", reason="exited with code 3")
    told = story([STARTED, *ran(1, 2, outcome="failed"), OVER], ToldRun(events=[*UP, crash, *DOWN[2:]]))

    assert told.failures[0].cause == "node1 ended by itself as it failed"


def test_what_the_keeper_hears_a_moment_after_the_test_belongs_to_it_unless_another_test_has_begun() -> None:
    run = ToldRun(
        events=UP, lines=[(2.004, "node1", "during the first"), (2.02, "node1", "during the second")]
    )
    records = [STARTED, *ran(1, 2, "t::a", "failed"), *ran(2.01, 3, "t::b", "failed"), OVER]

    first, second = story(records, run).failures

    assert [line.text for line in first.said[0].lines] == ["during the first"]
    assert [line.text for line in second.said[0].lines] == ["during the second"]


def test_what_the_next_test_does_is_no_cause() -> None:
    fault = [event(2.05, "fault.kill", node="node2"), event(2.05, "node.state", node="node2", state="dead")]
    records = [STARTED, *ran(1, 2, "t::a", "failed"), *ran(2.04, 3, "t::b"), OVER]

    assert story(records, ToldRun(events=[*UP, *fault])).failures[0].culprit is None


def test_what_happened_to_another_cluster_is_no_cause() -> None:
    records = [STARTED, *ran(1, 1.8, outcome="failed", cluster="other", run="/x/other/run1"), OVER]

    assert story(records, ToldRun(events=[*UP, *KILLED, *DOWN])).failures[0].culprit is None


def test_the_remedies_of_an_error_that_failed_a_test_are_told() -> None:
    message = (
        "E   clusterlib.errors.NodeUnavailable: node2 is not running [node-unavailable]\n"
        "E     try: invoke cluster.restart node2"
    )
    told = story([STARTED, *ran(1, 2, outcome="error", message=message)])

    assert told.failures[0].remedies == ("invoke cluster.restart node2",)


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


def test_a_test_that_never_ended_was_running_when_the_run_was_killed() -> None:
    told = story([STARTED, *ran(1, 2, "t::a"), ran(3, 4, "t::b")[0]], ToldRun(events=UP))

    assert [test.outcome for test in told.tests] == [Outcome.PASSED, Outcome.CUT]
    assert told.killed
    assert judge(told).sentence == "The run was killed while a test was running."
    assert "was running when the run was killed" in told.tests[1].message


@pytest.mark.parametrize("code", [2, 7])
def test_a_test_that_was_running_when_its_run_was_interrupted_says_so(code: int) -> None:
    """As after Ctrl-C and `pytest.exit(returncode=7)`: the process records its end, and that of the test is missing."""
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


def test_the_nodes_of_a_run_that_was_killed_are_drawn_until_the_last_sign_of_it() -> None:
    told = story(
        [STARTED, *ran(1, 2, "t::a"), *ran(2, 6, "t::b", cluster="other", run="/x/other/run9")],
        ToldRun(events=UP),
    )

    assert spans(told, "node1")[-1] == ("ready", 0.2, 2.0)


def test_a_test_that_was_cut_ended_at_the_latest_with_its_cluster() -> None:
    records = [
        STARTED,
        ran(1, 2, "t::a", worker="gw0")[0],
        *ran(1, 30, "t::b", worker="gw1", cluster="other"),
        OVER,
    ]
    told = story(records, ToldRun(events=[*UP, *DOWN]))

    assert round(told.tests[0].end - START, 3) == 9.1


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
