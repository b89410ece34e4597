"""Whether the listener on a node's ports is the node itself.

An answer of another program does not count."""

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
"""Seconds for which another process may have a port.

Most servers end at once in this case, and their own output explains more."""
SECOND_LOOK = 0.05
"""Seconds until a running node is checked again, before it is reported to have lost its port."""
NOT_VERIFIED = "owner not verified"


class OwnPorts:
    """The ports of one start of a node."""

    def __init__(self, node: NodeSpec, *, owned: bool) -> None:
        self.remark = ""
        self.taken: PortTaken | None = None
        """Set once another process has had a port for too long."""
        self._node = node
        self._asked = owned
        self._process: Process | None = None
        self._own: set[int] = set()
        self._since: float | None = None

    @property
    def asked(self) -> bool:
        """Whether the listener matters."""
        return self._asked and bool(self._node.ports)

    def begin(self, process: Process) -> None:
        self._process = process

    def judge(self, answer: Answer, asked: Collection[int] = ()) -> Answer:
        """Judges the answer to a question. For a good answer all ports are checked, otherwise those
        with an unknown owner.

        `asked` are the ports that it came from: if nothing listens there any more, it did not come
        from the node."""
        if not self.asked or isinstance(answer, Never):
            return answer
        again = isinstance(answer, Ready)
        if again:
            self.remark = ""
        for port, listener in self._listeners(again=again):
            if listener.owner is Owner.STRANGER:
                return self._held(port, listener)
            if listener.owner is Owner.NONE and again and port in asked:
                return NotYet(f"nothing listens on {self._node.address}:{port} any more")
            if listener.owner is Owner.NODE:
                self._own.add(port)
            elif listener.owner is Owner.UNKNOWN and again:
                self.remark = NOT_VERIFIED
        self._since = None
        return answer

    async def confirm(self, answer: Answer, asked: Collection[int] = ()) -> Answer:
        """Judges a running node.

        One look may miss a process of the node, because the kernel's list of children is exact only
        for stopped processes. So a failure needs two looks."""
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
