"""How much memory nodes are expected to take: the amount in a profile, or a measured one, but never
a default."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["Expected"]

GROWN = 2
"""Runs differ. A warning needs a process that takes this many times the measured amount ..."""
NOTEWORTHY = 16 * 2**20
"""... and this many bytes more."""


@frozen
class Expected:
    """An amount of memory, and its origin."""

    memory: int
    """Bytes of one process: a node, or the simulation of all nodes."""
    why: str
    """Where it is written, or when it was measured."""
    measured: bool = False

    @property
    def basis(self) -> str:
        return f"as {self.why}" if self.measured else self.why

    def exceeded_by(self, memory: int) -> str:
        """A message about a process that takes so many bytes; empty if that is as expected."""
        amount = f"{self.memory / 2**20:.0f} MiB"
        if not self.measured:
            return f"more than the {amount} of {self.why}" if memory > self.memory else ""
        if memory > max(GROWN * self.memory, self.memory + NOTEWORTHY):
            return f"nodes of this profile took up to {amount} {self.why}"
        return ""
