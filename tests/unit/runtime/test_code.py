"""Which code is it that this process has loaded?"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.runtime.code import LoadedCode


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path, with a package in it. What is imported in a test is forgotten after
    it."""
    (tmp_path / "shop_a").mkdir()
    (tmp_path / "shop_a" / "__init__.py").write_text("")
    (tmp_path / "shop_a" / "cart.py").write_text("TOTAL = 1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def code(project: Path) -> LoadedCode:
    assert project.exists()
    importlib.invalidate_caches()
    return LoadedCode()


def test_loaded_modules_are_known_as_they_were_imported(project: Path, code: LoadedCode) -> None:
    importlib.import_module("shop_a.cart")

    modules, stale = code.report()

    assert (set(modules), stale) == ({"shop_a", "shop_a.cart"}, [])
    cart = project / "shop_a" / "cart.py"
    cart.write_text("TOTAL = 2\n")
    assert code.stale() == {"shop_a.cart": str(cart)}
    assert code.report() == (modules, ["shop_a.cart"])
    cart.unlink()
    assert code.stale() == {"shop_a.cart": str(cart)}


def test_a_file_that_was_only_touched_is_no_other_file(project: Path, code: LoadedCode) -> None:
    importlib.import_module("shop_a.cart")
    cart = project / "shop_a" / "cart.py"

    cart.touch()
    cart.write_text("TOTAL = 2\n")
    cart.write_text("TOTAL = 1\n")

    assert code.stale() == {}


def test_a_change_that_keeps_size_and_time_is_seen(project: Path, code: LoadedCode) -> None:
    importlib.import_module("shop_a.cart")
    cart = project / "shop_a" / "cart.py"
    before = cart.stat()

    cart.write_text("TOTAL = 2\n")
    os.utime(cart, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert code.stale() == {"shop_a.cart": str(cart)}


def test_a_module_that_changes_while_it_is_loaded_is_stale(project: Path, code: LoadedCode) -> None:
    """Its source was read, and was another one when the import was over."""
    writer = project / "writer_of_itself.py"
    writer.write_text(f"import pathlib\npathlib.Path({str(writer)!r}).write_text('')\n")

    importlib.import_module("writer_of_itself")

    assert code.stale() == {"writer_of_itself": str(writer)}


@pytest.mark.parametrize("folder", ["build", "dist", "venv", "node_modules", "x.egg-info", ".hidden"])
def test_folders_of_any_name_hold_code_if_it_is_imported(
    project: Path, code: LoadedCode, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / folder).mkdir()
    module = project / folder / "module_in_there.py"
    module.write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(project / folder)
    importlib.import_module("module_in_there")

    module.write_text("VALUE = 2\n")

    assert code.stale() == {"module_in_there": str(module)}


def test_installed_packages_are_looked_at_without_being_read(
    project: Path, code: LoadedCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = project / "environment" / "site-packages"
    installed.mkdir(parents=True)
    module = installed / "installed_module.py"
    module.write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(installed)
    importlib.import_module("installed_module")
    assert code.report() == ({}, [])

    module.unlink()
    module.write_text("VALUE = 2\n")

    assert code.stale() == {"installed_module": str(module)}


def test_a_module_loaded_from_a_path_is_known_when_the_call_has_ended(
    project: Path, code: LoadedCode
) -> None:
    plugin = project / "a plugin.py"
    plugin.write_text("VALUE = 1\n")
    spec = importlib.util.spec_from_file_location("loaded_from_a_path", plugin)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["loaded_from_a_path"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    code.record()

    plugin.write_text("VALUE = 2\n")

    assert code.stale() == {"loaded_from_a_path": str(plugin)}


def test_a_module_that_was_wanted_in_vain_is_noticed_when_it_comes(project: Path, code: LoadedCode) -> None:
    with pytest.raises(ImportError):
        importlib.import_module("shop_a.speedups")
    assert code.stale() == {}

    (project / "shop_a" / "speedups.py").write_text("")

    assert code.stale() == {"shop_a.speedups": str(project / "shop_a" / "speedups.py")}


def test_a_package_that_takes_the_place_of_a_module_is_noticed(project: Path, code: LoadedCode) -> None:
    importlib.import_module("shop_a.cart")

    (project / "shop_a" / "cart").mkdir()
    (project / "shop_a" / "cart" / "__init__.py").write_text("TOTAL = 2\n")

    assert code.stale() == {"shop_a.cart": str(project / "shop_a" / "cart" / "__init__.py")}


@pytest.mark.parametrize("within", [".", "package"])
def test_a_module_in_a_temporary_folder_that_is_gone_is_no_change(
    code: LoadedCode, monkeypatch: pytest.MonkeyPatch, within: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / within).mkdir(exist_ok=True)
        (Path(folder) / within / "generated_module.py").write_text("")
        monkeypatch.syspath_prepend(folder)
        importlib.import_module("generated_module" if within == "." else "package.generated_module")
        assert code.stale() == {}

    assert code.stale() == {}


@pytest.mark.parametrize("root", [".", "plugins", "plugins/of/shops"])
def test_a_package_that_came_after_the_start_and_is_gone_again_is_stale(
    project: Path, code: LoadedCode, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    """As a feature branch that was checked out for a moment."""
    package = project / root / "pricing"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "rates.py").write_text("")
    monkeypatch.syspath_prepend(package.parent)
    importlib.import_module("pricing.rates")
    assert code.stale() == {}

    shutil.rmtree(package if root == "." else project / "plugins")

    assert code.stale().keys() == {"pricing", "pricing.rates"}


def test_a_folder_that_becomes_a_package_is_noticed(project: Path, code: LoadedCode) -> None:
    (project / "shop_a" / "cart").mkdir()
    importlib.import_module("shop_a.cart")

    (project / "shop_a" / "cart" / "__init__.py").write_text("TOTAL = 2\n")

    assert code.stale() == {"shop_a.cart": str(project / "shop_a" / "cart" / "__init__.py")}


def test_a_module_that_was_loaded_again_is_fresh(project: Path, code: LoadedCode) -> None:
    module = importlib.import_module("shop_a.cart")
    (project / "shop_a" / "cart.py").write_text("TOTAL = 22\n")
    assert code.stale()

    importlib.reload(module)

    assert module.TOTAL == 22
    assert code.stale() == {}


def test_what_is_not_imported_is_not_looked_at(project: Path, code: LoadedCode) -> None:
    importlib.import_module("shop_a.cart")

    (project / "test_cart.py").write_text("def test_cart(): ...\n")
    (project / "shop_a" / "unused.py").write_text("")

    assert code.stale() == {}


def test_python_s_own_library_is_not_looked_at(code: LoadedCode) -> None:
    importlib.import_module("this")

    assert code.report() == ({}, [])


def test_what_somebody_may_edit_is_imported_from_source_and_the_rest_as_ever(
    project: Path, code: LoadedCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = project / "environment" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "installed_module.py").write_text("")
    monkeypatch.syspath_prepend(installed)

    importlib.import_module("shop_a.cart")
    importlib.import_module("installed_module")

    assert code.stale() == {}
    assert not (project / "shop_a" / "__pycache__").exists()
    assert (installed / "__pycache__").exists()
