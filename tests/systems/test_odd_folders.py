"""A project lies where its owner has put it: what is shipped works in folders of any name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import clusterlib
from clusterlib.errors import CommandFailed
from clusterlib.operations.health import examine_health
from tests.odd_names import ODD
from tests.systems.conftest import System
from tests.systems.test_every_system import FOLDERS, PROGRAMS

EXAMPLE = Path(__file__).parents[2] / "examples" / "elixir"
PLACES = {**PROGRAMS, "beam": ("erl",)}
PLACES.pop("rabbitmq")  # has a test of its own


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / ODD
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("profile", PLACES)
def test_every_system_lives_in_an_odd_folder(
    profile: str, needs: Callable[..., ModuleType], system: System
) -> None:
    needs("json", *PLACES[profile], search=FOLDERS)
    cluster = system(profile)

    assert cluster.state == "ready"
    assert examine_health(project=cluster.project).healthy
    last = cluster.nodes[-1]
    last.kill()
    last.restart()
    cluster.wait_ready(60)
    assert examine_health(project=cluster.project).healthy


@pytest.mark.lab
@pytest.mark.timeout(300)
def test_rabbitmq_lives_in_an_odd_folder_without_quotes_and_says_so_in_one_with_them(
    needs: Callable[..., ModuleType], project: Path, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("json", *PROGRAMS["rabbitmq"], search=FOLDERS)
    with pytest.raises(CommandFailed, match="no folder above it may have a quote in its name"):
        system("rabbitmq", nodes=1)
    monkeypatch.chdir(project.rename(project.with_name(ODD.replace("'", "").replace('"', ""))))

    cluster = system("rabbitmq", nodes=1)

    assert examine_health(project=cluster.project).healthy


@pytest.mark.timeout(300)
def test_a_mix_project_lives_in_an_odd_folder(
    needs: Callable[..., ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("json", "elixir", "mix")
    project = tmp_path / ODD
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("_build", ".clusterlib"))
    monkeypatch.chdir(project)

    with clusterlib.up(name="odd", nodes=2) as cluster:
        assert cluster.profile == "elixir"
        assert cluster["node1"].call("Shop", "put", ["tea", 3]) == 3
        source = project / "lib" / "shop.ex"
        source.write_text(source.read_text().replace("def greeting", "def odd, do: 7\n\n  def greeting"))
        cluster.down()
    with clusterlib.up(name="odd", nodes=2) as cluster:
        assert [node.call("Shop", "odd") for node in cluster] == [7, 7]
        assert examine_health(name="odd", project=project).healthy
        cluster.down()


@pytest.mark.parametrize("profile", ["redis", "redis-sentinel"])
def test_redis_says_so_where_it_would_not_find_its_configuration(
    profile: str,
    needs: Callable[..., ModuleType],
    project: Path,
    system: System,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs("json", *PROGRAMS[profile])
    pattern = project / "shop [new]"
    pattern.mkdir()
    (pattern / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    monkeypatch.chdir(pattern)

    with pytest.raises(CommandFailed, match=r"no folder above it may have one of \[ \* \? in its name"):
        system(profile)
