"""What operations on processes give: the same for every kind of node that has processes."""

from __future__ import annotations

from typing import Literal

from clusterlib.client.processes import Unasked
from clusterlib.frozen import frozen
from clusterlib.messages.processes import MemberView, ProcessDetail, ProcessOrder, ProcessRow
from clusterlib.operations.result import Result

__all__ = [
    "NodeLoad",
    "NodeTrees",
    "ProcessChange",
    "ProcessChanged",
    "ProcessList",
    "ProcessNames",
    "ProcessRegistries",
    "ProcessShown",
    "ProcessStarted",
    "ProcessTrees",
    "RegisteredName",
    "SharedName",
]

ProcessChange = Literal["killed", "terminated", "restarted", "suspended", "resumed", "sent", "collected"]


@frozen
class NodeLoad(Result):
    """A node that has answered."""

    node: str
    processes: int
    """All of them, or those that match."""
    lag: float | None
    """By how many seconds its event loop was late, the most in the last ten seconds; None if it has
    none."""


@frozen
class ProcessList(Result):
    cluster: str
    simulated: bool
    order: ProcessOrder
    processes: tuple[ProcessRow, ...]
    nodes: tuple[NodeLoad, ...]
    unasked: tuple[Unasked, ...]
    """The nodes that gave no answer, and why."""


@frozen
class ProcessShown(Result):
    cluster: str
    process: ProcessDetail


@frozen
class SharedName(Result):
    """A registered name, as the nodes see it."""

    name: str
    process: str
    node: str
    seen_by: tuple[str, ...]
    others: tuple[str, ...]
    """Other processes that some nodes know by this name: news is under way, or there is a
    partition."""


@frozen
class ProcessNames(Result):
    cluster: str
    names: tuple[SharedName, ...]
    unasked: tuple[Unasked, ...]


@frozen
class RegisteredName(Result):
    """A name in one registry."""

    registry: str
    """`global`, `local` to a node, `pg` with its scope; empty for the names of embedded nodes."""
    name: str
    process: str
    node: str
    seen_by: tuple[str, ...]


@frozen
class ProcessRegistries(Result):
    cluster: str
    names: tuple[RegisteredName, ...]
    unasked: tuple[Unasked, ...]


@frozen
class NodeTrees(Result):
    node: str
    trees: tuple[MemberView, ...]


@frozen
class ProcessTrees(Result):
    cluster: str
    nodes: tuple[NodeTrees, ...]
    unasked: tuple[Unasked, ...]


@frozen
class ProcessChanged(Result):
    cluster: str
    what: ProcessChange
    process: str
    """Its id; after a restart the new one."""
    node: str


@frozen
class ProcessStarted(Result):
    cluster: str
    function: str
    process: str
    node: str
    """Where it runs."""
    preferred: str | None
