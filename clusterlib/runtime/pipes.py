"""Two ends of a byte stream, driven by callbacks on the event loop: here over a socket, within one
process in `memory_pipes`.

Leaner than asyncio's transports, with two additions: a worker thread can send without waking the
loop, and a pipe can hold still (for a simulated node that is paused). The owner of a pipe provides
the buffer (`buffer`), gets the number of bytes (`filled`), and is notified once that the other end
is gone (`lost`), unless it closed the pipe itself."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections import deque
from typing import Protocol

from clusterlib.runtime.neighbours import user_at_other_end
from clusterlib.runtime.wire import Buffer

__all__ = ["NO_READER", "Pipe", "PipeReader", "SocketPipe"]

MOST_PARTS = 64  # in one system call
STALLED_SECONDS = 20.0  # after which the connection to a reader that takes nothing is closed
LONGEST_QUEUE = 4 << 20  # what a pipe may queue before `full` is true if its reader is gone


class PipeReader(Protocol):
    """The reader of a pipe."""

    def buffer(self) -> memoryview: ...

    def filled(self, count: int) -> None: ...

    def lost(self, error: OSError | None) -> None: ...


class _NoReader:
    """The owner of a pipe before its first owner, and after it is closed."""

    def buffer(self) -> memoryview:
        return memoryview(bytearray(4096))

    def filled(self, count: int) -> None:
        pass

    def lost(self, error: OSError | None) -> None:
        pass


NO_READER = _NoReader()


class Pipe(Protocol):
    """One end of a stream."""

    owner: PipeReader
    other: str
    """The other end, for log lines."""

    def neighbour(self) -> str:
        """Identifies the other end if possible: equal for all connections of one user."""

    @property
    def full(self) -> bool:
        """True if the other end does not read what is sent."""

    def start(self) -> None: ...

    def send(self, *parts: Buffer) -> None: ...

    def send_from_thread(self, parts: list[Buffer]) -> None: ...

    def close(self) -> None:
        """Sends what is queued, then closes. The owner is not called any more."""

    def finish(self) -> None:
        """Ends sending, but continues to read. To close while the other end still sends would
        discard data that it has not read yet."""

    def abort(self) -> None:
        """Closes at once."""

    def hold(self) -> None: ...

    def release(self) -> None: ...

    @property
    def flushed(self) -> bool: ...


class SocketPipe:
    """A pipe over a connected socket. All methods except `send_from_thread` belong to the loop."""

    __slots__ = (
        "__weakref__",
        "_closing",
        "_guard",
        "_held",
        "_loop",
        "_muted",
        "_open",
        "_queue",
        "_queued",
        "_sent",
        "_socket",
        "_writing",
        "other",
        "owner",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, connected: socket.socket, other: str) -> None:
        self.owner: PipeReader = NO_READER
        self.other = other
        self._loop = loop
        self._socket = connected
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._sent = 0
        self._guard = threading.Lock()  # keeps the socket open, and its number, while a worker sends
        self._open = True
        self._closing = False
        self._writing = False
        self._held = False
        self._muted = False

    def neighbour(self) -> str:
        user = user_at_other_end(self._socket) if self._open else None
        return self.other.rpartition(":")[0] if user is None else f"user {user}"

    @property
    def full(self) -> bool:
        return self._queued > LONGEST_QUEUE

    @property
    def flushed(self) -> bool:
        return not self._queue or not self._open

    def start(self) -> None:
        if self._open and not self._held:
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, *parts: Buffer) -> None:
        with self._guard:
            error = self._send(parts)
        if error is not None or self._queue:
            self._settle(error)

    def send_from_thread(self, parts: list[Buffer]) -> None:
        with self._guard:
            error = self._send(parts)
            settled = error is None and not self._queue
        if not settled:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the node is gone
                self._loop.call_soon_threadsafe(self._settle, error)

    def close(self) -> None:
        self.owner = NO_READER
        if self._queue and self._open:
            self._closing = True
            return  # `_writable` ends it, or `_check_progress` if the other end does not read
        self.abort()

    def finish(self) -> None:
        if self._queue or self._held:
            self.close()
        elif self._open:
            with contextlib.suppress(OSError):  # the other end is already gone, which the next read shows
                self._socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        self.owner = NO_READER
        with self._guard:
            if not self._open:
                return
            self._open = False
            self._queue.clear()
            self._queued = 0
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()

    def hold(self) -> None:
        with self._guard:
            self._held = True
            if self._open:
                self._loop.remove_reader(self._socket.fileno())
                self._loop.remove_writer(self._socket.fileno())
                self._writing = False

    def release(self) -> None:
        with self._guard:
            self._held = False
        self.start()
        self._settle(None)

    def _send(self, parts: tuple[Buffer, ...] | list[Buffer]) -> OSError | None:
        if not self._open or self._closing or self._muted:
            return None
        if self._queue or self._held:
            self._enqueue(parts, 0)
            return None
        try:
            sent = (
                self._socket.send(parts[0]) if len(parts) == 1 else self._socket.sendmsg(parts[:MOST_PARTS])
            )
        except BlockingIOError:
            sent = 0
        except OSError as error:
            return error
        self._enqueue(parts, sent)
        return None

    def _enqueue(self, parts: tuple[Buffer, ...] | list[Buffer], sent: int) -> None:
        for part in parts:
            size = len(part)
            if sent >= size:
                sent -= size
                continue
            self._queue.append(memoryview(part)[sent:])
            self._queued += size - sent
            sent = 0

    def _settle(self, error: OSError | None) -> None:
        """Runs on the loop after a send: handles an error or a queue."""
        if error is not None:
            self._mute()
        elif self._queue and self._open and not self._held and not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket.fileno(), self._writable)
            self._loop.call_later(STALLED_SECONDS, self._check_progress, self._sent)

    def _mute(self) -> None:
        """The other end does not read any more. What it sent before (a goodbye) may still arrive;
        its end is found by reading."""
        if self._closing:
            self.abort()
            return
        with self._guard:
            self._muted = True
            self._queue.clear()
            self._queued = 0
            if self._writing and self._open:
                self._writing = False
                self._loop.remove_writer(self._socket.fileno())

    def _check_progress(self, sent_then: int) -> None:
        if not self._queue or not self._open or self._held:
            return
        if self._sent == sent_then:
            self._end(TimeoutError(errno.ETIMEDOUT, f"it read nothing for {STALLED_SECONDS:g} s"))
        else:
            self._loop.call_later(STALLED_SECONDS, self._check_progress, self._sent)

    def _writable(self) -> None:
        error: OSError | None = None
        with self._guard:
            if self._queue and self._open:
                head = [self._queue[index] for index in range(min(len(self._queue), MOST_PARTS))]
                try:
                    sent = self._socket.sendmsg(head)
                except BlockingIOError:
                    sent = 0
                except OSError as problem:
                    error, sent = problem, 0
                self._dequeue(sent)
            done = not self._queue
        if error is not None:
            self._mute()
        elif done and self._open:
            self._writing = False
            self._loop.remove_writer(self._socket.fileno())
            if self._closing:
                self.abort()

    def _dequeue(self, sent: int) -> None:
        self._queued -= sent
        self._sent += sent
        while sent:
            part = self._queue[0]
            if sent < len(part):
                self._queue[0] = part[sent:]
                return
            sent -= len(part)
            self._queue.popleft()

    def _readable(self) -> None:
        try:
            count = self._socket.recv_into(self.owner.buffer())
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        if count:
            self.owner.filled(count)
        else:
            self._end(None)

    def _end(self, error: OSError | None) -> None:
        owner = self.owner
        self.abort()
        owner.lost(error)
