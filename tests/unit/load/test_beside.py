from __future__ import annotations

from datetime import UTC, datetime

from clusterlib.load.beside import UsageLook, faults_of, usage_of
from clusterlib.messages.event import Event
from clusterlib.messages.events import FaultKill, FaultPause, HealResume, NodeMoved
from clusterlib.messages.happening import Happening
from clusterlib.messages.states import NodeState

BEGUN = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def at(second: int, what: Happening) -> Event:
    return Event(second, f"2026-01-31T12:00:{second:02d}.000000Z", what)


def test_a_fault_and_the_return_of_its_node_are_marked_once_each() -> None:
    events = [
        at(2, FaultKill("node2")),
        at(2, NodeMoved("node2", NodeState.DEAD, "killed by SIGKILL")),
        at(3, NodeMoved("node2", NodeState.STARTING)),
        at(4, NodeMoved("node2", NodeState.READY, seconds=0.5)),
    ]

    found = faults_of(events, BEGUN, 10)

    assert [(one.second, one.what) for one in found] == [
        (2, "node2 was killed"),
        (4, "node2 is ready after 0.50 s"),
    ]


def test_a_node_that_ends_by_itself_is_marked_with_the_reason() -> None:
    found = faults_of([at(1, NodeMoved("node1", NodeState.DEAD, "exit code 1"))], BEGUN, 10)

    assert [one.what for one in found] == ["node1 is dead: exit code 1"]


def test_what_happened_before_and_after_the_load_is_not_marked() -> None:
    events = [at(1, FaultPause("node1")), at(2, HealResume("node1")), at(50, FaultKill("node1"))]

    assert faults_of(events, BEGUN.replace(second=1, microsecond=1), 10) == ()


def test_usage_is_the_most_memory_and_the_average_of_processor_time() -> None:
    found = usage_of([UsageLook(10.0, 100, 5.0), UsageLook(11.0, 300, 5.5), UsageLook(12.0, 200, 6.0)])

    assert found is not None
    assert (found.memory, found.cpu) == (300, 0.5)


def test_a_restarted_node_counts_what_it_has_used_since_then() -> None:
    found = usage_of([UsageLook(10.0, 1, 50.0), UsageLook(11.0, 1, 0.25), UsageLook(12.0, 1, 0.5)])

    assert found is not None
    assert found.cpu == 0.25


def test_usage_needs_two_looks() -> None:
    assert usage_of([]) is None
    assert usage_of([UsageLook(10.0, 1, 1.0)]) is None
