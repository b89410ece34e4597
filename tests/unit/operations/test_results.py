from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path

import pytest

from clusterlib.messages.findings import ok
from clusterlib.messages.status import LeaseStatus, TurnStatus
from clusterlib.operations.result import Result
from clusterlib.operations.views import ClusterView
from tests.statuses import cluster_status, node_status

STATUS = cluster_status(
    leases=(LeaseStatus(1, "pid 7 (pytest)"),),
    turns=(TurnStatus("test_one", True, "2026-01-01T00:00:00.000000Z"),),
    waiting=2,
    dirty=("node1 was killed",),
)


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
    assert view.turns == (TurnStatus("test_one", True, "2026-01-01T00:00:00.000000Z"),)
    assert (view.waiting, view.dirty) == (2, ("node1 was killed",))
    assert view.containment == "namespace"
    assert view.node("node1").url == "http://127.0.0.1:24000"
    assert json.loads(json.dumps(view.to_dict()))["nodes"][0]["ports"] == {"cluster": 20000, "http": 24000}


def test_a_node_without_an_http_port_has_no_url() -> None:
    status = cluster_status(nodes=(node_status(ports={"cluster": 1}),))

    assert ClusterView.of(status).nodes[0].url is None
