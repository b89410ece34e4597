"""Whether the ports of a node are listened on by the node itself. An answer of somebody else means nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from clusterlib.drivers.api import NodeSpec
from clusterlib.errors import PortTaken
from clusterlib.health.probes import Answer, Never, NotYet, Ready
from clusterlib.hosts.api import Process
from clusterlib.hosts.listeners import Listener, Owner, port_taken
from clusterlib.waiting import pause_async

__all__ = ["OwnPorts"]

PATIENCE = 1.0
"""Seconds that a stranger may have a port. Most servers end at once when they find one, and their own words say more."""
SECOND_LOOK = 0.05
"""Seconds until a node that runs is looked at again, before it is said to have lost its port."""
NOT_VERIFIED = "owner not verified"


class OwnPorts:
    """Those of one life of a node."""

    def __init__(self, node: NodeSpec, *, owned: bool) -> None:
        self.remark = ""
        self.taken: PortTaken | None = None
        """Once a stranger has had a port for too long."""
        self._node = node
        self._asked = owned
        self._process: Process | None = None
        self._own: set[int] = set()
        self._since: float | None = None

    @property
    def asked(self) -> bool:
        """Whether it matters who listens."""
        return self._asked and bool(self._node.ports)

    def begin(self, process: Process) -> None:
        self._process = process

    def judge(self, answer: Answer, asked: Collection[int] = ()) -> Answer:
        """What the answer to a question is worth. All ports are looked at for a good one, else those that are not known.

        `asked` are the ports that it came from: where nobody listens there any more, it was not the node that answered."""
        if not self.asked or isinstance(answer, Never):
            return answer
        again = isinstance(answer, Ready)
        if again:
            self.remark = ""
        for port, listener in self._listeners(again=again):
            if listener.owner is Owner.STRANGER:
                return self._held(port, listener)
            if listener.owner is Owner.NOBODY and again and port in asked:
                return NotYet(f"nobody listens on {self._node.address}:{port} any more")
            if listener.owner is Owner.NODE:
                self._own.add(port)
            elif listener.owner is Owner.UNKNOWN and again:
                self.remark = NOT_VERIFIED
        self._since = None
        return answer

    async def confirm(self, answer: Answer, asked: Collection[int] = ()) -> Answer:
        """What it is worth for a node that runs. One look may miss a process of the node: the list of children that the kernel
        gives is exact only for processes that are stopped. So a failure takes two."""
        judged = self.judge(answer, asked)
        if judged is answer:
            return answer
        await pause_async(SECOND_LOOK)
        return self.judge(answer, asked)

    def _listeners(self, *, again: bool) -> Iterator[tuple[int, Listener]]:
        for port in self._node.ports.values():
            if self._process is not None and (again or port not in self._own):
                yield port, self._process.listener(self._node.address, port)

    def _held(self, port: int, stranger: Listener) -> NotYet | Never:
        self._since = self._since or time.monotonic()
        error = port_taken(self._node.name, self._node.address, port, stranger)
        why = error.cause or error.problem
        if time.monotonic() - self._since < PATIENCE:
            return NotYet(why)
        self.taken = error
        return Never(why)
