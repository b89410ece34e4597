"""What people see of the processes of a node. Chosen here, so that only what is shown is sent."""

from __future__ import annotations

import heapq
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from clusterlib.messages.processes import (
    MemberView,
    ProcessDetail,
    ProcessesOfNode,
    ProcessOrder,
    ProcessRow,
    ProcessState,
)
from clusterlib.runtime.processes.bounded import short_text
from clusterlib.runtime.processes.mailbox import Mailbox
from clusterlib.runtime.processes.members import LiveProcess, Slot, Supervisor
from clusterlib.runtime.processes.table import ProcessTable

__all__ = ["busiest", "detail", "tree"]

MOST_WAITING = 10
MOST_VALUES = 20

OWN = {Mailbox.__anext__.__code__, Mailbox.take.__code__}
ORDERS: dict[ProcessOrder, Callable[[LiveProcess], tuple[int, int]]] = {
    ProcessOrder.MESSAGES: lambda process: (len(process.box), process.box.taken),
    ProcessOrder.WORK: lambda process: (process.box.taken, len(process.box)),
    ProcessOrder.MEMORY: lambda process: (len(process.box), process.box.taken),
}
"""The memory of a coroutine cannot be measured; its mailbox is what can grow."""


def busiest(
    node: str, table: ProcessTable, order: ProcessOrder, limit: int, matching: str | None, lag: float | None
) -> ProcessesOfNode:
    """The first processes in that order. `matching` is a part of a name or of a function."""
    found = list(table) if matching is None else [one for one in table if _matches(one, matching)]
    chosen = heapq.nlargest(limit, found, key=ORDERS[order])
    return ProcessesOfNode(node, len(found), tuple(_row(node, table, process) for process in chosen), lag)


def detail(node: str, table: ProcessTable, process: LiveProcess) -> ProcessDetail:
    supervisor, _ = table.place_of(process.id.number)
    frame = _innermost(process)
    values = list(frame.f_locals.items())[:MOST_VALUES] if frame is not None else []
    return ProcessDetail(
        _row(node, table, process),
        process.started,
        tuple(short_text(message) for message in process.box.waiting(MOST_WAITING)),
        process.box.lost,
        tuple(sorted(map(str, process.links))),
        tuple(sorted(map(str, process.monitors))),
        tuple(_ancestors(supervisor)),
        _stack(process),
        tuple((name, short_text(value)) for name, value in values),
    )


def tree(node: str, table: ProcessTable) -> MemberView:
    """The supervisors of the node and their children."""
    root = table.root
    return MemberView(
        str(root.id), None, "supervisor", node, children=tuple(_member(node, slot) for slot in root.slots)
    )


def _row(node: str, table: ProcessTable, process: LiveProcess) -> ProcessRow:
    supervisor, slot = table.place_of(process.id.number)
    return ProcessRow(
        str(process.id),
        node,
        process.child.target,
        _state(process),
        process.name,
        len(process.box),
        process.box.taken,
        restarts=slot.restarts,
        supervisor=str(supervisor.id),
    )


def _state(process: LiveProcess) -> ProcessState:
    if process.reason is not None:
        return ProcessState.ENDING
    if process.suspended is not None:
        return ProcessState.SUSPENDED
    return ProcessState.RUNNING if len(process.box) else ProcessState.WAITING


def _matches(process: LiveProcess, part: str) -> bool:
    return part in process.child.target or (process.name is not None and part in process.name)


def _ancestors(supervisor: Supervisor | None) -> Iterable[str]:
    while supervisor is not None:
        yield supervisor.name or str(supervisor.id)
        supervisor = supervisor.parent


def _member(node: str, slot: Slot) -> MemberView:
    member, child = slot.member, slot.child
    return MemberView(
        str(member.id) if member is not None else None,
        child.name,
        child.target,
        node,
        child.restart.value,
        child.strategy.value if child.function is None else "",
        slot.restarts,
        slot.last,
        tuple(_member(node, one) for one in member.slots) if isinstance(member, Supervisor) else (),
    )


def _coroutines(process: LiveProcess) -> Iterable[Any]:
    """The coroutine of the process, and what it awaits, outermost first: down to its mailbox."""
    awaited: Any = process.coroutine
    while awaited is not None and hasattr(awaited, "cr_frame") and awaited.cr_code not in OWN:
        yield awaited
        awaited = awaited.cr_await


def _innermost(process: LiveProcess) -> Any:
    """The frame of the function of the process itself, which has its state."""
    return next((coroutine.cr_frame for coroutine in _coroutines(process)), None)


def _stack(process: LiveProcess) -> tuple[str, ...]:
    frames = [coroutine.cr_frame for coroutine in _coroutines(process) if coroutine.cr_frame is not None]
    lines = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames).format()
    return tuple(line for entry in lines for line in entry.rstrip("\n").split("\n"))
