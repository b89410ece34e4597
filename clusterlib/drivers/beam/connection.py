"""One persistent connection to a node, for any number of threads.

    with Connection.open("node1@127.0.0.1", cookie, port=port) as node:
        node.call("lists", "reverse", [[1, 2, 3]])

A separate thread reads what arrives and answers the node's ticks; each caller decodes its own
answer. When the connection ends, all pending calls fail at once."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from clusterlib.drivers.beam.epmd import port_of
from clusterlib.drivers.beam.errors import ErlangError, NoDistribution
from clusterlib.drivers.beam.etf import Part
from clusterlib.drivers.beam.handshake import LARGEST_MESSAGE, Handshake, Peer
from clusterlib.drivers.beam.helper import Bringing, bringing
from clusterlib.drivers.beam.session import (
    HELPER,
    TICK,
    Frames,
    Name,
    NodeMessage,
    Reply,
    Session,
    called,
    helped,
    raised,
)
from clusterlib.drivers.beam.terms import Atom, Pid
from clusterlib.errors import CallTimeout, ClusterError, NodeUnavailable
from clusterlib.waiting import Deadline

__all__ = ["Connection"]

BRINGING_SECONDS: Final = 20.0
"""For a node that answers to compile a module, also if the machine is busy with other nodes."""
READ_SIZE: Final = 65536
PIECES_AT_ONCE: Final = 512
"""How many pieces one system call takes; the kernel's own limit is 1024."""


class _Waiting:
    """One call that waits for its answer."""

    __slots__ = ("answered", "reply")

    def __init__(self) -> None:
        self.reply: Reply | ClusterError | None = None
        self.answered = threading.Lock()
        self.answered.acquire()

    def tell(self, reply: Reply | ClusterError) -> None:
        self.reply = reply
        self.answered.release()


class Connection:
    """Created by `Connection.open`."""

    def __init__(self, channel: socket.socket, peer: Peer, on_message: Callable[[Any], None]) -> None:
        self._channel = channel
        self._session = Session(peer)
        self._on_message = on_message
        self._guard = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._lost: ClusterError | None = None
        self._sending = threading.Lock()
        self._unsent = b""
        self._helping = threading.Lock()
        self._brought: frozenset[str] = frozenset()
        """The modules of ours that are known to run on the node."""
        self._reader = threading.Thread(target=self._read, name=f"clusterlib {peer.name}", daemon=True)
        self._reader.start()

    @classmethod
    def open(
        cls,
        node: str,
        cookie: str,
        *,
        port: int | None = None,
        address: str | None = None,
        epmd_port: int | None = None,
        our_name: str | None = None,
        timeout: float = 5.0,
        on_message: Callable[[Any], None] = lambda _: None,
    ) -> Connection:
        """Connects to `name@host`.

        By default, epmd is asked for the port. `on_message` is called on the reading thread with
        messages that are not answers."""
        deadline = Deadline(timeout)
        name, _, host = node.partition("@")
        if port is None:
            port = port_of(name, address=address or host, epmd_port=epmd_port, timeout=timeout)
        channel = _connected(node, address or host, port, deadline)
        try:
            peer = _hands_shaken(channel, Handshake(node, cookie, our_name=our_name), deadline)
        except BaseException:
            channel.close()
            raise
        return cls(channel, peer, on_message)

    @property
    def peer(self) -> Peer:
        return self._session.peer

    @property
    def pid(self) -> Pid:
        """The pid for messages to us; they are passed to `on_message`."""
        return self._session.pid

    @property
    def lost(self) -> ClusterError | None:
        """Why the connection has ended; None while it lives."""
        return self._lost

    def call(
        self, module: Name, function: Name, args: Sequence[Any] = (), *, timeout: float | None = 30.0
    ) -> Any:
        """Calls `module:function(...args)` on the node and returns its value. An exception there is
        raised as ErlangError.

        Text names existing modules and functions, and creates no atom on the node; "Enum" also
        finds 'Elixir.Enum'."""
        what = f"{module}:{function}/{len(args)}"
        deadline = None if timeout is None else Deadline(timeout)
        self._bring(HELPER.name, deadline)
        return called(self._ask(*helped(module, function, args), what, deadline), what)

    def call_plain(
        self, module: str, function: str, args: Sequence[Any] = (), *, timeout: float | None = 30.0
    ) -> Any:
        """The same without the helper on the node: both names become atoms there, and a throw looks
        like a value."""
        what = f"{module}:{function}/{len(args)}"
        deadline = None if timeout is None else Deadline(timeout)
        return raised(self._ask(Atom(module), Atom(function), args, what, deadline), what)

    def bring(self, modules: Sequence[str], *, timeout: float) -> None:
        """Ensures that further modules of ours run on the node; does nothing if they do.

        `timeout` is for the node's first answer. To compile them, which happens once for each
        release of Erlang, it may take longer."""
        for module in modules:
            self._bring(module, Deadline(timeout), patience=BRINGING_SECONDS)

    def close(self) -> None:
        """Closes the connection; pending calls fail. Idempotent."""
        self._lose(NodeUnavailable(f"the connection to {self.peer.name} was closed"))
        if threading.current_thread() is not self._reader:
            self._reader.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- calling

    def _bring(self, module: str, deadline: Deadline | None, patience: float = 0.0) -> None:
        if module in self._brought:
            return
        with self._helping:
            if module not in self._brought:
                self._carry_out(bringing(self.peer.name, Atom(module)), deadline, patience)
                self._brought |= {module}

    def _carry_out(self, plan: Bringing, deadline: Deadline | None, patience: float) -> None:
        with contextlib.suppress(StopIteration):
            module, function, args = next(plan)
            while True:
                what = f"{module}:{function}/{len(args)}"
                try:
                    answer = raised(self._ask(Atom(module), Atom(function), args, what, deadline), what)
                except ErlangError as error:
                    module, function, args = plan.throw(error)
                else:
                    module, function, args = plan.send(answer)
                if deadline is not None and deadline.left < patience:  # it has answered, so it lives
                    deadline, patience = Deadline(patience), 0.0

    def _ask(
        self, module: Atom, function: Atom, args: Sequence[Any], what: str, deadline: Deadline | None
    ) -> Any:
        number, parts = self._session.call(module, function, args)
        waiting = _Waiting()
        with self._guard:
            if self._lost is not None:
                raise self._as_seen_now(self._lost)
            self._waiting[number] = waiting
        try:
            self._send(parts, what, deadline)
            if not waiting.answered.acquire(timeout=-1 if deadline is None else deadline.left):
                raise self._too_late(what, deadline)
        finally:
            with self._guard:
                self._waiting.pop(number, None)
        if isinstance(waiting.reply, ClusterError):
            raise self._as_seen_now(waiting.reply, what)
        assert waiting.reply is not None
        return waiting.reply.read()

    def _too_late(self, what: str, deadline: Deadline | None) -> CallTimeout:
        seconds = deadline.seconds if deadline is not None else 0
        return CallTimeout(
            f"{self.peer.name} did not answer {what} within {seconds:g} s",
            cause="the call goes on there, its answer will not be heard",
        )

    @staticmethod
    def _as_seen_now(lost: ClusterError, what: str | None = None) -> ClusterError:
        """A separate error for each pending call: a traceback belongs to one raise."""
        error = ClusterError.from_dict(lost.to_dict())
        if what is not None:
            error.evidence = (*error.evidence, f"in the middle of {what}")
        return error

    # -- sending

    def _send(self, parts: list[Part], what: str, deadline: Deadline | None) -> None:
        if not self._sending.acquire(timeout=-1 if deadline is None else deadline.left):
            raise self._too_late(what, deadline)
        try:
            begun = False
            rest = [memoryview(part) for part in ([self._unsent, *parts] if self._unsent else parts)]
            self._unsent = b""
            while rest:
                try:
                    sent = self._channel.sendmsg(rest[:PIECES_AT_ONCE], [], socket.MSG_DONTWAIT)
                except BlockingIOError:
                    if not self._writable(deadline):
                        if begun:  # nothing else can be sent after half a message
                            self._lose(
                                NodeUnavailable(
                                    f"{self.peer.name} takes no more data: it is paused or overloaded"
                                )
                            )
                        raise self._too_late(what, deadline) from None
                    continue
                begun = True
                rest = _without(rest, sent)
        except OSError as error:
            self._lose(self._ended(error))  # all pending calls, including ours, get the error
        finally:
            self._sending.release()

    def _writable(self, deadline: Deadline | None) -> bool:
        poller = select.poll()
        poller.register(self._channel, select.POLLOUT)
        return bool(poller.poll(None if deadline is None else max(deadline.left * 1000, 1)))

    def _answer_tick(self) -> None:
        if not self._sending.acquire(blocking=False):
            return  # another thread is sending, which is a sign of life
        try:
            self._unsent = TICK[self._channel.send(self._unsent or TICK, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            pass
        finally:
            self._sending.release()

    # -- reading

    def _read(self) -> None:
        frames = Frames()
        try:
            while True:
                missing = frames.missing
                data = self._channel.recv(
                    max(READ_SIZE, missing), socket.MSG_WAITALL if missing > READ_SIZE else 0
                )
                if not data:
                    self._lose(self._ended(None))
                    return
                for frame in frames.feed(data):
                    self._take(frame)
        except OSError as error:
            self._lose(self._ended(error))
        except ClusterError as error:
            self._lose(error)
        finally:  # after any end of reading, even a mistake in `on_message`, so that no call waits for ever
            self._lose(self._ended(None))
            self._channel.close()

    def _take(self, frame: bytes) -> None:
        if not frame:
            self._answer_tick()
            return
        match self._session.sort(frame):
            case Reply(number=number) as reply:
                with self._guard:
                    waiting = self._waiting.pop(number, None)
                if waiting is not None:
                    waiting.tell(reply)
            case NodeMessage(term=term):
                self._on_message(term)

    def _ended(self, error: OSError | None) -> NodeUnavailable:
        return NodeUnavailable(
            f"{self.peer.name} ended, or closed the connection",
            cause=os.strerror(error.errno) if error is not None and error.errno else None,
        )

    def _lose(self, error: ClusterError) -> None:
        with self._guard:
            if self._lost is not None:
                return
            self._lost = error
            waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.tell(error)
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)


def _without(parts: list[memoryview], sent: int) -> list[memoryview]:
    """The rest once so many bytes are sent."""
    for index, part in enumerate(parts):
        if sent < len(part):
            return [part[sent:], *parts[index + 1 :]]
        sent -= len(part)
    return []


def _connected(node: str, address: str, port: int, deadline: Deadline) -> socket.socket:
    try:
        channel = socket.create_connection((address, port), timeout=max(deadline.left, 0.001))
    except socket.gaierror as error:
        raise NoDistribution(
            f"{node} cannot be reached: the host name {address} does not resolve",
            cause=str(error),
            remedies=["name nodes by an address, such as node1@127.0.0.1"],
        ) from error
    except OSError as error:
        raise NoDistribution(f"{node} takes no connections at {address}:{port}", cause=str(error)) from error
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return channel


def _hands_shaken(channel: socket.socket, handshake: Handshake, deadline: Deadline) -> Peer:
    try:
        channel.sendall(handshake.send)
        while handshake.peer is None:
            size = int.from_bytes(_exactly(channel, 2, handshake, deadline))
            if size > LARGEST_MESSAGE:
                raise NoDistribution(f"what listens where {handshake.node} should be is no Erlang node")
            answer = handshake.receive(_exactly(channel, size, handshake, deadline))
            if answer:
                channel.sendall(answer)
    except TimeoutError as error:
        raise NoDistribution(
            f"{handshake.node} does not shake hands within {deadline.seconds:g} s",
            cause="it is paused or overloaded, or the listener there is not an Erlang node",
        ) from error
    except OSError as error:
        raise handshake.closed() from error
    channel.settimeout(None)
    return handshake.peer


def _exactly(channel: socket.socket, size: int, handshake: Handshake, deadline: Deadline) -> bytes:
    data = b""
    while len(data) < size:
        channel.settimeout(max(deadline.left, 0.001))
        more = channel.recv(size - len(data))
        if not more:
            raise handshake.closed()
        data += more
    return data
