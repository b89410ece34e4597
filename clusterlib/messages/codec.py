"""Converts frozen values to JSON and back, by the types of their fields."""

from __future__ import annotations

import contextlib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, TypeVar

from clusterlib.frozen import Shape, field_names, frozen
from clusterlib.remedies import Remedy, revived

__all__ = ["NotReadable", "Packed", "plain", "revive", "salvage", "sent"]

K = TypeVar("K")
V = TypeVar("V")
Reader = Callable[[Any], Any]
UNCHANGED = frozenset({str, int, float, bool, type(None)})
"""Types whose values are JSON already."""
_readers: dict[tuple[object, bool], Reader] = {}


class NotReadable(ValueError):
    """The data does not have the expected type: another version of clusterlib has written it, or
    another program."""


@frozen
class Packed:
    """A frozen value within another one that crosses before anybody knows its type.

    Its receiver unpacks it by that type."""

    data: object

    @staticmethod
    def of(value: object) -> Packed:
        return Packed(plain(value))

    def unpack(self, kind: type[V]) -> V:
        """Raises NotReadable, which names the field."""
        return revive(kind, self.data)


def plain(value: object) -> Any:
    """The value as dictionaries, lists, texts and numbers."""
    return _plain(value, _itself)


def sent(value: object) -> Any:
    """The same for a reader that revives it. Remedies are their parts, so that they stay data."""
    return _plain(value, Remedy.to_json)


def _itself(remedy: Remedy) -> Remedy:
    return remedy


def _plain(value: object, of_remedy: Callable[[Remedy], Any]) -> Any:
    kind = type(value)
    if kind in UNCHANGED:
        return value
    shape: Shape | None = getattr(kind, "__shape__", None)
    if shape is not None:
        found = zip(shape.names, shape.values_of(value), strict=True)
        return {name: item if type(item) in UNCHANGED else _plain(item, of_remedy) for name, item in found}
    if kind is tuple or kind is list:
        return [_plain(item, of_remedy) for item in typing.cast("Iterable[object]", value)]
    if kind is dict:
        items = typing.cast("Mapping[object, object]", value).items()
        return {str(key): _plain(item, of_remedy) for key, item in items}
    return _of_other_kind(value, of_remedy)


def _of_other_kind(value: object, of_remedy: Callable[[Remedy], Any]) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str | int | float):
        return of_remedy(value) if isinstance(value, Remedy) else value
    if isinstance(value, Mapping):
        return {str(key): _plain(item, of_remedy) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, of_remedy) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name), of_remedy) for one in fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def revive(kind: type[V], data: object) -> V:
    """Restores a value from the data that `plain` returned.

    Unknown fields are ignored; missing fields must have a default."""
    return _read(kind, data, lenient=False)


def salvage(kind: type[V], data: object) -> V:
    """Restores as much of the value as possible. A field that is missing or of the wrong type has
    its default; an unreadable item of a list is left out.

    For files that another version has written, or that a crash has cut short. Raises NotReadable if
    a field without a default is missing."""
    return _read(kind, data, lenient=True)


def _read(kind: type[V], data: object, *, lenient: bool) -> V:
    try:
        return typing.cast("V", _reader(kind, lenient)(data))
    except NotReadable:
        raise
    except (TypeError, ValueError) as error:
        raise NotReadable(str(error)) from error


def _reader(kind: Any, lenient: bool) -> Reader:
    key = (kind, lenient)
    if key not in _readers:
        _readers[key] = _made(kind, lenient)
    return _readers[key]


def _made(kind: Any, lenient: bool) -> Reader:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {tuple, list}:
        return _sequence(inner, lenient) if origin is tuple else _list_of(inner[0], lenient)
    if origin in {typing.Union, types.UnionType}:
        return _optional(inner, lenient)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(_reader(inner[1], lenient), lenient)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _word(kind)
    if isinstance(kind, type) and (hasattr(kind, "__shape__") or is_dataclass(kind)):
        return _record(kind, lenient)
    return _number if kind is float else _exactly(kind)


def _word(kind: type[Enum]) -> Reader:
    words = {one.value: one for one in kind}

    def read(data: Any) -> Any:
        if not isinstance(data, str) or data not in words:
            raise ValueError(f"{data!r:.80} is none of {', '.join(map(str, words))}")
        return words[data]

    return read


def _exactly(kind: Any) -> Reader:
    if kind is Remedy:
        return revived
    if kind is type(None):
        return lambda _: None  # without an expected answer, any answer is accepted
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
    try:
        return float(data)
    except OverflowError as error:
        raise ValueError("a number is too large") from error


def _optional(inner: tuple[Any, ...], lenient: bool) -> Reader:
    (some,) = (one for one in inner if one is not type(None))
    read = _reader(some, lenient)
    return lambda data: None if data is None else read(data)


def _record(kind: type, lenient: bool) -> Reader:
    readers: Sequence[tuple[str, type | None, Reader]] | None = None

    def read(data: Any) -> Any:
        nonlocal readers
        _check(dict, data)
        if readers is None:  # made when they are needed, because a class may have itself for a part
            readers = tuple(_readers_of_fields(kind, lenient))  # whole, as other threads read, too
        values = {}
        for name, exact, inner in readers:
            if name in data:
                item = data[name]
                if type(item) is exact:  # read without a call, as most fields are
                    values[name] = item
                    continue
                try:
                    values[name] = inner(item)
                except (TypeError, ValueError) as error:
                    if not lenient:
                        raise NotReadable(f"{name}: {error}") from None
        return kind(**values)

    return read


def _readers_of_fields(kind: type, lenient: bool) -> Iterator[tuple[str, type | None, Reader]]:
    """For each field its name, the type whose values are taken as they are, and its reader."""
    hints = typing.get_type_hints(kind)  # annotations are text, which must be compiled
    for name in field_names(kind) if hasattr(kind, "__shape__") else [one.name for one in fields(kind)]:
        hint = hints[name]
        yield name, hint if hint in UNCHANGED else None, _reader(hint, lenient)


def _sequence(inner: tuple[Any, ...], lenient: bool) -> Reader:
    """`tuple[X, ...]`, or a tuple of some types."""
    if inner[-1:] == (Ellipsis,):
        read = _reader(inner[0], lenient)
        if lenient:
            return lambda data: tuple([value for _, value in _readable(read, enumerate(_check(list, data)))])
        return lambda data: tuple([read(item) for item in _check(list, data)])
    readers = [_reader(one, lenient) for one in inner]
    return lambda data: tuple([each(item) for each, item in zip(readers, _check(list, data), strict=True)])


def _list_of(kind: Any, lenient: bool) -> Reader:
    read = _sequence((kind, Ellipsis), lenient)
    return lambda data: list(read(data))


def _mapping(read: Reader, lenient: bool) -> Reader:
    if lenient:
        return lambda data: dict(_readable(read, _check(dict, data).items()))
    return lambda data: {key: read(item) for key, item in _check(dict, data).items()}


def _readable(read: Reader, items: Iterable[tuple[K, Any]]) -> Iterator[tuple[K, Any]]:
    for key, item in items:
        with contextlib.suppress(TypeError, ValueError):
            yield key, read(item)


def _check(kind: type, data: Any) -> Any:
    if not isinstance(data, kind):
        raise TypeError(f"{data!r:.80} is no {'list' if kind is list else 'object'}")
    return data
