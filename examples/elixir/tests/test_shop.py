"""Real nodes of the shop, from outside."""

import pytest

pytestmark = pytest.mark.cluster_size(3)


def test_branches_know_what_the_others_have(cluster):
    for node in cluster:
        node.call("Shop", "put", ["tea", 2])

    assert cluster["node1"].call("Shop", "total", ["tea"]) == 2 * len(cluster)


def test_a_branch_that_burnt_down_has_nothing(cluster):
    cluster["node1"].call("Shop", "put", ["coffee", 3])
    cluster["node2"].call("Shop", "put", ["coffee", 4])

    cluster["node2"].kill()
    cluster.wait_until(lambda: "node2" not in cluster["node1"].members())

    assert cluster["node1"].call("Shop", "total", ["coffee"]) == 3


def test_configuration_is_read_as_mix_reads_it(cluster):
    assert cluster["node1"].call("Shop", "shelf", ["tea"]) == 100
