"""The ways to ensure that no process of a cluster outlives its keeper, the strongest first."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ContainmentRung"]


class ContainmentRung(StrEnum):
    NAMESPACE = "namespace"
    """The keeper is the init of a PID namespace."""
    USER_NAMESPACE = "user-namespace"
    """The same inside a user namespace, for an ordinary user."""
    SWEEP = "sweep"
    """Without namespaces: what the keeper leaves is found and killed."""
