"""Load on the nodes of a running cluster, and how they answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.lazy import exports

if TYPE_CHECKING:
    from clusterlib.load.given import LoadNode as LoadNode

__all__ = ["LoadNode"]

__getattr__, __dir__ = exports(__name__, {"LoadNode": "load.given"})
