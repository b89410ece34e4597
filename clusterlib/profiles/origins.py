"""Where a value came from, and what is wrong with one: the small records that this room passes on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from clusterlib.frozen import frozen

__all__ = ["SHIPPED", "Adaptation", "Mistake", "Origin", "Source", "in_toml", "nearest"]

Source = Literal["default", "profile", "pyproject", "environment", "command line", "adapted"]
LONGEST_SHOWN = 60
SHIPPED = " (shipped)"
"""Behind the name of a file that came with clusterlib."""


@frozen
class Origin:
    """Who said this value, and where; for an adapted one also why, and what it was before."""

    source: Source
    name: str | None = None
    """The profile's name, or the environment variable's."""
    file: str | None = None
    line: int | None = None
    reason: str | None = None
    original: object = None
    """Before adaptation, as plain data."""

    @property
    def place(self) -> str | None:
        """`file:line`, as editors and terminals open it."""
        if self.file is None:
            return None
        if self.line is None:
            return self.file
        plain = self.file.removesuffix(SHIPPED)
        return f"{plain}:{self.line}" + (SHIPPED if plain != self.file else "")

    def __str__(self) -> str:
        if self.source == "adapted":
            return f"adapted: {self.reason} (was {in_toml(self.original)})"
        words: str = self.source
        if self.name is not None and self.source in ("profile", "environment"):
            words = f"{self.source} {self.name}"
        if not self.place:
            return words
        plain = self.place.removesuffix(SHIPPED)
        return f"{words} ({plain}{', shipped' if plain != self.place else ''})"

    def to_json(self) -> dict[str, Any]:
        record = {
            "source": self.source,
            "name": self.name,
            "file": self.file,
            "line": self.line,
            "reason": self.reason,
            "original": self.original,
        }
        return {key: value for key, value in record.items() if value is not None}


@frozen
class Adaptation:
    """One value that this machine or CI made different from what was written."""

    field: str
    before: object
    after: object
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {in_toml(self.before)} -> {in_toml(self.after)} ({self.reason})"

    def to_json(self) -> dict[str, Any]:
        return {"field": self.field, "before": self.before, "after": self.after, "reason": self.reason}


@frozen
class Mistake:
    """One thing that is wrong, where it stands, and what would be right."""

    problem: str
    right: str = ""
    field: str = ""
    origin: Origin | None = None

    @property
    def where(self) -> str:
        """The most precise place known: `file:line`, a variable's name, or the command line."""
        if self.origin is None:
            return ""
        return self.origin.place or str(self.origin)

    def __str__(self) -> str:
        told = f"{self.problem}; {self.right}" if self.right else self.problem
        return ": ".join(part for part in (self.where, self.field, told) if part)

    def to_json(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "file": self.origin.file if self.origin else None,
            "line": self.origin.line if self.origin else None,
            "field": self.field,
            "problem": self.problem,
            "right": self.right,
        }


def in_toml(value: object, *, whole: bool = False) -> str:  # noqa: PLR0911 - one for each kind of value
    """A value the way its author would have written it; in a message never too long to read, `whole` in a list of values."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            # Text of an endless number is refused by Python itself (0xfff... in TOML has no limit).
            return str(value) if value.bit_length() <= 64 else f"a number of {value.bit_length()} bits"
        case str():
            shown = json.dumps(value, ensure_ascii=not value.isprintable())
            return shown if whole or len(shown) <= LONGEST_SHOWN else f'{shown[: LONGEST_SHOWN - 4]}..."'
        case dict():
            return "a table"
        case list() | tuple():
            if len(value) > 3 and not whole:
                return "a list"
            return f"[{', '.join(in_toml(item, whole=whole) for item in value)}]"
        case None:
            return "nothing"
        case _:
            return str(value)[:LONGEST_SHOWN]


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """What was probably meant."""
    from difflib import get_close_matches  # only a mistake has to wait for it

    return next(iter(get_close_matches(word, list(known), 1, cutoff)), None)
