"""Distributed tests of a user, run by two checkouts at once while runners are killed.

Our own test run does not collect a file of this name."""

from __future__ import annotations

import os

import pytest

import clusterlib


@pytest.mark.parametrize("number", range(8))
@pytest.mark.distributed
def test_each_node_keeps_a_stock(cluster: clusterlib.Cluster, number: int) -> None:
    for node in cluster:
        before = node.call("shop:put", f"tea-{number}", 0)
        assert node.call("shop:put", f"tea-{number}", 2) == before + 2


@pytest.mark.cluster_size(3)
def test_a_crash_is_noticed(cluster: clusterlib.Cluster) -> None:
    first, second, *_ = cluster.nodes
    second.kill()
    cluster.wait_until(lambda: second.name not in first.members())


@pytest.mark.multi_node
def test_the_members_see_each_other(cluster: clusterlib.Cluster) -> None:
    assert cluster.nodes[0].members() == [node.name for node in cluster]


@pytest.mark.cluster_size(2, exact=True)
def test_exactly_two(cluster_nodes: list[clusterlib.Node]) -> None:
    assert len(cluster_nodes) == 2


@pytest.mark.cluster(dirty=True)
def test_that_spoils_what_it_uses(cluster: clusterlib.Cluster) -> None:
    assert cluster.nodes[0].call("shop:put", "coffee", 1) == 1


def test_with_a_cluster_of_its_own(cluster_factory) -> None:  # type: ignore[no-untyped-def]
    with cluster_factory(size=2) as private:
        assert len(private) == 2


@pytest.mark.parametrize("number", range(4))
def test_without_a_cluster(number: int) -> None:
    assert os.getpid() > number
