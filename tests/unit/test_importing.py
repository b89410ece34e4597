"""Modules of several projects are imported by one process, and `sys.path` stays as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.importing import find_module, importable, imported


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """Removes what a test has imported."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def value_of(name: str, folder: Path) -> object:
    with importable([str(folder)]):
        found = find_module(name)
        elsewhere = find_module(name, [str(folder)])
        assert found is not None
        assert elsewhere is not None
        return imported(name, elsewhere).VALUE


@pytest.mark.parametrize("name", ["odd_same", "odd_pack.same", "odd_pack.inner.same"])
def test_modules_of_two_projects_with_one_name_are_two_modules(name: str, tmp_path: Path) -> None:
    for project in ("a", "b"):
        file = name.replace(".", "/") + ".py"
        write(tmp_path / project, file, f"VALUE = {project!r}\n")

    assert value_of(name, tmp_path / "a") == "a"
    assert value_of(name, tmp_path / "b") == "b"
    assert value_of(name, tmp_path / "a") == "a"


def test_a_package_with_the_name_of_another_finds_its_own_neighbours(tmp_path: Path) -> None:
    for project in ("a", "b"):
        write(tmp_path / project, "odd_pack/__init__.py", "")
        write(tmp_path / project, "odd_pack/same.py", "from .neighbour import VALUE\n")
        write(tmp_path / project, "odd_pack/neighbour.py", f"VALUE = {project!r}\n")

    assert [value_of("odd_pack.same", tmp_path / project) for project in ("a", "b")] == ["a", "b"]


def test_a_module_has_its_own_name_where_no_other_has_it(tmp_path: Path) -> None:
    write(tmp_path, "odd_same.py", "VALUE = __name__\n")

    assert value_of("odd_same", tmp_path) == "odd_same"


def test_the_path_is_as_before_also_if_an_import_fails(tmp_path: Path) -> None:
    write(tmp_path, "odd_broken.py", "1 / 0\n")
    before = list(sys.path)

    with pytest.raises(ZeroDivisionError):
        value_of("odd_broken", tmp_path)

    assert sys.path == before


def test_a_folder_stays_importable_until_its_last_user_is_done(tmp_path: Path) -> None:
    write(tmp_path, "odd_late.py", "VALUE = 1\n")
    folders = [str(tmp_path)]

    with importable(folders):
        with importable(folders):
            pass
        assert find_module("odd_late") is not None
    assert find_module("odd_late") is None


def test_a_file_of_a_project_hides_no_other_module(tmp_path: Path) -> None:
    write(tmp_path, "json.py", "1 / 0\n")

    with importable([str(tmp_path)]):
        found = find_module("json")

    assert found is not None
    assert str(found) == sys.modules["json"].__file__
