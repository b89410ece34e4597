"""Measured values, and a row of the table: what was measured, its bar, and the bare minimum."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Figures", "Row"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @staticmethod
    def of(values: Sequence[float]) -> Figures:
        return Figures(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)

    def to_dict(self) -> dict[str, Any]:
        return {
            "median": self.median,
            "min": self.least,
            "max": self.most,
            "count": len(self.values),
            "values": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    key: str
    what: str
    unit: str
    """ms, MB or %."""
    ours: Figures
    bar: float | None = None
    bare: Figures | None = None
    bare_is: str = ""
    """What the bare minimum consists of."""
    notes: tuple[str, ...] = field(default=())

    @property
    def met(self) -> bool | None:
        """The median is held against the bar; None where there is none."""
        return None if self.bar is None else self.ours.median <= self.bar

    @property
    def ratio(self) -> float | None:
        return self.ours.median / self.bare.median if self.bare is not None and self.bare.median else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "what": self.what,
            "unit": self.unit,
            "bar": self.bar,
            "met": self.met,
            "ours": self.ours.to_dict(),
            "bare": self.bare.to_dict() if self.bare is not None else None,
            "bare_is": self.bare_is,
            "ratio": self.ratio,
            "notes": list(self.notes),
        }
