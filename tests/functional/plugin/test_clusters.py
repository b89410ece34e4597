"""A test gets the cluster that it asks for, whole and clean, however others have left it."""

from __future__ import annotations

from tests.functional.plugin.suite import Suite

SIZES = """
import os
import pytest

pytestmark = pytest.mark.cluster(profile="dev")
seen = []

def test_small(cluster, cluster_nodes):
    seen.append(cluster.run_folder)
    assert [node.name for node in cluster] == [node.name for node in cluster_nodes]
    assert len(cluster) == 4, "the largest need of the group is served from the start"
    assert os.environ["CLUSTERLIB_NAME"] == cluster.name

@pytest.mark.cluster_size(4)
class TestLarge:
    def test_large(self, cluster):
        seen.append(cluster.run_folder)
        assert len(cluster) == 4

    @pytest.mark.cluster_size(2, exact=True)
    def test_the_closest_marker_wins(self, cluster):
        seen.append(cluster.run_folder)
        assert len(cluster) == 2

@pytest.mark.cluster(profile="ci-small")
def test_another_profile(cluster):
    assert cluster.profile == "ci-small"
    assert len(cluster) == 2

def test_one_cluster_served_all_of_them(cluster):
    assert len({*seen, cluster.run_folder}) == 1
"""


def test_one_cluster_of_each_profile_serves_every_size(suite: Suite) -> None:
    suite.file("test_sizes.py", SIZES)

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (0, "5 passed"), ended.text
    assert "profiles dev, ci-small, 2 cluster starts" in ended.one("are distributed")
    assert len(suite.runs) == 2


IMPOSSIBLE = """
import pytest

@pytest.mark.cluster_size(900)
def test_too_large(cluster):
    raise AssertionError("never runs")

@pytest.mark.cluster_size("three")
def test_malformed(cluster):
    raise AssertionError("never runs")

@pytest.mark.cluster(size=3)
def test_misspelt(cluster):
    raise AssertionError("never runs")

@pytest.mark.multi_node
@pytest.mark.cluster_size(1)
def test_contradiction(cluster):
    raise AssertionError("never runs")

@pytest.mark.cluster(profile="nowhere")
def test_no_such_profile(cluster):
    raise AssertionError("never runs")
"""


def test_what_can_never_be_served_fails_with_the_reason_and_starts_nothing(suite: Suite) -> None:
    suite.file("test_impossible.py", IMPOSSIBLE)

    ended = suite.run("--distributed", CLUSTERLIB_ADAPT_NODES_PER_CPU="1")

    assert ended.code == 1
    assert ended.last == "5 errors"
    assert "5 can never be served" in ended.one("are distributed")
    assert "asks for 900 nodes; this machine carries" in ended.text
    assert "a whole number, not 'three' [impossible]" in ended.text
    assert "the marker cluster(size=3) makes no sense [impossible]" in ended.text
    assert "marked multi_node and cluster_size(1)" in ended.text
    assert 'there is no profile "nowhere"' in ended.text
    assert "try: @pytest.mark.cluster_size(3)" in ended.text
    assert suite.runs == []


DIRTY = """
import pytest

def test_kills(cluster):
    cluster["node1"].kill()

def test_finds_it_healed(cluster):
    assert len(cluster["node2"].members()) == 3
    assert cluster.status().dirty == ()
    cluster["node2"].pause()

def test_and_again(cluster):
    assert cluster["node2"].ping() > 0

@pytest.mark.cluster(dirty=True)
def test_spoils_what_nobody_sees(cluster):
    cluster["node1"].run(exec, "import builtins; builtins.spoilt = True")

def test_has_fresh_nodes(cluster):
    assert not cluster["node1"].run(eval, "hasattr(__import__('builtins'), 'spoilt')")
    cluster.scale(5)

def test_has_its_own_size(cluster):
    assert len(cluster) == 3

@pytest.mark.cluster(exclusive=True)
def test_alone(cluster):
    (turn,) = cluster.status().turns
    assert turn.exclusive
    assert turn.holder.endswith("test_alone")

def test_the_whole_cluster_goes(cluster):
    cluster.down()

def test_another_one_comes(cluster):
    assert len(cluster["node1"].members()) == 3
"""


def test_whatever_a_test_breaks_the_next_one_finds_it_whole(suite: Suite) -> None:
    suite.file("test_dirty.py", DIRTY)

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (0, "9 passed"), ended.text
    assert len(suite.runs) == 2
    titles = next(line for line in ended.lines if line.startswith("cluster "))
    assert "healed" in titles
    assert "replaced" in titles


PRIVATE = """
import os
import pytest
from clusterlib.errors import ClusterError

known = {}

def test_factory(cluster_factory):
    assert "CLUSTERLIB_NAME" not in os.environ, "it needs no cluster but its own"
    one = cluster_factory(size=1)
    two = cluster_factory(size=2, profile="ci-small", simulate=True)
    assert (len(one), len(two), two.simulated) == (1, 2, True)
    known["pids"] = [node.pid for cluster in (one, two) for node in cluster]

def test_they_are_gone_with_the_test():
    for pid in known["pids"]:
        with pytest.raises(OSError):
            os.kill(pid, 0)

def test_sizes(cluster, with_cluster_size):
    with with_cluster_size(5) as larger:
        assert larger is cluster
        assert len(larger["node5"].members()) == 5
        with with_cluster_size(1) as smallest:
            assert len(smallest) == 1
    assert len(cluster) == 3

def test_by_another_way(request):
    assert len(request.getfixturevalue("cluster")) == 3

def test_a_factory_that_cannot(cluster_factory):
    cluster_factory(size=0)
"""


def test_a_test_can_have_clusters_of_its_own(suite: Suite) -> None:
    suite.file("test_private.py", PRIVATE)

    ended = suite.run("--distributed")

    assert ended.last == "1 failed, 4 passed", ended.text
    assert "a cluster has at least one node" in ended.text
    assert len(ended.matching(" private")) == 2
    assert ended.one("SIMULATED")


OUTSIDE = """
import os, subprocess, sys
import pytest
import clusterlib

@pytest.fixture(scope="module")
def mine():
    with clusterlib.attach() as cluster:
        yield cluster.name

@pytest.mark.distributed
def test_attach(mine):
    assert clusterlib.attach().name == mine == os.environ["CLUSTERLIB_NAME"]

@pytest.mark.distributed
def test_a_program_finds_it():
    asks = "import clusterlib; print(len(clusterlib.attach()))"
    assert subprocess.check_output([sys.executable, "-c", asks], text=True) == "3\\n"

@pytest.mark.skip(reason="not today")
def test_skipped(cluster):
    pass
"""


def test_programs_and_fixtures_find_the_cluster_by_the_environment(suite: Suite) -> None:
    suite.file("test_outside.py", OUTSIDE)

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (0, "2 passed, 1 skipped"), ended.text
    assert suite.run("--distributed", "-k", "skipped").last == "1 skipped, 2 deselected"
    assert len(suite.runs) == 1, "a test that is skipped starts nothing"
