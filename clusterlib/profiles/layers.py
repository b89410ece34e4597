"""The order of configuration: which layer sets a value, with later layers taking precedence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterlib.frozen import frozen, replace
from clusterlib.profiles.documents import Document
from clusterlib.profiles.origins import Origin
from clusterlib.values.kinds import INHERITED
from clusterlib.values.sources import ValueSource

__all__ = [
    "Layer",
    "Merged",
    "Path",
    "dotted",
    "merge",
]

Path = tuple[str, ...]


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
