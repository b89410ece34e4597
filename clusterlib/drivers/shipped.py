"""The kinds of nodes that are part of clusterlib, each with the place of its declaration."""

from __future__ import annotations

__all__ = ["ERRORS", "SHIPPED"]

SHIPPED = {
    "python": "clusterlib.drivers.python.kind:KIND",
    "command": "clusterlib.drivers.command.kind:KIND",
    "beam": "clusterlib.drivers.beam.kind:KIND",
}
ERRORS = ("clusterlib.drivers.beam.errors",)
"""The modules with the errors of one kind of node."""
