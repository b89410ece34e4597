"""What an operation does to the cluster that it is called for."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Effect"]


class Effect(StrEnum):
    READ = "read"
    """It only looks, and is not announced to the keeper."""
    CHANGE = "change"
    DESTROY = "destroy"
    """It takes something away: nodes, data, or the cluster."""
    EXECUTE = "execute"
    """It runs code of its caller in nodes or beside them. Whether that changes anything is not
    known."""

    @property
    def changes(self) -> bool:
        """Whether a client that shares the cluster with others is refused it.

        EXECUTE is not: a test that shares a cluster may call its nodes, which is the same."""
        return self in {Effect.CHANGE, Effect.DESTROY}
