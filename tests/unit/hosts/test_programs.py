"""Programs on this machine, and what brings those that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.client.planning import plan_for
from clusterlib.hosts.programs import blocked_program, find_program, how_to_install
from clusterlib.values.kinds import Wrong, packages_of


@pytest.mark.parametrize(
    ("packages", "platform", "command"),
    [
        ("debian redis-server, homebrew redis", "linux", "sudo apt-get install redis-server"),
        ("debian redis-server, homebrew redis", "darwin", "brew install redis"),
        ("pip moto", "linux", "python3 -m pip install moto"),
        ("npm @redwoodjs/server, pip other", "linux", "python3 -m pip install other"),
        ("npm @redwoodjs/server", "linux", "npm install --global @redwoodjs/server"),
        ("homebrew redis", "linux", None),
    ],
)
def test_the_command_that_brings_a_program_is_that_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, packages: str, platform: str, command: str | None
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert how_to_install(packages_of(packages)) == command


def test_a_program_is_found_in_the_folders_of_servers_where_path_lacks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("bin", "sbin"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr("clusterlib.hosts.programs.SYSTEM_FOLDERS", (str(tmp_path / "sbin"),), raising=False)
    server = tmp_path / "sbin" / "server"
    server.touch()
    assert blocked_program("server", [], tmp_path) == server
    server.chmod(0o755)
    assert find_program("server", [], str(tmp_path / "bin")) == server

    (tmp_path / "bin" / "server").touch(0o755)
    assert find_program("server", [], str(tmp_path / "bin")) == tmp_path / "bin" / "server"


@pytest.mark.parametrize(
    ("packages", "command"),
    [
        ("pip uvicorn[standard]", "python3 -m pip install 'uvicorn[standard]'"),
        (" pip\t uvicorn>=0.2 ", "python3 -m pip install 'uvicorn>=0.2'"),
        ("pip uvicorn[standard,x] >=0.2, <1", "python3 -m pip install 'uvicorn[standard,x] >=0.2, <1'"),
        ("npm @scope/tool@1.2, pip uvicorn~=0.2", "python3 -m pip install 'uvicorn~=0.2'"),
    ],
)
def test_pip_may_be_given_what_a_requirement_holds(packages: str, command: str) -> None:
    assert how_to_install(packages_of(packages)) == command


@pytest.mark.parametrize(
    "packages",
    [
        "",
        "pip",
        "pip uvicorn; rm",
        "pip a b",
        "debian a>=1",
        "yum a",
        "debian a, yum b",
        "debian a,",
        "pip -r x",
    ],
)
def test_what_names_no_package_is_refused(packages: str) -> None:
    with pytest.raises(Wrong, match="does not name the packages"):
        packages_of(packages)


def test_a_program_of_a_virtual_environment_that_is_not_activated_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    monkeypatch.setattr("sys.executable", str(tmp_path / "venv/bin/python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    tool = tmp_path / "venv/bin/our-tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/mine.toml").write_text('[requires]\nour-tool = "pip our-tool"\n')

    assert find_program("our-tool", []) == tool
    plan = plan_for("mine", name="x", project=tmp_path)
    assert plan.roles[0].environment["PATH"] == f"/usr/bin:/bin:{tool.parent}"
    (tmp_path / "profiles/mine.toml").write_text('[requires]\nsh = "debian dash"\n')
    assert "PATH" not in plan_for("mine", name="x", project=tmp_path).roles[0].environment
