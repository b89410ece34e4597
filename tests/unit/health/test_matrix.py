from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from clusterlib.errors import NodeUnavailable
from clusterlib.health.expectation import Expected
from clusterlib.health.matrix import COLUMNS, NodeHealth, ProcessUsage, Subject, examine
from clusterlib.messages.findings import CheckOutcome
from clusterlib.messages.states import NodeState

FINE = ProcessUsage(memory=10 * 2**20, cpu_percent=1.5)


@dataclass
class FakeTalk:
    """A conversation with a node that is well, but for what the test changes."""

    name: str
    sees: list[str]
    refuses: Exception | None = None
    unreachable: set[str] = field(default_factory=set)
    called: list[str] = field(default_factory=list)

    def ping(self, timeout: float | None = None) -> float:
        if self.refuses is not None:
            raise self.refuses
        return 0.0002

    def call(self, target: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        if target.endswith(":round_trip"):
            self.called.append(args[0])
            if args[0] in self.unreachable:
                raise NodeUnavailable(f"{args[0]} is not reachable")
            return 0.0004
        return self.name if target.endswith(":who_am_i") else 42

    def run(self, function: Callable[..., Any], /, *args: Any, timeout: float | None = None) -> Any:
        return function(*args)

    def members(self, timeout: float | None = None) -> list[str]:
        return self.sees


def node(name: str, everyone: list[str], *, state: NodeState = NodeState.READY, **changes: Any) -> Subject:
    facts: dict[str, Any] = {
        "role": "node",
        "reason": "",
        "pid": 100,
        "expected": None,
        "talk": FakeTalk(name, everyone),
        "serving": lambda seconds: None,
        "usage": lambda: FINE,
    }
    return Subject(name=name, state=state, **(facts | changes))


def by_name(found: list[NodeHealth]) -> dict[str, NodeHealth]:
    return {one.name: one for one in found}


def test_a_healthy_cluster_has_every_answer_from_every_node() -> None:
    names = ["node1", "node2", "node3"]

    found = examine([node(name, names) for name in names], 5)

    assert [one.name for one in found] == names
    assert all(one.healthy for one in found)
    assert {finding.outcome for one in found for finding in one.checks.values()} == {CheckOutcome.OK}
    assert all(list(one.checks) == [name for _, name in COLUMNS] for one in found)
    assert found[0].checks["ping"].evidence == "0.20 ms"
    assert found[0].checks["formed"].evidence == "3/3"


def test_nodes_call_each_other_in_a_ring_of_those_that_are_ready() -> None:
    names = ["node1", "node2", "node3"]
    talks = {name: FakeTalk(name, names) for name in names}
    subjects = [
        node(name, names, talk=talks[name], state=NodeState.DEAD if name == "node2" else NodeState.READY)
        for name in names
    ]

    examine(subjects, 5)

    assert talks["node1"].called == ["node3"]
    assert talks["node3"].called == ["node1"]


@pytest.mark.parametrize(("state", "verb"), [(NodeState.PAUSED, "resume"), (NodeState.DEAD, "restart")])
def test_those_who_miss_a_node_advise_what_its_own_row_advises(state: NodeState, verb: str) -> None:
    subjects = [node("node1", ["node1"]), node("node2", [], state=state)]

    found = by_name(examine(subjects, 5))

    assert found["node1"].checks["formed"].remedies == (f"invoke cluster.{verb} node2",)
    assert f"invoke cluster.{verb} node2" in found["node2"].checks["started"].remedies


def test_a_lonely_node_has_nobody_to_call() -> None:
    [found] = examine([node("node1", ["node1"])], 5)

    assert found.healthy
    assert found.checks["reach"].outcome is CheckOutcome.SKIPPED


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        (NodeState.PAUSED, "invoke cluster.resume node1 --name x"),
        (NodeState.DEAD, "invoke cluster.restart node1 --name x"),
    ],
)
def test_a_node_that_is_known_to_be_away_is_not_asked_but_told_about(state: NodeState, remedy: str) -> None:
    talk = FakeTalk("node1", [], refuses=AssertionError("it was asked"))

    [found] = examine([node("node1", ["node1"], state=state, talk=talk)], 5, "x")

    assert not found.healthy
    assert state in found.checks["started"].evidence
    assert remedy in found.checks["started"].remedies
    assert found.checks["rpc"].outcome is CheckOutcome.SKIPPED


def test_a_missing_member_is_named_by_each_that_does_not_see_it() -> None:
    found = by_name(examine([node("node1", ["node1"]), node("node2", ["node1", "node2"])], 5))

    assert not found["node1"].healthy
    assert "it does not see node2" in found["node1"].checks["formed"].evidence
    assert found["node2"].healthy


def test_a_wrong_cookie_is_told_from_a_node_that_does_not_answer() -> None:
    cookie = NodeUnavailable("node1 cannot be talked to", cause="its cookie differs from ours")
    silent = NodeUnavailable("node1 does not answer")

    [differs] = examine([node("node1", ["node1"], talk=FakeTalk("node1", [], refuses=cookie))], 5)
    [deaf] = examine([node("node1", ["node1"], talk=FakeTalk("node1", [], refuses=silent))], 5)

    assert differs.checks["cookie"].outcome is CheckOutcome.FAILED
    assert deaf.checks["ping"].outcome is CheckOutcome.FAILED
    assert deaf.checks["cookie"].outcome is CheckOutcome.SKIPPED


def test_a_node_that_cannot_reach_its_neighbour_says_which() -> None:
    names = ["node1", "node2"]
    cut = FakeTalk("node1", names, unreachable={"node2"})

    found = by_name(examine([node("node1", names, talk=cut), node("node2", names)], 5))

    assert "node2 does not answer it" in found["node1"].checks["reach"].evidence
    assert found["node2"].healthy


def test_a_process_stopped_from_outside_is_recognised_and_can_be_continued() -> None:
    silent = NodeUnavailable("node1 does not answer")
    stopped = ProcessUsage(memory=1, cpu_percent=0, stopped=True)

    [found] = examine(
        [node("node1", ["node1"], talk=FakeTalk("node1", [], refuses=silent), usage=lambda: stopped)], 5
    )

    assert found.checks["ping"].remedies == ("kill -CONT 100",)


def test_more_memory_than_the_profile_says_is_a_warning_that_names_its_origin() -> None:
    said = Expected(2**20, "nodes.memory: profile box (profiles/box.toml)")

    [found] = examine([node("node1", ["node1"], expected=said)], 5)

    assert found.healthy
    assert found.checks["memory"].outcome is CheckOutcome.WARNING
    assert found.checks["memory"].evidence == (
        "10 MiB, more than the 1 MiB of nodes.memory: profile box (profiles/box.toml)"
    )


@pytest.mark.parametrize(
    ("before", "now", "warned"),
    [(61, 61, False), (61, 122, False), (61, 123, True), (4, 20, False), (4, 21, True)],
)
def test_far_more_memory_than_in_earlier_runs_is_a_warning(before: int, now: int, warned: bool) -> None:
    measured = Expected(before * 2**20, "in the run of 2026-11-28 12:03 UTC", measured=True)
    usage = ProcessUsage(memory=now * 2**20, cpu_percent=0)

    [found] = examine([node("node1", ["node1"], expected=measured, usage=lambda: usage)], 5)

    assert (found.checks["memory"].outcome is CheckOutcome.WARNING) == warned
    if warned:
        told = f"{now} MiB, nodes of this profile took up to {before} MiB in the run of 2026-11-28 12:03 UTC"
        assert found.checks["memory"].evidence == told


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """An event that comes only when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_a_node_that_never_answers_does_not_hold_up_the_answer(never: threading.Event) -> None:
    class Stuck(FakeTalk):
        def ping(self, timeout: float | None = None) -> float:
            never.wait()
            return 1.0

    names = ["node1", "node2"]

    found = by_name(examine([node("node1", names, talk=Stuck("node1", names)), node("node2", names)], 0.6))

    assert found["node1"].checks["ping"].evidence == "no answer within 0.6 s"
    assert found["node2"].healthy


def test_whoever_may_have_no_more_threads_is_answered_one_node_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    everyone = ["node1", "node2"]

    assert all(health.healthy for health in examine([node(name, everyone) for name in everyone], 5.0))
