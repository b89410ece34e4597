"""Connections to keepers that the server holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.errors import ClusterNotRunning, NodeUnknown
from clusterlib.operations.down import bring_down
from clusterlib.operations.held import MOST_OF_A_CLUSTER, HeldConnections, held_in
from clusterlib.operations.reach import reached
from tests.functional.conftest import Up


@pytest.fixture
def held() -> Iterator[HeldConnections]:
    connections = HeldConnections()
    yield connections
    connections.close()


def test_a_connection_is_used_again(up: Up, held: HeldConnections) -> None:
    up("ci-small", simulate=True)

    with held_in(held):
        with reached() as first:
            pass
        with reached() as second, reached() as third:
            assert second is first
            assert third is not first
    with reached() as other:
        assert other is not first


def test_one_of_a_cluster_that_has_ended_is_not_used(up: Up, project: Path, held: HeldConnections) -> None:
    up("ci-small", simulate=True)
    with held_in(held):
        with reached() as first:
            pass
        bring_down(project=project)
        with pytest.raises(ClusterNotRunning), reached():
            pass
        up("ci-small")
        with reached() as second:
            assert second is not first
            assert not second.simulated


def test_one_in_which_something_failed_is_not_kept(up: Up, held: HeldConnections) -> None:
    up("ci-small", simulate=True)
    with held_in(held):
        with pytest.raises(NodeUnknown), reached() as first:
            first["node9"]
        with reached() as second:
            assert second is not first


def test_no_more_than_some_are_kept(up: Up, project: Path, held: HeldConnections) -> None:
    cluster = up("ci-small", simulate=True)
    with held_in(held):
        blocks = [reached() for _ in range(MOST_OF_A_CLUSTER + 3)]
        for one in blocks:
            one.__enter__()
        for one in blocks:
            one.__exit__(None, None, None)

    kept = []
    while (taken := held.take(project, "default")) is not None:
        kept.append(taken)
    assert len(kept) == MOST_OF_A_CLUSTER
    for one_cluster in kept:
        one_cluster.keeper.close()
    assert cluster.state == "ready"
