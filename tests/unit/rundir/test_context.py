"""What a person has chosen is remembered, and several tools may change it at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clusterlib.rundir.context import PersonContext, change_context, read_context


def test_a_choice_is_there_for_the_next_tool_and_is_private(tmp_path: Path) -> None:
    assert read_context(tmp_path) == PersonContext()
    assert not (tmp_path / ".clusterlib").exists()

    change_context(tmp_path, lambda one: one.of_cluster("shop"))
    change_context(tmp_path, lambda one: one.of_node("shop", "web1"))

    assert read_context(tmp_path) == PersonContext("shop", {"shop": "web1"})
    assert oct((tmp_path / ".clusterlib" / "context.json").stat().st_mode & 0o777) == "0o600"
    assert (tmp_path / ".clusterlib" / ".gitignore").read_text() == "*\n"
    change_context(tmp_path, lambda one: one.of_node("shop", ""))
    assert read_context(tmp_path) == PersonContext("shop")


def test_processes_that_change_it_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from clusterlib.rundir.context import change_context\n"
        "for n in range(20): change_context(Path(sys.argv[1]), lambda one: one.of_node(f'{sys.argv[2]}{n}', 'web1'))"
    )

    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "abc"]

    assert [one.wait(60) for one in running] == [0, 0, 0]
    assert len(read_context(tmp_path).nodes) == 60
    assert sorted(one.name for one in (tmp_path / ".clusterlib").iterdir()) == [
        ".gitignore",
        "context.json",
        "context.json.lock",
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cluster": 3, "nodes": 4}', "[" * 5000])
def test_a_damaged_file_counts_as_no_choice(content: str, tmp_path: Path) -> None:
    (tmp_path / ".clusterlib").mkdir()
    (tmp_path / ".clusterlib" / "context.json").write_text(content)

    assert read_context(tmp_path) == PersonContext()
    assert change_context(tmp_path, lambda one: one.of_cluster("shop")).cluster == "shop"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".clusterlib").mkdir()
    (tmp_path / "other.json").write_text('{"cluster": "shop"}')
    (tmp_path / ".clusterlib" / "context.json").symlink_to(tmp_path / "other.json")

    assert read_context(tmp_path) == PersonContext()
