"""In which settings a cluster that runs differs from the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["count_alone", "differences"]

SHAPE = (
    "driver",
    "simulated",
    "app",
    "mode",
    "memory",
    "ports",
    "timeouts",
    "retry",
    "restart",
    "linger",
    "monitor",
)
SHAPE_BY_NAME = ("templates", "environment", "server")
"""Whose values are long, or secret: only the names are told."""
MOST = 10


def differences(running: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Lines such as `memory: 1 runs, 2 is asked for`; both are plans as JSON."""
    found = []
    before, after = len(running.get("nodes", ())), len(asked.get("nodes", ()))
    if before != after:
        found.append(f"nodes.count: {before} run, {after} are asked for")
    for field in SHAPE:
        found += [
            f"{name}: {old!r} runs, {new!r} is asked for"
            for name, old, new in _unequal(field, running.get(field), asked.get(field))
        ]
    for field in SHAPE_BY_NAME:
        found += [f"{name} differs" for name, _, _ in _unequal(field, running.get(field), asked.get(field))]
    return found if len(found) <= MOST else [*found[:MOST], f"and {len(found) - MOST} more"]


def count_alone(found: list[str]) -> bool:
    """Whether they would be the same cluster with another number of nodes."""
    return len(found) == 1 and found[0].startswith("nodes.count: ")


def _unequal(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            yield from _unequal(f"{name}.{key}", old.get(key), new.get(key))
    elif old != new:
        yield name, old, new
