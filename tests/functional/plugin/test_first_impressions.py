"""What somebody sees who uses it for the first time, and does not always do what the page says."""

from __future__ import annotations

import json
import sys

import pytest

from tests.functional.plugin.suite import Suite

STOCK = """
def boom():
    raise ValueError("no money")
"""
RAISES = """
import pytest
from clusterlib import DistributedTestCase

def test_remote(cluster):
    cluster["node1"].call("stock:boom")

class TestCase(DistributedTestCase):
    def test_remote_too(self):
        self.cluster["node1"].call("stock:boom")

@pytest.fixture
def filled(cluster):
    cluster["node1"].call("stock:boom")

def test_fixture(filled):
    pass
"""


def test_a_traceback_shows_the_way_to_clusterlib_and_not_the_way_through_it(suite: Suite) -> None:
    suite.file("stock.py", STOCK)
    suite.file("test_it.py", RAISES)

    ended = suite.run("--distributed")

    assert ended.last == "2 failed, 1 error", ended.text
    assert "pickling.py" not in ended.text
    assert len(ended.matching("in boom")) == 3, "the traceback of the node is shown"
    assert len(ended.matching("test_it.py:6: ValueError")) == 1
    assert len(ended.matching("test_it.py:10: ValueError")) == 1


def test_full_trace_shows_all_of_it(suite: Suite) -> None:
    suite.file("stock.py", STOCK)
    suite.file("test_it.py", RAISES)

    ended = suite.run("--distributed", "--full-trace", "-k", "test_remote and not too")

    assert "pickling.py" in ended.text


def test_pdb_begins_in_the_test_where_the_cluster_can_be_asked(suite: Suite) -> None:
    suite.file("stock.py", STOCK)
    suite.file("test_it.py", RAISES)

    process = suite.start("--distributed", "--pdb", "-k", "test_remote and not too")
    ended = suite.end(process, "p 'asked', cluster['node1'].members()\nq\n")

    assert "('asked', ['node1', 'node2', 'node3'])" in ended.text, ended.text


def test_an_error_of_clusterlib_stands_alone_without_what_led_to_it_inside(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
import os, signal

def test_lost(cluster):
    os.kill(cluster.status().keeper.pid, signal.SIGKILL)
    while True:
        cluster["node1"].members()
""",
    )

    ended = suite.run("--distributed")

    assert ended.last == "1 failed", ended.text
    assert "[keeper-lost]" in ended.text or "[node-unavailable]" in ended.text
    assert "another exception" not in ended.text
    assert "direct cause" not in ended.text


def test_what_kept_a_cluster_from_starting_is_told_once_when_tests_fail_for_it(suite: Suite) -> None:
    suite.file("test_it.py", "def test_one(cluster): pass\n\ndef test_two(cluster): pass\n")

    ended = suite.run("--distributed", "-o", "cluster_auto=false", "-o", "cluster_strict=always")

    assert ended.last == "2 errors", ended.text
    assert len(ended.matching("try: invoke cluster.up")) == 1, ended.text
    assert "another exception" not in ended.text


def test_what_a_factory_cannot_give_is_told_whole_and_once(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
def test_profile(cluster_factory):
    cluster_factory(profile="nope")

def test_start(cluster_factory):
    cluster_factory(profile="broken")
""",
    )
    suite.file("apps.py", "import os\n\ndef exits():\n    os._exit(3)\n")
    suite.file(
        "profiles/broken.toml",
        'extends = "dev"\n[python]\napp = "apps:exits"\n[tests]\nfallbacks = []\n',
    )

    ended = suite.run("--distributed", "--tb=short")

    assert ended.last == "2 failed", ended.text
    assert ended.lines.count('there is no profile "nope" [profile]') == 1, ended.text
    assert len(ended.matching("try: invoke profile.list")) == 1
    assert len(ended.matching("[application-failed] (profile broken: 1 test failed)")) == 1
    assert "another exception" not in ended.text


def test_the_plan_names_tests_that_start_their_own_and_those_that_cannot_be_served(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
import pytest

def test_own(cluster_factory): pass

@pytest.mark.cluster_size("three")
def test_three(cluster): pass
""",
    )

    ended = suite.run("--cluster-plan")

    assert ended.one("tests are distributed") == (
        "clusterlib: 2 of 2 tests are distributed; 1 starts its own; 1 can never be served"
    )
    assert (
        ended.lines[ended.lines.index(ended.one("start for themselves: 1 test")) + 1].strip()
        == "test_it.py::test_own"
    )
    assert ended.one("whole number").strip() == (
        "test_it.py::test_three: the size of a cluster is a whole number, not 'three'"
    )


def test_the_plan_of_a_parallel_run_counts_starts_by_worker(suite: Suite) -> None:
    suite.file("test_it.py", "def test_one(cluster): pass\n\ndef test_two(cluster): pass\n")

    each = suite.run("--distributed", "-n2")
    shared = suite.run("--distributed", "-n2", "-o", "cluster_workers=shared")
    planned = suite.run("--cluster-plan", "-n2")
    planned_alone = suite.run("--cluster-plan", "-n0")

    assert each.one("tests are distributed").endswith("1 cluster start a worker")
    assert shared.one("tests are distributed").endswith("1 cluster start")
    assert planned.one("tests are distributed").endswith("1 cluster start a worker")
    assert planned_alone.one("tests are distributed").endswith("1 cluster start")


@pytest.mark.parametrize("mark", ["multi_node(3)", "distributed(3)"])
def test_a_marker_that_takes_nothing_is_not_given_something_in_silence(suite: Suite, mark: str) -> None:
    suite.file("test_it.py", f"import pytest\n\n@pytest.mark.{mark}\ndef test_it(cluster): pass\n")

    ended = suite.run("--distributed")

    assert ended.last == "1 error", ended.text
    assert f"the marker {mark} makes no sense [impossible]" in ended.text
    assert suite.runs == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_project_that_cannot_be_written_to_is_told_in_a_sentence(suite: Suite) -> None:
    suite.file("test_it.py", "def test_one(cluster): pass\n")
    (suite.path / ".clusterlib").symlink_to("/proc/self/nothing")  # not even root can make a folder there

    ended = suite.run("--distributed", "-p", "no:cacheprovider")

    assert ended.code == pytest.ExitCode.USAGE_ERROR, ended.text
    assert "INTERNALERROR" not in ended.text
    assert "nothing can be written to" in ended.text


def test_what_is_told_meanwhile_begins_on_a_line_of_its_own(suite: Suite) -> None:
    suite.file("test_it.py", "def test_one(cluster): pass\n\ndef test_two(cluster): pass\n")

    ended = suite.run("--distributed", "-q", "--cluster-verbose")

    assert ended.last == "2 passed", ended.text
    assert ended.matching("test_two has cluster")
    assert not [line for line in ended.lines if line.startswith(".clusterlib")], ended.text


def test_reports_are_no_cluster(suite: Suite) -> None:
    suite.file("test_it.py", "def test_one(cluster): assert 0\n")
    suite.run("--distributed")

    told = suite.python("-m", "clusterlib", "cluster.status")
    refused = suite.python("-m", "clusterlib", "cluster.up", "--name", "reports")

    assert told.one("stopped ones:").strip() == "| stopped ones: pytest"
    assert refused.code == 2
    assert "cannot name a cluster" in refused.text, refused.text


def test_the_table_of_clusters_fits_a_terminal_of_eighty_columns(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
def test_one(cluster):
    cluster["node1"].kill()

def test_own(cluster, cluster_factory):
    cluster_factory(1)
""",
    )

    ended = suite.run("--distributed", COLUMNS="80")

    table = ended.lines[ended.lines.index(ended.one("= clusters =")) + 1 :][:3]
    assert ended.last == "2 passed", ended.text
    assert max(map(len, table)) <= 80, "\n".join(table)


@pytest.mark.parametrize(
    ("workers", "chosen", "code", "verdict"),
    [
        ("0", "plain", 0, "No test used a cluster."),
        ("2", "nothing", 5, "No test used a cluster; the run"),
        pytest.param("2", "plain", 0, "No test used a cluster.", marks=pytest.mark.lab),
        pytest.param("0", "nothing", 5, "No test used a cluster; the run", marks=pytest.mark.lab),
    ],
)
def test_a_run_without_distributed_tests_leaves_no_report_of_an_earlier_one(
    suite: Suite, chosen: str, code: int, verdict: str, workers: str
) -> None:
    suite.file("test_it.py", "def test_one(cluster): assert 0\n\ndef test_plain(): pass\n")
    suite.run("--distributed", "--cluster-artifacts=out")

    ended = suite.run("--distributed", "--cluster-artifacts=out", "-k", chosen, f"-n{workers}")

    assert ended.code == code, ended.text
    assert "test_one" not in (suite.path / "out" / "report.html").read_text()
    assert json.loads((suite.path / "out" / "summary.json").read_text())["verdict"].startswith(verdict)
    assert "test_one" not in (suite.path / "out" / "cluster.xml").read_text()


def test_without_clusters_of_its_own_it_promises_none(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
import pytest

def test_fits(cluster): pass

@pytest.mark.cluster_size(3)
def test_larger(cluster): pass
""",
    )
    suite.python("-m", "clusterlib", "cluster.up", "--nodes", "2")

    ended = suite.end(suite.start("--distributed", "-o", "cluster_auto=false"))

    assert ended.last == "1 passed, 1 skipped", ended.text
    assert ended.one("cluster default runs with 2 nodes, tests ask for 3"), "said once"
    assert "another one serves them" not in ended.text
