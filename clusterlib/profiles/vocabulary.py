"""The settings that a profile may contain: those of every profile, and the tables that its driver
declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path

from clusterlib.disk.paths import within
from clusterlib.drivers.kind import NodeKind
from clusterlib.drivers.registry import kind_of
from clusterlib.drivers.shipped import SHIPPED
from clusterlib.errors import DriverUnusable
from clusterlib.profiles.layers import Layer
from clusterlib.profiles.model import SHARED
from clusterlib.values import fields as values
from clusterlib.values.overrides import Overrides
from clusterlib.values.wording import in_toml

__all__ = ["PREFIX", "Variables", "Vocabulary", "uses_setting", "vocabulary_of"]

Variables = Mapping[str, tuple[tuple[str, ...], values.Kind]]
"""By the name of an environment variable: the setting that it sets, and its kind."""
PREFIX = "CLUSTERLIB_"
NOT_TABLES = frozenset({"extends", "profiles"})
"""Other names at the top of a profile, or of `[tool.clusterlib]`."""
TABLE_NAME = re.compile("[a-z][a-z0-9_]*")
_SHARED = {one.name: one for one in SHARED}


class Vocabulary:
    """The kinds of nodes that a profile names, and their settings.

    Further drivers are loaded only for settings that these do not know."""

    def __init__(self, driver: str, others: Iterable[str] = (), roots: Iterable[str] = ()) -> None:
        """`others` are drivers of profiles that this one extends."""
        self.driver = driver
        self._kinds: dict[str, NodeKind] = {}
        self._broken: dict[str, DriverUnusable] = {}
        self._others = tuple(dict.fromkeys(others))
        self._roots = tuple(roots)
        self.load(driver)
        for name in ("python", *self._others):
            if name in SHIPPED:
                self.load(name)
        self.kind = self._kinds.get(driver) or kind_of("python")

    @property
    def unusable(self) -> DriverUnusable | None:
        """Why there is no such driver. In this case the settings of embedded nodes are used."""
        return self._broken.get(self.driver)

    @staticmethod
    def of_all() -> Vocabulary:
        """That of all shipped or installed drivers, except broken ones."""
        vocabulary = Vocabulary("python")
        vocabulary.load_shipped()
        from clusterlib.drivers.external import installed

        for name in installed():
            vocabulary.load(name)
        return vocabulary

    @property
    def sections(self) -> dict[str, type]:
        """The tables of the drivers known so far."""
        found: dict[str, type] = {}
        for kind in (self.kind, *self._kinds.values()):
            found = {**kind.sections(), **found}
        return found

    def kind_named(self, driver: str) -> NodeKind | None:
        return self._kinds.get(driver)

    def why_broken(self, driver: str) -> DriverUnusable | None:
        """Why a driver that was looked at cannot be used."""
        return self._broken.get(driver)

    def load(self, driver: str) -> None:
        if driver not in self._kinds and driver not in self._broken:
            try:
                kind = kind_of(driver, self._roots)
                if driver not in SHIPPED:
                    _check_tables(driver, kind)
                self._kinds[driver] = kind
            except DriverUnusable as error:
                self._broken[driver] = error

    def load_shipped(self) -> None:
        for name in SHIPPED:
            self.load(name)

    def load_for_tables(self, tables: Iterable[str]) -> None:
        """The drivers that may have these tables.

        A driver from outside is imported only for a table that no other one has: that of an
        extended profile, or an installed one with the name of the table."""
        if not (unknown := set(tables) - self.sections.keys() - _SHARED.keys()):
            return
        self.load_shipped()
        for name in self._others:
            if unknown - self.sections.keys():
                self.load(name)
        if unknown := unknown - self.sections.keys():
            from clusterlib.drivers.external import installed

            for name in unknown & installed().keys():
                self.load(name)

    def drivers_with(self, table: str, key: str = "") -> tuple[str, ...]:
        """The drivers that use a table, or one setting in it."""
        self.load_shipped()
        names = [*SHIPPED, *(name for name in self._kinds if name not in SHIPPED)]
        return tuple(name for name in names if uses_setting(self._kinds[name], table, key))

    def known_keys(self, table: Sequence[str | int] = ()) -> list[str]:
        """The keys that a table may have; empty if the author chooses them."""
        if not table:
            return [*_SHARED, *self.sections, "extends"]
        if len(table) > 1:
            return []
        inner = self.sections.get(str(table[0])) or _table_of(str(table[0]))
        return [one.name for one in fields(inner)] if inner is not None else []

    def variables(self) -> Variables:
        """Every setting that a variable can set, by the variable's name."""
        return _variables(tuple(self.sections.items()))


def vocabulary_of(
    layers: Sequence[Layer], project: Path, environ: Mapping[str, str], overrides: Overrides
) -> Vocabulary:
    """The vocabulary of a profile that consists of these layers, the environment and the command
    line."""
    said = [one for layer in layers if isinstance(one := layer.tree.get("driver"), str)]
    last = overrides.get("driver") or environ.get(f"{PREFIX}DRIVER") or (said[-1] if said else "python")
    driver = last if isinstance(last, str) else "python"
    vocabulary = Vocabulary(driver, said, within(project, _code_roots(layers)))
    vocabulary.load_for_tables(
        name for layer in layers for name, value in layer.tree.items() if isinstance(value, Mapping)
    )
    return vocabulary


def _check_tables(driver: str, kind: NodeKind) -> None:
    """The tables of a driver from outside must not have the names of others, and environment
    variables must be able to set them."""
    shipped = {table for name in SHIPPED for table in kind_of(name).sections()}
    taken = {*_SHARED, *NOT_TABLES, *shipped}
    tables = kind.sections()
    if wrong := sorted(tables.keys() & taken):
        why, right = "declares a table whose name is taken", "give its table another name"
    elif wrong := sorted(name for name in tables if not TABLE_NAME.fullmatch(name)):
        why, right = "declares a table whose name cannot be used", "use small letters, digits and _"
    elif wrong := _same_variables(tables):
        why, right = "declares a table whose variables have another meaning", "give its table another name"
    else:
        return
    named = ", ".join(f"[{name}]" for name in wrong)
    raise DriverUnusable(f"the driver {in_toml(driver)} {why}", cause=named, remedies=[right])


def _same_variables(tables: Mapping[str, type]) -> list[str]:
    """Tables with a setting whose environment variable sets another one: as `nodes.host` does."""
    shipped = tuple((table, of) for name in SHIPPED for table, of in kind_of(name).sections().items())
    known = _variables(shipped)
    return sorted(
        table
        for table, of in tables.items()
        if known.keys() & {_variable(table, one.name) for one in fields(of)}
    )


def _code_roots(layers: Sequence[Layer]) -> list[str]:
    """The folders of the project's Python code, before any value is checked."""
    for layer in reversed(layers):
        table = layer.tree.get("python")
        path = table.get("path") if isinstance(table, Mapping) else None
        if isinstance(path, list) and all(isinstance(one, str) and "\0" not in one for one in path):
            return path
    return ["."]


def uses_setting(kind: NodeKind, table: str, key: str = "") -> bool:
    """Whether a table, or one setting in it, is used by nodes of that kind."""
    if table not in _SHARED:
        return table in kind.sections()
    return f"{table}.{key}" in kind.uses or key not in _special(table)


@cache
def _special(table: str) -> frozenset[str]:
    inner = _table_of(table)
    return (
        frozenset(one.name for one in fields(inner) if one.metadata.get("special")) if inner else frozenset()
    )


def _table_of(name: str) -> type | None:
    return values.kind_of(_SHARED[name]).table if name in _SHARED else None


@cache
def _variables(sections: tuple[tuple[str, type], ...]) -> Variables:
    found: dict[str, tuple[tuple[str, ...], values.Kind]] = {}
    kinds = {name: values.kind_of(one) for name, one in _SHARED.items()}
    for top, kind in kinds.items():
        if kind.table is None and not kind.open:
            found[f"{PREFIX}{top}".upper()] = ((top,), kind)
    tables = {top: kind.table for top, kind in kinds.items() if kind.table is not None} | dict(sections)
    for top, table in tables.items():
        inner = ((one.name, values.kind_of(one)) for one in fields(table))
        found |= {_variable(top, name): ((top, name), kind) for name, kind in inner}
    return found


def _variable(table: str, setting: str) -> str:
    return f"{PREFIX}{table}_{setting}".upper()
