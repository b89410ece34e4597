"""Which profiles serve tests, found without validation: a noxfile needs this each time it is read.

The code that validates settings is not imported here, and may not even be installed in Nox's
environment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.profiles.catalogue import list_profiles
from clusterlib.profiles.layers import Layer, Merged, merge
from clusterlib.profiles.origins import Mistake
from clusterlib.profiles.sources import default_profile, profile_layers, project_layers, project_table
from clusterlib.values.kinds import INHERITED
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import in_toml

__all__ = ["ServedTests", "profiles_with_tests", "served_by"]

LISTS = ("paths", "args", "command")


@frozen
class ServedTests:
    """The tests that a profile serves; or the mistakes that keep anyone from render.

    No paths and no command: those that pytest finds by itself, by its `testpaths`."""

    profile: str
    paths: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()

    @property
    def named(self) -> bool:
        """Whether these tests are named anywhere. A mistake may hide that they are."""
        return bool(self.paths or self.command or self.mistakes)


def profiles_with_tests(project: Path, environ: Mapping[str, str] | None = None) -> list[ServedTests]:
    """The profiles whose tests are named; if there are none, the default profile serves the tests
    that pytest finds.

    A shipped profile counts only if the project names it. Otherwise one table for all profiles
    would start every shipped server."""
    environ = os.environ if environ is None else environ
    served = [served_by(name, project, environ) for name in _meant(project, environ)]
    return [one for one in served if one.named] or [
        served_by(default_profile(project, environ), project, environ)
    ]


def _meant(project: Path, environ: Mapping[str, str]) -> list[str]:
    """The profiles of the project, those with a table in its pyproject.toml, and the default."""
    _, table, _ = project_table(project)
    tables = table.get("profiles", {})
    spoken_of = list(tables) if isinstance(tables, dict) else []
    named = {*spoken_of, default_profile(project, environ)}
    known = [one for one in list_profiles(project) if not one.shadowed]
    return [one.name for one in known if one.source == "project" or one.name in named]


def served_by(name: str, project: Path, environ: Mapping[str, str] | None = None) -> ServedTests:
    environ = os.environ if environ is None else environ
    files, mistakes, found = profile_layers(name, project)
    if found is None:
        return ServedTests(name, mistakes=tuple(mistakes))
    ours, more = project_layers(found.name, project)
    merged = merge([*files, *ours, _environment(environ)])
    lists, wrong = _lists(merged)
    return ServedTests(name, **lists, mistakes=(*mistakes, *more, *wrong))


def _lists(merged: Merged) -> tuple[dict[str, tuple[str, ...]], list[Mistake]]:
    tests = merged.tree.get("tests", {})
    if not isinstance(tests, dict):
        return {}, [Mistake("must be a table", "write [tests]", "tests", merged.origin(("tests",)))]
    lists: dict[str, tuple[str, ...]] = {}
    mistakes: list[Mistake] = []
    for key in LISTS:
        value = tests.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            lists[key] = tuple(item for item in value if item != INHERITED)  # lists whose default is empty
        else:
            problem = f"must be a list of texts, not {in_toml(value)}"
            mistakes.append(Mistake(problem, 'write ["..."]', f"tests.{key}", merged.origin(("tests", key))))
    return lists, mistakes


def _environment(environ: Mapping[str, str]) -> Layer:
    """CLUSTERLIB_TESTS_PATHS and the like: only these matter here."""
    names = {key: f"CLUSTERLIB_TESTS_{key.upper()}" for key in LISTS}
    said = {key: _split(environ[name]) for key, name in names.items() if environ.get(name)}
    places: dict[tuple[str, ...], str] = {("tests", key): names[key] for key in said}
    return Layer(ValueSource.ENVIRONMENT, {"tests": said} if said else {}, places=places)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an open quote; validation reports it
        return [text]
