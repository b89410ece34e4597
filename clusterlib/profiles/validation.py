"""From a tree of plain data to a `Profile`, with every mistake in our own words.

Pydantic's core finds the mistakes; here they get their place, their field and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

from clusterlib.profiles.layers import Merged, dotted
from clusterlib.profiles.model import Profile
from clusterlib.profiles.origins import Mistake, in_toml, nearest
from clusterlib.profiles.settings import core_of, kind_of

__all__ = ["known_keys", "validate"]

Location = tuple[str | int, ...]

KINDS = {
    "int": ("a whole number", "write it without quotes and without a fraction, for example 3"),
    "float": ("a number", "write it without quotes, for example 1.5"),
    "bool": ("true or false", "write true or false, without quotes"),
    "string": ("text", "put it in quotes"),
    "tuple": ("a list", 'write it in brackets, for example ["a", "b"]'),
    "dict": ("a table", "write its keys below a header in brackets"),
    "dataclass": ("a table", "write its keys below a header in brackets"),
}
LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


@cache
def _validator() -> SchemaValidator:
    return SchemaValidator(core_of(Profile))


def validate(merged: Merged) -> tuple[Profile | None, list[Mistake], frozenset[str]]:
    """The profile, its mistakes, and the fields that have one.

    With mistakes, the profile is what remains without them, so that the rest can be checked, too."""
    try:
        return _read(merged.tree), [], frozenset()
    except ValidationError as error:
        details = error.errors(include_url=False)
    mistakes = [_mistake(detail, merged) for detail in details]
    faulty = [_location(detail) for detail in details]
    try:
        remainder = _read(_without(merged.tree, {location for location in faulty if location}))
    except ValidationError:
        remainder = None
    return remainder, mistakes, frozenset(dotted(location) for location in faulty)


def _read(tree: Mapping[str, Any]) -> Profile:
    profile = _validator().validate_python(tree)
    assert isinstance(profile, Profile)
    return profile


def _location(detail: ErrorDetails) -> Location:
    location = detail["loc"]
    return location[:-1] if location and location[-1] == "[key]" else location


def _without(tree: Mapping[str, Any], faulty: set[Location]) -> dict[str, Any]:
    """The tree without the faulty values; a list with a faulty element goes as a whole."""
    whole = {tuple(part for part in location if isinstance(part, str)) for location in faulty}

    def keep(table: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        return {
            key: keep(value, (*path, key)) if isinstance(value, Mapping) else value
            for key, value in table.items()
            if (*path, key) not in whole
        }

    return keep(tree, ())


def _mistake(detail: ErrorDetails, merged: Merged) -> Mistake:
    location = _location(detail)
    problem, right = _told(detail, location)
    return Mistake(problem, right, dotted(location), merged.origin(location))


def _told(detail: ErrorDetails, location: Location) -> tuple[str, str]:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "wrong":
        of_key = detail["loc"][-1:] == ("[key]",)
        subject = "this name" if of_key else in_toml(given)
        return f"{subject} {context['problem']}", str(context["right"])
    if kind == "unexpected_keyword_argument":
        return "unknown key", _nearest(location)
    if kind in LIMITS:
        limit, words = LIMITS[kind]
        return f"{in_toml(given)} is out of bounds", f"write {words} {context[limit]:g}"
    if kind == "finite_number":
        return f"{in_toml(given)} is no length of anything", "write a finite number"
    wanted = KINDS.get(kind.partition("_")[0])
    if wanted is None:
        return f"{in_toml(given)} does not fit: {detail['msg']}", ""
    return f"must be {wanted[0]}, not {in_toml(given)}", wanted[1]


def known_keys(table: Location) -> list[str]:
    """The keys that a table may have; empty where the author chooses them."""
    if not table:
        return [*(one.name for one in fields(Profile)), "extends"]
    for one in fields(Profile):
        inner = kind_of(one).table
        if (one.name,) == table and inner is not None:
            return [declared.name for declared in fields(inner)]
    return []


def _nearest(location: Location) -> str:
    key, known = str(location[-1]), known_keys(location[:-1])
    if near := nearest(key, known):
        return f'did you mean "{near}"?'
    homes = [name for name in known_keys(()) if key in known_keys((name,))]
    if len(location) == 1 and homes:
        return f"it belongs into {' or '.join(f'[{home}]' for home in homes)}"
    return f"known here: {', '.join(sorted(known))}"
