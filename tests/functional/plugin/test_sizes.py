"""Another size for one test: which sizes are possible, and clusters that keep their size."""

from __future__ import annotations

import json

from tests.functional.plugin.suite import Suite

FIXED = """
driver = "command"
[nodes]
count = 2
name = "box{index}"
[ports]
client = "28700-28899"
[command]
program = "python3"
arguments = ["-m", "http.server", "--bind", "127.0.0.1", "{{ node.ports.client }}"]
fixed = "its members are named when it is formed"
[ready]
ports = ["client"]
"""
SIZES = """
import pytest

@pytest.mark.cluster_size(3)
def test_three(cluster, with_cluster_size):
    before = cluster.run_folder
    with with_cluster_size(1) as other:
        assert (len(other), len(cluster)) == (1, 3)
    assert cluster.run_folder == before

@pytest.mark.cluster_size(1, exact=True)
def test_one(cluster):
    assert len(cluster) == 1
"""


def test_where_a_cluster_keeps_its_size_another_one_has_the_other_size(suite: Suite) -> None:
    suite.file("profiles/fixed.toml", FIXED)
    suite.file("test_it.py", SIZES)

    ended = suite.run("--distributed", "--profile=fixed", "--cluster-artifacts=out")

    assert (ended.code, ended.last) == (0, "2 passed"), ended.text
    assert "profile fixed, 2 cluster starts" in ended.one("are distributed")
    told = json.loads((suite.path / "out" / "summary.json").read_text())
    assert told["troubles"] == [], "nothing went wrong: it was to be expected"
    assert 'type="not-supported"' not in (suite.path / "out" / "cluster.xml").read_text()


def test_workers_that_share_a_cluster_which_keeps_its_size_are_served_one_after_the_other(
    suite: Suite,
) -> None:
    suite.file("profiles/fixed.toml", FIXED)
    suite.file("test_it.py", SIZES + "\n@pytest.mark.cluster_size(3)\ndef test_more(cluster): ...\n")

    ended = suite.run("--distributed", "--profile=fixed", "-n2", "-o", "cluster_workers=shared")

    assert (ended.code, ended.last) == (0, "3 passed"), ended.text


INSIDE = """
from clusterlib import DistributedTestCase

def test_function(cluster, with_cluster_size):
    with with_cluster_size(4):
        assert 0

class TestCase(DistributedTestCase):
    def test_method(self):
        with self.with_cluster_size(4):
            assert 0

def test_afterwards(cluster):
    assert len(cluster) == 3
"""


def test_who_looks_with_pdb_meets_the_cluster_in_the_size_in_which_the_test_has_failed(suite: Suite) -> None:
    suite.file("test_it.py", INSIDE)

    process = suite.start("--distributed", "--pdb")
    look = "p 'asked', len(__import__('clusterlib').attach())\nc\n"
    ended = suite.end(process, 2 * look)

    assert ended.last == "2 failed, 1 passed", ended.text
    assert ended.text.count("('asked', 4)") == 2, ended.text


IMPOSSIBLE = """
from clusterlib import DistributedTestCase

def test_none(with_cluster_size):
    with with_cluster_size(0): ...

def test_text(cluster, with_cluster_size):
    with with_cluster_size("3"): ...

def test_many(with_cluster_size):
    with with_cluster_size(900): ...

def test_factory(cluster_factory):
    cluster_factory("dev")

def test_large_factory(cluster_factory):
    cluster_factory(size=900)

class TestCase(DistributedTestCase):
    cluster_size = "two"
    def test_declared(self): ...
"""


def test_a_size_that_no_cluster_can_have_is_refused_in_the_words_of_whoever_asked(suite: Suite) -> None:
    suite.file("test_it.py", IMPOSSIBLE)

    ended = suite.run("--distributed", "--tb=short", CLUSTERLIB_ADAPT_NODES_PER_CPU="1")

    assert ended.last == "5 failed, 1 error", ended.text
    assert "a cluster has at least one node, not 0 [impossible]" in ended.text
    assert "a whole number, not '3' [impossible]" in ended.text
    assert ended.text.count("asks for 900 nodes; this machine carries ") >= 2
    assert len(ended.matching("try: with_cluster_size(3)")) >= 2
    assert len(ended.matching("try: with_cluster_size(")) == 3
    assert ended.one("try: cluster_factory(size=3, profile=")
    assert len(ended.matching("try: cluster_factory(size=")) == 2
    assert ended.one("try: cluster_size = 3")
    assert "contextlib.py" not in ended.text, "the way through a `with` is not the test's"
    assert "@pytest.mark" not in ended.text, "nobody has written a marker"
