"""The words of processes: ids, policies, and the messages that a process gets from the runtime."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

__all__ = ["Leaving", "LinkDown", "ProcessDown", "ProcessId", "RestartRule", "Strategy"]


class RestartRule(StrEnum):
    """When a supervisor starts a process again that has ended."""

    NEVER = "never"
    ON_ERROR = "on-error"
    """If it raised an exception, or was killed."""
    ALWAYS = "always"


class Strategy(StrEnum):
    """Which children a supervisor starts again when one of them has ended."""

    ONE_FOR_ONE = "one-for-one"
    ONE_FOR_ALL = "one-for-all"
    REST_FOR_ONE = "rest-for-one"
    """The one that ended, and those that were started after it."""


class ProcessId(NamedTuple):
    """The identity of a process: its node, and its number there. A tuple, because each message
    looks one up.

    Numbers are never used again while the node lives. `life` tells the node's present program from
    an earlier one, whose processes had the same numbers. It is not part of the text."""

    node: str
    number: int
    life: int = 0

    def __str__(self) -> str:
        return f"{self.node}.{self.number}"

    @staticmethod
    def read(text: str) -> ProcessId | None:
        """The id that a text such as `node1.17` names, without its life; None if it is another
        text."""
        node, _, number = text.rpartition(".")
        return ProcessId(node, int(number)) if node and number.isascii() and number.isdecimal() else None

    @staticmethod
    def from_json(data: Any) -> ProcessId:
        try:
            node, number, life = data
            return ProcessId(str(node), int(number), int(life))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{data!r} is not the id of a process") from error

    def to_json(self) -> list[str | int]:
        return [self.node, self.number, self.life]


@frozen
class ProcessDown:
    """The message to a monitor: the process has ended, or its node cannot be reached."""

    process: ProcessId
    reason: str
    name: str | None = None


@frozen
class Leaving:
    """The message to a process that moves: its node leaves the cluster.

    `box.hand_over(...)` says with which arguments the function is started on another node. Then the
    process returns. A process that does not return soon is ended."""


@frozen
class LinkDown:
    """The message to a linked process that asked for messages instead of its own end."""

    process: ProcessId
    reason: str
    name: str | None = None
