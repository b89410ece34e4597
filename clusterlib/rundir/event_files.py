"""Reads files that a keeper writes line by line into its run folder."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlib.messages.codec import NotReadable, salvage
from clusterlib.messages.event import Event
from clusterlib.messages.measurements import Look

__all__ = ["read_events", "read_looks"]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """A JSON object for each line.

    A line that was truncated by a crash or a full disk is left out."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def read_events(path: Path) -> Iterator[Event]:
    return map(Event.of, _lines(path))


def read_looks(path: Path) -> Iterator[Look]:
    for line in _lines(path):
        with contextlib.suppress(NotReadable):
            yield salvage(Look, line)
