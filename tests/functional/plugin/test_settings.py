"""Settings of a run: profile, project, pytest's configuration, environment, command line."""

from __future__ import annotations

import sys

import pytest

from tests.functional.plugin.suite import Suite

TEST = """
import os

def test_it(cluster):
    print(cluster.profile, len(cluster), cluster.name)
    assert (cluster.profile, len(cluster)) == (os.environ["WANTED"].split()[0], int(os.environ["WANTED"].split()[1]))
"""
PROJECT = """
[tool.clusterlib]
profile = "ci-small"
"""
INI = 'cluster_profile = "ci-large"\n'


@pytest.fixture(autouse=True)
def project(suite: Suite) -> None:
    suite.file("test_it.py", TEST)


@pytest.mark.parametrize(
    ("arguments", "variables", "configuration", "wanted"),
    [
        ([], {}, "", "dev 3"),
        ([], {}, PROJECT, "ci-small 2"),
        ([], {}, INI + PROJECT, "ci-large 5"),
        ([], {"CLUSTERLIB_PROFILE": "dev"}, INI + PROJECT, "dev 3"),
        (["--profile", "ci-small"], {"CLUSTERLIB_PROFILE": "dev"}, INI, "ci-small 2"),
        (
            ["--cluster-profile=ci-small", "--cluster-size=4"],
            {"CLUSTERLIB_NODES_COUNT": "1"},
            "",
            "ci-small 4",
        ),
    ],
)
def test_the_later_the_stronger(
    suite: Suite, arguments: list[str], variables: dict[str, str], configuration: str, wanted: str
) -> None:
    suite.configure(configuration)

    ended = suite.run("--distributed", *arguments, WANTED=wanted, **variables)

    assert (ended.code, ended.last) == (0, "1 passed"), ended.text


def test_an_option_called_profile_of_somebody_else_is_left_alone(suite: Suite) -> None:
    suite.file(
        "conftest.py",
        "def pytest_addoption(parser):\n    parser.addoption('--profile', action='store_true')\n"
        "def pytest_report_header(config):\n    return f'theirs: {config.option.profile}'\n",
    )
    suite.file("dev/conftest.py", "raise RuntimeError('the folder of that name has nothing to do with it')\n")

    ended = suite.run(
        "--distributed", "--profile", "--cluster-profile=ci-small", "test_it.py", WANTED="ci-small 2"
    )

    assert ended.last == "1 passed", ended.text
    assert "theirs: True" in ended.text
    (suite.path / "conftest.py").unlink()
    assert suite.run("--distributed", "--profile", "dev", "test_it.py", WANTED="dev 3").last == "1 passed"


@pytest.mark.parametrize(
    ("arguments", "configuration", "said"),
    [
        (["--cluster-size=0"], "", "a cluster has 1 to 1000 nodes, not '0'"),
        (["--profile=nowhere"], "", 'there is no profile "nowhere"'),
        (
            [],
            'cluster_strict = "sometimes"\n',
            'pyproject.toml: cluster_strict: "sometimes" is not known here',
        ),
        ([], 'cluster_fallbacks = "retry pray"\n', "pyproject.toml: cluster_fallbacks"),
        ([], 'cluster_log_lines = "many"\n', "pyproject.toml: cluster_log_lines"),
        ([], 'cluster_auto = "perhaps"\n', "cluster_auto"),
        ([], "[tool.clusterlib]\nnodes.cuont = 3\n", "pyproject.toml:{last}: nodes.cuont"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    suite: Suite, arguments: list[str], configuration: str, said: str
) -> None:
    suite.configure(configuration)
    last = len((suite.path / "pyproject.toml").read_text().splitlines())

    ended = suite.run("--distributed", *arguments)

    assert ended.code == 4, ended.text
    assert said.replace("{last}", str(last)) in ended.text
    assert "Traceback" not in ended.text
    assert suite.runs == []


MANUAL = 'cluster_auto = "false"\n[tool.clusterlib]\nprofile = "ci-small"\n'


def test_in_manual_mode_only_a_cluster_that_runs_already_is_used(suite: Suite) -> None:
    suite.configure(MANUAL)

    without = suite.run("--distributed", "-rs")
    suite.python("-m", "clusterlib", "cluster.up")
    with_one = suite.end(suite.start("--distributed", WANTED="ci-small 2"))
    after = suite.python("-m", "clusterlib", "cluster.status")

    assert without.last == "1 skipped", without.text
    assert "invoke cluster.up" in without.text
    assert with_one.last == "1 passed", with_one.text
    assert "borrowed" in with_one.text
    assert "cluster default is ready" in after.text


def test_a_cluster_started_by_hand_is_borrowed_and_left_running(suite: Suite) -> None:
    suite.configure(PROJECT)
    suite.file(
        "test_sizes.py",
        "def test_size(cluster, with_cluster_size):\n"
        "    with with_cluster_size(3) as other:\n"
        "        assert (len(other), other.name != cluster.name) == (3, True)\n"
        "    cluster['node1'].kill()\n"
        "def test_healed(cluster):\n"
        "    assert len(cluster['node2'].members()) == 2\n",
    )
    suite.python("-m", "clusterlib", "cluster.up")

    ended = suite.end(suite.start("--distributed", "-n2", WANTED="ci-small 2"))
    after = suite.python("-m", "clusterlib", "cluster.status")

    assert ended.last == "3 passed", ended.text
    assert "borrowed" in ended.text
    assert "cluster default is ready: 2 nodes" in after.text
    suite.assert_nothing_is_left(but="default")


def test_under_cluster_run_every_distributed_test_is_asked_for(suite: Suite) -> None:
    ended = suite.python(
        "-m",
        "clusterlib",
        "cluster.run",
        "--profile=ci-large",
        "--",
        sys.executable,
        "-m",
        "pytest",
        WANTED="ci-large 5",
    )

    assert ended.code == 0, ended.text
    assert "1 passed" in ended.text
    assert "borrowed" in ended.text
    suite.assert_nothing_is_left()


def test_clusters_may_linger_until_the_next_run(suite: Suite) -> None:
    first = suite.end(suite.start("--distributed", "--cluster-linger", WANTED="dev 3"))
    second = suite.end(suite.start("--distributed", "--cluster-linger", WANTED="dev 3"))

    assert (first.last, second.last) == ("1 passed", "1 passed"), first.text + second.text
    assert "started" in first.one("pytest   dev")
    assert "joined" in second.one("pytest   dev")
    assert len(suite.runs) == 1


def test_without_any_cluster_a_manual_run_says_so_once_and_which_one_would_serve_all(suite: Suite) -> None:
    suite.file(
        "test_it.py",
        """
import pytest

def test_any(cluster): ...

@pytest.mark.cluster_size(1)
def test_one(cluster): ...

@pytest.mark.cluster_size(4)
def test_four(cluster): ...
""",
    )

    ended = suite.run("--distributed", "-o", "cluster_auto=false")

    assert ended.last == "3 skipped", ended.text
    assert ended.one("no cluster of profile dev runs [not-running] (profile dev, 4 nodes: 3 tests skipped)")
    assert ended.one("try: invoke cluster.up --profile dev --nodes 4")
    assert len(ended.matching("not-running")) == 1
