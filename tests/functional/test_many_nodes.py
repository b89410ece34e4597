"""Twenty real nodes: more than link to each other directly, so that news has to travel."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import clusterlib
from clusterlib import Cluster

SETTLED = 30.0  # far more than it takes, for machines under load


def links(cluster: Cluster, name: str) -> int:
    with urllib.request.urlopen(f"{cluster[name].url}/metrics", timeout=SETTLED) as answer:
        count: int = json.load(answer)["links"]
    return count


def test_twenty_real_nodes_notice_three_dead_neighbours_and_welcome_them_back(
    up: Callable[..., clusterlib.Cluster],
) -> None:
    with up("dev", nodes=20) as cluster:
        everybody = cluster["node1"].members()
        assert len(everybody) == 20
        assert all(node.members() == everybody for node in cluster)
        assert max(links(cluster, name) for name in everybody) < 15

        victims = everybody[6:9]
        rest = [name for name in everybody if name not in victims]
        for name in victims:
            cluster[name].kill()
        cluster.wait_until(
            lambda: all(cluster[name].members() == rest for name in rest), SETTLED, "the rest to miss three"
        )

        # The watchers of the three have new links, over which the death of the next one is noticed.
        another = rest.pop(6)
        cluster[another].kill()
        cluster.wait_until(
            lambda: all(cluster[name].members() == rest for name in rest), SETTLED, "the rest to miss four"
        )

        for name in (*victims, another):
            cluster[name].restart()
        cluster.wait_ready(SETTLED)
        assert all(node.members() == everybody for node in cluster)
