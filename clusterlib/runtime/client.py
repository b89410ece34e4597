"""Calls a node from outside. Blocking, and safe to use from several threads. Needs no event loop.

Every connection carries one call at a time, so a slow call does not delay others. Connections are
kept and reused."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from clusterlib.errors import CallTimeout, NodeUnavailable, RemoteError, UsageError
from clusterlib.frozen import frozen
from clusterlib.runtime import wire
from clusterlib.runtime.pickling import TooLarge, Unpicklable, dump, load, raise_from_remote
from clusterlib.runtime.wire import CALL_SECONDS, Buffer, FrameKind, HandshakeRefused, Role

__all__ = ["DEFAULT_LIMIT", "CodeDigest", "NodeClient"]

DEFAULT_LIMIT = 256 << 20
HANDSHAKE_SECONDS = 5.0
MOST_IDLE = 64
MOST_PARTS = 64
ROOM = 65536
SMALL = 32768

_TARGET_SIZE = struct.Struct(">H")
_HEADER = struct.Struct(">IB")
_TIMEVAL = struct.Struct("@ll")


@frozen
class CodeDigest:
    """The project's own code as a node has loaded it."""

    modules: dict[str, str]
    """SHA-256 of the source of each module, as it was when it was imported."""
    stale: tuple[str, ...]
    """Modules whose source on disk has changed since."""


class NodeClient:
    """A client of one node."""

    def __init__(
        self, name: str, address: str, port: int, cookie_file: str, *, limit: int = DEFAULT_LIMIT
    ) -> None:
        self.name = name
        self.unanswered: Callable[[BaseException | None], Sequence[str]] = lambda _: ()
        """Called when a call is abandoned that the node still executes: with None at its time-out,
        or with the exception that interrupts it. The result is evidence."""
        self.address = address
        self.port = port
        self._cookie_file = cookie_file
        self._limit = limit
        self._idle: list[_Connection] = []
        self._pid = os.getpid()
        self._by_value: set[str] | None = None

    def __repr__(self) -> str:
        return f"NodeClient({self.name} at {self.address}:{self.port})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def call(
        self,
        target: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        timeout: float | None = CALL_SECONDS,
    ) -> Any:
        """Calls `pkg.mod:function` on the node. Raises its exception with the remote traceback."""
        return self._perform(target, target, (tuple(args), dict(kwargs or {})), None, timeout)

    def run(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        timeout: float | None = CALL_SECONDS,
    ) -> Any:
        """Runs a function of this process on the node. Closures and lambdas are sent as code."""
        if not callable(function):
            raise UsageError(f"{function!r} cannot be run: it is not callable")
        what = getattr(function, "__qualname__", repr(function))
        return self._perform("", what, (function, tuple(args), dict(kwargs or {})), self._by_value, timeout)

    def members(self, timeout: float | None = CALL_SECONDS) -> list[str]:
        """The names of the living nodes, from this node's point of view."""
        return list(self.ask("members", timeout=timeout))

    def ping(self, timeout: float | None = CALL_SECONDS) -> float:
        """Measures a round trip, in seconds."""
        begun = time.perf_counter()
        self.ask("ping", timeout=timeout)
        return time.perf_counter() - begun

    def digest(self, timeout: float | None = CALL_SECONDS) -> CodeDigest:
        """Which code of the project the node has loaded, and which of it is stale."""
        modules, stale = self.ask("digest", timeout=timeout)
        return CodeDigest(modules, tuple(stale))

    def ask(self, question: str, argument: object = None, timeout: float | None = CALL_SECONDS) -> Any:
        """Asks a question of the node's table (see `EmbeddedNode.asks`)."""
        kind, payload = self._exchange(
            FrameKind.ASK, dump((question, argument), self._limit), question, timeout
        )
        return self._outcome(kind, payload, question)

    def close(self) -> None:
        """Closes the connections. A later call opens new ones."""
        while self._idle:
            self._idle.pop().close()

    # -- a call -----------------------------------------------------------------------------------

    def _perform(
        self,
        target: str,
        what: str,
        request: tuple[Any, ...],
        by_value: set[str] | None,
        timeout: float | None,
    ) -> Any:
        """Sends a request; again, with the code of a module that the node lacks, if we have it."""
        named = target.encode()
        head = _TARGET_SIZE.pack(len(named)) + named
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            parts = self._pickled(request, what, by_value)
            kind, payload = self._exchange(FrameKind.CALL, [head, *parts], what, timeout, end)
            if kind != FrameKind.UNREADABLE:
                return self._outcome(kind, payload, what)
            missing, reason = load(payload)
            ours = _modules_under(missing) if missing else set()
            if by_value is not None and ours <= by_value:
                raise RemoteError(
                    f"{self.name} cannot read the arguments of {what}",
                    cause=reason,
                    remedies=["let the arguments be of classes that the node can import too"],
                )
            by_value = self._by_value = ours | (by_value or set())

    def _pickled(self, request: tuple[Any, ...], what: str, by_value: set[str] | None) -> list[Buffer]:
        try:
            return dump(request, self._limit, by_value=by_value)
        except TooLarge as error:
            raise UsageError(
                f"the arguments of {what} are too large for {self.name}", cause=str(error)
            ) from None
        except Unpicklable as error:
            raise UsageError(
                f"the arguments of {what} cannot be sent to {self.name}", cause=str(error)
            ) from error

    def _outcome(self, kind: int, payload: Buffer, what: str) -> Any:
        if kind == FrameKind.RAISED:
            raise_from_remote(payload, self.name)
        try:
            return load(payload)
        except Exception as error:
            raise RemoteError(
                f"the result of {what} on {self.name} cannot be read here",
                cause=f"{type(error).__name__}: {error}",
            ) from error

    def _exchange(
        self, kind: int, parts: list[Buffer], what: str, timeout: float | None, end: float | None = None
    ) -> tuple[int, Buffer]:
        if end is None and timeout is not None:
            end = time.monotonic() + timeout
        size = sum(len(part) for part in parts)
        while True:
            connection, kept = self._connection(end, what, timeout)
            try:
                if size > connection.limit:
                    raise UsageError(
                        f"the arguments of {what} are too large for {self.name}",
                        cause=f"{wire.size_in_words(size)}; it takes {wire.size_in_words(connection.limit)}",
                    )
                connection.send([wire.frame_header(kind, size), *parts], size, end)
                answer = connection.receive(end, self._limit)
            except BlockingIOError:
                slow = self._too_slow(what, timeout)
                slow.evidence = tuple(self.unanswered(None)) if kind == FrameKind.CALL else ()
                connection.close()  # only now, because the node cancels a coroutine when its caller has gone
                raise slow from None
            except OSError as error:
                connection.close()
                if kept and not connection.sent:
                    continue  # a request that was not sent completely had no effect on the node
                raise NodeUnavailable(
                    f"{self.name} went away during {what}",
                    cause=f"its connection broke before the answer ({error.strerror or error})",
                ) from error
            except BaseException as error:
                if kind == FrameKind.CALL:
                    self.unanswered(error)
                connection.close()
                raise
            if len(self._idle) < MOST_IDLE:
                self._idle.append(connection)
            else:
                connection.close()
            return answer

    def _too_slow(self, what: str, timeout: float | None) -> CallTimeout:
        return CallTimeout(f"{what} on {self.name} took longer than {round(timeout or 0.0, 2):g} s")

    # -- connections ------------------------------------------------------------------------------

    def _connection(self, end: float | None, what: str, timeout: float | None) -> tuple[_Connection, bool]:
        """A connection, and whether it is an old one: then the node may have ended since."""
        if self._pid != os.getpid():  # a forked process must not use the connections of its parent
            self.close()
            self._pid = os.getpid()
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if connection.usable():
                return connection, True
            connection.close()
        return self._connect(end, what, timeout), False

    def _connect(self, end: float | None, what: str, timeout: float | None) -> _Connection:
        cookie = wire.read_cookie(self._cookie_file)
        where = f"{self.address}:{self.port}"
        left = HANDSHAKE_SECONDS if end is None else min(HANDSHAKE_SECONDS, end - time.monotonic())
        if left <= 0:
            raise self._too_slow(what, timeout)
        until = time.monotonic() + left
        try:
            connected = socket.create_connection((self.address, self.port), timeout=left)
        except TimeoutError:
            raise self._silent(where, end, what, timeout) from None
        except OSError as error:
            cause = (
                f"nothing listens at {where}"
                if error.errno == errno.ECONNREFUSED
                else f"{where}: {error.strerror}"
            )
            raise NodeUnavailable(f"{self.name} is not reachable", cause=cause) from error
        connection = _Connection(connected)
        try:
            connection.shake_hands(cookie, self.name, until)
        except HandshakeRefused as refused:
            connection.close()
            raise NodeUnavailable(
                f"{self.name} cannot be talked to at {where}", cause=refused.reason
            ) from None
        except BlockingIOError:
            connection.close()
            raise self._silent(where, end, what, timeout) from None
        except OSError as error:
            connection.close()
            raise NodeUnavailable(
                f"{self.name} at {where} closed the connection during the handshake",
                cause=error.strerror or str(error),
            ) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _silent(
        self, where: str, end: float | None, what: str, timeout: float | None
    ) -> CallTimeout | NodeUnavailable:
        if end is not None and time.monotonic() >= end:
            return self._too_slow(what, timeout)
        return NodeUnavailable(
            f"{self.name} does not answer",
            cause=f"{where} takes connections, but the node is paused or overloaded",
        )


class _Connection:
    """A connection to a node. The kernel keeps the time limits: a timed-out operation raises
    BlockingIOError."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(True)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._limits: dict[int, float] = {}
        self._room = bytearray(ROOM)
        self._view = memoryview(self._room)
        self.limit = 0
        self.sent = False
        """The whole request was sent, so the node may act on it."""

    def close(self) -> None:
        self._socket.close()

    def usable(self) -> bool:
        """An idle connection has nothing to read: an end or stray bytes make it unusable."""
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def shake_hands(self, cookie: bytes, name: str, end: float) -> None:
        greeting = wire.greeting(Role.CLIENT)
        self._limit(socket.SO_SNDTIMEO, end)
        self._socket.sendall(greeting)
        reply = self._exactly(wire.REPLY_SIZE, end)
        try:
            self.limit = wire.check_reply(cookie, greeting, reply, name)
        except wire.CookieDiffers:
            self._socket.sendall(wire.NO_PROOF)
            raise
        self._socket.sendall(wire.proof(cookie, greeting, reply))

    def send(self, parts: list[Buffer], size: int, end: float | None) -> None:
        self.sent = False
        self._limit(socket.SO_SNDTIMEO, end)
        if size <= SMALL:
            self._socket.sendall(b"".join(parts))
            self.sent = True
            return
        queue = [memoryview(part) for part in parts]
        first = 0
        while first < len(queue):
            sent = self._socket.sendmsg(queue[first : first + MOST_PARTS])
            while first < len(queue) and sent >= len(queue[first]):
                sent -= len(queue[first])
                first += 1
            if sent:
                queue[first] = queue[first][sent:]
            self._limit(socket.SO_SNDTIMEO, end)
        self.sent = True

    def receive(self, end: float | None, limit: int) -> tuple[int, Buffer]:
        count = 0
        while count < _HEADER.size:
            count += self._some(self._view[count:], end)
        size, kind = _HEADER.unpack_from(self._room)
        if size > limit:
            raise OSError(errno.EMSGSIZE, f"the answer of {wire.size_in_words(size)} is beyond the limit")
        have = count - _HEADER.size
        if have >= size:
            return kind, bytes(
                self._view[_HEADER.size : _HEADER.size + size]
            )  # the room is for the next answer
        answer = wire.room_for(size)
        answer[:have] = self._view[_HEADER.size : count]
        while have < size:
            have += self._some(answer[have:], end)
        return kind, answer

    def _exactly(self, size: int, end: float) -> bytes:
        data = bytearray(size)
        view, count = memoryview(data), 0
        while count < size:
            count += self._some(view[count:], end)
        return bytes(data)

    def _some(self, room: memoryview, end: float | None) -> int:
        self._limit(socket.SO_RCVTIMEO, end)
        count = self._socket.recv_into(room)
        if not count:
            raise ConnectionResetError(errno.ECONNRESET, "the connection was closed")
        return count

    def _limit(self, option: int, end: float | None) -> None:
        """Sets the remaining time as the kernel's limit, if it has changed noticeably."""
        left = 0.0 if end is None else end - time.monotonic()
        if end is not None and left <= 0:
            raise BlockingIOError(errno.EAGAIN, "the time is over")
        known = self._limits.get(option, 0.0)
        if known == left or (end is not None and left <= known <= left * 1.02):
            return
        self._limits[option] = left
        self._socket.setsockopt(
            socket.SOL_SOCKET,
            option,
            _TIMEVAL.pack(*divmod(max(1, int(left * 1_000_000)) if end is not None else 0, 1_000_000)),
        )


def _modules_under(name: str) -> set[str]:
    return {known for known in list(sys.modules) if known == name or known.startswith(f"{name}.")}
