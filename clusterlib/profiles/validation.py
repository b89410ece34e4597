"""From a tree of plain data to a `Profile`, with every mistake in our own words.

The kinds of the settings find the mistakes; here they get their origin, and unknown keys what was probably meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from clusterlib.profiles.layers import Merged, dotted
from clusterlib.profiles.model import Profile
from clusterlib.profiles.origins import Mistake
from clusterlib.values.fields import Kind, Misfit, Place, kind_of, section
from clusterlib.values.wording import nearest

__all__ = ["known_keys", "validate"]


def validate(merged: Merged) -> tuple[Profile | None, list[Mistake], frozenset[str]]:
    """The profile, its mistakes, and the fields that have one.

    With mistakes, the profile is what remains without them, so that the rest can be checked, too."""
    profile, misfits = _read(merged.tree)
    if not misfits:
        return profile, [], frozenset()
    remainder, _ = _read(_without(merged.tree, {misfit.place for misfit in misfits}))
    mistakes = [_mistake(misfit, merged) for misfit in misfits]
    return remainder, mistakes, frozenset(dotted(misfit.place) for misfit in misfits)


def _read(tree: Mapping[str, Any]) -> tuple[Profile | None, list[Misfit]]:
    misfits: list[Misfit] = []
    profile = _whole().read(tree, (), misfits)
    return (profile if isinstance(profile, Profile) else None), misfits


@cache
def _whole() -> Kind:
    kind = section(Profile)["kind"]
    assert isinstance(kind, Kind)
    return kind


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


def _mistake(misfit: Misfit, merged: Merged) -> Mistake:
    right = _nearest(misfit.place) if misfit.right is None else misfit.right
    if misfit.as_text is not None and merged.asked_for(misfit.place):
        right = misfit.as_text
    return Mistake(misfit.problem, right, dotted(misfit.place), merged.origin(misfit.place))


def known_keys(table: Place) -> list[str]:
    """The keys that a table may have; empty where the author chooses them."""
    if not table:
        return [*(one.name for one in fields(Profile)), "extends"]
    for one in fields(Profile):
        inner = kind_of(one).table
        if (one.name,) == table and inner is not None:
            return [declared.name for declared in fields(inner)]
    return []


def _nearest(place: Place) -> str:
    key, known = str(place[-1]), known_keys(place[:-1])
    if near := nearest(key, known):
        return f'did you mean "{near}"?'
    homes = [name for name in known_keys(()) if key in known_keys((name,))]
    if len(place) == 1 and homes:
        return f"it belongs into {' or '.join(f'[{home}]' for home in homes)}"
    return f"known here: {', '.join(sorted(known))}"
