"""The kinds of nodes that are part of clusterlib, each with the place of its declaration."""

from __future__ import annotations

__all__ = ["SHIPPED"]

SHIPPED = {
    "python": "clusterlib.drivers.python.kind:KIND",
    "command": "clusterlib.drivers.command.kind:KIND",
    "beam": "clusterlib.drivers.beam.kind:KIND",
}
