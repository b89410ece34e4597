"""Reads facts of records that may be anything: whoever wrote them may have been another version, or been cut short."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["base_name", "mapping", "mappings", "natural", "real", "texts", "whole"]


def mappings(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list | tuple) else []


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def real(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def base_name(path: object) -> str:
    """The last part of a run's folder: what it is called in the artifacts."""
    return str(path).rstrip("/").rpartition("/")[2] if path else ""


def natural(name: str) -> list[tuple[int, str]]:
    """node2 before node10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
