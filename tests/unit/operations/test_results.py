from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path

import pytest

from clusterlib.health.findings import ok
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView, TurnView

STATUS = {
    "name": "default",
    "identifier": "abc",
    "project": "/project",
    "profile": "dev",
    "driver": "python",
    "simulated": False,
    "state": "ready",
    "held": False,
    "fingerprint": "f",
    "run": "/project/.clusterlib/default/1",
    "cookie_file": "/project/.clusterlib/default/1/cookie",
    "timeouts": {},
    "adaptations": [],
    "uptime": 1.5,
    "ready_seconds": 0.1,
    "leases": [{"holder": "pid 7 (pytest)"}],
    "turns": [{"holder": "test_one", "exclusive": True, "since": "2026-01-01T00:00:00.000000Z"}],
    "waiting": 2,
    "dirty": ["node1 was killed"],
    "peak": {"memory": 25000000, "cpu": 0.5},
    "keeper": {"pid": 1, "containment": "namespace"},
    "nodes": [
        {
            "name": "node1",
            "index": 1,
            "address": "127.0.0.1",
            "host": "localhost",
            "ports": {"cluster": 20000, "http": 24000},
            "directory": "/d",
            "memory": 1,
            "state": "ready",
            "reason": "",
            "pid": 9,
            "starts": 1,
            "view": ["node1"],
            "uptime": 1.4,
            "ready_seconds": 0.1,
            "log": "/l",
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Inner(Result):
    where: Path


@dataclass(frozen=True, slots=True)
class Outer(Result):
    inners: tuple[Inner, ...]
    finding: object
    facts: dict[str, object]


def test_a_result_is_plain_data_all_the_way_down() -> None:
    result = Outer((Inner(Path("/a")),), ok("disk", "plenty"), {"more": (1, 2)})

    told = json.loads(json.dumps(result.to_dict()))

    assert told == {
        "inners": [{"where": "/a"}],
        "finding": {"name": "disk", "outcome": "ok", "evidence": "plenty", "remedies": []},
        "facts": {"more": [1, 2]},
    }


def test_a_result_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Inner(Path("/a")).where = Path("/b")  # type: ignore[misc]


def test_a_cluster_is_reported_as_the_keeper_told_it() -> None:
    view = ClusterView.of(STATUS)

    assert view.holders == ("pid 7 (pytest)",)
    assert view.turns == (TurnView("test_one", True, "2026-01-01T00:00:00.000000Z"),)
    assert (view.waiting, view.dirty) == (2, ("node1 was killed",))
    assert view.containment == "namespace"
    assert view.node("node1").url == "http://127.0.0.1:24000"
    assert json.loads(json.dumps(view.to_dict()))["nodes"][0]["ports"] == {"cluster": 20000, "http": 24000}


def test_a_node_without_an_http_port_has_no_url() -> None:
    node = {**STATUS["nodes"][0], "ports": {"cluster": 1}}  # type: ignore[index]

    assert ClusterView.of({**STATUS, "nodes": [node]}).nodes[0].url is None
