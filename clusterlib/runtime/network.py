"""Where a node listens, which nodes it reaches, and its clock.

The real network is TCP; `simulation` has one inside a process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from clusterlib.runtime.pipes import Pipe, PipeReader, SocketPipe

__all__ = ["Cancellable", "Dialed", "NodeNetwork"]

MOST_ACCEPTED_AT_ONCE = 16  # so that earlier connections get their turn in between, even in a flood
PAUSE_WHEN_FULL = 0.1  # seconds, when the process has no descriptor left for one more connection

Dialed = Callable[[Pipe | None, OSError | None], None]


class Cancellable(Protocol):
    """A scheduled callback."""

    def cancel(self) -> None: ...


class NodeNetwork:
    """A node communicates only through this class, so it can be disconnected or suspended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.pipes: WeakSet[Pipe] = WeakSet()  # the loop keeps references to those that are open
        self._listening: dict[socket.socket, Callable[[Pipe], None]] = {}
        self._dialing: set[socket.socket] = set()
        self._closed = False

    def held(self) -> asyncio.Future[None] | None:
        """While the node is paused: what is done when it is resumed. A real node needs none."""
        return None

    def now(self) -> float:
        return self.loop.time()

    def later(self, delay: float, callback: Callable[..., None], *arguments: Any) -> Cancellable:
        return self.loop.call_later(delay, callback, *arguments)

    def soon(self, callback: Callable[..., None], *arguments: Any) -> Cancellable:
        return self.loop.call_soon(callback, *arguments)

    def adopt(self, connected: socket.socket, other: str, owner: PipeReader) -> Pipe:
        """Makes a pipe of a connected socket."""
        connected.setblocking(False)
        pipe = SocketPipe(self.loop, connected, other)
        pipe.owner = owner
        self.pipes.add(pipe)
        pipe.start()
        return pipe

    def listen(self, listener: socket.socket, accepted: Callable[[Pipe], None]) -> None:
        """Calls `accepted` with every incoming connection.

        It must set the owner and start the pipe.
        """
        listener.setblocking(False)
        self._listening[listener] = accepted
        self.loop.add_reader(listener.fileno(), self._accept, listener)

    def listen_to_peers(
        self, address: str, listener: socket.socket, accepted: Callable[[Pipe], None]
    ) -> None:
        """Accepts other nodes in the same way as clients. A simulated network overrides this."""

    def dial(self, address: str, port: int, dialed: Dialed) -> Callable[[], None]:
        """Connects, then calls `dialed` with the pipe or the error.

        Returns a handle to cancel it.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connecting = socket.socket(family, socket.SOCK_STREAM)
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = connecting.connect_ex((address, port))
        self._dialing.add(connecting)
        if code == errno.EINPROGRESS:
            self.loop.add_writer(
                connecting.fileno(), self._connected, connecting, f"{address}:{port}", dialed
            )
        else:
            self.soon(self._connected, connecting, f"{address}:{port}", dialed, code)
        return lambda: self._give_up(connecting)

    def close(self) -> None:
        """Closes everything at once, as the kernel does when a process dies."""
        self._closed = True
        for listener in self._listening:
            self.loop.remove_reader(listener.fileno())
            listener.close()
        self._listening.clear()
        for connecting in list(self._dialing):
            self._give_up(connecting)
        for pipe in list(self.pipes):
            pipe.abort()
        self.pipes.clear()

    def stop_listening(self) -> None:
        for listener in self._listening:
            self.loop.remove_reader(listener.fileno())
            listener.close()
        self._listening.clear()

    async def flushed(self, seconds: float) -> None:
        """Returns once everything was sent, or the time is over."""
        end = self.now() + seconds
        while not all(pipe.flushed for pipe in self.pipes) and self.now() < end:  # noqa: ASYNC110  rare and short
            await asyncio.sleep(0.002)

    def _give_up(self, connecting: socket.socket) -> None:
        if connecting in self._dialing:
            self._dialing.discard(connecting)
            self.loop.remove_writer(connecting.fileno())
            connecting.close()

    def _connected(
        self, connecting: socket.socket, other: str, dialed: Dialed, code: int | None = None
    ) -> None:
        if connecting not in self._dialing:
            return
        if code is None:
            code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.loop.remove_writer(connecting.fileno())
        self._dialing.discard(connecting)
        if code:
            connecting.close()
            dialed(None, OSError(code, os.strerror(code)))
        elif connecting.getsockname() == connecting.getpeername():
            # A port of the ephemeral range without a listener can connect to itself.
            connecting.close()
            dialed(None, ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself"))
        else:
            pipe = SocketPipe(self.loop, connecting, other)
            self.pipes.add(pipe)
            dialed(pipe, None)

    def _accept(self, listener: socket.socket) -> None:
        accepted = self._listening[listener]
        for _ in range(MOST_ACCEPTED_AT_ONCE):
            try:
                connected, origin = listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError:
                self.loop.remove_reader(listener.fileno())
                self.later(PAUSE_WHEN_FULL, self._accept_again, listener)
                return
            connected.setblocking(False)
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pipe = SocketPipe(self.loop, connected, f"{origin[0]}:{origin[1]}")
            self.pipes.add(pipe)
            accepted(pipe)

    def _accept_again(self, listener: socket.socket) -> None:
        if listener in self._listening:
            self.loop.add_reader(listener.fileno(), self._accept, listener)
