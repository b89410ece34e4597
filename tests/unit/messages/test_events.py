"""Each event of the catalogue is found by its name, survives the disk, and has a sentence."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from clusterlib.messages import events
from clusterlib.messages.effects import Effect
from clusterlib.messages.event import CATALOGUE, Event
from clusterlib.messages.events import (
    ClusterDirty,
    ClusterHealed,
    ClusterLoaded,
    ClusterReady,
    ClusterRestarting,
    ClusterScaling,
    ClusterStarting,
    ClusterStopped,
    ClusterStopping,
    FaultKill,
    HealResume,
    NodeKilled,
    NodeMoved,
    NodeRestartFailed,
    TurnEnded,
    TurnTaken,
)
from clusterlib.messages.happening import Happening, Unknown
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.states import NodeState
from clusterlib.messages.uses import LeaseEnd

SAMPLES: dict[str, Any] = {
    "str": "words",
    "int": 3,
    "float": 0.5,
    "bool": True,
    "NodeState": NodeState.PAUSED,
    "Effect": Effect.CHANGE,
    "LeaseEnd": LeaseEnd.LOST,
    "RecordedError": RecordedError(problem="no port"),
    "tuple[str, ...]": ("a", "b"),
    "Mapping[str, str]": {"node": "node1"},
    "Mapping[str, Any]": {"problem": "no port is free"},
}


def sample(kind: type[Happening]) -> Happening:
    """One with a value in every field."""
    return kind(**{one.name: SAMPLES[str(one.type).removesuffix(" | None")] for one in fields(kind)})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE)
def test_an_event_comes_back_from_disk_as_it_was(kind: type[Happening]) -> None:
    event = Event(3, "2026-01-01T00:00:00.000000Z", sample(kind))

    data = json.loads(json.dumps(event.to_dict()))

    assert Event.of(data) == event
    assert data["kind"] == kind.kind
    assert kind.__name__ in events.__all__


def test_what_there_need_not_be_is_left_out_and_what_there_must_be_is_there() -> None:
    assert Event(1, "t", NodeMoved("node1", NodeState.READY)).to_dict() == {
        "number": 1,
        "time": "t",
        "kind": "node.state",
        "node": "node1",
        "state": "ready",
    }
    assert Event(1, "t", TurnEnded("a", None)).to_dict()["dirty"] is None


@pytest.mark.parametrize(
    "data",
    [
        {"number": 3, "time": "t", "kind": "node.frozen", "node": "node1", "depth": 3},
        {"number": 3, "time": "t", "kind": "node.state", "node": "node1", "state": "limping"},
        {"number": 3, "time": "t", "kind": "node.reached", "node": "node1"},
    ],
)
def test_an_event_of_another_version_keeps_its_name_its_node_and_its_facts(data: dict[str, Any]) -> None:
    event = Event.of(data)

    assert isinstance(event.what, Unknown)
    assert (event.kind, event.node, event.sentence()) == (data["kind"], "node1", "")
    assert event.to_dict() == data


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": 3},
        {"kind": "cluster.stopped", "number": 9.5},
        {"time": 5, "kind": "cluster.ready", "seconds": "soon"},
        {"number": 1, "time": "t", "kind": "fault.kill", "node": "node1", "by": "", "signal": 9},
    ],
)
def test_what_was_read_is_given_back_as_it_was_however_odd_it_is(data: dict[str, Any]) -> None:
    assert Event.of(data).to_dict() == data


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (
            ClusterStarting("shop", "dev", 1, simulated=True),
            "starting cluster shop: 1 node, profile dev [SIMULATED]",
        ),
        (ClusterReady(0.204), "cluster is ready after 0.20 s"),
        (ClusterRestarting(("node1", "node2"), fresh=True), "restarting node1, node2 with no data"),
        (ClusterRestarting(tuple(map(str, range(9)))), "restarting 9 nodes"),
        (ClusterScaling(2, 3), "scaling from 2 to 3 nodes"),
        (ClusterLoaded(("shop",), ("cart",)), "new code runs: shop, cart is gone"),
        (ClusterDirty("node2 was killed"), "cluster is dirty: node2 was killed"),
        (ClusterHealed(0.016), "cluster is whole and clean again after 0.02 s"),
        (ClusterStopping("asked to"), "stopping: asked to"),
        (ClusterStopping("asked to", by="test_one"), "the cluster was taken down"),
        (ClusterStopped(), "cluster stopped"),
        (ClusterStopped(clean=False), "cluster stopped, but processes have survived"),
        (NodeMoved("node1", NodeState.READY, seconds=0.08), "node1 is ready after 0.08 s"),
        (NodeMoved("node1", NodeState.READY), "node1 is ready"),
        (NodeMoved("node1", NodeState.DEAD, "exited with code 1"), "node1 is dead: exited with code 1"),
        (NodeMoved("node1", NodeState.STARTING), ""),
        (NodeKilled("node1", "did not stop within 1 s"), "node1 had to be killed: did not stop within 1 s"),
        (NodeRestartFailed("node1", RecordedError(problem="no port")), "node1 did not start again: no port"),
        (FaultKill("node1"), "node1 was killed"),
        (HealResume("node1"), "node1 was resumed"),
        (TurnTaken("test_one", True), "test_one has the cluster alone"),
        (TurnTaken("test_two", False), "test_two shares the cluster"),
        (TurnEnded("test_one", None), "test_one is through with the cluster"),
        (TurnEnded("test_two", "it failed"), "test_two is through with the cluster: it failed"),
    ],
)
def test_what_people_read_is_a_sentence(what: Happening, sentence: str) -> None:
    assert Event(1, "t", what).sentence() == sentence


def test_what_was_done_on_purpose_says_what_somebody_did() -> None:
    assert FaultKill("node1").deed() == "killed node1"
    assert ClusterStopping("asked to").deed() == "took the cluster down"
    assert NodeKilled("node1", "did not stop").deed() == ""
