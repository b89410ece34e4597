"""The Nox sessions of a user's project, each in a process of its own, with real clusters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.hosts import proc

Nox = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE = 120
NOXFILE = """
import nox

from clusterlib.nox import distributed_sessions


@nox.session(venv_backend="none")
def other(session):
    session.log("the other session runs")


distributed_sessions(install=(), venv_backend="none")
"""
TESTS = """
def test_every_node_sees_every_node(cluster):
    assert [len(node.members()) for node in cluster] == [2, 2]


def test_without_a_cluster():
    pass
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    (tmp_path / "noxfile.py").write_text(NOXFILE)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_shop.py").write_text(TESTS)
    write(tmp_path, "shop", 'extends = "ci-small"\nsimulate = true\n[tests]\npaths = ["tests"]\n')
    return tmp_path


def write(shop: Path, name: str, text: str) -> None:
    (shop / "profiles" / f"{name}.toml").write_text(text)


@pytest.fixture
def nox(shop: Path) -> Nox:
    """Runs Nox there; nothing that it started is left."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        ours = {
            k: v for k, v in os.environ.items() if not k.startswith(("CLUSTERLIB_", "CI", "GITHUB_", "NOX"))
        }
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [sys.executable, "-m", "nox", "--no-color", *arguments],
            cwd=shop,
            env={**ours, "PATH": path, "NO_COLOR": "1", **more},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            check=False,
        )
        left = [pid for pid in proc.processes() if str(shop) in proc.command_line(pid)]
        assert [pid for pid in left if (seen := proc.status(pid)) and seen.alive] == [], done.stdout
        return done

    return run


def listed(nox: Nox, **more: str) -> list[str]:
    return [one["session"] for one in json.loads(nox("--list", "--json", **more).stdout.splitlines()[-1])]


def outcomes(junit: Path) -> dict[str, str]:
    """Each test case with `passed` or what its first child says."""
    return {
        str(case.get("name")): next(
            (child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed"
        )
        for case in ET.parse(junit).getroot().iter("testcase")
    }


def test_there_is_a_session_for_each_profile_with_tests(nox: Nox, shop: Path) -> None:
    write(shop, "other", 'extends = "dev"\n[tests]\npaths = ["tests"]\n')
    write(shop, "silent", 'extends = "dev"\n')

    assert listed(nox) == ["other", "distributed(profile='other')", "distributed(profile='shop')"]
    assert "Distributed tests" in nox("--list").stdout


def test_the_environment_picks_one(nox: Nox, shop: Path) -> None:
    write(shop, "other", 'extends = "dev"\n[tests]\npaths = ["tests"]\n')

    assert listed(nox, CLUSTERLIB_PROFILE="other") == ["other", "distributed(profile='other')"]


def test_an_unknown_profile_is_an_error_that_teaches_and_spoils_no_other_session(nox: Nox) -> None:
    unknown = nox("-s", "distributed", CLUSTERLIB_PROFILE="shpo")
    assert unknown.returncode == 1
    assert 'there is no profile "shpo"; did you mean "shop"?' in unknown.stdout
    assert "invoke profile.list" in unknown.stdout
    assert "Traceback" not in unknown.stdout

    assert nox("-s", "other", CLUSTERLIB_PROFILE="shpo").returncode == 0


def test_a_profile_with_mistakes_fails_in_its_own_session(nox: Nox, shop: Path) -> None:
    write(shop, "broken", 'extends = "dev')

    done = nox("-s", "other", "distributed")

    assert "profiles/broken.toml:1: is not valid TOML" in done.stdout
    assert "try: invoke profile.check broken" in done.stdout
    assert "* other: success" in done.stdout
    assert "* distributed(profile='shop'): success" in done.stdout
    assert "* distributed(profile='broken'): aborted" in done.stdout
    assert done.returncode == 1


def test_a_project_without_profiles_runs_the_tests_that_pytest_finds(nox: Nox, shop: Path) -> None:
    (shop / "profiles" / "shop.toml").unlink()
    (shop / "tests").rename(shop / "checks")
    (shop / "checks" / "test_shop.py").write_text(TESTS.replace("[2, 2]", "[3, 3, 3]"))
    (shop / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["checks"]\n')
    (shop / "test_elsewhere.py").write_text("def test_elsewhere(): pass\n")

    done = nox("-s", "distributed")

    assert done.returncode == 0, done.stdout
    assert outcomes(shop / "artifacts" / "distributed-dev" / "junit.xml") == {
        "test_every_node_sees_every_node": "passed",
        "test_without_a_cluster": "passed",
    }


def test_a_shipped_profile_that_ci_names_runs_the_tests_that_pytest_finds(nox: Nox, shop: Path) -> None:
    done = nox("-s", "distributed", CLUSTERLIB_PROFILE="ci-small")

    assert done.returncode == 0, done.stdout
    assert "test_every_node_sees_every_node" in outcomes(
        shop / "artifacts" / "distributed-ci-small" / "junit.xml"
    )


def test_a_session_leaves_its_evidence_at_a_place_that_never_changes(nox: Nox, shop: Path) -> None:
    done = nox("-s", "distributed(profile='shop')")

    folder = shop / "artifacts" / "distributed-shop"
    assert done.returncode == 0, done.stdout
    assert outcomes(folder / "junit.xml") == {
        "test_every_node_sees_every_node": "passed",
        "test_without_a_cluster": "passed",
    }
    assert set(outcomes(folder / "cluster.xml").values()) <= {"passed", "skipped"}
    for name in ("report.html", "plan.json", "summary.json", "environment.json"):
        assert (folder / name).stat().st_size, name
    assert list(folder.glob("clusters/*/*/logs/node1.log"))


def test_words_behind_two_dashes_go_to_pytest_and_may_choose_the_tests(nox: Nox, shop: Path) -> None:
    (shop / "tests" / "test_more.py").write_text("def test_more(): pass\n")

    nox("-s", "distributed", "--", "-k", "without")
    chosen = outcomes(shop / "artifacts" / "distributed-shop" / "junit.xml")
    assert chosen == {"test_without_a_cluster": "passed"}

    nox("-s", "distributed", "--", "-x", "tests/test_more.py")
    assert outcomes(shop / "artifacts" / "distributed-shop" / "junit.xml") == {"test_more": "passed"}


def test_a_failed_test_fails_the_session_and_is_in_the_report(nox: Nox, shop: Path) -> None:
    (shop / "tests" / "test_shop.py").write_text("def test_wrong(cluster):\n    assert len(cluster) == 7\n")

    done = nox("-s", "distributed")

    assert done.returncode == 1
    report = (shop / "artifacts" / "distributed-shop" / "report.html").read_text()
    assert "test_wrong" in report
    assert outcomes(shop / "artifacts" / "distributed-shop" / "junit.xml") == {"test_wrong": "failure"}


def test_a_run_that_was_killed_leaves_a_whole_report(nox: Nox, shop: Path) -> None:
    killed = "import os, signal\ndef test_killed(cluster):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    (shop / "tests" / "test_zz_killed.py").write_text(killed)

    done = nox("-s", "distributed")

    folder = shop / "artifacts" / "distributed-shop"
    assert done.returncode == 1
    assert "test_killed" in (folder / "report.html").read_text()
    assert outcomes(folder / "cluster.xml")
    assert outcomes(folder / "junit.xml")["test_killed"] == "failure"
    assert outcomes(folder / "junit.xml")["test_every_node_sees_every_node"] == "passed"
    assert json.loads((folder / "summary.json").read_text())


def test_a_command_of_the_profile_leaves_the_same_without_a_tasks_file(nox: Nox, shop: Path) -> None:
    program = (
        "import clusterlib, sys; print('nodes', len(clusterlib.attach())); sys.exit(3 if sys.argv[1:] else 0)"
    )
    (shop / "suite.py").write_text(program + "\n")
    write(shop, "shop", 'extends = "ci-small"\nsimulate = true\n[tests]\ncommand = ["python", "suite.py"]\n')
    folder = shop / "artifacts" / "distributed-shop"

    passed = nox("-s", "distributed")
    assert passed.returncode == 0, passed.stdout
    assert "nodes 2" in passed.stdout
    assert (folder / "cluster.xml").exists()
    assert "python suite.py" in (folder / "report.html").read_text()

    failed = nox("-s", "distributed", "--", "fail")
    assert failed.returncode == 1
    assert json.loads((folder / "summary.json").read_text())
    assert "exit code 3" in (folder / "report.html").read_text()
    assert outcomes(folder / "junit.xml") == {"python suite.py fail": "failure"}
