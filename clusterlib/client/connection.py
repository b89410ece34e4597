"""The client's end of the control socket: blocking, one request at a time, with events in
between."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from clusterlib.errors import ClusterError, HandleClosed, KeeperLost, OtherVersion, UsageError
from clusterlib.messages.codec import NotReadable, plain, revive
from clusterlib.messages.requests import Request, answer_of, name_of
from clusterlib.remedies import do
from clusterlib.waiting import Deadline, wait_readable

if TYPE_CHECKING:
    from clusterlib.messages.event import Event

__all__ = ["KILLING_SECONDS", "KeeperClient"]

A = TypeVar("A")
Listener = Callable[["Event"], None]
ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 5.0
KILLING_SECONDS = 25.0
"""More than a keeper takes at most for nodes that do not stop on request."""


class KeeperClient:
    """A connection to a keeper. Safe to share between threads; each request waits for the one
    before.

    A forked process gets its own connection, without a lease: the lease is its parent's."""

    def __init__(self, connection: socket.socket, name: str, path: Path | None = None) -> None:
        self._connection = connection
        self._name = name
        self._path = path
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self._buffer = b""
        self._lock = threading.RLock()
        self._listening = False
        self._process = os.getpid()
        self._lost_by: KeeperLost | None = None
        self._closed = False

    @staticmethod
    def connect(path: Path, name: str) -> KeeperClient:
        return KeeperClient(_connected(path, name), name, path)

    def ask(
        self, request: Request[A], *, seconds: float | None = ANSWER_SECONDS, on_event: Listener | None = None
    ) -> A:
        """Asks and waits for the answer, at most `seconds`. An error of the keeper is raised
        unchanged.

        `on_event` is called with the events until then.
        """
        kind = type(request)
        with self._turn():
            self._number += 1
            deadline = Deadline(seconds) if seconds is not None else None
            self._send(
                {
                    "id": self._number,
                    "op": name_of(kind),
                    "args": plain(request),
                    "events": on_event is not None,
                }
            )
            result = self._answer(deadline, on_event)
        try:
            return revive(answer_of(kind), result)
        except NotReadable as error:
            raise OtherVersion(
                f"cluster '{self._name}' was started by another version of clusterlib",
                cause=f"its keeper's answer to {name_of(kind)!r} is not understood: {error}",
                remedies=[do("cluster.down"), do("cluster.up")],
            ).of_cluster(self._name) from error

    def _answer(self, deadline: Deadline | None, on_event: Listener | None) -> object:
        while True:
            message = self._read(deadline)
            if "event" in message:
                if on_event is not None:
                    on_event(_event_of(message["event"]))
            elif message.get("id") in {self._number, None}:  # others are late answers
                if isinstance(message.get("error"), dict):
                    raise ClusterError.from_dict(message["error"]).of_cluster(self._name)
                return message.get("result")

    def events(self) -> Iterator[Event]:
        """Events as they come, until the keeper is gone. Call `watch` first."""
        with self._turn():
            while True:
                try:
                    message = self._read(None)
                except KeeperLost:
                    return
                if "event" in message:
                    yield _event_of(message["event"])

    def send_raw(self, data: bytes, seconds: float = CONNECT_SECONDS) -> None:
        """Sends all of it.

        An interrupt is raised only afterwards: half a request would damage the next one.
        """
        with _uninterrupted():
            try:
                self._connection.settimeout(seconds)
                self._connection.sendall(data)
            except OSError as error:
                refusal = self._last_words()
                lost = self._lost(f"the connection to it broke: {error.strerror or error}")
                self._hang_up(lost)
                if refusal is not None:
                    raise refusal from None
                raise lost from error
            except BaseException:
                self._hang_up(self._lost("a request over this connection was interrupted"))
                raise

    def _last_words(self) -> ClusterError | None:
        """The reason for which the keeper closed the connection, if it has sent one.

        This can still be read when nothing can be sent any more.
        """
        with contextlib.suppress(OSError):
            self._connection.settimeout(0)
            while data := self._connection.recv(1 << 16):
                self._buffer += data
        for line in self._buffer.splitlines():
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if message.get("id") is None and "error" in message:
                    return ClusterError.from_dict(message["error"]).of_cluster(self._name)
        return None

    def close(self) -> None:
        """Disconnects. Leases that were taken over this connection end."""
        self._hang_up(None)

    def _hang_up(self, lost: KeeperLost | None) -> None:
        """`lost`: why the connection cannot be used any more, if its user did not close it."""
        self._lost_by, self._closed = self._lost_by or lost, True
        if self._process == os.getpid():
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that still listens
        self._connection.close()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One request at a time. A handler of an event cannot use the same connection."""
        if self._process != os.getpid():
            self._connection.close()
            self._begin()
            if self._path is not None:
                self._connection = _connected(self._path, self._name)
        with self._lock:
            if self._closed:
                raise self._lost_by or _handle_closed(self._name)
            if self._listening:
                raise UsageError(
                    "who listens to the events of a request cannot make another one meanwhile",
                    cause="its answer would come after that of the first, which waits for the listener",
                    remedies=["attach() to the cluster, and ask over that handle"],
                )
            self._listening = True
            try:
                yield
            finally:
                self._listening = False

    def _send(self, message: dict[str, Any]) -> None:
        self.send_raw(json.dumps(message).encode() + b"\n")

    def _read(self, deadline: Deadline | None) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            if deadline is not None and deadline.passed:
                raise self._lost(f"no answer within {deadline.seconds:g} s; it may be paused")
            try:
                if not wait_readable(self._connection.fileno(), None if deadline is None else deadline.left):
                    continue
                self._connection.settimeout(0)
                data = self._connection.recv(1 << 20)
            except BlockingIOError:
                continue
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "it was closed here"
                raise self._over(f"the connection to it broke: {reason}") from error
            if not data:
                raise self._over("it closed the connection")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError as error:  # an interrupt can lose a piece
            raise self._over("its answer arrived incomplete") from error
        if not isinstance(message, dict):
            raise self._over("what it said is no answer")
        return message

    def _over(self, cause: str) -> KeeperLost:
        """This connection cannot be used any more."""
        lost = self._lost(cause)
        self._hang_up(lost)
        return lost

    def _lost(self, cause: str) -> KeeperLost:
        return KeeperLost(
            f"the keeper of cluster '{self._name}' was lost",
            cause=cause,
            remedies=[do("cluster.status"), do("cluster.down")],
        ).of_cluster(self._name)


def _event_of(data: object) -> Event:
    from clusterlib.messages.event import Event  # the catalogue of events: not every client needs it

    return Event.of(data if isinstance(data, dict) else {})


def _handle_closed(name: str) -> HandleClosed:
    return HandleClosed(
        f"this handle on cluster '{name}' is closed",
        cause="close(), down() or the end of its `with` block has closed it; whether the cluster still runs, others know",
        remedies=[f"clusterlib.attach({name!r})  # another handle, where the cluster runs"],
    )


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delays Ctrl-C until this is over."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _connected(path: Path, name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_SECONDS)
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise KeeperLost(
            f"the keeper of cluster '{name}' does not answer",
            cause=f"connecting to {path}: {error}",
            remedies=[do("cluster.status"), do("cluster.clean")],
        ).of_cluster(name) from error
    except BaseException:
        connection.close()
        raise
    return connection
