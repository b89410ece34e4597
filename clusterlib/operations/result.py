"""What every operation gives back: a frozen value that can say itself as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

__all__ = ["Result", "as_plain"]


class Result:
    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        every = fields(self)  # type: ignore[arg-type]  # each kind of result is a dataclass
        return {field.name: as_plain(getattr(self, field.name)) for field in every}


def as_plain(value: Any) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value
