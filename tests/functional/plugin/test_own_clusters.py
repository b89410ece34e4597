"""Clusters that tests start themselves: for one test, or for clients that live as long as the
session."""

from __future__ import annotations

from tests.functional.plugin.suite import Suite

SHOP = """
stock = {}

def put(item, count):
    stock[item] = stock.get(item, 0) + count
    return stock[item]
"""
CLIENTS = """
import pytest
import clusterlib

made = []

@pytest.fixture(scope="session")
def client(session_cluster):
    client = clusterlib.attach(session_cluster.name)
    made.append(client)
    yield client
    assert client.status().state == "ready", "the cluster outlives the clients that use it"

def test_one(client, session_cluster):
    assert client["node1"].call("shop:put", "tea", 1) == 1
    session_cluster["node2"].kill()

def test_two(client):
    assert client.status().state == "ready", "what a test has killed is started again"
    assert client["node1"].call("shop:put", "tea", 1) == 2, "and the others were left alone"
    assert len(made) == 1

def test_both(client, cluster):
    assert cluster.name != client.name
    cluster["node1"].kill()

def test_three(client):
    assert client["node1"].call("shop:put", "tea", 1) == 3
"""


def test_a_client_of_the_session_has_a_cluster_of_the_session(suite: Suite) -> None:
    suite.file("shop.py", SHOP)
    suite.file("test_clients.py", CLIENTS)

    ended = suite.run("--distributed", "-p", "no:randomly")

    assert (ended.code, ended.last) == (0, "4 passed"), ended.text
    assert len(suite.runs) == 2
    assert "1 cluster start; 3 start their own" in ended.one("are distributed")


def test_without_being_asked_for_it_starts_nothing(suite: Suite) -> None:
    suite.file("shop.py", SHOP)
    suite.file("test_clients.py", CLIENTS)

    assert suite.run().last == "4 skipped"
    planned = suite.run("--cluster-plan")

    assert planned.code == 0
    assert "clusters that tests start for themselves: 3 tests" in planned.text
    assert suite.runs == []


def test_each_worker_has_its_own_cluster_of_the_session(suite: Suite) -> None:
    suite.file(
        "test_workers.py",
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def name(session_cluster, worker_id):\n"
        "    with open('names', 'a') as file: file.write(f'{worker_id} {session_cluster.name}\\n')\n"
        "    return session_cluster.name\n"
        "@pytest.mark.parametrize('n', range(6))\n"
        "def test_it(name, session_cluster, n): assert len(session_cluster) == 2\n",
    )

    ended = suite.run("--distributed", "--profile", "ci-small", "-n", "2", "--dist", "each")

    assert (ended.code, ended.last) == (0, "12 passed"), ended.text
    workers, names = zip(
        *(line.split() for line in (suite.path / "names").read_text().splitlines()), strict=True
    )
    assert len(set(workers)) == len(set(names)) == len(names) == 2


def test_a_wider_fixture_that_asks_for_a_cluster_of_a_test_is_told_before_anything_starts(
    suite: Suite,
) -> None:
    suite.file(
        "test_scope.py",
        "import pytest\n"
        "@pytest.fixture(scope='module')\ndef pool(cluster): return cluster\n"
        "def test_pool(pool): pass\n",
    )

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (1, "1 error"), ended.text
    assert "the fixture pool lives longer than one test, and asks for cluster" in ended.text
    assert "try: def pool(session_cluster):  # one cluster for the whole session" in ended.text
    assert "ScopeMismatch" not in ended.text
    assert suite.runs == []


OWN = """
import clusterlib
import pytest

@pytest.mark.cluster_size(2)
@pytest.mark.cluster(profile="ci-large")
def test_markers_say_what_the_factory_starts(cluster_factory):
    cluster = cluster_factory()
    assert (cluster.profile, len(cluster)) == ("ci-large", 2)
    assert len(cluster_factory(1)) == 1

def test_overrides(cluster_factory):
    cluster = cluster_factory(1, overrides={"environment.SHOP": "open", "nodes.name": "shop{index}"})
    assert cluster["shop1"].call("os:getenv", "SHOP") == "open"

@pytest.mark.cluster(own=True)
def test_its_own():
    with clusterlib.up("ci-small", simulate=True) as cluster:
        assert len(cluster) == 2
"""


def test_a_test_that_starts_its_own_clusters_starts_no_shared_one(suite: Suite) -> None:
    suite.file("test_own.py", OWN)

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (0, "3 passed"), ended.text
    assert "3 start their own" in ended.one("are distributed")
    assert len(suite.runs) == 4


def test_a_mistake_in_an_override_is_told_as_any_other(suite: Suite) -> None:
    suite.file(
        "test_wrong.py",
        "def test_wrong(cluster_factory):\n    cluster_factory(overrides={'nodes.cuont': 2})\n",
    )

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (1, "1 failed"), ended.text
    assert 'command line: nodes.cuont: unknown key; did you mean "count"?' in ended.text


def test_overrides_that_are_no_mapping_are_told_before_anything_starts(suite: Suite) -> None:
    suite.file("test_wrong.py", "def test_wrong(cluster_factory):\n    cluster_factory(overrides='x')\n")

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (1, "1 failed"), ended.text
    assert "overrides is a mapping, not 'x'" in ended.text
    assert suite.runs == []


def test_a_cluster_fixture_of_the_projects_own_may_be_made_of_the_sessions(suite: Suite) -> None:
    suite.file(
        "test_own_name.py",
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def cluster(session_cluster_factory): return session_cluster_factory(2, profile='ci-small')\n"
        "def test_one(cluster): assert len(cluster) == 2\n"
        "def test_two(cluster): assert len(cluster) == 2\n",
    )

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (0, "2 passed"), ended.text
    assert len(suite.runs) == 1


FAILS = """
import os

def main():
    raise LookupError("no stock to begin with")

def is_killed():
    os.kill(os.getpid(), 9)
"""


def test_a_test_can_catch_the_error_of_a_cluster_that_does_not_start(suite: Suite) -> None:
    suite.file("shop.py", FAILS)
    suite.file(
        "test_catching.py",
        """
import pytest
from clusterlib.errors import ApplicationFailed, ClusterError, NeedImpossible

BROKEN = {"python.app": "shop:main"}

def test_caught(cluster_factory):
    with pytest.raises(ApplicationFailed, match="no stock to begin with"):
        cluster_factory(1, overrides=BROKEN)
    assert len(cluster_factory(1)) == 1

def test_caught_as_any_exception(cluster_factory):
    try:
        cluster_factory(1, overrides=BROKEN)
    except Exception as error:
        assert isinstance(error, ClusterError)

def test_impossible(cluster_factory):
    with pytest.raises(NeedImpossible):
        cluster_factory(999)

@pytest.mark.xfail(raises=ApplicationFailed, strict=True)
def test_expected_to_fail(cluster_factory):
    cluster_factory(1, overrides=BROKEN)
""",
    )

    ended = suite.run("--distributed", "--cluster-artifacts=out", "-k", "not expected")
    expected = suite.run("--distributed", "-k", "expected")

    assert (ended.code, ended.last) == (0, "3 passed, 1 deselected"), ended.text
    assert "cluster errors" not in ended.text
    assert 'failures="0"' in (suite.path / "out" / "cluster.xml").read_text().split("\n")[1]
    assert (expected.code, expected.last) == (0, "3 deselected, 1 xfailed"), expected.text


def test_an_error_that_a_test_does_not_catch_is_reported_as_for_a_shared_cluster(suite: Suite) -> None:
    suite.file("shop.py", FAILS)
    suite.file(
        "test_uncaught.py",
        """
import pytest

@pytest.fixture(scope="module")
def broken(session_cluster_factory):
    return session_cluster_factory(1, overrides={"python.app": "shop:main"})

def test_skipped(cluster_factory):
    cluster_factory(1, overrides={"python.app": "shop:is_killed"})

def test_failed(cluster_factory):
    cluster_factory(1, overrides={"python.app": "shop:main"})

def test_of_a_fixture(broken):
    pass

def test_of_the_same_fixture(broken):
    pass
""",
    )
    suite.configure('[tool.clusterlib.tests]\nfallbacks = ["skip"]\n[tool.clusterlib.retry]\nattempts = 0\n')

    ended = suite.run("--distributed", "-rs", "-p", "no:randomly")

    assert (ended.code, ended.last) == (1, "1 failed, 1 skipped, 2 errors"), ended.text
    assert len(ended.matching("[node-exited] (profile dev")) == 1, "the whole error stands once at the end"
    assert "no stock to begin with" in ended.text
    assert "testing/private.py" not in ended.text
