"""Programs on this machine, and what brings those that are missing."""

from __future__ import annotations

import pytest

from clusterlib.hosts.programs import how_to_install
from clusterlib.profiles import packages_of


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
