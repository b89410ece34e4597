"""What an operation that destroys would do: the answer of a dry run."""

from __future__ import annotations

from clusterlib.frozen import frozen
from clusterlib.operations.result import Result

__all__ = ["Foreseen"]


@frozen
class Foreseen(Result):
    operation: str
    cluster: str | None
    """None for an operation that finds its clusters by itself."""
    would: tuple[str, ...]
    """What would be done, a sentence each. Empty if nothing would."""
