"""Which files are they? The sources of a server program, and what a profile has watched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusterlib.disk.digests import changed, sources_below, watched_files


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "cart.py").write_text("TOTAL = 1\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.toml").write_text("currency = 'EUR'\n")
    return tmp_path


def sources(project: Path) -> dict[str, str]:
    return sources_below([str(project)])


def watched(project: Path, *patterns: str) -> dict[str, str]:
    return watched_files([f"{project}/{pattern}" for pattern in patterns])


def names(files: dict[str, str], project: Path) -> list[str]:
    return sorted(os.path.relpath(path, project) for path in files)


def test_sources_follow_contents_and_names_only(project: Path) -> None:
    before = sources(project)
    assert names(before, project) == ["shop/__init__.py", "shop/cart.py"]

    (project / "shop" / "cart.py").touch()
    assert sources(project) == before

    (project / "shop" / "cart.py").write_text("TOTAL = 2\n")
    assert changed(before, sources(project)) == [str(project / "shop" / "cart.py")]


def test_added_removed_and_renamed_files_are_changes(project: Path) -> None:
    before = sources(project)
    (project / "shop" / "cart.py").rename(project / "shop" / "basket.py")

    found = changed(before, sources(project))

    assert [Path(name).name for name in found] == ["basket.py", "cart.py"]


@pytest.mark.parametrize("folder", ["build", "dist", "venv", "node_modules", "deep/build"])
def test_folders_of_any_name_hold_code(project: Path, folder: str) -> None:
    (project / folder).mkdir(parents=True)
    (project / folder / "module.py").write_text("")

    assert f"{folder}/module.py" in names(sources(project), project)


@pytest.mark.parametrize("folder", [".hidden", "__pycache__", "lib/site-packages", "tests"])
def test_what_no_server_runs_is_left_out(project: Path, folder: str) -> None:
    before = sources(project)
    (project / folder).mkdir(parents=True)
    (project / folder / "other.py").write_text("")

    assert sources(project) == before


def test_environments_are_left_out_by_what_they_are(project: Path) -> None:
    before = sources(project)
    (project / "environment").mkdir()
    (project / "environment" / "pyvenv.cfg").write_text("")
    (project / "environment" / "other.py").write_text("")
    (project / "page" / "node_modules").mkdir(parents=True)
    (project / "page" / "package.json").write_text("{}")
    (project / "page" / "node_modules" / "other.py").write_text("")

    assert sources(project) == before


@pytest.mark.parametrize("name", ["test_cart.py", "cart_test.py", "conftest.py"])
def test_tests_are_left_out(project: Path, name: str) -> None:
    before = sources(project)
    (project / "shop" / name).write_text("")

    assert sources(project) == before


def test_loops_of_links_and_unreadable_files_do_no_harm(project: Path) -> None:
    (project / "shop" / "loop").symlink_to(project)
    (project / "shop" / "nowhere.py").symlink_to(project / "gone.py")

    assert names(sources(project), project) == ["shop/__init__.py", "shop/cart.py"]
    assert names(watched(project, "shop/**"), project)


def test_a_single_file_and_a_missing_folder_can_be_looked_at(project: Path) -> None:
    assert len(sources_below([str(project / "shop" / "cart.py")])) == 1
    assert sources_below([str(project / "none")]) == {}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("config", ["config/deep/a.toml", "config/shop.toml"]),
        ("config/**", ["config/deep/a.toml", "config/shop.toml"]),
        ("config/*.toml", ["config/shop.toml"]),
        ("config/*", ["config/deep/a.toml", "config/shop.toml"]),
        ("**/*.toml", ["config/deep/a.toml", "config/shop.toml"]),
        ("config/shop.toml", ["config/shop.toml"]),
        ("config/sho?.t[ao]ml", ["config/shop.toml"]),
        ("config/[!s]*/a.toml", ["config/deep/a.toml"]),
        ("conf", []),
        ("*.toml", []),
    ],
)
def test_patterns_name_files(project: Path, pattern: str, found: list[str]) -> None:
    (project / "config" / "deep").mkdir()
    (project / "config" / "deep" / "a.toml").write_text("")

    assert names(watched(project, pattern), project) == found


def test_what_clusters_and_git_write_is_never_watched(project: Path) -> None:
    before = watched(project, "**")
    for folder in (".clusterlib", ".git", "shop/__pycache__"):
        (project / folder).mkdir()
        (project / folder / "state").write_text("")

    assert watched(project, "**") == before
    assert names(before, project) == ["config/shop.toml", "shop/__init__.py", "shop/cart.py"]
