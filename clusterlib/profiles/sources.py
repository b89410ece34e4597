"""Collects the layers of a profile from files: the extended profiles, the file itself, and the
project's pyproject.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.profiles.catalogue import Found, candidates, display, is_path, locate, suggestion
from clusterlib.profiles.documents import Document, Unreadable, contents, read_document
from clusterlib.profiles.layers import Layer
from clusterlib.profiles.origins import Mistake, Origin
from clusterlib.profiles.project import find_project
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import in_toml

__all__ = ["default_profile", "profile_layers", "project_layers", "project_table"]

NOT_OVERRIDES = ("profile", "profiles")
"""Keys of [tool.clusterlib] that are not values of a profile: the default profile, and the tables
by profile."""


def profile_layers(name: str, project: Path) -> tuple[list[Layer], list[Mistake], Found | None]:
    """The chain of `extends`, its root first, with all mistakes on the way."""
    found = locate(name, project)
    if found is None:
        return [], [Mistake(f"there is no profile {in_toml(name)}", suggestion(name, project))], None
    layers: list[Layer] = []
    mistakes: list[Mistake] = []
    chain: list[Found] = []
    visited: set[Path] = set()
    here: Found | None = found
    while here is not None:
        chain.append(here)
        visited.add(_identity(here))
        shown = display(here.path, project)
        try:
            document = read_document(here.path)
        except Unreadable as error:
            mistakes.append(error.as_mistake(here.name, shown))
            break
        tree = dict(document.tree)
        parent = tree.pop("extends", None)
        layer = Layer(ValueSource.PROFILE, tree, here.name, document, shown, shipped=here.shipped)
        layers.append(layer)
        if not document.tree:
            right = "write at least one setting, or remove the file"
            mistakes.append(Mistake("is empty", right, "", Origin(ValueSource.PROFILE, here.name, shown)))
        here = None
        if parent is not None:
            here, mistake = _parent(parent, chain, visited, layer, project)
            mistakes += [mistake] if mistake else []
    return layers[::-1], mistakes, found


def _parent(
    name: object, chain: list[Found], visited: set[Path], layer: Layer, project: Path
) -> tuple[Found | None, Mistake | None]:
    def wrong(problem: str, right: str) -> tuple[None, Mistake]:
        return None, Mistake(problem, right, "extends", layer.origin(("extends",)))

    if not isinstance(name, str):
        return wrong(f"must be text, not {in_toml(name)}", "name one profile, in quotes")
    found = list(candidates(name, project, near=chain[-1].path.parent))
    # A profile of the project may extend the shipped one of the same name: the first other file is
    # used.
    fresh = [one for one in found if _identity(one) != _identity(chain[-1])]
    if not fresh and not found:
        return wrong(f"there is no profile {in_toml(name)}", suggestion(name, project))
    if not fresh or _identity(fresh[0]) in visited:
        names = [*(one.name for one in chain), Path(name).stem if is_path(name) else name]
        return wrong(
            f"goes in a circle: {' -> '.join(names)}", "extend a profile that does not lead back here"
        )
    return fresh[0], None


def _identity(found: Found) -> Path:
    try:
        return found.path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL: it cannot be read later, either
        return found.path


def project_table(project: Path) -> tuple[Document | None, Mapping[str, Any], list[Mistake]]:
    """[tool.clusterlib] of the project's pyproject.toml."""
    path = project / "pyproject.toml"
    try:
        if not path.exists() or b"clusterlib" not in contents(path):
            return None, {}, []  # other mistakes of that file are not reported here
        document = read_document(path)
    except OSError:
        return None, {}, []
    except Unreadable as error:
        return None, {}, [error.as_mistake("pyproject", display(path, project))]
    tool = document.tree.get("tool", {})
    table = tool.get("clusterlib", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        origin = Origin(
            ValueSource.PYPROJECT, None, display(path, project), document.line(("tool", "clusterlib"))
        )
        return None, {}, [Mistake("must be a table", "write [tool.clusterlib]", "tool.clusterlib", origin)]
    return document, table, []


def project_layers(name: str, project: Path) -> tuple[list[Layer], list[Mistake]]:
    """[tool.clusterlib] for every profile, [tool.clusterlib.profiles.NAME] for this one."""
    document, table, mistakes = project_table(project)
    if document is None:
        return [], mistakes
    shown = display(document.path, project)
    prefix = ("tool", "clusterlib")
    general = {key: value for key, value in table.items() if key not in NOT_OVERRIDES}
    layers = [Layer(ValueSource.PYPROJECT, general, None, document, shown, prefix, for_all=True)]
    by_name = table.get("profiles", {})
    own = by_name.get(name, {}) if isinstance(by_name, dict) else by_name
    if not isinstance(own, dict):
        field = "tool.clusterlib.profiles" + (f".{name}" if isinstance(by_name, dict) else "")
        line = document.line((*prefix, "profiles", name))
        right = f"write [tool.clusterlib.profiles.{name}]"
        mistakes.append(
            Mistake("must be a table", right, field, Origin(ValueSource.PYPROJECT, None, shown, line))
        )
    else:
        layers.append(Layer(ValueSource.PYPROJECT, own, None, document, shown, (*prefix, "profiles", name)))
    return layers, mistakes


def default_profile(project: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The profile to use by default: CLUSTERLIB_PROFILE, `profile` in [tool.clusterlib], or dev."""
    environ = os.environ if environ is None else environ
    if named := environ.get("CLUSTERLIB_PROFILE"):
        return named
    _, table, _ = project_table(project or find_project(Path.cwd()))
    named = table.get("profile", "dev")
    return named if isinstance(named, str) and named else "dev"
