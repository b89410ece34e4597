"""Names, as they are sorted and shortened in reports."""

from __future__ import annotations

import re

__all__ = ["base_name", "natural"]


def base_name(path: str | None) -> str:
    """The last part of a run's folder: its name in the artifacts."""
    return path.rstrip("/").rpartition("/")[2] if path else ""


def natural(name: str) -> list[tuple[int, str]]:
    """node2 before node10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
