"""What a user gets: the wheel, in a new environment, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
STORY = """
import clusterlib
with clusterlib.up("dev") as cluster:
    print([node.members() for node in cluster], clusterlib.__file__)
"""


def run(arguments: list[str], folder: Path, **environment: str) -> str:
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("CLUSTERLIB_", "PYTHONPATH", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={**clean, **environment},
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(folder),
            str(REPOSITORY),
        ],
        folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", str(folder)], folder)
    run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", str(wheel)], folder)
    return folder / "bin"


def test_the_wheel_carries_profiles_templates_and_its_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for profile in (REPOSITORY / "profiles").glob("*.toml"):
        assert f"clusterlib/_shipped/profiles/{profile.name}" in names
    for template in (REPOSITORY / "templates").rglob("*.j2"):
        assert f"clusterlib/_shipped/templates/{template.relative_to(REPOSITORY / 'templates')}" in names
    assert "clusterlib/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/"))]


def test_a_cluster_runs_from_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    told = run([str(environment / "python"), "-c", STORY], tmp_path)

    assert str([["node1", "node2", "node3"]] * 3) in told
    assert str(environment.parent) in told, "it must be the installed package, not this checkout"


def test_the_tasks_work_in_another_project(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("from clusterlib.doors.tasks import namespace\n")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text('extends = "ci-small"\n[nodes]\nname = "shop{index}"\n')
    invoke, path = str(environment / "invoke"), f"{environment}:{os.environ['PATH']}"

    run([invoke, "cluster.up", "--profile", "mine"], tmp_path, PATH=path)
    try:
        assert "shop2" in run([invoke, "cluster.status"], tmp_path, PATH=path)
    finally:
        run([invoke, "cluster.down"], tmp_path, PATH=path)
