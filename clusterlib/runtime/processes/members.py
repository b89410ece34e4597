"""The members of the tree of one node: processes, supervisors, and their places."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

from clusterlib.frozen import frozen
from clusterlib.runtime.processes.mailbox import Mailbox
from clusterlib.runtime.processes.specification import Child
from clusterlib.runtime.processes.supervision import Intensity
from clusterlib.runtime.processes.values import ProcessId

__all__ = ["LiveProcess", "ProcessEnd", "Slot", "Supervisor", "current_process"]


@frozen
class ProcessEnd:
    """A process that has ended."""

    id: ProcessId
    reason: str
    failed: bool
    name: str | None = None


class LiveProcess:
    """One living process."""

    __slots__ = (
        "box", "cancellations", "child", "coroutine", "final", "gone", "id", "links", "monitors",
        "reason", "started", "suspended", "task", "traps", "watches",
    )  # fmt: skip

    def __init__(self, process: ProcessId, child: Child, box: Mailbox, gone: asyncio.Future[None]) -> None:
        self.id = process
        self.child = child
        self.box = box
        self.gone = gone
        """Done when it has ended."""
        self.started = time.time()
        self.task: asyncio.Task[None] | None = None
        self.coroutine: Coroutine[Any, Any, None] | None = None
        """The call of its function."""
        self.links: set[ProcessId] = set()
        self.monitors: set[ProcessId] = set()
        """Processes that learn of its end."""
        self.watches: set[ProcessId] = set()
        """Processes whose end it learns of."""
        self.traps = False
        """It gets a message when a linked process fails, instead of ending itself."""
        self.suspended: asyncio.Future[None] | None = None
        self.reason: str | None = None
        """Why it was ended from outside."""
        self.final = False
        """It is not started again."""
        self.cancellations = 0

    @property
    def name(self) -> str | None:
        return self.child.name


class Supervisor:
    """Starts children in order, and again if they end. Ends them in reverse order."""

    def __init__(
        self, process: ProcessId, child: Child, parent: Supervisor | None, gone: asyncio.Future[None]
    ) -> None:
        self.id = process
        self.child = child
        self.parent = parent
        self.slots: list[Slot] = []
        self.intensity = Intensity(child.restarts, child.within)
        self.busy = asyncio.Lock()
        """Held while children are ended and started again."""
        self.ending = False
        """It ends: nothing is started under it any more."""
        self.gone = gone
        """Done when it and its children have ended."""

    @property
    def name(self) -> str | None:
        return self.child.name


class Slot:
    """The place of one child in its supervisor."""

    __slots__ = ("child", "intensity", "last", "member", "restarts", "stopping", "wanted")

    def __init__(self, child: Child) -> None:
        self.child = child
        self.member: LiveProcess | Supervisor | None = None
        self.restarts = 0
        self.last = ""
        """Why it ended the last time."""
        self.stopping = False
        """Its supervisor ends it, so it is not started again."""
        self.wanted = True
        """False as soon as its child ends for good, which nothing takes back."""
        self.intensity = Intensity(child.restarts, child.within)
        """For a child of the root, which gives up one child and not all of them."""


current_process: ContextVar[LiveProcess] = ContextVar("clusterlib_current_process")
