"""Declares a setting once, with its default, its kind and its description.

A kind defines which values are accepted, their JSON schema for editors, and how a text from the
environment or the command line becomes such a value. The tables themselves are plain frozen
dataclasses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.values.kinds import INHERITED, Wrong
from clusterlib.values.typed_text import flag_from, is_unicode, list_from, text_reader, without_null
from clusterlib.values.wording import in_toml, nearest

__all__ = [
    "Between",
    "Kind",
    "Misfit",
    "Place",
    "choice",
    "choice_of",
    "described_of",
    "flag",
    "json_schema_of",
    "kind_of",
    "number",
    "optional",
    "parsed",
    "section",
    "setting",
    "table",
    "table_kind",
    "table_reader",
    "text",
    "texts",
    "texts_of",
    "whole",
    "words",
    "words_of",
]

Place = tuple[str | int, ...]
"""Where a value is: the keys of the tables around it, and the number of an item in a list."""
TABLE = ("a table", "write its keys below a header in brackets")
LIST = (
    "a list",
    'write it in brackets, for example ["a", "b"]',
    "separate words by spaces, and close each quote, as in a shell",
)
TEXT = ("text", "put it in quotes")
WHOLE = (
    "a whole number",
    "write it without quotes and without a fraction, for example 3",
    "write a number without a fraction, for example 3",
)
NUMBER = ("a number", "write it without quotes, for example 1.5", "write a number, for example 1.5")
FLAG = ("true or false", "write true or false, without quotes", "write true or false")


@frozen
class Misfit:
    """A value that is not accepted."""

    place: Place
    problem: str
    right: str | None
    """A correction; None for an unknown key, as only the caller knows all keys."""
    as_text: str | None = None
    """The same for a text outside of a file, such as a variable, if it differs."""


Read = Callable[[object, Place, list[Misfit]], object]
"""Returns the value as it is used.

If it is not accepted, adds to the list; the result is then meaningless."""


@frozen
class Kind:
    """What a value may be."""

    read: Read
    json: Mapping[str, Any]
    from_text: Callable[[str], object] = str
    """Never refuses: a text that it cannot read is returned as it is, and reported when it is read.
    """
    table: type | None = None
    """The dataclass of a section."""
    open: bool = False
    """A table whose keys the author chooses."""

    def __hash__(self) -> int:
        return hash(self.read)


def setting(default: object, kind: Kind, description: str, *, special: bool = False) -> Any:
    """A field of a table: `count: int = setting(3, whole(1, 100), "How many.")`.

    `special`: it means something to some drivers only."""
    return field(default=default, metadata={"kind": kind, "description": description, "special": special})


def section(of: type) -> Mapping[str, Any]:
    """The metadata of a table within the profile; its docstring describes it."""
    return {"kind": table_kind(of), "description": of.__doc__}


@cache
def table_kind(of: type) -> Kind:
    """A table that this dataclass declares."""
    declared = fields(of)
    kinds = {one.name: kind_of(one) for one in declared}
    lists = {one.name: one.default for one in declared if isinstance(one.default, tuple)}
    return Kind(table_reader(kinds, lists, of), json_schema_of(of), table=of)


def kind_of(declared: Field[Any]) -> Kind:
    kind = declared.metadata["kind"]
    assert isinstance(kind, Kind)
    return kind


def flag() -> Kind:
    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        if not isinstance(value, bool):
            misfits.append(_must_be(FLAG, value, place))
        return value

    return Kind(read, {"type": "boolean"}, flag_from)


def whole(least: int, most: int) -> Kind:
    within = _Bounds(least=least, most=most)

    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            misfits.append(_must_be(WHOLE, value, place))
        elif right := within.refuse(value):
            misfits.append(Misfit(place, f"{in_toml(value)} is out of bounds", right))
        return value

    return Kind(read, {"type": "integer", "minimum": least, "maximum": most}, text_reader(int))


def number(*, above: float | None = None, least: float | None = None, most: float) -> Kind:
    """A number above `above`, or of at least `least`, and of at most `most`."""
    shown = {"exclusiveMinimum": above, "minimum": least, "maximum": most}
    within = _Bounds(above=above, least=least, most=most)

    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        if not isinstance(value, int | float) or isinstance(value, bool):
            misfits.append(_must_be(NUMBER, value, place))
        elif isinstance(value, float) and not math.isfinite(value):
            problem = f"{in_toml(value)} is no length of anything"
            misfits.append(Misfit(place, problem, "write a finite number"))
        elif right := within.refuse(value):
            misfits.append(Misfit(place, f"{in_toml(value)} is out of bounds", right))
        else:
            return float(value)
        return value

    known = {key: value for key, value in shown.items() if value is not None}
    return Kind(read, {"type": "number", **known}, text_reader(float))


@frozen
class Between:
    """For annotations: a number of at least `least` and at most `most`."""

    least: float
    most: float

    def whole(self) -> Kind:
        return whole(int(self.least), int(self.most))

    def number(self) -> Kind:
        return number(least=self.least, most=self.most)


def text(check: Callable[[str], str] | None = None, **json: Any) -> Kind:
    """Text, which `check` may refuse by raising Wrong."""

    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        if not isinstance(value, str) or not is_unicode(value):
            misfits.append(_must_be(TEXT, value, place))
            return value
        try:
            return without_null(value) if check is None else check(without_null(value))
        except Wrong as wrong:
            misfits.append(Misfit(place, f"{in_toml(value)} {wrong.problem}", wrong.right))
            return value

    return Kind(read, {"type": "string", **json})


def choice(*known: str, reserved: Mapping[str, str] = MappingProxyType({})) -> Kind:
    """One of the known words. A reserved word is refused with its own reason."""

    def check(word: str) -> str:
        if word in known:
            return word
        listed = ", ".join(f'"{one}"' for one in known)
        if word in reserved:
            raise Wrong(reserved[word], f"use one of {listed} until then")
        near = nearest(word, known)
        raise Wrong("is not known here", f'did you mean "{near}"?' if near else f"known: {listed}")

    return text(check, enum=list(known))


def choice_of(known: type[StrEnum], reserved: Mapping[str, str] = MappingProxyType({})) -> Kind:
    """One of the words of an enumeration, of which it becomes a member."""
    return _converted(choice(*(one.value for one in known), reserved=reserved), known)


def _converted(kind: Kind, known: type[StrEnum]) -> Kind:
    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        before = len(misfits)
        word = kind.read(value, place, misfits)
        return known(str(word)) if len(misfits) == before else word

    return Kind(read, kind.json)


def texts() -> Kind:
    return _list_of(text())


def texts_of(item: Kind) -> Kind:
    """A list of texts of that kind."""
    return _list_of(item)


def words(*known: str) -> Kind:
    """A list of known words."""
    return _list_of(choice(*known))


def words_of(known: type[StrEnum]) -> Kind:
    """A list of words of an enumeration."""
    return _list_of(choice_of(known))


def _list_of(item: Kind) -> Kind:
    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        if not isinstance(value, list | tuple):
            misfits.append(_must_be(LIST, value, place))
            return value
        return tuple(item.read(one, (*place, index), misfits) for index, one in enumerate(value))

    return Kind(read, {"type": "array", "items": dict(item.json)}, list_from)


def optional(kind: Kind) -> Kind:
    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        return None if value is None else kind.read(value, place, misfits)

    return Kind(read, kind.json, kind.from_text)


def parsed(parse: Callable[[object], object], **json: Any) -> Kind:
    """The result of `parse`, which refuses by raising Wrong."""

    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        try:
            return parse(value)
        except Wrong as wrong:
            misfits.append(Misfit(place, f"{in_toml(value)} {wrong.problem}", wrong.right))
            return value

    return Kind(read, json)


def table(check_key: Callable[[str], str], values: Kind, description: str) -> Any:
    """A table with keys chosen by the author, which `check_key` accepts; empty by default."""

    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        if not isinstance(value, Mapping):
            misfits.append(_must_be(TABLE, value, place))
            return value
        entries = {}
        for key, entry in value.items():
            try:
                check_key(without_null(str(key)))
            except Wrong as wrong:
                misfits.append(Misfit((*place, key), f"this name {wrong.problem}", wrong.right))
            entries[key] = values.read(entry, (*place, key), misfits)
        return MappingProxyType(entries)  # a frozen dataclass does not freeze a dict inside it

    kind = Kind(
        read, {"type": "object", "additionalProperties": dict(values.json)}, values.from_text, open=True
    )
    return field(default_factory=_nothing, metadata={"kind": kind, "description": description})


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


def table_reader(
    kinds: Mapping[str, Kind], lists: Mapping[str, tuple[object, ...]], of: Callable[..., object]
) -> Read:
    """Reads a table whose keys are declared: every mistake at once, and no key that is not
    declared.

    `lists` has the defaults of those that are lists, `of` makes a value of what was read."""

    def read(value: object, place: Place, misfits: list[Misfit]) -> object:
        if not isinstance(value, Mapping):
            misfits.append(_must_be(TABLE, value, place))
            return value
        before = len(misfits)
        given = {}
        for name, kind in kinds.items():
            if name in value:
                said = _with_default_items(lists[name], value[name]) if name in lists else value[name]
                given[name] = kind.read(said, (*place, name), misfits)
        misfits += (Misfit((*place, key), "unknown key", None) for key in value if key not in kinds)
        return of(**given) if len(misfits) == before else value

    return read


def _with_default_items(default: tuple[object, ...], value: object) -> object:
    """A list that still contains "..." after merging: there was no earlier list, so "..." stands
    for the default."""
    if not isinstance(value, list) or INHERITED not in value:
        return value
    return [item for one in value for item in (default if one == INHERITED else (one,))]


def json_schema_of(of: type) -> dict[str, Any]:
    """What an editor needs to complete and check a table."""
    properties = {one.name: described_of(one) for one in fields(of)}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def described_of(declared: Field[Any]) -> dict[str, Any]:
    """The JSON schema of one setting, with its description and its default."""
    shown = {**kind_of(declared).json, "description": declared.metadata["description"]}
    default = declared.default
    if default is not MISSING and isinstance(default, bool | int | float | str | tuple):
        shown["default"] = list(default) if isinstance(default, tuple) else default
    return shown


@frozen
class _Bounds:
    above: float | None = None
    least: float | None = None
    most: float | None = None

    def refuse(self, value: float) -> str | None:
        """A correction; None if the value is accepted."""
        if self.above is not None and not value > self.above:
            return f"write more than {self.above:g}"
        if self.least is not None and not value >= self.least:
            return f"write at least {self.least:g}"
        if self.most is not None and not value <= self.most:
            return f"write at most {self.most:g}"
        return None


def _must_be(what: tuple[str, ...], value: object, place: Place) -> Misfit:
    """`what` describes the value in words, how to write it in a file, and how to write it in a text
    if that differs."""
    as_text = what[2] if len(what) > 2 and isinstance(value, str) else None
    return Misfit(place, f"must be {what[0]}, not {in_toml(value)}", what[1], as_text)
