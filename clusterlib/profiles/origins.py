"""Records about values: where a value came from, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from clusterlib.frozen import frozen
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import in_toml

__all__ = ["SHIPPED", "Adaptation", "Mistake", "Origin"]

SHIPPED = " (shipped)"
"""The suffix for names of files that are part of clusterlib."""


@frozen
class Origin:
    """The origin of a value; for an adapted one also the reason, and the earlier value."""

    source: ValueSource
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
        if self.source == ValueSource.ADAPTED:
            return f"adapted: {self.reason} (was {in_toml(self.original)})"
        words: str = self.source
        if self.name is not None and self.source in {ValueSource.PROFILE, ValueSource.ENVIRONMENT}:
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
    """A value that was changed for this machine or CI."""

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
    """A mistake, its place, and a correction."""

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
        mistake = f"{self.problem}; {self.right}" if self.right else self.problem
        return ": ".join(part for part in (self.where, self.field, mistake) if part)

    def to_json(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "file": self.origin.file if self.origin else None,
            "line": self.origin.line if self.origin else None,
            "field": self.field,
            "problem": self.problem,
            "right": self.right,
        }
