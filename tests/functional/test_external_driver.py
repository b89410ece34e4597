"""A driver from outside: what docs/extending.md shows is built, installed and used as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs/extending.md"
PROFILE = """
driver = "counter"

[counter]
start = 40
"""
TESTS = """
import pytest


@pytest.mark.cluster_size(3)
def test_each_node_counts_by_itself(cluster):
    assert len(cluster) == 3
    assert [node.call("next") for node in cluster] == [41, 41, 41]


def test_a_killed_node_is_healed_for_the_next_test(cluster):
    cluster["node1"].kill()


def test_the_next_test_has_whole_nodes(cluster):
    assert cluster["node1"].call("next") == 41
"""
USED = ("CLUSTERLIB_", "PYTEST_", "CI", "GITHUB_")
PATIENCE = 120

Run = Callable[..., subprocess.CompletedProcess[str]]


def shown_files() -> dict[str, str]:
    """The files that the document shows."""
    blocks = re.findall(r"^```\w*\n# file: (\S+)\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return dict(blocks)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages, with the driver in it: built as a wheel, and unpacked as pip
    does."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name, text in shown_files().items():
        if "/" not in name:
            (source / name).write_text(text)
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(site)], cwd=source, check=True, capture_output=True)
    (wheel,) = site.glob("counter_driver-1.0-*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    wheel.unlink()
    return site


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One that has nothing of the driver but its name."""
    for name, text in {
        "profiles/counter.toml": PROFILE,
        "tests/test_counter.py": TESTS,
        "tasks.py": "from clusterlib.invoke import namespace\n",
        "pyproject.toml": '[tool.clusterlib]\nprofile = "counter"\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def run(project: Path, site: Path) -> Iterator[Run]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(USED)}
    environment |= {"PYTHONPATH": str(site), "NO_COLOR": "1"}

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    yield run
    run("clusterlib", "down", "--all")


def test_a_cluster_of_its_nodes_is_started_shown_examined_and_stopped(run: Run) -> None:
    run("clusterlib", "up")

    (status,) = json.loads(run("clusterlib", "status", "--json").stdout)["clusters"]
    assert [node["state"] for node in status["nodes"]] == ["ready"] * 3
    assert status["roles"] == [{"name": "node", "driver": "counter", "server": ""}]

    health = json.loads(run("clusterlib", "health", "--json").stdout)
    assert health["healthy"]

    script = "import clusterlib; print([node.call('next') for node in clusterlib.attach()])"
    ran = run("clusterlib", "run", "--", sys.executable, "-c", script)
    assert "[41, 41, 41]" in ran.stdout.splitlines()

    assert "nothing is left" in run("clusterlib", "down").stdout


def test_its_clusters_serve_tests(run: Run) -> None:
    assert "3 passed" in run("pytest", "-q", "--distributed", "-p", "no:cacheprovider").stdout


def test_the_tests_that_the_document_shows_pass_with_the_installed_driver(run: Run, project: Path) -> None:
    (project / "tests/test_counter.py").write_text(shown_files()["tests/test_counter.py"])

    assert "10 passed" in run("pytest", "-q", "--distributed", "-p", "no:cacheprovider").stdout


def test_adding_it_changes_no_file_that_was_there(site: Path) -> None:
    added = {path.name for path in site.iterdir()} - {"__pycache__"}

    assert added == {"counter_driver.py", "counter_server.py", "counter_driver-1.0.dist-info"}


def test_the_change_that_the_document_shows_adds_a_folder_and_a_profile(tmp_path: Path, run: Run) -> None:
    """Nothing that was there is changed, in the project or in clusterlib."""
    changes = re.findall(r"^```diff\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    (change,) = (one for one in changes if "sleepers/" in one)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=change, text=True, check=True)

    added = {path for path in tmp_path.rglob("*") if path.is_file()} - before.keys()
    assert {path: path.read_bytes() for path in before} == before
    assert {str(path.relative_to(tmp_path).parent) for path in added} == {"sleepers", "profiles"}

    run("clusterlib", "up", "--profile", "sleepers")
    run("clusterlib", "kill", "node2")
    (status,) = json.loads(run("clusterlib", "status", "--json").stdout)["clusters"]
    assert [node["state"] for node in status["nodes"]] == ["ready", "dead", "ready"]
    run("clusterlib", "restart", "node2")
    assert "nothing is left" in run("clusterlib", "down").stdout


def test_a_program_that_does_not_need_it_does_not_import_it(run: Run, project: Path, site: Path) -> None:
    (site / "counter_driver.py").rename(site / "away.py")
    (site / "counter_driver.py").write_text("raise AssertionError('it was imported')\n")
    try:
        run("clusterlib", "profile", "list")
        run("clusterlib", "profile", "check", "dev")
        run("clusterlib", "status", code=3)
        run("clusterlib", "doctor", "--profile", "dev")
        told = run("clusterlib", "profile", "check", "counter", code=2)
    finally:
        (site / "away.py").replace(site / "counter_driver.py")

    assert "driver: the driver" in told.stdout
    assert f"{site / 'counter_driver.py'}:1: AssertionError: it was imported" in told.stdout
    assert "Traceback" not in told.stdout + told.stderr


def test_a_cluster_whose_driver_has_changed_is_not_used_again(run: Run, site: Path) -> None:
    run("clusterlib", "up")
    driver = site / "counter_driver.py"
    before = driver.read_text()
    driver.write_text(before + "\n# changed\n")
    try:
        told = run("clusterlib", "up", "--profile", "counter", code=1)
    finally:
        driver.write_text(before)

    assert "the code of the driver counter has changed" in told.stderr
    assert "cluster.down" in told.stderr or "clusterlib down" in told.stderr
    run("clusterlib", "up", "--profile", "counter")  # as it was before


def test_the_doctor_lists_it(run: Run) -> None:
    found = json.loads(run("clusterlib", "doctor", "--json").stdout)["findings"]

    (drivers,) = (one for one in found if one["name"] == "drivers")
    assert drivers["evidence"] == "counter (counter-driver 1.0)"


def test_a_running_cluster_is_shown_and_ended_also_if_its_driver_is_broken(run: Run, site: Path) -> None:
    run("clusterlib", "up")
    driver = site / "counter_driver.py"
    before = driver.read_text()
    driver.write_text("import no_such_module_at_all\n")
    try:
        assert "node3" in run("clusterlib", "status").stdout
        run("clusterlib", "kill", "node2")
        told = run("clusterlib", "health", code=2).stderr
        assert "nothing is left" in run("clusterlib", "down").stdout
    finally:
        driver.write_text(before)

    assert "[driver-unusable]" in told
    assert f"{driver}:1: ModuleNotFoundError" in told
