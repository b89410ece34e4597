"""What a run leaves for those who want to understand it later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from tests.functional.plugin.suite import Suite

pytestmark = pytest.mark.usefixtures("talks")


def test_a_run_with_a_failure_leaves_a_report_and_the_last_five_are_kept(suite: Suite) -> None:
    suite.run("--distributed", "-k", "fails")
    (first,) = suite.reports
    for day in range(1, 6):
        shutil.copytree(first, first.with_name(f"2020010{day}-120000-1"))

    ended = suite.run("--distributed", "-k", "fails")

    assert len(suite.reports) == 5
    assert first in suite.reports
    folder = suite.path / ".clusterlib" / "reports" / "latest"
    assert folder.is_symlink()
    assert folder.resolve() == suite.reports[-1]
    assert f"report of this run: {suite.reports[-1]}/report.html" in ended.text
    assert {
        "report.html",
        "junit.xml",
        "cluster.xml",
        "summary.json",
        "plan.json",
        "environment.json",
        "records",
    } <= {path.name for path in folder.iterdir()}
    assert "the last words" in next(folder.glob("clusters/*/*/logs/node1.log")).read_text()
    assert suite.run("--distributed", "-k", "before").code == 0
    assert len(suite.reports) == 5


def test_records_tell_the_story_of_every_test(suite: Suite) -> None:
    suite.run("--distributed", "--cluster-artifacts=out/deep", "--junitxml=out/deep/junit.xml")

    folder = suite.path / "out" / "deep"
    ended = {one["test"].partition("::")[2]: one for one in suite.records("test.ended", folder)}
    assert {test: one["outcome"] for test, one in ended.items()} == {
        "test_before": "passed",
        "test_fails": "failed",
        "test_fails_silently": "failed",
        "test_is_skipped": "skipped",
    }
    failed = ended["test_fails"]
    assert (failed["file"], failed["line"]) == ("tests/test_talks.py", 10)
    assert failed["message"].startswith("assert 1 == 2")
    assert failed["cluster"] == "pytest"
    assert failed["began"].endswith("Z")
    kinds = [
        record["kind"]
        for kind in (
            "run.started",
            "schedule",
            "preflight",
            "cluster.started",
            "cluster.healed",
            "health",
            "run.ended",
        )
        for record in suite.records(kind, folder)
    ]
    assert kinds == [
        "run.started",
        "schedule",
        "preflight",
        "cluster.started",
        "cluster.healed",
        "health",
        "run.ended",
    ]
    suites = ET.parse(folder / "junit.xml").getroot()
    assert [case.get("name") for case in suites.iter("testcase")] == list(ended)
    assert json.loads((folder / "plan.json").read_text())["distributed"] == 4


@pytest.mark.parametrize(("setting", "kept"), [("always", 1), ("never", 0), ("failure", 0)])
def test_whether_a_good_run_leaves_one_is_a_setting(suite: Suite, setting: str, kept: int) -> None:
    suite.run("--distributed", "-k", "before", "-o", f"cluster_artifacts={setting}")

    assert len(suite.reports) == kept


def test_a_run_that_is_never_to_leave_one_leaves_none_though_it_fails(suite: Suite) -> None:
    ended = suite.run("--distributed", CLUSTERLIB_TESTS_ARTIFACTS="never")

    assert ended.code == 1
    assert suite.reports == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_junit_file_that_something_is_mounted_at_is_written(suite: Suite) -> None:
    """As containers do it with a single file. Such a file cannot be replaced."""
    suite.file("test_it.py", "def test_it(cluster): assert len(cluster) == 1")
    (suite.path / "junit.xml").touch()
    mounted = 'mount --bind junit.xml junit.xml && exec "$@"'
    pytest_there = [
        sys.executable,
        "-m",
        "pytest",
        "--distributed",
        "--cluster-size=1",
        "--junitxml=junit.xml",
        "test_it.py",
    ]
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", mounted, "sh", *pytest_there],
        cwd=suite.path,
        env=suite.environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

    ended = suite.end(process)

    assert (ended.code, ended.last) == (0, "1 passed"), ended.text
    assert 'name="test_it"' in (suite.path / "junit.xml").read_text()


def test_a_junit_file_that_is_a_link_stays_one(suite: Suite) -> None:
    """It may lead to a pipe, or to /dev/stdout, which nobody may replace."""
    suite.file("test_it.py", "def test_it(cluster): ...")
    link = suite.path / "junit.xml"
    link.symlink_to("elsewhere.xml")

    suite.run("--distributed", "--junitxml=junit.xml")

    assert link.is_symlink()
    assert 'name="test_it"' in (suite.path / "elsewhere.xml").read_text()
    assert not (suite.path / "junit.xml.part").exists()


def test_a_folder_that_cannot_hold_artifacts_is_told_before_anything_starts(suite: Suite) -> None:
    suite.file("test_it.py", "def test_it(cluster): ...")
    suite.file("out", "a file")

    ended = suite.run("--distributed", "--cluster-artifacts=out")

    assert ended.code == pytest.ExitCode.USAGE_ERROR, ended.text
    assert "artifacts cannot be left in" in ended.text
    assert "INTERNALERROR" not in ended.text
    assert suite.runs == []


def test_github_gets_annotations_and_a_summary(suite: Suite) -> None:
    ended = suite.run(
        "--distributed",
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(suite.path / "summary.md"),
        GITHUB_WORKSPACE=str(suite.path),
    )

    annotation, silent = ended.matching("::error ")
    assert "file=tests/test_talks.py,line=10" in annotation
    assert "the test killed node3" in annotation
    assert "killed" not in silent, "what an earlier test did, and was healed, is no cause"
    summary = (suite.path / "summary.md").read_text()
    assert "test_fails" in summary
    assert "| pytest | dev | 3 |" in summary


def test_what_an_earlier_test_broke_is_not_told_as_the_cause_of_a_failure(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        """
def test_kills(cluster):
    cluster["node2"].kill()

def test_is_wrong(cluster):
    assert 1 == 2
""",
    )

    suite.run("--distributed", "--cluster-artifacts=out")

    told = json.loads((suite.path / "out" / "summary.json").read_text())
    (failure,) = told["failures"]
    assert (failure["cause"], failure["did"]) == (None, None)
    assert told["verdict"] == "1 of 2 tests failed."
    healed = next(iter(suite.records("cluster.healed", suite.path / "out")))
    (ended,) = [one for one in suite.records("test.ended", suite.path / "out") if one["outcome"] == "failed"]
    assert ended["began"] < healed["time"] < ended["served"]
