"""Emptying a folder touches nothing beyond it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusterlib.hosts import clearing
from clusterlib.hosts.clearing import empty_folder


def test_everything_in_the_folder_goes_and_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "table").write_text("tea")
    (tmp_path / "data").chmod(0o500)
    (tmp_path / ".hidden").write_text("")
    os.mkfifo(tmp_path / "pipe")

    empty_folder(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    empty_folder(tmp_path / "none")

    assert not (tmp_path / "none").exists()


def test_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("mine")
    folder = tmp_path / "node1"
    folder.mkdir()
    (folder / "data").symlink_to(elsewhere)
    (folder / "file").symlink_to(elsewhere / "kept")

    empty_folder(folder)

    assert (elsewhere / "kept").read_text() == "mine"
    assert list(folder.iterdir()) == []


def test_nothing_is_removed_where_something_is_mounted_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a node"
    (folder / "data").mkdir(parents=True)
    (folder / "kept").write_text("mine")
    point = str(folder / "data").replace(" ", "\\040")
    table = tmp_path / "mountinfo"
    table.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda rw\n36 22 8:1 /home {point} rw - ext4 /dev/sda rw\n")
    monkeypatch.setattr(clearing, "MOUNTS", table)

    with pytest.raises(OSError, match="mounted") as caught:
        empty_folder(folder)

    assert caught.value.filename == str(folder / "data")
    assert (folder / "kept").read_text() == "mine"


def test_a_folder_that_is_itself_a_link_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("mine")
    (tmp_path / "node1").symlink_to(elsewhere)

    with pytest.raises(OSError, match="it is a link"):
        empty_folder(tmp_path / "node1")

    assert (elsewhere / "kept").read_text() == "mine"


def test_a_folder_may_be_nested_however_deep(tmp_path: Path) -> None:
    deepest = str(tmp_path / "node1")
    for _ in range(1200):
        Path(deepest).mkdir()
        deepest += "/d"
    Path(deepest).write_text("tea")

    empty_folder(tmp_path / "node1")

    assert list((tmp_path / "node1").iterdir()) == []
