"""The shell of a node at a terminal."""

from __future__ import annotations

from tests.terminal import Terminal

__all__ = ["Shell"]


class Shell(Terminal):
    """`invoke cluster.shell NODE`, typed in a terminal that does not say what it is."""

    def __init__(self, node: str) -> None:
        super().__init__("cluster.shell", node)
