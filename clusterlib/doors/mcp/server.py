"""The loop of the server: reads what the client asks, and passes on what the processes of its
calls answer. It has one thread, because it forks."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections import deque
from functools import partial
from types import FrameType

from clusterlib.doors.mcp.channel import FINAL, Channel
from clusterlib.doors.mcp.messages import (
    INTERNAL,
    INVALID_REQUEST,
    ClientMessage,
    Document,
    Identifier,
    MessageLines,
    RpcError,
    encoded,
    failure,
    notification,
    read_message,
    success,
)
from clusterlib.doors.mcp.session import ToolSession, Work
from clusterlib.hosts.forking import Fork, fork

__all__ = ["ToolServer"]

PIECE = 65536
TICK = 1.0
"""Seconds between two looks at the operations of the project."""
MOST_RUNNING = 8
MOST_WAITING = 100
GRACE = 5.0
"""Seconds that an interrupted call has to clean up."""
LAST_GRACE = 2.0
"""The same when the client has gone."""


class ServerEnds(BaseException):
    """The server is to end: it was sent SIGTERM or SIGINT."""


class RunningCall:
    """A call, and the process that carries it out."""

    def __init__(self, identifier: Identifier, process: Fork) -> None:
        self.identifier = identifier
        self.process = process
        self.lines = MessageLines(most=1 << 40)
        self.answered = False
        self.kill_at: float | None = None

    @property
    def is_cancelled(self) -> bool:
        return self.kill_at is not None

    def cancel(self, grace: float) -> None:
        if not self.is_cancelled:
            self.kill_at = time.monotonic() + grace
            self.process.interrupt()


class ToolServer:
    def __init__(self, session: ToolSession, source: int, sink: int) -> None:
        self._session = session
        self._source = source
        self._sink = sink
        self._lines = MessageLines()
        self._selector = selectors.DefaultSelector()
        self._running: dict[Identifier, RunningCall] = {}
        self._waiting: deque[tuple[ClientMessage, Work]] = deque()
        self._open = True

    def serve(self) -> None:
        """Returns when the client has gone, or at a signal. No process of a call is left then."""
        before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._selector.register(self._source, selectors.EVENT_READ)
            while self._open:
                self._step(TICK)
                if self._session.tools_changed():
                    self._send(notification("notifications/tools/list_changed"))
        except (ServerEnds, BrokenPipeError):
            pass
        finally:
            self._finish()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _step(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.fd == self._source:
                self._hear()
            else:
                self._pass_on(key.data)
        for running in self._running.values():
            if running.kill_at is not None and time.monotonic() > running.kill_at:
                running.process.kill()

    def _finish(self) -> None:
        """Interrupts what runs, and waits for it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self._waiting.clear()
        if self._source in self._selector.get_map():
            self._selector.unregister(self._source)
        for running in self._running.values():
            running.cancel(LAST_GRACE)
        while self._running:
            self._step(0.1)
        self._selector.close()

    # -- the client

    def _hear(self) -> None:
        data = os.read(self._source, PIECE)
        if not data:
            self._open = False
        for line in self._lines.feed(data):
            if line is None or line.strip():
                self._obey(line)

    def _obey(self, line: bytes | None) -> None:
        try:
            message = read_message(line)
        except RpcError as error:
            self._send(failure(error))
            return
        if message is None:
            return
        if message.identifier is None:
            self._notice(message)
            return
        try:
            self._answer(message, message.identifier)
        except RpcError as error:
            self._send(failure(error, message.identifier))

    def _notice(self, message: ClientMessage) -> None:
        if message.method != "notifications/cancelled":
            return
        identifier = message.params.get("requestId")
        for waiting in list(self._waiting):
            if waiting[0].identifier == identifier:
                self._waiting.remove(waiting)
        if isinstance(identifier, str | int) and identifier in self._running:
            self._running[identifier].cancel(GRACE)

    def _answer(self, message: ClientMessage, identifier: Identifier) -> None:
        if identifier in self._running or any(one.identifier == identifier for one, _ in self._waiting):
            raise RpcError(INVALID_REQUEST, f"a request with the id {identifier!r} is not answered yet")
        answer = self._session.answer(message)
        if not callable(answer):
            self._send(success(identifier, answer))
        elif len(self._waiting) >= MOST_WAITING:
            raise RpcError(INTERNAL, f"{MOST_WAITING} requests wait already; ask again later")
        else:
            self._waiting.append((message, answer))
            self._begin_waiting()

    # -- calls

    def _begin_waiting(self) -> None:
        while self._waiting and len(self._running) < MOST_RUNNING:
            message, work = self._waiting.popleft()
            assert message.identifier is not None
            process = fork(partial(_work, message, work, self._session.level))
            running = RunningCall(message.identifier, process)
            self._running[message.identifier] = running
            self._selector.register(process.answers, selectors.EVENT_READ, running)

    def _pass_on(self, running: RunningCall) -> None:
        data = os.read(running.process.answers, PIECE)
        for line in running.lines.feed(data):
            assert line is not None
            running.answered = running.answered or line.startswith(FINAL)
            if not running.is_cancelled:
                self._write(line[1:] + b"\n")
        if not data:
            self._end(running)

    def _end(self, running: RunningCall) -> None:
        self._selector.unregister(running.process.answers)
        running.process.close()
        del self._running[running.identifier]
        if not running.answered and not running.is_cancelled:
            problem = "the process of this call ended without an answer"
            self._send(failure(RpcError(INTERNAL, problem), running.identifier))
        self._begin_waiting()

    def _send(self, message: Document) -> None:
        self._write(encoded(message))

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[os.write(self._sink, left) :]


def _work(message: ClientMessage, work: Work, level: str, descriptor: int) -> None:
    """Runs in the process of the call."""
    channel = Channel(descriptor, message.token, level)
    assert message.identifier is not None
    try:
        channel.finish(success(message.identifier, work(channel)))
    except RpcError as error:
        channel.finish(failure(error, message.identifier))


def _end(_number: int, _frame: FrameType | None) -> None:
    raise ServerEnds
