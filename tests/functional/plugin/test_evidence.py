"""What a failing test shows, and what a run leaves for whoever must understand it later."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import xmlschema

from tests.chaos.suites import faults_of
from tests.functional.plugin.suite import Suite

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[2] / "schemas" / "junit.xsd")

TALKS = """
import pytest

def test_before(cluster):
    cluster["node1"].run(print, "of another test")

def test_fails(cluster):
    cluster["node1"].run(print, "the last words")
    cluster["node3"].kill()
    assert 1 == 2

def test_fails_silently(cluster):
    assert 3 == 4

def test_is_skipped(cluster):
    pytest.skip("not today")
"""


@pytest.fixture(autouse=True)
def project(suite: Suite) -> None:
    suite.file("tests/test_talks.py", TALKS)


def test_a_failing_test_shows_what_each_node_said_and_what_happened_during_it(suite: Suite) -> None:
    ended = suite.run("--distributed")

    failures = ended.text.partition("_ test_fails _")[2]
    first, _, second = failures.partition("_ test_fails_silently _")
    assert re.search(r"- node1: \d lines? during this test -", first)
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3} the last words$", first, re.MULTILINE)
    assert "of another test" not in first
    happened = first.partition("cluster: what happened")[2]
    assert "node3 was killed" in happened
    assert "node3 is dead: killed by SIGKILL" in happened
    assert "node3 printed nothing" in first
    assert "node1, node2, node3 printed nothing" in second.partition("=====")[0]
    assert "what happened" not in second.partition("=====")[0]


def test_what_nodes_said_shows_no_secret_in_the_terminal(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        """
import os

def test_fails(cluster):
    cluster["node1"].run(print, "connecting with", os.environ["SHOP_PW"], "to postgres://joe:letmein@db")
    assert cluster == 2
""",
    )

    ended = suite.run("--distributed", SHOP_PW="correct horse")

    assert "connecting with [redacted] to postgres://joe:[redacted]@db" in ended.text


def test_a_test_that_does_not_end_in_time_shows_the_stacks_of_the_nodes_that_it_called(suite: Suite) -> None:
    suite.load("timeout")
    suite.file(
        "shop.py",
        """
import asyncio

async def wait_for_stock():
    await asyncio.Event().wait()
""",
    )
    suite.file(
        "tests/test_talks.py",
        """
import pytest

@pytest.mark.timeout(4, func_only=True, method="signal")
def test_hangs(cluster):
    cluster["node2"].call("shop:wait_for_stock")
""",
    )

    ended = suite.run("--distributed")

    assert ended.last == "1 failed", ended.text
    told = ended.text.partition("- node2: its stacks at the time-out -")[2]
    assert "in wait_for_stock" in told
    assert "node1: its stacks" not in ended.text, "it was not called"
    for name in ("report.html", "junit.xml", "records/main.jsonl"):
        _, title, after = (
            (suite.reports[-1] / name).read_text().partition("node2: its stacks at the time-out")
        )
        assert title, name
        assert "in wait_for_stock" in after, name


RESTLESS = """
def test_restless(cluster):
    for _ in range(12):
        cluster["node2"].kill()
        cluster["node2"].restart()
    cluster["node3"].kill()
    assert 1 == 2
"""


def test_of_much_that_happened_the_first_and_the_last_lines_are_shown(suite: Suite) -> None:
    suite.file("tests/test_talks.py", RESTLESS)

    ended = suite.run("--distributed")

    happened = ended.text.partition("cluster: what happened -")[2].split("\n-")[0].split("\n=")[0]
    lines = happened.strip("-\n").splitlines()
    assert "node2 was killed" in lines[0]
    assert "node3 is dead" in lines[-1]
    assert len(lines) == 31
    (note,) = [line for line in lines if "left out" in line]
    found = re.fullmatch(r"\.\.\. (\d+) lines are left out; all of them are in (.+events\.jsonl)", note)
    assert found, note
    assert int(found[1]) >= 20
    assert Path(found[2]).read_text().count('"fault.kill"') == 13


def test_talkative_nodes_leave_the_summary_on_the_screen(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        """
import pytest

def talk(count):
    for number in range(count):
        print(f"line {number} of many")
    print("x" * 5000)

@pytest.mark.cluster_size(5)
def test_fails(cluster):
    for node in cluster:
        node.run(talk, 4 if node.name == "node1" else 200)
    assert 1 == 2
""",
    )

    ended = suite.run("--distributed")
    told = [line for line in ended.lines if " of many" in line or "xxx" in line]
    more = suite.run("--distributed", "-o", "cluster_log_lines=100")

    assert 50 < len(told) <= 60
    assert max(map(len, told)) < 400
    assert ended.one("- node1: 5 lines during this test -"), "who says little is shown whole"
    assert len(ended.matching("of many")) < len(more.matching("of many")) <= 100


def test_only_nodes_that_were_there_can_have_said_nothing(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        """
import pytest

def test_grows(cluster, with_cluster_size):
    with with_cluster_size(5):
        assert 1 == 2

def test_after_it(cluster):
    assert 3 == 4
""",
    )

    ended = suite.run("--distributed")

    first, _, second = ended.text.partition("_ test_after_it _")
    assert "node1, node2, node3, node4, node5 printed nothing" in first
    assert "node1, node2, node3 printed nothing" in second


def test_as_many_lines_are_shown_as_was_asked_for(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        "def test_it(cluster):\n"
        "    for number in range(20):\n        cluster['node1'].run(print, f'line-{number}')\n"
        "    assert False\n",
    )

    some = suite.run("--distributed", "-o", "cluster_log_lines=3")
    none = suite.run("--distributed", CLUSTERLIB_TESTS_LOG_LINES="0")

    assert re.findall(r"line-\d+$", some.text, re.MULTILINE) == ["line-17", "line-18", "line-19"]
    assert "node1: the last 3 lines during this test" in some.text
    assert "during this test" not in none.text


def test_a_run_with_a_failure_leaves_a_report_and_the_last_five_are_kept(suite: Suite) -> None:
    for _ in range(6):
        ended = suite.run("--distributed", "-k", "fails")

    assert len(suite.reports) == 5
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


EXPLAINED = """
import shop

def test_color(cluster):
    code = "{secret}"
    cluster["node2"].run(print, "looking for", code)
    cluster["node2"].call("shop:color_of", "tea")

def test_checked_elsewhere(cluster):
    shop.check([1, 2], [1, 3])
"""
SHOP = """
def color_of(item):
    return {{"count": 3}}["color"]  # {secret}

def check(found, wanted):
    assert found == wanted
"""
SECRET = "sesame-open-yourself"


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "parallel"])
def test_a_failure_leaves_its_source_its_tracebacks_and_the_logs_without_secrets(
    suite: Suite, workers: list[str]
) -> None:
    suite.file("tests/test_talks.py", EXPLAINED.format(secret=SECRET))
    suite.file("shop.py", SHOP.format(secret=SECRET))

    suite.run("--distributed", "--junitxml=given.xml", *workers, PYTHONPATH=".", SHOP_PASSWORD=SECRET)

    (folder,) = suite.reports
    ended = {one["test"].partition("::")[2]: one["explained"] for one in suite.records("test.ended")}
    (source,) = ended["test_color"]["sources"]
    assert (source["file"], source["line"], source["function"]) == ("tests/test_talks.py", 7, "test_color")
    assert source["lines"][source["line"] - source["first"]].strip().startswith('cluster["node2"].call(')
    (remote,) = ended["test_color"]["remotes"]
    assert remote["node"] == "node2"
    assert 'File "shop.py", line 3, in color_of' in remote["traceback"]
    places = [(one["file"], one["line"]) for one in ended["test_checked_elsewhere"]["sources"]]
    assert places == [("tests/test_talks.py", 10), ("shop.py", 6)]
    page = (folder / "report.html").read_text()
    assert "Traceback on <b>node2</b>" in page
    for file in (suite.path / "given.xml", folder / "junit.xml"):
        SCHEMA.validate(file)
        cases = {case.get("name"): case for case in ET.parse(file).getroot().iter("testcase")}
        assert "KeyError: 'color'" in str(cases["test_color"].findtext("failure"))
        assert "looking for [redacted]" in str(cases["test_color"].findtext("system-out"))
    texts = {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert [path for path, text in texts.items() if SECRET in text] == []


def test_what_pytest_writes_among_the_artifacts_has_no_secrets(suite: Suite) -> None:
    secret = 'open <"sesame"> & now'
    suite.file("tests/test_talks.py", f"def test_it(cluster):\n    assert {secret!r} == 3\n")

    suite.run("--distributed", "--cluster-artifacts=out", "--junitxml=out/junit.xml", SHOP_PASSWORD=secret)

    (case,) = ET.parse(suite.path / "out" / "junit.xml").getroot().iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert "assert [redacted] == 3" in str(failure.text)
    assert "sesame" not in (suite.path / "out" / "junit.xml").read_text()


def test_a_huge_difference_is_cut_to_its_beginning_and_its_end(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        "def test_it(cluster):\n    assert 'begin' + 'a' * 3_000_000 + 'end' == '', 'x' * 3_000_000\n",
    )

    suite.run("--distributed", "--cluster-artifacts=out")

    (ended,) = suite.records("test.ended", suite.path / "out")
    assert len(ended["explained"]["traceback"]) < 20_000
    assert "characters are left out" in ended["explained"]["traceback"]
    assert (suite.path / "out" / "report.html").stat().st_size < 200_000


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


def test_verbose_tells_what_happens_as_it_happens(suite: Suite) -> None:
    ended = suite.run("--distributed", "--cluster-verbose")

    told = [line.removeprefix("clusterlib: ") for line in ended.matching("clusterlib: ")]
    assert "starting cluster pytest: 3 nodes, profile dev" in told
    assert "tests/test_talks.py::test_before has cluster pytest (started)" in told
    assert "restarting node3" in told
    assert "tests/test_talks.py::test_fails_silently has cluster pytest (reused)" in told


def test_a_start_that_takes_long_says_what_it_waits_for(suite: Suite) -> None:
    suite.file("slow.py", "import threading\ndef main():\n    threading.Event().wait(3)\n")
    suite.configure('[tool.clusterlib]\npython.app = "slow:main"\n')

    ended = suite.run("--distributed", "-k", "before")

    assert ended.last.startswith("1 passed"), ended.text
    assert "tests/test_talks.py::test_before has waited 2 s for a cluster" in ended.text
    assert "of 3 nodes are ready" in ended.text


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
