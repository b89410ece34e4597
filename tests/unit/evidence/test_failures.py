"""What may explain a failed test: what others did, what broke, and what the nodes printed."""

from __future__ import annotations

from clusterlib.evidence.verdict import judge
from tests.unit.evidence.stage import (
    DOWN,
    KILLED,
    OVER,
    START,
    STARTED,
    UP,
    ToldRun,
    event,
    ran,
    record,
    story,
)


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
