"""How much memory nodes are expected to take: what a profile says, or what was measured. Never a default."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["Expected"]

GROWN = 2
"""Runs differ. A process that takes so many times what was measured before is worth a look ..."""
NOTEWORTHY = 16 * 2**20
"""... where these are more than so many bytes above it."""


@frozen
class Expected:
    """An amount of memory, and how it is known."""

    memory: int
    """Bytes of one process: of a node, or of the simulation that all nodes are in."""
    why: str
    """Where it is written, or when it was measured."""
    measured: bool = False

    @property
    def basis(self) -> str:
        return f"as {self.why}" if self.measured else self.why

    def exceeded_by(self, memory: int) -> str:
        """What is to be said of a process that takes so many bytes; nothing where it takes about what is expected."""
        amount = f"{self.memory / 2**20:.0f} MiB"
        if not self.measured:
            return f"more than the {amount} of {self.why}" if memory > self.memory else ""
        if memory > max(GROWN * self.memory, self.memory + NOTEWORTHY):
            return f"nodes of this profile took up to {amount} {self.why}"
        return ""
