"""The evidence of tests with clusters of the session, of a factory or of `clusterlib.up`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

from tests.functional.plugin.suite import Suite


def failures(suite: Suite) -> dict[str, dict[str, Any]]:
    """What the summary says of each test that failed, by its name."""
    told = json.loads((suite.reports[-1] / "summary.json").read_text())
    return {one["test"].partition("::")[2]: one for one in told["failures"]}


def printed(suite: Suite, test: str) -> str:
    """What the folder's junit.xml says that the nodes have printed."""
    cases = ET.parse(suite.reports[-1] / "junit.xml").getroot().iter("testcase")
    (found,) = [case for case in cases if case.get("name") == test]
    return str(found.findtext("system-out"))


OF_THE_SESSION = """
def test_first(session_cluster):
    session_cluster["node1"].run(print, "said in the first")

def test_later(session_cluster):
    session_cluster["node1"].run(print, "said later")
    session_cluster["node2"].kill()
    assert 1 == 2
"""


def test_a_later_test_is_told_with_the_cluster_of_the_session(suite: Suite) -> None:
    suite.file("test_it.py", OF_THE_SESSION)

    ended = suite.run("--distributed", "-p", "no:randomly")

    assert ended.last.startswith("1 failed, 1 passed"), ended.text
    failure = failures(suite)["test_later"]
    assert failure["cluster"] == "pytest-private"
    assert failure["did"].startswith("the test killed node2")
    assert failure["cause"] is None
    assert "said later" in printed(suite, "test_later")
    assert "said in the first" not in printed(suite, "test_later")


TWO = """
def test_two(cluster, cluster_factory):
    other = cluster_factory(size=2)
    cluster["node1"].run(print, "said by the shared one")
    other["node1"].run(print, "said by the other one")
    other["node2"].kill()
    assert 1 == 2
"""


def test_a_test_is_told_with_all_clusters_that_it_used(suite: Suite) -> None:
    suite.file("test_it.py", TWO)

    ended = suite.run("--distributed")

    assert ended.last.startswith("1 failed"), ended.text
    failure = failures(suite)["test_two"]
    assert (failure["cluster"], [one["cluster"] for one in failure["also"]]) == ("pytest", ["pytest-private"])
    assert failure["did"].startswith("the test killed node2")
    said = printed(suite, "test_two")
    assert "pytest: node1, during this test" in said
    assert "said by the shared one" in said
    assert "pytest-private: node1, during this test" in said
    assert "said by the other one" in said


UP = """
import clusterlib
import pytest

@pytest.mark.cluster(own=True)
def test_up():
    with clusterlib.up("dev", name="mine", nodes=2) as cluster:
        cluster["node1"].run(print, "said by mine")
        cluster["node2"].kill()
        assert 1 == 2
"""


def test_a_test_is_told_with_the_cluster_that_it_brought_up_itself(suite: Suite) -> None:
    suite.file("test_it.py", UP)

    ended = suite.run("--distributed")

    assert ended.last.startswith("1 failed"), ended.text
    assert [line for line in ended.lines if line.endswith(" said by mine")], ended.text
    failure = failures(suite)["test_up"]
    assert failure["cluster"] == "mine"
    assert failure["did"].startswith("the test killed node2")
    assert "said by mine" in printed(suite, "test_up")
    assert list((suite.reports[-1] / "clusters" / "mine").glob("*/logs/node1.log"))


PLAIN_UP = """
import clusterlib

def test_plain_up():
    with clusterlib.up("dev", name="mine", nodes=1) as cluster:
        cluster["node1"].run(print, "said by mine")
        assert 1 == 2

def test_asks_late(request):
    cluster = request.getfixturevalue("cluster")
    cluster["node1"].run(print, "said late")
    assert 3 == 4

def test_with(cluster):
    pass
"""


def test_a_failing_test_is_in_the_evidence_though_nothing_said_that_it_uses_a_cluster(suite: Suite) -> None:
    suite.file("test_it.py", PLAIN_UP)

    ended = suite.run("--distributed")

    assert ended.last.startswith("2 failed, 1 passed"), ended.text
    told = failures(suite)
    assert {name: one["cluster"] for name, one in told.items()} == {
        "test_plain_up": "mine",
        "test_asks_late": "pytest",
    }
    assert "said by mine" in printed(suite, "test_plain_up")
    assert "said late" in printed(suite, "test_asks_late")


ATTACHED = """
import clusterlib
import pytest

@pytest.fixture(scope="session")
def service():
    with clusterlib.up("dev", name="mine", nodes=1) as cluster:
        yield cluster.name

@pytest.mark.cluster(own=True)
def test_before(service):
    pass

@pytest.mark.cluster(own=True)
def test_attached(service):
    with clusterlib.attach(service) as cluster:
        cluster["node1"].run(print, "said by mine")
        assert 1 == 2

def test_of_the_turn(cluster):
    with clusterlib.attach() as again:
        again["node1"].run(print, "said by the shared one")
        assert 3 == 4
"""


def test_a_test_is_told_with_the_cluster_that_it_attached_to(suite: Suite) -> None:
    suite.file("test_it.py", ATTACHED)

    ended = suite.run("--distributed", "-p", "no:randomly")

    assert ended.last.startswith("2 failed, 1 passed"), ended.text
    told = failures(suite)
    assert {name: (one["cluster"], one["also"]) for name, one in told.items()} == {
        "test_attached": ("mine", []),
        "test_of_the_turn": ("pytest", []),
    }
    assert "said by mine" in printed(suite, "test_attached")
