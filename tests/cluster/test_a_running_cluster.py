"""The tests a profile serves: under `invoke cluster.run` on the cluster it gives, under `nox -s
distributed` on their own."""

from __future__ import annotations

import os
import urllib.request

import pytest

import clusterlib

pytestmark = pytest.mark.distributed


def names(cluster: clusterlib.Cluster) -> list[str]:
    return [node.name for node in cluster]


def test_every_node_sees_every_node(cluster: clusterlib.Cluster) -> None:
    for node in cluster:
        assert node.members() == names(cluster)


def test_every_node_calls_code_by_name(cluster: clusterlib.Cluster) -> None:
    for node in cluster:
        assert node.call("math:factorial", 5) == 120


def test_a_closure_runs_where_it_is_sent(cluster: clusterlib.Cluster) -> None:
    here = os.getpid()

    places = {node.run(lambda: os.getpid() != here) for node in cluster}

    assert places == {True}


def test_every_node_answers_over_http(cluster: clusterlib.Cluster) -> None:
    for node in cluster:
        with urllib.request.urlopen(node.url + "/health", timeout=5) as answer:
            assert answer.status == 200


@pytest.mark.multi_node
def test_the_others_notice_a_crash(cluster: clusterlib.Cluster) -> None:
    first, *others = cluster
    first.kill()

    cluster.wait_until(lambda: others[0].members() == [node.name for node in others])


@pytest.mark.multi_node
def test_the_cluster_is_whole_again_after_another_test_broke_it(cluster: clusterlib.Cluster) -> None:
    for node in cluster:
        assert node.members() == names(cluster)


@pytest.mark.skipif("CLUSTERLIB_NODES" not in os.environ, reason="only cluster.run tells the environment")
def test_the_environment_tells_where_the_nodes_are(cluster: clusterlib.Cluster) -> None:
    told = dict(entry.split("=", 1) for entry in os.environ["CLUSTERLIB_NODES"].split(","))

    assert told == {node.name: f"{node.address}:{node.ports['cluster']}" for node in cluster}
