"""What an operation is about: a node, a cluster or the project."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["Scope", "scope_of"]


class Scope(StrEnum):
    """What an operation is about."""

    PROJECT = "project"
    """It finds its clusters by itself."""
    CLUSTER = "cluster"
    NODE = "node"


def scope_of(parameters: Mapping[str, object]) -> Scope:
    """By what its parameters are called."""
    if "cluster" not in parameters:
        return Scope.PROJECT
    return Scope.NODE if "node" in parameters else Scope.CLUSTER
