"""Programs on this machine, and what brings those that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlib.hosts.programs import blocked_program, find_program, how_to_install
from clusterlib.values.kinds import packages_of


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
