"""Pipes between nodes that are simulated in one process."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context

from clusterlib.runtime.pipes import NO_READER, PipeReader
from clusterlib.runtime.wire import Buffer

__all__ = ["MemoryPipe", "memory_pair"]


class MemoryPipe:
    """A pipe within this process: the other end gets what was sent in a later iteration of the
    loop."""

    __slots__ = (
        "__weakref__",
        "_context",
        "_due",
        "_ended",
        "_held",
        "_inbox",
        "_loop",
        "_open",
        "_twin",
        "other",
        "owner",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, context: Context, other: str) -> None:
        self.owner: PipeReader = NO_READER
        self.other = other
        self._loop = loop
        self._context = context
        self._twin: MemoryPipe | None = None
        self._inbox: deque[Buffer] = deque()
        self._due = False
        self._open = True
        self._ended = False
        self._held = False

    full = False
    flushed = True

    def neighbour(self) -> str:
        return self.other

    def join(self, twin: MemoryPipe) -> None:
        self._twin = twin

    def start(self) -> None:
        self._wake()

    def send(self, *parts: Buffer) -> None:
        if self._open and self._twin is not None:
            self._twin.receive(b"".join(parts))

    def send_from_thread(self, parts: list[Buffer]) -> None:
        self._loop.call_soon_threadsafe(self.send, *parts)

    def close(self) -> None:
        self.abort()

    def finish(self) -> None:
        self.abort()

    def abort(self) -> None:
        self.owner = NO_READER
        self._open = False
        self._inbox.clear()
        twin, self._twin = self._twin, None
        if twin is not None:
            twin.end()

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        self._wake()

    def receive(self, data: bytes) -> None:
        if self._open:
            self._inbox.append(data)
            self._wake()

    def end(self) -> None:
        """The other end is closed. Once everything is read, the owner is notified."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if not self._due and (self._inbox or self._ended):
            self._due = True
            self._loop.call_soon(self._deliver, context=self._context)

    def _deliver(self) -> None:
        self._due = False
        while self._inbox and self._open and not self._held and self.owner is not NO_READER:
            data = memoryview(self._inbox.popleft())
            room = self.owner.buffer()
            count = min(len(room), len(data))
            room[:count] = data[:count]
            if count < len(data):
                self._inbox.appendleft(data[count:])
            self.owner.filled(count)
        if self._ended and self._open and not self._held and not self._inbox:
            owner = self.owner
            self.abort()
            owner.lost(None)


def memory_pair(first: MemoryPipe, second: MemoryPipe) -> None:
    """Connects two ends."""
    first.join(second)
    second.join(first)
