"""The evidence has tests without a cluster, with one of their own, and that a run broke off in."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from tests.chaos.suites import faults_of
from tests.functional.plugin.suite import Suite

pytestmark = pytest.mark.usefixtures("talks")


PLAIN = """
import pytest

def test_plain():
    assert 5 == 6

def test_of_its_own(cluster_factory):
    cluster_factory(size=1)["node1"].run(print, "mine")
"""


def test_a_test_is_told_with_the_cluster_that_it_has_started_for_itself(suite: Suite) -> None:
    suite.file("tests/test_talks.py", PLAIN + "    assert 7 == 8\n")

    ended = suite.run("--distributed", "-k", "own", "--cluster-artifacts=out")

    assert len(ended.matching("- node1: 1 line during this test -")) == 1, ended.text
    told = json.loads((suite.path / "out" / "summary.json").read_text())
    assert [(one["cluster"], one["tests"], one["failed"]) for one in told["clusters"]] == [
        ("pytest-private", 1, 1)
    ]
    assert "tests not served" not in (suite.path / "out" / "report.html").read_text()


def test_a_test_without_a_cluster_that_failed_is_in_the_evidence(suite: Suite) -> None:
    suite.file("tests/test_talks.py", PLAIN)

    suite.run("--distributed", "--cluster-artifacts=out")

    told = json.loads((suite.path / "out" / "summary.json").read_text())
    assert told["verdict"] == "1 test failed."
    (failure,) = told["failures"]
    assert (failure["test"], failure["cluster"]) == ("tests/test_talks.py::test_plain", None)
    assert "assert 5 == 6" in failure["message"]
    suite_element = ET.parse(suite.path / "out" / "junit.xml").getroot().find("testsuite")
    assert suite_element is not None
    assert (suite_element.get("tests"), suite_element.get("failures")) == ("2", "1")
    assert "assert 5 == 6" in (suite.path / "out" / "report.html").read_text()


FLAKY = """
import pathlib

def test_flaky():
    again = pathlib.Path("again")
    assert again.exists() or again.touch()

def test_with(cluster):
    pass
"""


def test_a_test_without_a_cluster_that_passed_when_it_was_run_again_has_not_failed(suite: Suite) -> None:
    suite.load("rerunfailures")
    suite.file("tests/test_talks.py", FLAKY)

    ended = suite.run("--distributed", "--cluster-artifacts=out", "--reruns=1")

    assert ended.code == 0, ended.text
    told = json.loads((suite.path / "out" / "summary.json").read_text())
    assert (told["verdict"], told["failures"]) == ("All 2 tests passed.", [])


BREAKS_OFF = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if report.when == "setup" and report.nodeid.endswith("test_second"):
        raise RuntimeError("the run breaks off")
"""


def test_a_run_that_breaks_off_in_a_test_leaves_a_valid_junit_file(suite: Suite) -> None:
    suite.file("test_it.py", "def test_first(cluster): pass\n\ndef test_second(): pass\n")
    suite.file("conftest.py", BREAKS_OFF)

    ended = suite.run("--distributed", "--junitxml=junit.xml")

    assert ended.code == pytest.ExitCode.INTERNAL_ERROR, ended.text
    assert faults_of(suite.path / "junit.xml") == []
    assert 'name="test_second"' in (suite.path / "junit.xml").read_text()
