"""Data of a cluster stays for the next test, unless a test spoils it or is run again."""

from __future__ import annotations

from tests.functional.plugin.suite import Suite

SHOP = """
from pathlib import Path
from clusterlib.runtime import this_node

def put(item):
    (Path(this_node().directory) / item).write_text(item)

def known():
    return sorted(path.name for path in Path(this_node().directory).iterdir() if path.name in ("tea", "milk"))
"""
SPOILS = """
import pytest

def test_one(cluster):
    cluster["node1"].call("shop:put", "tea")

@pytest.mark.cluster(dirty=True)
def test_two(cluster):
    assert cluster["node1"].call("shop:known") == ["tea"]
    cluster["node1"].call("shop:put", "milk")

def test_three(cluster):
    assert cluster["node1"].call("shop:known") == []
"""
FAILS_ONCE = """
import pytest

attempts = []

def test_shaky(cluster):
    assert cluster["node1"].call("shop:known") == [], "what the attempt before has left"
    cluster["node1"].call("shop:put", "tea")
    attempts.append(1)
    assert len(attempts) == 3

def test_after_it(cluster):
    assert cluster["node1"].call("shop:known") == ["tea"]

@pytest.mark.cluster(profile="ci-small")
def test_another_profile(cluster):
    assert len(cluster) == 2
"""


def test_a_test_that_spoils_the_cluster_leaves_no_data_to_the_next_one(suite: Suite) -> None:
    suite.file("shop.py", SHOP)
    suite.file("test_spoils.py", SPOILS)

    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (0, "3 passed"), ended.text


def test_a_test_that_is_run_again_gets_a_fresh_cluster(suite: Suite) -> None:
    suite.load("rerunfailures")
    suite.file("shop.py", SHOP)
    suite.file("test_shaky.py", FAILS_ONCE)

    ended = suite.run("--distributed", "--reruns", "3")

    assert (ended.code, ended.last) == (0, "3 passed, 2 rerun"), ended.text
    assert len(suite.runs) == 2, "one cluster of each profile served all attempts"


def test_workers_that_share_a_cluster_get_it_fresh_for_a_test_that_is_run_again(suite: Suite) -> None:
    suite.load("rerunfailures")
    suite.configure("\n[tool.clusterlib.tests]\nworkers = 'shared'\n")
    suite.file("shop.py", SHOP)
    suite.file("test_shaky.py", FAILS_ONCE.partition("def test_after_it")[0])

    ended = suite.run("--distributed", "--reruns", "3", "-n", "1")

    assert (ended.code, ended.last) == (0, "1 passed, 2 rerun"), ended.text
