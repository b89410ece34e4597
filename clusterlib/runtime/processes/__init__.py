"""Processes of embedded nodes: coroutines with a mailbox, a name and a supervisor."""

from clusterlib.runtime.processes.mailbox import Mailbox
from clusterlib.runtime.processes.specification import Child, child, supervisor
from clusterlib.runtime.processes.values import (
    Leaving,
    LinkDown,
    ProcessDown,
    ProcessId,
    RestartRule,
    Strategy,
)

__all__ = [
    "Child",
    "Leaving",
    "LinkDown",
    "Mailbox",
    "ProcessDown",
    "ProcessId",
    "RestartRule",
    "Strategy",
    "child",
    "supervisor",
]
