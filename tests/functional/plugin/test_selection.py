"""Which tests need a cluster, and which of them run: from what is really left to run."""

from __future__ import annotations

import json

import pytest

from tests.functional.plugin.suite import Suite

MIXED = """
import os
import pytest
from clusterlib import DistributedTestCase

def test_plain():
    assert "CLUSTERLIB_NAME" not in os.environ

@pytest.mark.slow
@pytest.mark.distributed
def test_marked():
    assert os.environ["CLUSTERLIB_NAME"] == "pytest"

def test_fixture(cluster):
    assert len(cluster) == 2

@pytest.mark.multi_node
class TestGroup:
    def test_in_class(self):
        assert os.environ["CLUSTERLIB_NODES"].count(",") >= 1

class TestCase(DistributedTestCase):
    def test_unittest(self):
        assert len(self.cluster) == 2

@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.cluster_size(2))])
def test_parameter(n):
    assert ("CLUSTERLIB_NAME" in os.environ) == (n == 2)
"""
SMALL = """
markers = ["slow"]

[tool.clusterlib]
profile = "ci-small"
"""
HINT = "run them with: pytest --distributed (everything) or pytest -m distributed (only them)"


@pytest.fixture(autouse=True)
def project(suite: Suite) -> None:
    suite.file("test_mixed.py", MIXED)
    suite.configure(SMALL)


def test_without_a_flag_the_others_run_and_the_distributed_ones_are_skipped_with_one_hint(
    suite: Suite,
) -> None:
    ended = suite.run("-rs")

    assert ended.code == 0
    assert ended.last == "2 passed, 5 skipped"
    assert ended.one("clusterlib: ") == f"clusterlib: 5 distributed tests were skipped; {HINT}"
    assert all(
        "needs a cluster; pytest --distributed gives it one" in one for one in ended.matching("SKIPPED [")
    )
    assert suite.runs == []
    assert not (suite.path / ".clusterlib").exists()


def test_distributed_runs_everything_with_one_start(suite: Suite) -> None:
    ended = suite.run("--distributed")

    assert (ended.code, ended.last) == (0, "7 passed")
    assert ended.one("are distributed") == (
        "clusterlib: 5 of 7 tests are distributed; profile ci-small, 1 cluster start"
    )
    assert ended.one("pytest   ci-small").split()[2:4] == ["2", "started"]
    assert len(suite.runs) == 1
    assert suite.reports == [], "all went well: no report is kept"


@pytest.mark.parametrize(
    ("expression", "last"),
    [
        ("distributed", "5 passed, 2 deselected"),
        ("multi_node or cluster_size", "2 passed, 5 deselected"),
        ("distributed and not slow", "4 passed, 3 deselected"),
        ("slow or distributed", "5 passed, 2 deselected"),
    ],
)
def test_tests_that_are_selected_for_a_marker_of_ours_are_run(
    suite: Suite, expression: str, last: str
) -> None:
    ended = suite.run("-m", expression)

    assert (ended.code, ended.last) == (0, last)
    assert "were skipped" not in ended.text


@pytest.mark.parametrize(
    ("expression", "last"),
    [
        ("not distributed", "2 passed, 5 deselected"),
        ("not slow", "2 passed, 4 skipped, 1 deselected"),
        ("slow", "1 skipped, 6 deselected"),
    ],
)
def test_tests_that_another_marker_selects_are_not_asked_for(
    suite: Suite, expression: str, last: str
) -> None:
    assert suite.run("-m", expression).last == last


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "plain"),
        ("test_mixed.py::test_plain",),
        ("-m", "not distributed"),
        ("--ignore=test_mixed.py", "test_other.py"),
        ("--collect-only",),
        *[
            tuple(f"--deselect=test_mixed.py::{name}" for name in names)
            for names in [("test_marked", "test_fixture", "TestGroup", "TestCase", "test_parameter")]
        ],
    ],
)
def test_it_is_silent_and_starts_nothing_when_no_distributed_test_is_left(
    suite: Suite, arguments: tuple[str, ...]
) -> None:
    suite.file("test_other.py", "def test_other():\n    pass\n")

    ended = suite.run("--distributed", *arguments)

    assert ended.code == 0
    assert ended.matching("clusterlib:") == []
    assert ended.matching("= clusters") == []
    assert not (suite.path / ".clusterlib").exists()


def test_last_failed_and_stepwise_count_as_filters(suite: Suite) -> None:
    suite.file("test_later.py", "def test_fails():\n    assert False\n")
    suite.run("--no-cluster")

    for option in ("--lf", "--sw"):
        ended = suite.run(
            "--distributed", option, "test_later.py" if option == "--sw" else "test_mixed.py", "test_later.py"
        )
        assert ended.last.startswith("1 failed")
        assert suite.runs == [], option


def test_no_cluster_wins_over_everything(suite: Suite) -> None:
    ended = suite.run("--no-cluster", "--distributed", "--force-cluster", "-rs", CLUSTERLIB_RUN="somewhere")

    assert ended.last == "2 passed, 5 skipped"
    assert (
        ended.one("clusterlib: 5") == "clusterlib: 5 distributed tests were skipped because of --no-cluster"
    )
    assert all("--no-cluster forbids it" in one for one in ended.matching("SKIPPED ["))
    assert suite.runs == []


def test_force_cluster_starts_one_before_the_first_test_and_every_test_knows_it(suite: Suite) -> None:
    suite.file(
        "test_plain.py",
        "import os, clusterlib\n"
        "def test_knows_it():\n"
        "    assert len(clusterlib.attach()) == 2\n"
        "    assert os.environ['CLUSTERLIB_PROFILE'] == 'ci-small'\n",
    )

    ended = suite.run("--force-cluster", "test_plain.py")

    assert (ended.code, ended.last) == (0, "1 passed")
    assert ended.one("pytest   ci-small")
    assert len(suite.runs) == 1


def test_the_plan_is_printed_and_nothing_runs(suite: Suite) -> None:
    suite.file(
        "test_big.py", "import pytest\n@pytest.mark.cluster_size(4)\ndef test_big():\n    assert False\n"
    )

    ended = suite.run("--cluster-plan", "--cluster-plan-to=out/plan.json")

    assert ended.code == 0
    assert ended.last == "no tests ran"
    assert "start ci-small with 4 nodes, as test_big.py::test_big asks for: 6 tests" in ended.text
    plan = json.loads((suite.path / "out" / "plan.json").read_text())
    assert (plan["starts"], plan["total"], plan["distributed"]) == (1, 8, 6)
    assert plan["groups"][0]["nodes"] == 4
    assert not (suite.path / ".clusterlib").exists()
    assert "no test that is left needs a cluster" in suite.run("--cluster-plan", "-k", "plain").text


def test_markers_fixtures_and_options_explain_themselves(suite: Suite) -> None:
    assert "@pytest.mark.cluster_size(n, exact=False): the test needs" in suite.run("--markers").text
    fixtures = suite.run("--fixtures").text
    assert "The cluster that satisfies the markers of this test" in fixtures
    assert "Starts clusters for this test only" in fixtures
    options = suite.run("--help").text
    for option in (
        "--distributed",
        "--force-cluster",
        "--no-cluster",
        "--cluster-size=N",
        "--profile=NAME",
        "cluster_strict",
    ):
        assert option in options


def test_a_fixture_of_the_project_that_is_called_cluster_is_none_of_ours(suite: Suite) -> None:
    suite.file("theirs/conftest.py", "import pytest\n@pytest.fixture\ndef cluster():\n    return 'theirs'\n")
    suite.file("theirs/test_it.py", "def test_it(cluster):\n    assert cluster == 'theirs'\n")

    ended = suite.run("--distributed", "theirs")

    assert ended.last == "1 passed"
    assert ended.matching("clusterlib:") == []


@pytest.mark.parametrize("option", ["--cluster-artifacts=out", "--cluster-plan-to=plan.json"])
def test_a_need_that_nobody_saw_beforehand_is_no_way_round_the_options(suite: Suite, option: str) -> None:
    """Also where there is a run, for the sake of its report or its plan."""
    suite.file("test_it.py", "def test_it(request):\n    request.getfixturevalue('cluster')\n")

    unasked = suite.run("test_it.py", option, "-rs")
    forbidden = suite.run("test_it.py", option, "--distributed", "--no-cluster", "-rs")
    served = suite.run("test_it.py", option, "--distributed")

    assert (unasked.last, forbidden.last, served.last) == ("1 skipped", "1 skipped", "1 passed")
    assert unasked.one("needs a cluster; pytest --distributed gives it one")
    assert forbidden.one("--no-cluster forbids it")
