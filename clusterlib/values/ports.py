"""Ranges of ports."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["FIRST_PORT", "LAST_PORT", "PortRange"]

FIRST_PORT = 1024
"""Ports below this need privileges."""
LAST_PORT = 65535


@frozen
class PortRange:
    """Ports from first to last, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last

    def overlaps(self, other: PortRange) -> bool:
        return self.first <= other.last and other.first <= self.last
