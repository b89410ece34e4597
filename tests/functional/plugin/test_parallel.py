"""pytest-xdist: a cluster for each worker or one for all, in every mode; workers that crash."""

from __future__ import annotations

import re

import pytest

from tests.chaos.suites import faults_of
from tests.functional.plugin.suite import Suite

MANY = """
import pytest

@pytest.fixture(scope="module", autouse=True)
def slow_teardown():
    yield
    __import__("threading").Event().wait(0.3)

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("n", range(6))
def test_many(cluster, n):
    assert cluster["node1"].call("math:factorial", 3) == 6

def test_plain():
    pass

@pytest.mark.cluster(exclusive=True)
def test_breaks(cluster):
    cluster["node2"].kill()

def test_whole(cluster):
    assert len(cluster["node1"].members()) == 2

def test_fails(cluster):
    cluster["node1"].run(print, "seen by node1")
    assert False
"""
SMALL = '[tool.clusterlib]\nprofile = "ci-small"\n'


@pytest.fixture(autouse=True)
def project(suite: Suite) -> None:
    suite.file("test_one.py", MANY)
    suite.file("test_two.py", MANY)
    suite.configure(SMALL)


def rows(lines: list[str]) -> list[list[str]]:
    """The table of clusters."""
    return [re.split(r"\s{2,}", line) for line in lines if re.match(r"pytest\S*\s+ci-small", line)]


@pytest.mark.parametrize(
    "mode",
    [
        "load",
        "loadgroup",
        "worksteal",
        # These two give tests to workers as loadgroup does, by another name of the group.
        pytest.param("loadscope", marks=pytest.mark.lab),
        pytest.param("loadfile", marks=pytest.mark.lab),
    ],
)
def test_each_worker_has_a_cluster_of_its_own(suite: Suite, mode: str) -> None:
    ended = suite.run("--distributed", "-n3", f"--dist={mode}")

    assert ended.last == "2 failed, 18 passed", ended.text
    assert len(ended.matching("18 of 20 tests are distributed")) == 1
    assert len(ended.matching("= clusters =")) == 1
    assert len(re.findall(r"^\S+ seen by node1$", ended.text, re.MULTILINE)) == 2
    table = rows(ended.lines)
    assert 1 <= len(table) <= 3
    assert sum(int(row[5]) for row in table) == 18
    assert len(suite.runs) == len(table)
    assert {record["worker"] for record in suite.records("run.ended")} >= {"main", "gw0"}


def test_each_worker_runs_everything_in_mode_each(suite: Suite) -> None:
    ended = suite.run("--distributed", "--tx=2*popen", "--dist=each")

    assert ended.last == "4 failed, 36 passed", ended.text
    assert [int(row[5]) for row in rows(ended.lines)] == [18, 18]


def test_workers_can_share_one_cluster(suite: Suite) -> None:
    ended = suite.run("--distributed", "-n3", "-o", "cluster_workers=shared")

    assert ended.last == "2 failed, 18 passed", ended.text
    (row,) = rows(ended.lines)
    assert (row[0], row[3], row[5]) == ("pytest-shared", "started", "18")
    assert len(suite.runs) == 1


IN_THE_WAY = """
from pathlib import Path

import clusterlib.testing.sharing

clusterlib.testing.sharing.NAME_SECONDS = 1.0

def pytest_configure(config):
    if hasattr(config, "workerinput"):  # where the name is written, which then fails as on a full disk
        records = Path(config.workerinput["clusterlib"], "records")
        (records / "shared-name").mkdir(parents=True, exist_ok=True)
"""


def test_workers_that_cannot_share_a_cluster_start_none_of_their_own(suite: Suite) -> None:
    suite.file("conftest.py", IN_THE_WAY)

    ended = suite.run("--distributed", "-n2", "-o", "cluster_workers=shared")

    assert ended.matching("the workers of this run cannot share a cluster"), ended.text
    assert not ended.matching("INTERNALERROR")
    assert suite.runs == []


def test_no_workers_at_all(suite: Suite) -> None:
    assert suite.run("--distributed", "-n0").last == "2 failed, 18 passed"
    assert suite.run("--distributed", "-p", "no:xdist").last.startswith("2 failed, 18 passed")


def test_without_distributed_tests_nothing_is_said_or_made(suite: Suite) -> None:
    plain = suite.run("-n2", "-k", "plain")
    skipped = suite.run("-n2")

    assert plain.last == "2 passed"
    assert plain.matching("clusterlib:") == []
    assert skipped.last == "2 passed, 18 skipped"
    assert len(skipped.matching("clusterlib: 18 distributed tests were skipped; run them with")) == 1
    assert not (suite.path / ".clusterlib").exists()


CRASH = """
import os, signal
import pytest

@pytest.mark.parametrize("n", range(8))
def test_before(cluster, n):
    assert len(cluster["node1"].members()) == 2

def test_crashes(cluster):
    os.kill(os.getpid(), signal.SIGKILL)

def test_exits(cluster):
    os._exit(7)

@pytest.mark.parametrize("n", range(8))
def test_after(cluster, n):
    assert len(cluster["node1"].members()) == 2
"""


@pytest.mark.parametrize("workers", ["each", "shared"])
def test_a_worker_that_crashes_costs_its_own_test_and_nothing_is_left(suite: Suite, workers: str) -> None:
    suite.file("crash/test_crash.py", CRASH)

    ended = suite.run(
        "--distributed",
        "-n2",
        "--max-worker-restart=4",
        "-o",
        f"cluster_workers={workers}",
        "crash",
        GITHUB_ACTIONS="true",
    )

    assert ended.last == "2 failed, 16 passed", ended.text
    assert "crashed; the clusters of a crashed worker end with it" in ended.text
    assert len(ended.matching("= clusters =")) == 1
    assert sum(int(row[5]) for row in rows(ended.lines)) == 18
    annotated = re.findall(r"::error file=crash/test_crash.py,line=(\d+),", ended.text)
    assert sorted(annotated, key=int) == ["9", "12"]


DIES_AS_IT_IS_GIVEN_TESTS = """
import os

if "PYTEST_XDIST_WORKER" not in os.environ:
    from xdist.workermanage import WorkerController

    original = WorkerController.sendcommand
    given = []

    def sendcommand(self, name, **values):
        if name == "runtests" and self.gateway.id == "gw0":
            given.append(values)
            if len(given) == 2:  # the worker has run some of its first tests by now
                self.gateway._io.popen.kill()
                self.gateway._io.popen.wait()
        original(self, name, **values)

    WorkerController.sendcommand = sendcommand
"""
MANY_SMALL = """
import pytest

@pytest.mark.parametrize("n", range(40))
def test_small(cluster, n):
    assert len(cluster) == 2
"""

PLAIN = """
@pytest.mark.parametrize("n", range(40))
def test_small(n):
    pass
"""


@pytest.mark.parametrize("ours", [True, False], ids=["with the plugin", "pytest-xdist alone"])
def test_a_worker_that_dies_as_it_is_given_tests_ends_xdist_but_leaves_nothing_and_a_report(
    suite: Suite, ours: bool
) -> None:
    """The error is pytest-xdist's: it does not expect that a worker dies between two looks at
    it."""
    suite.file("given/conftest.py", DIES_AS_IT_IS_GIVEN_TESTS)
    suite.file("given/test_small.py", MANY_SMALL if ours else "import pytest\n" + PLAIN)

    ended = suite.run(
        *(["--distributed"] if ours else ["-p", "no:clusterlib"]), "-n2", "--junitxml=junit.xml", "given"
    )

    assert ended.code == pytest.ExitCode.INTERNAL_ERROR, ended.text
    assert ended.matching("INTERNALERROR> OSError: cannot send (already closed?)"), ended.text
    if ours:
        (report,) = suite.reports
        assert (report / "report.html").is_file()
        for written in [suite.path / "junit.xml", *report.rglob("*.xml")]:
            assert faults_of(written) == [], written


def test_what_makes_no_sense_is_said_once(suite: Suite) -> None:
    ended = suite.run("-n2", "-m", "distributed", "-o", "cluster_strict=sometimes")

    assert ended.code == 4, ended.text
    assert len(ended.matching('pyproject.toml: cluster_strict: "sometimes" is not known here')) == 1
    assert "INTERNALERROR" not in ended.text


def test_what_shows_to_make_no_sense_in_the_workers_only_fails_their_tests(suite: Suite) -> None:
    suite.configure("addopts = \"-m 'not slow'\"\n" + SMALL)

    ended = suite.run("-n2", "-o", "cluster_strict=sometimes", CLUSTERLIB_RUN="given")

    assert ended.last == "2 passed, 18 errors", ended.text
    assert "INTERNALERROR" not in ended.text


def test_a_parallel_run_without_distributed_tests_does_not_wait_for_what_would_serve_them(
    suite: Suite,
) -> None:
    suite.file("test_it.py", "def test_it(): ...")
    suite.file(
        "conftest.py",
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        "    if not hasattr(config, 'workerinput'):\n"
        "        print(*sorted(name for name in sys.modules if name.startswith('clusterlib.')))\n",
    )

    ended = suite.run("-n1")

    assert ended.lines[-1].split() == [
        "clusterlib.doors",
        "clusterlib.doors.pytest",
        "clusterlib.evidence",
        "clusterlib.evidence.home",
        "clusterlib.lazy",
        "clusterlib.profiles",
        "clusterlib.profiles.project",
        "clusterlib.testing",
        "clusterlib.testing.declared",
        "clusterlib.testing.place",
        "clusterlib.testing.registered",
    ], ended.text
