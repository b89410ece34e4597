"""How frozen values become JSON, and how they are made of it again: by the types of their fields."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeVar

__all__ = ["NotReadable", "plain", "revive"]

V = TypeVar("V")
Reader = Callable[[Any], Any]
_readers: dict[object, Reader] = {}


class NotReadable(ValueError):
    """The data is not of the kind that was asked for: another version of clusterlib has written it, or somebody else."""


def plain(value: object) -> Any:
    """The value as dictionaries, lists, texts and numbers."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def revive(kind: type[V], data: object) -> V:
    """The value that `plain` has made this data of. Fields that `kind` does not have are left out; those that are missing must
    have a default."""
    try:
        return typing.cast("V", _reader(kind)(data))
    except NotReadable:
        raise
    except (TypeError, ValueError) as error:
        raise NotReadable(str(error)) from error


def _reader(kind: Any) -> Reader:
    if kind not in _readers:
        _readers[kind] = _made(kind)
    return _readers[kind]


def _made(kind: Any) -> Reader:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _sequence(inner)
    if origin in {typing.Union, types.UnionType}:
        return _optional(inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(_reader(inner[1]))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if isinstance(kind, type) and is_dataclass(kind):
        return _record(kind)
    return _number if kind is float else _exactly(kind)


def _exactly(kind: Any) -> Reader:
    if kind is type(None):
        return lambda _: None  # who expects no answer does not mind one
    if kind not in {str, int, bool}:
        return lambda data: data

    def read(data: Any) -> Any:
        if type(data) is not kind:
            raise TypeError(f"{data!r:.80} is no {kind.__name__}")
        return data

    return read


def _number(data: Any) -> float:
    if type(data) is not float and type(data) is not int:
        raise TypeError(f"{data!r:.80} is no number")
    return float(data)


def _optional(inner: tuple[Any, ...]) -> Reader:
    (some,) = (one for one in inner if one is not type(None))
    read = _reader(some)
    return lambda data: None if data is None else read(data)


def _record(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)  # they are written as text, which takes a compiler to read
    readers = [(one.name, _reader(hints[one.name])) for one in fields(kind)]

    def read(data: Any) -> Any:
        _check(dict, data)
        values = {}
        for name, inner in readers:
            if name in data:
                try:
                    values[name] = inner(data[name])
                except (TypeError, ValueError) as error:
                    raise NotReadable(f"{name}: {error}") from None
        return kind(**values)

    return read


def _sequence(inner: tuple[Any, ...]) -> Reader:
    """`tuple[X, ...]`, or a tuple of some types."""
    if inner[-1:] == (Ellipsis,):
        read = _reader(inner[0])
        return lambda data: tuple([read(item) for item in _check(list, data)])
    readers = [_reader(one) for one in inner]
    return lambda data: tuple([each(item) for each, item in zip(readers, _check(list, data), strict=True)])


def _mapping(read: Reader) -> Reader:
    return lambda data: {key: read(item) for key, item in _check(dict, data).items()}


def _check(kind: type, data: Any) -> Any:
    if not isinstance(data, kind):
        raise TypeError(f"{data!r:.80} is no {'list' if kind is list else 'object'}")
    return data
