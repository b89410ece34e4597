"""Validates plain data as a `Profile`, with clusterlib's own messages for every mistake.

The kinds of the settings find the mistakes. Here they get their origin, and unknown keys a
suggestion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from clusterlib.profiles.layers import Merged, dotted
from clusterlib.profiles.model import SHARED, Profile
from clusterlib.profiles.origins import Mistake
from clusterlib.profiles.vocabulary import Vocabulary
from clusterlib.values.fields import Misfit, Place, Read, kind_of, table_kind, table_reader
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import nearest

__all__ = ["validate"]


def validate(merged: Merged, vocabulary: Vocabulary) -> tuple[Profile | None, list[Mistake], frozenset[str]]:
    """The profile, its mistakes, and the fields that have one.

    With mistakes, the profile is the rest without them, so that the rest can be checked, too."""
    vocabulary.load_for_tables(name for name, value in merged.tree.items() if isinstance(value, Mapping))
    profile, misfits = _read(merged.tree, vocabulary)
    if not misfits:
        return profile, [], frozenset()
    remainder, _ = _read(_without(merged.tree, {misfit.place for misfit in misfits}), vocabulary)
    mistakes = [
        _mistake(misfit, merged, vocabulary)
        for misfit in misfits
        if not _belongs_to_broken_driver(misfit, merged, vocabulary)
    ]
    return remainder, mistakes, frozenset(dotted(misfit.place) for misfit in misfits)


def _read(tree: Mapping[str, Any], vocabulary: Vocabulary) -> tuple[Profile | None, list[Misfit]]:
    misfits: list[Misfit] = []
    said = {name: of for name, of in vocabulary.sections.items() if name in tree}
    sections = {**vocabulary.kind.sections(), **said}
    profile = _reader(tuple(sections.items()))(tree, (), misfits)
    return (profile if isinstance(profile, Profile) else None), misfits


@cache
def _reader(sections: tuple[tuple[str, type], ...]) -> Read:
    """Reads a whole profile, which has these tables of drivers."""

    def profile(**given: Any) -> Profile:
        own = {name: given.pop(name) if name in given else of() for name, of in sections}
        return Profile(**given, sections=MappingProxyType(own))

    kinds = {one.name: kind_of(one) for one in SHARED} | {name: table_kind(of) for name, of in sections}
    lists = {one.name: one.default for one in SHARED if isinstance(one.default, tuple)}
    return table_reader(kinds, lists, profile)


def _belongs_to_broken_driver(misfit: Misfit, merged: Merged, vocabulary: Vocabulary) -> bool:
    """Whether this is an unknown table, and the driver that may declare it cannot be used.

    That is a mistake of the profile only if it is a profile of this driver. `[tool.clusterlib]` has
    tables of all drivers, and `doctor` shows which of them are broken."""
    if not _is_unknown_table(misfit, merged.tree):
        return False
    if vocabulary.unusable is not None:
        return True
    for_all = merged.origin(misfit.place).source == ValueSource.PYPROJECT
    return for_all and vocabulary.why_broken(str(misfit.place[0])) is not None


def _is_unknown_table(misfit: Misfit, tree: Mapping[str, Any]) -> bool:
    unknown = misfit.right is None and len(misfit.place) == 1
    return unknown and isinstance(tree.get(str(misfit.place[0])), Mapping)


def _without(tree: Mapping[str, Any], faulty: set[Place]) -> dict[str, Any]:
    """The tree without the faulty values; a list with a faulty element goes as a whole."""
    whole = {tuple(part for part in place if isinstance(part, str)) for place in faulty}

    def keep(table: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        return {
            key: keep(value, (*path, key)) if isinstance(value, Mapping) else value
            for key, value in table.items()
            if (*path, key) not in whole
        }

    return keep(tree, ())


def _mistake(misfit: Misfit, merged: Merged, vocabulary: Vocabulary) -> Mistake:
    broken = vocabulary.why_broken(str(misfit.place[0])) if _is_unknown_table(misfit, merged.tree) else None
    if broken is not None:
        problem = f"this driver cannot be used: {broken.problem}: {broken.cause}"
        return Mistake(
            problem, next(iter(broken.remedies), ""), dotted(misfit.place), merged.origin(misfit.place)
        )
    right = _nearest(misfit.place, vocabulary) if misfit.right is None else misfit.right
    if misfit.as_text is not None and merged.asked_for(misfit.place):
        right = misfit.as_text
    return Mistake(misfit.problem, right, dotted(misfit.place), merged.origin(misfit.place))


def _nearest(place: Place, vocabulary: Vocabulary) -> str:
    vocabulary.load_shipped()
    key, known = str(place[-1]), vocabulary.known_keys(place[:-1])
    if near := nearest(key, known):
        return f'did you mean "{near}"?'
    homes = [name for name in vocabulary.known_keys() if key in vocabulary.known_keys((name,))]
    if len(place) == 1 and homes:
        return f"it belongs into {' or '.join(f'[{home}]' for home in homes)}"
    return f"known here: {', '.join(sorted(known))}"
