"""Which files of a project are tests according to pytest's settings, beyond the usual names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clusterlib.frozen import frozen

__all__ = ["TestSettings", "settings_of_pytest"]

INI_FILES = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}


@frozen
class TestSettings:
    __test__ = False

    paths: tuple[str, ...] = ()
    """`testpaths`: folders and files, relative to the project; they may be patterns."""
    files: tuple[str, ...] = ()
    """`python_files`: patterns of names."""


def settings_of_pytest(project: Path) -> TestSettings:
    """As pytest finds them: the first file with settings of pytest counts.

    An unreadable one has none."""
    for name in ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
        path = project / name
        found = (
            (_in_pyproject(path) if name == "pyproject.toml" else _in_ini(path)) if path.is_file() else None
        )
        if found is not None:
            return TestSettings(_words(found.get("testpaths")), _words(found.get("python_files")))
    return TestSettings()


def _in_pyproject(path: Path) -> Mapping[str, object] | None:
    import tomllib

    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return None
    found = tool.get("pytest") if isinstance(tool, dict) else None
    if not isinstance(found, dict):
        return None
    options = found.get("ini_options", found)
    return options if isinstance(options, dict) else None


def _in_ini(path: Path) -> Mapping[str, object] | None:
    import configparser  # few projects have such a file

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return None
    section = INI_FILES[path.name]
    return dict(parser[section]) if parser.has_section(section) else None


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()
