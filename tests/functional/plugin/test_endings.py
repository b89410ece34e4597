"""Nothing is left of a run that ends early, is interrupted, times out, is killed or debugged."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from clusterlib.waiting import Deadline, poll
from tests.functional.plugin.suite import Suite

FAILS = """
def test_fails(cluster):
    assert cluster["node1"].ping() > 5

def test_later(cluster):
    pass
"""
WAITS = """
import pathlib, threading

def test_first(cluster):
    cluster["node1"].run(print, "a line")

def test_waits(cluster):
    pathlib.Path("waiting").touch()
    threading.Event().wait(60)
"""


def started(suite: Suite, *arguments: str) -> subprocess.Popen[str]:
    """A run that has come to its second test, which waits."""
    suite.file("test_waits.py", WAITS)
    process = suite.start("--distributed", *arguments)
    there = poll(lambda: (suite.path / "waiting").exists() or process.poll() is not None, Deadline(60))
    assert there
    assert process.poll() is None, process.communicate()
    return process


def verdict(suite: Suite) -> str:
    """What the evidence says of the latest run."""
    return str(json.loads((suite.reports[-1] / "summary.json").read_text())["verdict"])


def test_the_first_failure_may_end_it(suite: Suite) -> None:
    suite.file("test_it.py", FAILS)

    for option in ("-x", "--maxfail=1"):
        ended = suite.run("--distributed", option)

        assert ended.code == 1
        assert ended.last.startswith("!") or "1 failed" in ended.last
        assert len(ended.matching("= clusters =")) == 1


def test_a_test_may_end_the_whole_run(suite: Suite) -> None:
    suite.file(
        "test_it.py", "import pytest\ndef test_exits(cluster):\n    pytest.exit('enough', returncode=7)\n"
    )

    ended = suite.run("--distributed")

    assert ended.code == 7
    assert verdict(suite) == "The run was interrupted while a test was running."
    assert suite.runs[0]["state"] == "stopped"


def test_an_error_of_pytest_itself_ends_the_clusters_too(suite: Suite) -> None:
    suite.file("test_it.py", FAILS)
    suite.file("conftest.py", "def pytest_runtest_logreport(report):\n    raise RuntimeError('a bug')\n")

    ended = suite.run("--distributed")

    assert ended.code == 3
    assert "a bug" in ended.text


def test_ctrl_c_ends_it_in_order(suite: Suite) -> None:
    process = started(suite, "--junitxml=out/junit.xml")

    process.send_signal(signal.SIGINT)
    ended = suite.end(process)

    assert ended.code == 2
    assert "KeyboardInterrupt" in ended.text
    assert len(ended.matching("= clusters =")) == 1
    assert [run["state"] for run in suite.runs] == ["stopped"]
    suite.assert_nothing_is_left()
    assert verdict(suite) == "The run was interrupted while a test was running."
    assert "It was running when the run was interrupted." in (suite.reports[-1] / "junit.xml").read_text()
    assert (suite.path / "out" / "junit.xml").exists()


def test_ctrl_c_ends_workers_in_order(suite: Suite) -> None:
    process = started(suite, "-n2")

    process.send_signal(signal.SIGINT)
    ended = suite.end(process)

    assert ended.code == 2, ended.text
    suite.assert_nothing_is_left()
    assert verdict(suite).startswith("The run was interrupted while")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("workers", [0, 2])
def test_whoever_kills_it_leaves_nothing_but_evidence(
    suite: Suite, how: signal.Signals, workers: int
) -> None:
    process = started(suite, f"-n{workers}", "--junitxml=junit.xml", "--cluster-artifacts=out")

    process.send_signal(how)
    process.communicate()
    suite.assert_nothing_is_left()
    suite.python("-m", "clusterlib", "test.report", "out")

    assert (suite.path / "out" / "report.html").stat().st_size > 1000
    assert "test_waits" in (suite.path / "out" / "report.html").read_text()
    assert not (suite.path / "junit.xml").exists(), "half a file would be worse than none"


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_ends_the_test_or_the_run(suite: Suite, method: str) -> None:
    suite.load("timeout")
    suite.file("test_waits.py", WAITS + "\ndef test_after(cluster):\n    assert len(cluster) == 3\n")

    ended = suite.run("--distributed", "--timeout=3", f"--timeout-method={method}")

    assert ended.code == 1
    if method == "signal":
        assert ended.last == "1 failed, 2 passed", ended.text
    else:
        assert "Timeout" in ended.text


def test_the_cluster_stays_while_you_look(suite: Suite) -> None:
    suite.file("test_it.py", FAILS)

    process = suite.start("--distributed", "--pdb")
    ended = suite.end(
        process,
        "p 'there are', len(cluster['node1'].members())\np 'turns', len(cluster.status().turns)\nc\n",
    )

    assert "('there are', 3)" in ended.text, ended.text
    assert "('turns', 1)" in ended.text
    assert "1 failed, 1 passed" in ended.last
    suite.assert_nothing_is_left()


def test_a_fixture_that_fails_after_the_cluster_was_given_hands_it_back(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        "import pytest\n"
        "@pytest.fixture\ndef broken(cluster):\n    raise RuntimeError('no')\n"
        "@pytest.fixture\ndef untidy(cluster):\n    yield\n    raise RuntimeError('neither')\n"
        "def test_set_up(broken):\n    pass\n"
        "def test_tear_down(untidy):\n    pass\n"
        "def test_after(cluster):\n    assert len(cluster.status().turns) == 1\n",
    )

    ended = suite.run("--distributed")

    assert ended.last == "2 passed, 2 errors", ended.text
    assert len(suite.runs) == 1


def test_two_runs_at_once_do_not_disturb_each_other(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
import os
from pathlib import Path

def test_it(cluster):
    Path(f"here-{os.getpid()}").touch()
    cluster.wait_until(lambda: len(list(Path().glob("here-*"))) == 3, timeout=60, what="all three runs are here")
    cluster["node1"].kill()
    assert len(cluster) == 3
""",
    )

    runs = [suite.start("--distributed", "--cluster-artifacts=out") for _ in range(3)]
    ended = [suite.end(run) for run in runs]

    assert [one.last for one in ended] == ["1 passed"] * 3
    names = {
        re.split(r"\s", line)[0] for one in ended for line in one.lines if re.match(r"pytest\S*\s+dev", line)
    }
    assert names == {"pytest", "pytest-2", "pytest-3"}
    assert {path.name for path in suite.path.glob("out*")} == {"out", "out-2", "out-3"}
    assert sum("another run writes to out; artifacts go to" in one.text for one in ended) == 2
    suite.assert_nothing_is_left()
