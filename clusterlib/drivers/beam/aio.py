"""The same connection for an event loop, as a keeper needs it: no thread, and news as it
arrives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, cast

from clusterlib.drivers.beam.errors import ErlangError, NoDistribution
from clusterlib.drivers.beam.handshake import LARGEST_MESSAGE, Handshake, Peer
from clusterlib.drivers.beam.helper import Bringing, bringing
from clusterlib.drivers.beam.session import (
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

__all__ = ["AsyncConnection"]


class AsyncConnection(asyncio.Protocol):
    """Created by `await AsyncConnection.open`; belongs to the loop in which it was opened."""

    def __init__(
        self,
        handshake: Handshake,
        on_message: Callable[[Any], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.lost: ClusterError | None = None
        self._handshake = handshake
        self._on_message = on_message
        self._on_lost = on_lost
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session: Session | None = None
        self._transport: asyncio.Transport | None = None
        self._begun = b""
        self._frames = Frames()
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._helped = False
        self._helping = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        node: str,
        cookie: str,
        port: int,
        *,
        our_name: str | None = None,
        timeout: float = 5.0,
        on_message: Callable[[Any], None] = lambda _: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> AsyncConnection:
        """Connects to `name@address`. `on_lost` is called if the connection ends by itself."""
        connection = cls(Handshake(node, cookie, our_name=our_name), on_message, on_lost)
        address = node.partition("@")[2]
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().create_connection(lambda: connection, address, port)
                await connection._ready
        except TimeoutError as error:
            connection.close()
            raise NoDistribution(f"{node} does not shake hands within {timeout:g} s") from error
        except OSError as error:
            raise NoDistribution(
                f"{node} takes no connections at {address}:{port}", cause=str(error)
            ) from error
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def peer(self) -> Peer:
        return self._talk.peer

    @property
    def pid(self) -> Pid:
        return self._talk.pid

    async def call(
        self, module: Name, function: Name, args: Sequence[Any] = (), *, timeout: float | None = 30.0
    ) -> Any:
        """Calls `module:function(...args)` on the node and returns its value.

        An exception there is raised as ErlangError."""
        what = f"{module}:{function}/{len(args)}"
        try:
            async with asyncio.timeout(timeout):
                if not self._helped:
                    await self._bring_helper()
                return called(await self._ask(*helped(module, function, args)), what)
        except TimeoutError as error:
            raise CallTimeout(
                f"{self.peer.name} did not answer {what} within {timeout:g} s",
                cause="the call goes on there, its answer will not be heard",
            ) from error

    def close(self) -> None:
        """Closes the connection; pending calls fail. Idempotent."""
        self._on_lost = lambda: None
        self._lose(NodeUnavailable(f"the connection to {self._handshake.node} was closed"))

    # -- calling

    @property
    def _talk(self) -> Session:
        assert self._session is not None, "hands are not shaken yet"
        return self._session

    async def _bring_helper(self) -> None:
        async with self._helping:
            if not self._helped:
                await self._carry_out(bringing(self.peer.name))
                self._helped = True

    async def _carry_out(self, plan: Bringing) -> None:
        with contextlib.suppress(StopIteration):
            module, function, args = next(plan)
            while True:
                try:
                    answer = raised(
                        await self._ask(Atom(module), Atom(function), args), f"{module}:{function}"
                    )
                except ErlangError as error:
                    module, function, args = plan.throw(error)
                else:
                    module, function, args = plan.send(answer)

    async def _ask(self, module: Atom, function: Atom, args: Sequence[Any]) -> Any:
        if self.lost is not None:
            raise ClusterError.from_dict(self.lost.to_dict())
        assert self._transport is not None
        number, parts = self._talk.call(module, function, args)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._transport.writelines(parts)
            return (await answer).read()
        finally:
            self._waiting.pop(number, None)

    # -- callbacks of the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._handshake.send)

    def data_received(self, data: bytes) -> None:
        try:
            if self._session is None:
                data = self._shake_hands(data)
            if data:
                for frame in self._frames.feed(data):
                    self._take(frame)
        except ClusterError as error:
            self._lose(error)

    def connection_lost(self, error: Exception | None) -> None:
        if self._session is None:
            self._lose(self._handshake.closed())
        else:
            cause = str(error) if error else None
            self._lose(NodeUnavailable(f"{self.peer.name} ended, or closed the connection", cause=cause))

    def _shake_hands(self, data: bytes) -> bytes:
        """Returns the bytes that follow the handshake."""
        assert self._transport is not None
        self._begun += data
        while len(self._begun) >= 2:
            size = int.from_bytes(self._begun[:2])
            if size > LARGEST_MESSAGE:
                raise NoDistribution(f"what listens where {self._handshake.node} should be is no Erlang node")
            if len(self._begun) < 2 + size:
                break
            message, self._begun = self._begun[2 : 2 + size], self._begun[2 + size :]
            if answer := self._handshake.receive(message):
                self._transport.write(answer)
            if self._handshake.peer is not None:
                self._session = Session(self._handshake.peer)
                if not self._ready.done():
                    self._ready.set_result(None)
                return self._begun
        return b""

    def _take(self, frame: bytes) -> None:
        if not frame:
            assert self._transport is not None
            self._transport.write(TICK)
            return
        match self._talk.sort(frame):
            case Reply(number=number) as reply:
                answer = self._waiting.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(reply)
            case NodeMessage(term=term):
                self._on_message(term)

    def _lose(self, error: ClusterError) -> None:
        if self.lost is not None:
            return
        self.lost = error
        if self._transport is not None:
            self._transport.abort()
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # `open` raises it; nothing else needs it
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ClusterError.from_dict(error.to_dict()))
        self._on_lost()
