"""What is shown of the processes of a node: the same shape for every kind of node that has any."""

from __future__ import annotations

from enum import StrEnum

from clusterlib.frozen import frozen

__all__ = [
    "MemberView",
    "NameView",
    "ProcessDetail",
    "ProcessOrder",
    "ProcessRow",
    "ProcessState",
    "ProcessesOfNode",
]


class ProcessState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    """For a message, or for something else."""
    SUSPENDED = "suspended"
    ENDING = "ending"


class ProcessOrder(StrEnum):
    """By what the busiest processes are chosen."""

    MEMORY = "memory"
    MESSAGES = "messages"
    """Those that wait in the mailbox."""
    WORK = "work"
    """Reductions of an Erlang process; messages that an embedded one has taken."""


@frozen
class ProcessRow:
    """A living process, in one line."""

    id: str
    node: str
    function: str
    """`module:name`, or `module:name/arity`, of what it runs."""
    state: ProcessState
    name: str | None = None
    messages: int = 0
    work: int = 0
    memory: int | None = None
    """Bytes; None if this kind of node cannot tell."""
    restarts: int = 0
    supervisor: str | None = None


@frozen
class ProcessesOfNode:
    """The chosen processes of one node."""

    node: str
    count: int
    """How many there are, shown or not."""
    rows: tuple[ProcessRow, ...] = ()
    lag: float | None = None
    """By how many seconds the event loop of an embedded node is behind, the most in the last
    seconds."""


@frozen
class ProcessDetail:
    """Everything about one process."""

    row: ProcessRow
    started: float | None = None
    waiting: tuple[str, ...] = ()
    """The first messages of its mailbox, shortened."""
    lost: int = 0
    """Messages that found the mailbox full."""
    links: tuple[str, ...] = ()
    monitored_by: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()
    """Its supervisors, the nearest first."""
    stack: tuple[str, ...] = ()
    """Where it is, innermost last."""
    values: tuple[tuple[str, str], ...] = ()
    """Its state: the local variables of an embedded process, the state of an Erlang one."""
    monitors: tuple[str, ...] = ()
    """The processes whose end is reported to it."""


@frozen
class MemberView:
    """One place in a supervision tree."""

    id: str | None
    """None while the child does not live."""
    name: str | None
    function: str
    node: str
    restart: str = ""
    strategy: str = ""
    restarts: int = 0
    last: str = ""
    """Why it ended the last time."""
    children: tuple[MemberView, ...] = ()
    note: str = ""
    """What is not known of it or of its children, and why."""


@frozen
class NameView:
    """A name, and the process that has it."""

    name: str
    process: str
    registry: str = ""
    """Where it is registered: `global`, `local`, `pg SCOPE`."""
