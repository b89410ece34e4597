"""Which code is it?"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from clusterlib.runtime.code import LoadedCode, changed, fingerprint, import_from_source


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "cart.py").write_text("TOTAL = 1\n")
    return tmp_path


def test_the_fingerprint_follows_contents_and_names_only(project: Path) -> None:
    before, files = fingerprint([project])
    assert sorted(Path(path).name for path in files) == ["__init__.py", "cart.py"]
    (project / "shop" / "cart.py").touch()
    (project / "README.md").write_text("no code")
    assert fingerprint([project]) == (before, files)
    (project / "shop" / "cart.py").write_text("TOTAL = 2\n")
    after, new_files = fingerprint([project])
    assert after != before
    assert changed(files, new_files) == [str(project / "shop" / "cart.py")]


def test_added_removed_and_renamed_files_are_changes(project: Path) -> None:
    before, files = fingerprint([project])
    (project / "shop" / "cart.py").rename(project / "shop" / "basket.py")
    after, new_files = fingerprint([project])
    assert after != before
    assert [Path(name).name for name in changed(files, new_files)] == ["basket.py", "cart.py"]


@pytest.mark.parametrize(
    "folder", [".hidden", "__pycache__", "venv", ".venv", "node_modules", "build", "dist", "x.egg-info"]
)
def test_what_is_not_the_projects_own_code_is_left_out(project: Path, folder: str) -> None:
    before = fingerprint([project])
    (project / folder).mkdir()
    (project / folder / "other.py").write_text("")
    assert fingerprint([project]) == before


def test_a_virtual_environment_of_any_name_is_left_out(project: Path) -> None:
    before = fingerprint([project])
    (project / "environment").mkdir()
    (project / "environment" / "pyvenv.cfg").write_text("")
    (project / "environment" / "other.py").write_text("")
    assert fingerprint([project]) == before


def test_loops_of_links_and_unreadable_files_do_no_harm(project: Path) -> None:
    (project / "shop" / "loop").symlink_to(project)
    (project / "shop" / "nowhere.py").symlink_to(project / "gone.py")
    _, files = fingerprint([project])
    assert {Path(path).name for path in files} == {"__init__.py", "cart.py"}


def test_a_tree_at_another_place_has_the_same_fingerprint(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "copy"
    (elsewhere / "shop").mkdir(parents=True)
    for name in ("__init__.py", "cart.py"):
        (elsewhere / "shop" / name).write_bytes((project / "shop" / name).read_bytes())
    assert fingerprint([elsewhere])[0] == fingerprint([project])[0]


def test_a_single_file_and_a_missing_root_can_be_fingerprinted(project: Path) -> None:
    assert len(fingerprint([project / "shop" / "cart.py"])[1]) == 1
    assert fingerprint([project / "none"])[1] == {}


def test_loaded_modules_are_recorded_as_they_were_imported(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "recorded_module.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(project)
    code = LoadedCode([str(project)])
    code.record()
    importlib.invalidate_caches()
    importlib.import_module("recorded_module")
    try:
        modules, stale = code.report()
        assert set(modules) == {"recorded_module"}
        assert stale == []
        (project / "recorded_module.py").write_text("VALUE = 2\n")
        assert code.report() == (modules, ["recorded_module"])
        (project / "recorded_module.py").unlink()
        assert code.report() == (modules, ["recorded_module"])
    finally:
        del sys.modules["recorded_module"]


def test_own_modules_are_imported_from_source_and_others_as_ever(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = project / "venv" / "lib"
    elsewhere.mkdir(parents=True)
    (elsewhere / "library_of_others.py").write_text("")
    (project / "own_module.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(project), str(elsewhere), *sys.path])
    monkeypatch.setattr(sys, "path_hooks", [*sys.path_hooks])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    import_from_source([str(project)])
    for name in ("own_module", "library_of_others", "shop.cart"):
        importlib.import_module(name)
    for name in ("own_module", "library_of_others", "shop.cart", "shop"):
        del sys.modules[name]

    assert not (project / "__pycache__").exists()
    assert not (project / "shop" / "__pycache__").exists()
    assert (elsewhere / "__pycache__").exists()
