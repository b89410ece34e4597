"""How a setting is declared: once, with its default, its kind and its description.

A kind knows three things: what pydantic's core accepts, what an editor is told (JSON schema), and how a text from
the environment or the command line becomes such a value. The tables themselves are plain frozen dataclasses. Built on
pydantic's core and not on its models, the first profile is there some 60 ms earlier: importing the models and building
ten of them takes as long as three nodes take to start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError
from pydantic_core import core_schema as core

from clusterlib.frozen import frozen
from clusterlib.profiles.origins import nearest
from clusterlib.values.kinds import INHERITED, Wrong

if TYPE_CHECKING:
    from pydantic_core import CoreSchema
    from pydantic_core.core_schema import DataclassField

__all__ = [
    "Kind",
    "choice",
    "core_of",
    "flag",
    "json_schema_of",
    "kind_of",
    "number",
    "optional",
    "parsed",
    "section",
    "setting",
    "table",
    "text",
    "texts",
    "texts_of",
    "whole",
    "words",
]

YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0")


@frozen
class Kind:
    """What a value may be."""

    core: CoreSchema
    json: Mapping[str, Any]
    from_text: Callable[[str], object] = str
    """Never refuses: a text it cannot read is handed on, and validation says what is wrong with it."""
    table: type | None = None
    """The dataclass of a section."""
    open: bool = False
    """A table whose keys the author chooses."""


def setting(default: object, kind: Kind, description: str) -> Any:
    """A field of a table: `count: int = setting(3, whole(1, 100), "How many.")`."""
    return field(default=default, metadata={"kind": kind, "description": description})


def section(of: type) -> Mapping[str, Any]:
    """The metadata of a table within the profile; its docstring describes it."""
    kind = Kind(core_of(of), json_schema_of(of), table=of)
    return {"kind": kind, "description": of.__doc__}


def kind_of(declared: Field[Any]) -> Kind:
    kind = declared.metadata["kind"]
    assert isinstance(kind, Kind)
    return kind


def flag() -> Kind:
    return Kind(core.bool_schema(strict=True), {"type": "boolean"}, _flag_from)


def whole(least: int, most: int) -> Kind:
    return Kind(
        core.int_schema(strict=True, ge=least, le=most),
        {"type": "integer", "minimum": least, "maximum": most},
        _reader(int),
    )


def number(*, above: float | None = None, least: float | None = None, most: float) -> Kind:
    """A number above `above`, or of at least `least`, and of at most `most`."""
    shown = {"exclusiveMinimum": above, "minimum": least, "maximum": most}
    return Kind(
        core.float_schema(strict=True, gt=above, ge=least, le=most, allow_inf_nan=False),
        {"type": "number", **{key: value for key, value in shown.items() if value is not None}},
        _reader(float),
    )


def text(check: Callable[[str], str] | None = None, **json: Any) -> Kind:
    """Text, which `check` may refuse by raising Wrong."""
    checked = core.no_info_after_validator_function(_teaching(_without_null), core.str_schema(strict=True))
    if check is not None:
        checked = core.no_info_after_validator_function(_teaching(check), checked)
    return Kind(checked, {"type": "string", **json})


def choice(*known: str, reserved: Mapping[str, str] = MappingProxyType({})) -> Kind:
    """One of the known words; a reserved one is refused with its own reason."""

    def check(word: str) -> str:
        if word in known:
            return word
        listed = ", ".join(f'"{one}"' for one in known)
        if word in reserved:
            raise Wrong(reserved[word], f"use one of {listed} until then")
        near = nearest(word, known)
        raise Wrong("is not known here", f'did you mean "{near}"?' if near else f"known: {listed}")

    return text(check, enum=list(known))


def texts() -> Kind:
    return _list_of(text())


def texts_of(item: Kind) -> Kind:
    """A list of texts of that kind."""
    return _list_of(item)


def words(*known: str) -> Kind:
    """A list of known words."""
    return _list_of(choice(*known))


def _list_of(item: Kind) -> Kind:
    return Kind(
        core.tuple_schema([item.core], variadic_item_index=0),
        {"type": "array", "items": dict(item.json)},
        _list_from,
    )


def optional(kind: Kind) -> Kind:
    return Kind(core.nullable_schema(kind.core), kind.json, kind.from_text)


def parsed(parse: Callable[[object], object], **json: Any) -> Kind:
    """Whatever `parse` makes of it; it refuses by raising Wrong."""
    return Kind(core.no_info_plain_validator_function(_teaching(parse)), json)


def table(keys: Kind, values: Kind, description: str) -> Any:
    """A table whose keys the author chooses; empty where nothing is said."""
    entries = core.dict_schema(keys.core, values.core)
    # A frozen dataclass does not freeze a dict inside it; the proxy does.
    frozen = core.no_info_after_validator_function(MappingProxyType, entries)
    kind = Kind(
        frozen, {"type": "object", "additionalProperties": dict(values.json)}, values.from_text, open=True
    )
    return field(default_factory=_nothing, metadata={"kind": kind, "description": description})


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


def core_of(of: type) -> CoreSchema:
    """What pydantic's core needs to validate a table: nothing that is not declared, every mistake at once."""
    assert is_dataclass(of)
    declared = [_field_of(one) for one in fields(of)]
    arguments = core.dataclass_args_schema(of.__name__, declared, extra_behavior="forbid")
    return core.dataclass_schema(of, arguments, [one.name for one in fields(of)], frozen=True, slots=True)


def _field_of(declared: Field[Any]) -> DataclassField:
    return core.dataclass_field(declared.name, _with_default(declared, kind_of(declared).core), kw_only=True)


def _with_default(declared: Field[Any], schema: CoreSchema) -> CoreSchema:
    if isinstance(declared.default, tuple):
        schema = core.no_info_before_validator_function(
            partial(_with_default_items, declared.default), schema
        )
    if declared.default is not MISSING:
        return core.with_default_schema(schema, default=declared.default)
    assert declared.default_factory is not MISSING
    return core.with_default_schema(schema, default_factory=declared.default_factory)


def _with_default_items(default: tuple[object, ...], value: object) -> object:
    """A list in which "..." is still there: nobody before it said anything, so it is the default."""
    if not isinstance(value, list) or INHERITED not in value:
        return value
    return [item for one in value for item in (default if one == INHERITED else (one,))]


def json_schema_of(of: type) -> dict[str, Any]:
    """What an editor needs to complete and check a table."""
    assert is_dataclass(of)
    properties: dict[str, Any] = {}
    for one in fields(of):
        shown = {**kind_of(one).json, "description": one.metadata["description"]}
        if one.default is not MISSING and isinstance(one.default, bool | int | float | str | tuple):
            default = one.default
            shown["default"] = list(default) if isinstance(default, tuple) else default
        properties[one.name] = shown
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _teaching(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Lets `Wrong` pass through pydantic's core with both of its halves."""

    def checked(value: Any) -> Any:
        try:
            return check(value)
        except Wrong as wrong:
            facts = {"problem": wrong.problem, "right": wrong.right}
            raise PydanticCustomError("wrong", "{problem}", facts) from None

    return checked


def _without_null(value: str) -> str:
    if "\0" in value:
        raise Wrong("holds a NUL character, which no program can be given", "remove it")
    return value


def _reader(convert: Callable[[str], object]) -> Callable[[str], object]:
    def read(value: str) -> object:
        try:
            return convert(value)
        except ValueError:
            return value

    return read


def _flag_from(value: str) -> object:
    lowered = value.strip().lower()
    return True if lowered in YES else False if lowered in NO else value


def _list_from(value: str) -> object:
    """As a shell splits words: what a person types into a variable."""
    import shlex

    try:
        words: Sequence[str] = shlex.split(value)
    except ValueError:
        return value
    return list(words)
