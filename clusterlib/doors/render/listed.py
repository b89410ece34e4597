"""Shows results without a renderer by their type: values by name and lists as tables.

Also lists operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from clusterlib.messages.codec import plain

if TYPE_CHECKING:
    from clusterlib.doors.console import Console
    from clusterlib.operations.describe import Operations

__all__ = ["derived", "operations"]


def derived(console: Console, result: object) -> None:
    """A single value as it is, several by name, and a list of values with names as a table."""
    if result is None:
        return
    if is_dataclass(result) and not isinstance(result, type):
        _named(console, {one.name: getattr(result, one.name) for one in fields(result)})
    elif isinstance(result, Mapping):
        _named(console, {str(key): value for key, value in result.items()})
    elif _rows(result):
        _table(console, _rows(result))
    elif isinstance(result, list | tuple):
        for one in result:
            console.line(_cell(one))
    else:
        console.line(_cell(result))


def _named(console: Console, values: Mapping[str, Any]) -> None:
    short = {name: value for name, value in values.items() if not _rows(value)}
    width = max(map(len, short), default=0) + 2
    for name, value in short.items():
        console.paragraph(f"{name.replace('_', ' ')}:".ljust(width), _cell(value), indent=width)
    for name, value in values.items():
        if rows := _rows(value):
            console.line(console.paint(f"{name.replace('_', ' ')}:", "bold"))
            _table(console, rows)


def _rows(value: object) -> list[Mapping[str, Any]]:
    """The rows for a list of values with names; no rows for any other value."""
    if not isinstance(value, list | tuple) or not value:
        return []
    found = [plain(one) if is_dataclass(one) and not isinstance(one, type) else one for one in value]
    return found if all(isinstance(one, Mapping) for one in found) else []


def _table(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    titles = list(dict.fromkeys(name for row in rows for name in row))
    console.table(
        [title.replace("_", " ") for title in titles],
        [[_cell(row.get(title)) for title in titles] for row in rows],
    )


def _cell(value: object) -> str:
    data = plain(value)
    if data is None:
        return "-"
    if isinstance(data, bool):
        return "yes" if data else "no"
    if isinstance(data, Mapping):
        return ", ".join(f"{key}={_cell(one)}" for key, one in data.items()) or "-"
    if isinstance(data, list):
        return ", ".join(map(_cell, data)) or "-"
    return str(data)


def operations(console: Console, result: Operations) -> None:
    console.table(
        ["operation", "effect", "scope", "serves", "from", "what it does"],
        [
            [
                one.name,
                one.effect,
                one.scope,
                ", ".join(one.serves),
                one.origin,
                one.help.partition("\n")[0],
            ]
            for one in result.operations
        ],
        expendable=("from", "scope"),
    )
    for trouble in result.troubles:
        console.note(f"{trouble.file}:{trouble.line}: {trouble.problem}")
