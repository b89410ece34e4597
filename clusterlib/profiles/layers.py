"""The order of configuration: which layer sets a value, with later layers taking precedence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clusterlib.frozen import frozen, replace
from clusterlib.profiles.documents import Document
from clusterlib.profiles.origins import Mistake, Origin
from clusterlib.values.kinds import INHERITED
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import nearest

# Merging does not need settings, so code that only merges, such as a noxfile, need not import their
# validation.
if TYPE_CHECKING:
    from clusterlib.profiles.vocabulary import Variables, Vocabulary

__all__ = [
    "Layer",
    "Merged",
    "Path",
    "command_line_layer",
    "dotted",
    "environment_layer",
    "merge",
]

Path = tuple[str, ...]
PREFIX = "CLUSTERLIB_"
NEAR = 0.84  # CLUSTERLIB_NODES_CUONT is near to a setting, CLUSTERLIB_COOKIE_FILE is not

# Variables of clusterlib that are not settings, and prefixes of such: never taken for misspelt
# settings.
NOT_SETTINGS = frozenset({"CLUSTERLIB_NODE", "CLUSTERLIB_NODES", "CLUSTERLIB_PORTS", "CLUSTERLIB_SIMULATED"})
NOT_SETTINGS_FROM = (
    "CLUSTERLIB_ADDRESS",
    "CLUSTERLIB_CONTAINMENT",
    "CLUSTERLIB_COOKIE",
    "CLUSTERLIB_FD_",
    "CLUSTERLIB_MARKER",
    "CLUSTERLIB_NAME",
    "CLUSTERLIB_NODE_ADDRESS",
    "CLUSTERLIB_NODE_HOST",
    "CLUSTERLIB_NODE_INDEX",
    "CLUSTERLIB_NODE_NAME",
    "CLUSTERLIB_NODE_PORT",
    *(f"CLUSTERLIB_NODE{digit}" for digit in range(10)),
    "CLUSTERLIB_PROFILE",
    "CLUSTERLIB_PROJECT",
    "CLUSTERLIB_RUN",
    "CLUSTERLIB_SOCKET",
    "CLUSTERLIB_TAG",
)


@frozen
class Layer:
    """One layer: its values, and their places."""

    source: ValueSource
    tree: Mapping[str, Any]
    name: str | None = None
    document: Document | None = None
    shown: str | None = None
    """The document's path in messages."""
    prefix: Path = ()
    """Where in the document this layer's tables begin."""
    places: Mapping[Path, str] = field(default_factory=dict)
    """The name of each value, if each has its own (environment variables)."""
    shipped: bool = False
    for_all: bool = False
    """Whether it applies to every profile of the project."""

    def origin(self, path: tuple[str | int, ...]) -> Origin:
        line = self.document.line((*self.prefix, *path)) if self.document else None
        return replace(self.voice(path), line=line)

    def voice(self, path: tuple[str | int, ...]) -> Origin:
        """The origin without its line, which would require reading the text again."""
        name = next((self.places[key] for key in _upwards(path) if key in self.places), self.name)
        return Origin(self.source, name, self.shown)


@dataclass(slots=True)
class Merged:
    """All layers in one tree, and the layer that has set each value."""

    tree: dict[str, Any]
    owners: dict[tuple[str | int, ...], Layer]

    def owner(self, path: tuple[str | int, ...]) -> Layer | None:
        return next((self.owners[key] for key in _upwards(path) if key in self.owners), None)

    def asked_for(self, path: tuple[str | int, ...]) -> bool:
        """Whether a person requests it now, rather than in a file."""
        owner = self.owner(path)
        return owner is not None and owner.source in {ValueSource.ENVIRONMENT, ValueSource.COMMAND_LINE}

    def said(self, path: tuple[str | int, ...]) -> Origin:
        """The origin of exactly this value; the default if it is not set."""
        return self.owners[path].origin(path) if path in self.owners else Origin(ValueSource.DEFAULT)

    def origin(self, path: tuple[str | int, ...]) -> Origin:
        """The origin of this value, or of the nearest table around it: for wrong or missing
        values."""
        owner = self.owner(path)
        return owner.origin(path) if owner else Origin(ValueSource.DEFAULT)


def _upwards(path: tuple[Any, ...]) -> Iterable[tuple[Any, ...]]:
    return (path[:length] for length in range(len(path), 0, -1))


def dotted(path: Iterable[str | int]) -> str:
    """`tests.paths[1]`: a path as messages and callers write it."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


def merge(layers: Iterable[Layer]) -> Merged:
    """Merges tables key by key; everything else, including lists, is replaced by the later layer.

    A "..." in a list stands for the items of earlier layers."""
    merged = Merged({}, {})
    for layer in layers:
        _lay(merged, merged.tree, layer.tree, layer, ())
    return merged


def _lay(merged: Merged, onto: dict[str, Any], tree: Mapping[str, Any], layer: Layer, path: Path) -> None:
    for key, value in tree.items():
        here = (*path, key)
        if isinstance(value, Mapping):
            below = onto.get(key)
            if not isinstance(below, dict):
                below = onto[key] = {}
            merged.owners.setdefault(here, layer)
            _lay(merged, below, value, layer, here)
        else:
            if isinstance(onto.get(key), dict):
                _forget(merged, here)
            onto[key] = _with_inherited(value, onto.get(key)) if isinstance(value, list | tuple) else value
            merged.owners[here] = layer


def _with_inherited(value: Iterable[Any], inherited: object) -> list[Any]:
    """The list, with the earlier items in the place of "...".

    If there are none, its default is inserted later."""
    before = inherited if isinstance(inherited, list) else [INHERITED]
    return [item for one in value for item in (before if one == INHERITED else [one])]


def _forget(merged: Merged, path: Path) -> None:
    for key in [key for key in merged.owners if key[: len(path)] == path]:
        del merged.owners[key]


def environment_layer(environ: Mapping[str, str], vocabulary: Vocabulary) -> tuple[Layer, list[Mistake]]:
    """CLUSTERLIB_NODES_COUNT=5 and the like. An empty variable is ignored, as is usual in CI."""
    tree: dict[str, Any] = {}
    places: dict[Path, str] = {}
    mistakes: list[Mistake] = []
    names = sorted(name for name in environ if name.startswith(PREFIX) and environ[name])
    for name in names:
        known = vocabulary.variables().get(name)
        if known is None and not _is_no_setting(name) and not _open_path(name):
            vocabulary.load_shipped()
            known = vocabulary.variables().get(name)
        path, kind = known or (_open_path(name), None)
        if path:
            _put(tree, path, kind.from_text(environ[name]) if kind else environ[name])
            places[path] = name
        elif mistake := _near_miss(name, vocabulary.variables()):
            mistakes.append(mistake)
    return Layer(ValueSource.ENVIRONMENT, tree, places=places), mistakes


def _open_path(variable: str) -> Path:
    """CLUSTERLIB_PORTS_HTTP and CLUSTERLIB_ENVIRONMENT_NAME: tables whose keys the author
    chooses."""
    for table, fold in (("ports", str.lower), ("environment", str)):
        start = f"{PREFIX}{table.upper()}_"
        if variable.startswith(start) and len(variable) > len(start):
            return table, fold(variable.removeprefix(start))
    return ()


def _is_no_setting(variable: str) -> bool:
    return variable in NOT_SETTINGS or variable.startswith(NOT_SETTINGS_FROM)


def _near_miss(variable: str, known: Variables) -> Mistake | None:
    if _is_no_setting(variable):
        return None
    near = nearest(variable, known, NEAR)
    if near is None:
        return None
    return Mistake(
        "is no setting", f"did you mean {near}?", variable, Origin(ValueSource.ENVIRONMENT, variable)
    )


def command_line_layer(
    overrides: Mapping[str, object], vocabulary: Vocabulary
) -> tuple[Layer, list[Mistake]]:
    """`{"nodes.count": 5}`; a text is read as the setting's kind, and None is ignored."""
    tree: dict[str, Any] = {}
    vocabulary.load_for_tables(table for name in overrides if (table := name.partition(".")[0]) != name)
    kinds = dict(vocabulary.variables().values())
    mistakes: list[Mistake] = []
    for name, value in overrides.items():
        if value is None:
            continue
        path = _split(name)
        if not all(path):
            mistakes.append(
                Mistake(
                    "is no setting",
                    'write "nodes.count", for example',
                    name,
                    Origin(ValueSource.COMMAND_LINE),
                )
            )
            continue
        kind = kinds.get(path)
        if not _put(tree, path, kind.from_text(value) if kind and isinstance(value, str) else value):
            mistakes.append(Mistake("is set twice", "say it once", name, Origin(ValueSource.COMMAND_LINE)))
    return Layer(ValueSource.COMMAND_LINE, tree), mistakes


def _split(name: str) -> Path:
    """`templates.node.json` is the key `node.json` of `templates`."""
    from clusterlib.profiles.model import SHARED
    from clusterlib.values.fields import kind_of

    top, _, rest = name.partition(".")
    opened = any(one.name == top and kind_of(one).open for one in SHARED)
    if opened:
        return (top, rest) if rest else (top,)
    return tuple(name.split("."))


def _put(tree: dict[str, Any], path: Path, value: object) -> bool:
    """False if something is there already."""
    table: Any = tree
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return False
    if path[-1] in table:
        return False
    table[path[-1]] = value
    return True
