"""Every operation: those of clusterlib, and those of the project (`operations/*.py` beside
`profiles/`).

Listing them imports none. Those of clusterlib are in `index.json`, which
`clusterlib.operations.generating` makes. Those of a project are read from the syntax trees of its
files (`project_sources`), which are looked at each time: a new or changed file is there at once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.frozen import frozen
from clusterlib.operations.listing import ListedOperation, SourceTrouble
from clusterlib.operations.project_sources import sources_of
from clusterlib.operations.remembering import listed_from
from clusterlib.operations.scopes import Scope
from clusterlib.profiles.project import find_project

if TYPE_CHECKING:
    from clusterlib.operations.declaring import Operation
    from clusterlib.operations.project_sources import ProjectSources

__all__ = ["INDEX", "Catalogue", "catalogue", "load", "project_here", "shipped"]

INDEX = Path(__file__).with_name("index.json")
NAME = re.compile(r"[a-z][a-z0-9_]*")
RESERVED = frozenset({"cluster", "completion", "exit", "help", "mcp", "node", "quit", "use"})
"""The words of the program and of the live prompt."""
GROUP = re.compile(r"(cluster\.)?[a-z][a-z0-9_]*")


@frozen
class Catalogue:
    operations: tuple[ListedOperation, ...]
    troubles: tuple[SourceTrouble, ...]
    """What is wrong with the operations of the project. The other operations are not affected, and
    of a file that worked before, its last version that worked is still there."""


_catalogues: dict[ProjectSources, tuple[int, Catalogue]] = {}
"""The last one of each project, and the number of changes that it has seen."""


@cache
def shipped() -> tuple[ListedOperation, ...]:
    return tuple(map(listed_from, json.loads(INDEX.read_text("utf-8"))["operations"]))


@cache
def _attributes() -> frozenset[str]:
    """The attributes of `Cluster` itself. An operation of such a name cannot be a method."""
    return frozenset(json.loads(INDEX.read_text("utf-8"))["attributes"])


def catalogue(project: Path | None = None) -> Catalogue:
    """Without a project, those of the project that the current folder belongs to.

    It is the same object as long as nothing has changed."""
    folder = project or project_here()
    return Catalogue(shipped(), ()) if folder is None else _of(sources_of(folder))


def _of(sources: ProjectSources) -> Catalogue:
    changes, found, troubles = sources.look()
    if (known := _catalogues.get(sources)) is not None and known[0] == changes:
        return known[1]
    made = _joined(found, troubles)
    _catalogues[sources] = (changes, made)
    return made


def project_here() -> Path | None:
    given = os.environ.get("CLUSTERLIB_PROJECT")
    try:
        return Path(given).resolve() if given else find_project(Path.cwd())
    except OSError:  # a folder that is gone or unreadable; what needs a project says so
        return None


def _joined(found: Iterable[ListedOperation], troubles: Sequence[SourceTrouble]) -> Catalogue:
    """Ours come first. Of two operations with one name, the second is refused."""
    taken = dict[tuple[str, ...], ListedOperation]()
    first_words = dict[tuple[str, int], ListedOperation]()
    refused = list(troubles)
    for one in (*shipped(), *found):
        path = one.path
        same = taken.get(path) or first_words.get((path[0], 3 - len(path)))
        if one.module.endswith(".py") and (problem := _problem(one, same)):
            refused.append(SourceTrouble(one.module, one.line, problem))
        else:
            taken[path] = one
            first_words.setdefault((path[0], len(path)), one)
    return Catalogue(tuple(taken.values()), tuple(refused))


def _problem(one: ListedOperation, same: ListedOperation | None) -> str:
    """`same` has the same words, or is in a group of this name, or has the name of this group."""
    if NAME.fullmatch(one.name) is None:
        return f"{one.name!r} is no name of an operation: use small letters, digits and _"
    if GROUP.fullmatch(one.group) is None:
        return f"{one.group!r} is no group: write cluster, cluster.faults or shop, for example"
    if one.path[0] in RESERVED:
        return f"{one.path[0]!r} is a word of the program: choose another name or group"
    if same is not None:
        where = f"{same.module}:{same.line}" if same.module.endswith(".py") else "clusterlib"
        return f"{where} has an operation of that name already: choose another name or group"
    if one.scope is not Scope.PROJECT and one.path[0].replace("-", "_") in _attributes():
        return f"a Cluster has {one.path[0]!r} already: choose another name or group"
    return ""


# -- importing one


def load(listed: ListedOperation) -> Operation[Any]:
    """Imports the operation. Raises OperationBroken if a file of the project cannot be imported.

    Of a file that has changed and is broken, it is the last version that worked."""
    from importlib import import_module

    from clusterlib.operations.declaring import Operation

    if listed.module.endswith(".py"):
        return sources_of(Path(listed.module).parent.parent).load(listed)
    found = getattr(import_module(listed.module), listed.function)
    assert isinstance(found, Operation)
    return found
