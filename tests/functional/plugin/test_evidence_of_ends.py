"""What the evidence says of nodes and clusters that ended during a run."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from tests.functional.plugin.suite import Suite

pytestmark = pytest.mark.usefixtures("talks")


def test_a_good_run_whose_last_test_kills_a_node_leaves_no_failure_in_junit(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        "def test_kills(cluster):\n"
        "    cluster['node2'].kill()\n"
        "    cluster.wait_until(lambda: 'node2' not in cluster['node1'].members(), what='node1 has noticed')\n",
    )

    ended = suite.run("--distributed", "--cluster-artifacts=out")

    assert ended.code == 0, ended.text
    clusters = ET.parse(suite.path / "out" / "cluster.xml").getroot()
    assert [case.get("name") for case in clusters.iter("testcase") if case.find("failure") is not None] == []
    skipped = {
        case.get("name"): str(element.get("message"))
        for case in clusters.iter("testcase")
        if (element := case.find("skipped")) is not None
    }
    assert "node2 was killed" in skipped["node1: formed"]


FAILS_TO_HEAL = """
from pathlib import Path

ONCE = Path("{folder}/once")

def main():
    if ONCE.exists():
        ONCE.unlink()
        raise OSError("address in use")
"""

KILLS = """
from shop import ONCE

def test_kills(cluster):
    cluster["node2"].kill()
    ONCE.touch()

def test_next(cluster):
    assert len(cluster) == 3
"""


def test_a_healing_that_failed_before_the_cluster_was_replaced_fails_no_clean_up(suite: Suite) -> None:
    suite.file("shop.py", FAILS_TO_HEAL.format(folder=suite.path))
    suite.file("tests/test_talks.py", KILLS)
    suite.configure('[tool.clusterlib]\npython.app = "shop:main"\n')

    ended = suite.run("--distributed", "--cluster-artifacts=out")

    assert ended.code == 0, ended.text
    assert [record["how"] for record in suite.records("cluster.healed", suite.path / "out")] == ["replaced"]
    cases = list(ET.parse(suite.path / "out" / "cluster.xml").getroot().iter("testcase"))
    clean_ups = [case for case in cases if case.get("name") == "nothing is left"]
    assert [case.find("failure") for case in clean_ups] == [None, None]
    assert "address in use" in str(clean_ups[0].findtext("system-out"))
    summary = json.loads((suite.path / "out" / "summary.json").read_text())
    assert "application-failed" in [trouble["code"] for trouble in summary["troubles"]]


TAKEN_DOWN = """
import clusterlib

def test_over_its_handle(cluster):
    cluster.down()

def test_over_another_handle(cluster):
    clusterlib.attach(cluster.name).down()
    assert not cluster, "on purpose"

def test_next(cluster):
    assert len(cluster) == 3
"""


def test_a_cluster_that_a_test_took_down_is_its_act_and_no_trouble(suite: Suite) -> None:
    suite.file("tests/test_talks.py", TAKEN_DOWN)

    ended = suite.run("--distributed", "--cluster-artifacts=out")

    assert ended.last.startswith("1 failed, 2 passed"), ended.text
    clusters = ET.parse(suite.path / "out" / "cluster.xml").getroot()
    assert [case.get("name") for case in clusters.iter("testcase") if case.find("failure") is not None] == []
    summary = json.loads((suite.path / "out" / "summary.json").read_text())
    assert summary["troubles"] == []
    (failure,) = summary["failures"]
    assert failure["did"].startswith("the test took the cluster down"), failure
    replaced = [record["reason"] for record in suite.records("cluster.healed", suite.path / "out")]
    assert replaced == [
        f"cluster 'pytest' was taken down by tests/test_talks.py::{test}"
        for test in ("test_over_its_handle", "test_over_another_handle")
    ]


ENDS = """
import os

def test_takes_a_cluster_down(cluster):
    cluster.down()

def test_ends_a_node(cluster):
    try:
        cluster["node2"].run(os._exit, 0)
    except Exception:
        pass
"""


def test_a_node_that_ends_by_itself_is_one_failure_in_junit(suite: Suite) -> None:
    suite.file("tests/test_talks.py", ENDS)

    ended = suite.run("--distributed", "--cluster-artifacts=out")

    assert ended.code == 0, ended.text
    clusters = ET.parse(suite.path / "out" / "cluster.xml").getroot()
    failures = [case.get("name") for case in clusters.iter("testcase") if case.find("failure") is not None]
    assert failures == ["node2: started"]
