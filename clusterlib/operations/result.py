"""The base of all results of operations: a frozen value that can be written as JSON."""

from __future__ import annotations

from typing import Any

from clusterlib.messages.codec import plain

__all__ = ["Result"]


class Result:
    __slots__ = ()

    @property
    def exit_status(self) -> int:
        """The exit code of a command with this result."""
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return dict(plain(self))
