"""A short text of any value, made on the loop of a node, at a cost that does not grow with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

__all__ = ["short_text"]

LONGEST_TEXT = 200
MOST_ITEMS = 10
DEEPEST = 4
BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
    deque: ("deque([", "])"),
}


def short_text(value: object) -> str:
    """As `repr`, but containers are read only as far as they are shown.

    The `__repr__` of a class of the project is called, and can take its time."""
    try:
        text = _text(value, DEEPEST)
    except Exception as error:  # noqa: BLE001  a class of the project can raise anything here
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _text(value: Any, depth: int) -> str:
    if isinstance(value, (str, bytes, bytearray)) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]!r}..."
    if isinstance(value, BaseException):
        return _named(type(value).__name__, value.args, depth)
    if is_dataclass(value) and not isinstance(value, type):
        return _named(type(value).__name__, _fields(value), depth)
    for kind, (opening, closing) in BRACKETS.items():
        if isinstance(value, kind):
            return _container(value, opening, closing, depth)
    return repr(value)


class _Field:
    """The name and the value of a field, as one item."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value


def _fields(value: Any) -> Iterator[_Field]:
    return (_Field(one.name, getattr(value, one.name)) for one in fields(value) if one.repr)


def _container(value: Any, opening: str, closing: str, depth: int) -> str:
    if type(value) not in BRACKETS:  # a class derived from a container, such as a Counter
        opening, closing = f"{type(value).__name__}({opening}", f"{closing})"
    if not value:
        return repr(value) if type(value) in BRACKETS else f"{opening}{closing}"
    alone = "," if type(value) is tuple and len(value) == 1 else ""
    return f"{opening}{_items(value, depth)}{alone}{closing}"


def _named(name: str, parts: Iterable[Any], depth: int) -> str:
    return f"{name}({_items(parts, depth)})"


def _items(values: Iterable[Any], depth: int) -> str:
    if depth == 0:
        return "..."
    pairs = isinstance(values, Mapping)
    first = list(islice(values.items() if isinstance(values, Mapping) else values, MOST_ITEMS + 1))
    texts = [_pair(one, depth - 1) if pairs else _item(one, depth - 1) for one in first[:MOST_ITEMS]]
    return ", ".join([*texts, "..."] if len(first) > MOST_ITEMS else texts)


def _pair(pair: Any, depth: int) -> str:
    key, value = pair
    return f"{_text(key, depth)}: {_text(value, depth)}"


def _item(value: Any, depth: int) -> str:
    if isinstance(value, _Field):
        return f"{value.name}={_text(value.value, depth)}"
    return _text(value, depth)
