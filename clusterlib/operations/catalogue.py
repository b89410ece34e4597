"""Every operation: those of clusterlib, and those of the project (`operations/*.py` beside
`profiles/`).

Listing them imports none. Those of clusterlib are in `index.json`, which
`clusterlib.operations.generating` makes. Those of a project are read from the syntax trees of its
files, once for each state of a file."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.errors import OperationBroken
from clusterlib.frozen import frozen
from clusterlib.messages.effects import Effect
from clusterlib.operations.declaring import Scope
from clusterlib.operations.listing import ListedOperation, ListedParameter, SourceTrouble
from clusterlib.profiles.project import find_project

if TYPE_CHECKING:
    from clusterlib.operations.declaring import Operation

__all__ = ["FOLDER", "Catalogue", "catalogue", "listed_from", "listed_to", "load", "shipped"]

FOLDER = "operations"
INDEX = Path(__file__).with_name("index.json")
NAME = re.compile(r"[a-z][a-z0-9_]*")
RESERVED = frozenset({"cluster", "completion", "help"})
GROUP = re.compile(r"(cluster\.)?[a-z][a-z0-9_]*")


@frozen
class Catalogue:
    operations: tuple[ListedOperation, ...]
    troubles: tuple[SourceTrouble, ...]
    """What is wrong with the operations of the project. The other operations are not affected."""


@cache
def shipped() -> tuple[ListedOperation, ...]:
    return tuple(map(listed_from, json.loads(INDEX.read_text("utf-8"))["operations"]))


@cache
def _attributes() -> frozenset[str]:
    """The attributes of `Cluster` itself. An operation of such a name cannot be a method."""
    return frozenset(json.loads(INDEX.read_text("utf-8"))["attributes"])


def catalogue(project: Path | None = None) -> Catalogue:
    """Without a project, those of the project that the current folder belongs to."""
    folder = project or project_here()
    files = sorted((folder / FOLDER).glob("[!_.]*.py")) if folder is not None else []
    if not files or folder is None:
        return Catalogue(shipped(), ())
    found, troubles = _read(folder, files)
    return _joined(found, troubles)


def project_here() -> Path | None:
    given = os.environ.get("CLUSTERLIB_PROJECT")
    try:
        return Path(given).resolve() if given else find_project(Path.cwd())
    except OSError:  # a folder that is gone or unreadable; what needs a project says so
        return None


def _joined(found: Iterable[ListedOperation], troubles: Sequence[SourceTrouble]) -> Catalogue:
    """Ours come first. Of two operations with one name, the second is refused."""
    taken = {one.path: one for one in shipped()}
    refused = list(troubles)
    for one in found:
        if problem := _problem(one, taken):
            refused.append(SourceTrouble(one.module, one.line, problem))
        else:
            taken[one.path] = one
    return Catalogue(tuple(taken.values()), tuple(refused))


def _problem(one: ListedOperation, taken: Mapping[tuple[str, ...], ListedOperation]) -> str:
    if NAME.fullmatch(one.name) is None:
        return f"{one.name!r} is no name of an operation: use small letters, digits and _"
    if GROUP.fullmatch(one.group) is None:
        return f"{one.group!r} is no group: write cluster, cluster.faults or shop, for example"
    if one.path[0] in RESERVED:
        return f"{one.path[0]!r} is a word of the program: choose another name or group"
    same = taken.get(one.path) or next(
        (other for path, other in taken.items() if _hides(one.path, path)), None
    )
    if same is not None:
        where = f"{same.module}:{same.line}" if same.module.endswith(".py") else "clusterlib"
        return f"{where} has an operation of that name already: choose another name or group"
    if one.scope is not Scope.PROJECT and one.path[0].replace("-", "_") in _attributes():
        return f"a Cluster has {one.path[0]!r} already: choose another name or group"
    return ""


def _hides(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one is a command with the name of a group of the other."""
    return len(one) != len(other) and one[0] == other[0]


# -- the operations of a project


def _read(project: Path, files: Sequence[Path]) -> tuple[list[ListedOperation], list[SourceTrouble]]:
    from clusterlib.operations.listing import listed_in

    known, fresh = _known(project), dict[str, Any]()
    found, troubles = list[ListedOperation](), list[SourceTrouble]()
    for file in files:
        state = _state(file)
        entry = known.get(str(file))
        if entry is None or entry["state"] != state:
            try:
                source = file.read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                troubles.append(SourceTrouble(str(file), 1, f"cannot be read: {error}"))
                continue
            listed, wrong = listed_in(source, str(file), str(file))
            entry = {
                "state": state,
                "operations": [listed_to(one) for one in listed],
                "troubles": [[one.file, one.line, one.problem] for one in wrong],
            }
        fresh[str(file)] = entry
        listed, wrong = _revived(entry)
        found += listed
        troubles += wrong
    if fresh != known:
        _remember(project, fresh)
    return found, troubles


def _state(file: Path) -> list[int]:
    try:
        seen = file.stat()
    except OSError:
        return []
    return [seen.st_mtime_ns, seen.st_size, seen.st_ino]


def _memory(project: Path) -> Path:
    return project / ".clusterlib" / "operations.json"


def _known(project: Path) -> dict[str, Any]:
    """What is saved. Nothing if the file is damaged, or was written by other code."""
    try:
        read = json.loads(_memory(project).read_text("utf-8"))
        files = dict(read["files"]) if read["reader"] == _reader() else {}
        for entry in files.values():
            if not isinstance(entry["state"], list):
                return {}
            _revived(entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return files


def _remember(project: Path, files: Mapping[str, Any]) -> None:
    from clusterlib.hosts.places import write_private

    if _memory(project).parent.is_dir():  # a look at the help makes no folder in a project
        with contextlib.suppress(OSError):
            write_private(_memory(project), json.dumps({"reader": _reader(), "files": files}))


def _reader() -> list[int]:
    """Which code has read the files, because another version may read them differently."""
    room = Path(__file__).parent
    return [(room / name).stat().st_mtime_ns for name in ("listing.py", "parameters.py")]


def _revived(entry: Mapping[str, Any]) -> tuple[list[ListedOperation], list[SourceTrouble]]:
    return list(map(listed_from, entry["operations"])), [SourceTrouble(*one) for one in entry["troubles"]]


# -- importing one


def load(listed: ListedOperation) -> Operation[Any]:
    """Imports the operation. Raises OperationBroken if a file of the project cannot be imported."""
    from importlib import import_module

    from clusterlib.operations.declaring import Operation

    if not listed.module.endswith(".py"):
        found = getattr(import_module(listed.module), listed.function)
    else:
        found = getattr(_imported(Path(listed.module)), listed.function, None)
    if not isinstance(found, Operation) or found.full_name != listed.full_name:
        raise OperationBroken(
            f"{listed.module} has no operation {listed.full_name} once it is imported",
            cause=f"{listed.function} is {found!r:.80} then; is there a decorator above @operation?",
        )
    return found


def _imported(file: Path) -> object:
    """Imports it as `operations.NAME`, which the nodes can import, too. It gets another name if
    something else is called `operations`."""
    import sys

    from clusterlib.importing import find_module, imported

    project = str(file.parent.parent)
    if project not in sys.path:
        sys.path.insert(0, project)  # as Invoke does for its tasks
    name = f"{FOLDER}.{file.stem}"
    try:
        found = find_module(name, [project])
        assert found is not None
        return imported(name, found)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise OperationBroken(
            f"{file} cannot be imported", cause=f"{type(error).__name__}: {error}", evidence=_where(error)
        ) from error


def _where(error: BaseException) -> list[str]:
    """The last lines of the traceback that are not of Python's own import."""
    from clusterlib.importing import frames_of_authors

    return [f"{one.filename}:{one.lineno}: {one.line}" for one in frames_of_authors(error)[-3:]]


# -- as data


def listed_to(one: ListedOperation) -> dict[str, Any]:
    from clusterlib.messages.codec import plain

    return dict(plain(one))


def listed_from(data: Mapping[str, Any]) -> ListedOperation:
    """Faster than the codec, which inspects types. Every command waits for this."""
    parameters = tuple(ListedParameter(**one) for one in data["parameters"])
    effect, scope = Effect(data["effect"]), Scope(data["scope"])
    return ListedOperation(**{**data, "parameters": parameters, "effect": effect, "scope": scope})
