"""The JSON schema of what the codec makes of a value, from its type."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal

__all__ = ["schema_of"]

PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    bool: "boolean",
    type(None): "null",
}


def schema_of(kind: Any) -> dict[str, Any]:
    """Each class with fields is described once, under `$defs`."""
    known: dict[str, Any] = {}
    shown = _schema(kind, known)
    return {**shown, **({"$defs": known} if known else {})}


def _schema(kind: Any, known: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911 - one for each kind of type
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _schema(inner[0], known)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in {typing.Union, types.UnionType}:
        return {"anyOf": [_schema(one, known) for one in inner]}
    if origin in {tuple, list, set, frozenset}:
        return _sequence(inner, known)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(inner[1], known)}
    if kind is float:
        return {"type": ["number", "null"]}  # JSON has no word for infinity
    if kind is None or kind in PLAIN:
        return {"type": PLAIN[kind or type(None)]}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [one.value for one in kind]}
    if isinstance(kind, type) and issubclass(kind, PurePath | str):
        return {"type": "string"}
    if isinstance(kind, type) and "to_dict" in vars(kind):
        return {"type": "object"}  # it has a form of its own
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind, known)
    return {}


def _sequence(inner: tuple[Any, ...], known: dict[str, Any]) -> dict[str, Any]:
    if inner and inner[-1] is not Ellipsis and len(inner) > 1:
        return {"type": "array", "prefixItems": [_schema(one, known) for one in inner]}
    return {"type": "array", "items": _schema(inner[0], known) if inner else {}}


def _record(kind: type, known: dict[str, Any]) -> dict[str, Any]:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in known:
        known[name] = {}  # it may have itself for a part
        hints = typing.get_type_hints(kind)
        every = fields(kind)
        known[name] = {
            "type": "object",
            "properties": {one.name: _schema(hints[one.name], known) for one in every},
            "required": [
                one.name for one in every if one.default is MISSING and one.default_factory is MISSING
            ],
        }
    return {"$ref": f"#/$defs/{name}"}
