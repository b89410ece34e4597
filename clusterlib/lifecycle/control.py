"""The keeper's ear: a private Unix socket, JSON lines both ways, requests in, answers and events out.

    -> {"id": 1, "op": "status", "args": {}}
    <- {"id": 1, "result": {...}}            or  {"id": 1, "error": {...}}
    <- {"event": {...}}                      on connections that asked to `watch`
    <- {"id": null, "error": {...}}          where the conversation itself makes no sense

A connection is also a lease where it asked for one: when its holder dies, however it dies, the kernel closes it.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import socket
import struct
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from clusterlib.errors import ClusterError, UsageError
from clusterlib.lifecycle.events import Event
from clusterlib.lifecycle.keeper import Keeper

__all__ = ["ControlServer", "Conversation", "peer_is_us"]

LONGEST_LINE = 64 * 1024 * 1024
LONGEST_BACKLOG = 4 * 1024 * 1024
MOST_WAITING = 1024
"""Connections that may wait to be accepted: as many test workers as a machine may have."""


def peer_is_us(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as our user, as the kernel attests it."""
    if hasattr(socket, "SO_PEERCRED"):
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return bool(uid == os.getuid())
    return True  # elsewhere the folder's mode, 0700, keeps others out


class ControlServer:
    """Accepts clients; each gets a conversation of its own."""

    def __init__(self, keeper: Keeper, path: Path) -> None:
        self._keeper = keeper
        self._path = path
        self._server: asyncio.AbstractServer | None = None
        self._conversations: dict[Conversation, asyncio.Task[None]] = {}

    async def open(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            self._accept, path=self._path, limit=LONGEST_LINE, backlog=MOST_WAITING
        )
        self._path.chmod(0o600)

    async def adopt(self, channel: socket.socket, holder: str) -> None:
        """Talks over a socket that was there before the server: the channel of whoever started the keeper.

        It holds the cluster from the first moment: if it dies before it says a word, nobody else would end the keeper."""
        reader, writer = await asyncio.open_unix_connection(sock=channel, limit=LONGEST_LINE)
        self._accept(reader, writer, holder)

    async def close(self) -> None:
        """Stops listening, says what is still to be said, hangs up."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        await asyncio.gather(*(conversation.finish() for conversation in self._conversations))

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holder: str | None = None
    ) -> None:
        if not peer_is_us(writer.get_extra_info("socket")):
            self._keeper.events.tell("control.refused", reason="a process of another user")
            writer.close()
            return
        conversation = Conversation(self._keeper, reader, writer)
        if holder is not None:
            conversation.hold(holder)
        self._conversations[conversation] = asyncio.get_running_loop().create_task(conversation.run())
        self._conversations[conversation].add_done_callback(lambda _: self._conversations.pop(conversation))


class Conversation:
    """One client. Its requests are carried out side by side; its leases and watches end with it."""

    def __init__(self, keeper: Keeper, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keeper = keeper
        self._reader = reader
        self._writer = writer
        self._leases: list[int] = []
        self._over = False
        self._unwatch: Callable[[], None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Callable[..., Awaitable[Any]]] = {
            "start": self._start,
            "status": self._status,
            "watch": self._watch,
            "lease": self._lease,
            "release": self._release,
            "abandon": self._abandon,
            "keep": self._keep,
            "down": self._down,
            "restart": keeper.restart,
            "scale": keeper.scale,
            "kill": keeper.kill,
            "pause": keeper.pause,
            "resume": keeper.resume,
        }

    def hold(self, holder: str) -> None:
        """Takes a lease that ends with this conversation."""
        self._leases.append(self._keeper.leases.take(holder))

    async def run(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(line)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass  # a line beyond the limit, or a connection reset: as good as a hang-up
        finally:
            self._hang_up()
        # What a client set in motion goes on without it: half a restart is worse than an unwatched one.
        if self._requests:
            await asyncio.wait(self._requests)

    async def finish(self) -> None:
        """Answers what was asked, within a second, and hangs up. A client that does not read is not waited for."""
        if self._requests:
            await asyncio.wait(self._requests, timeout=1.0)
        try:
            async with asyncio.timeout(1.0):
                await self._writer.drain()
        except (OSError, TimeoutError):
            pass
        self._writer.close()

    def _take(self, line: bytes) -> None:
        request = _request(line)
        if request is None:
            problem = 'not a request: one JSON object a line, such as {"id": 1, "op": "status", "args": {}}'
            self._refuse(None, UsageError(problem))
            return
        number, name, arguments = request
        task = asyncio.get_running_loop().create_task(self._answer(number, name, arguments))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _answer(self, number: object, name: str, arguments: dict[str, Any]) -> None:
        operation = self._operations.get(name)
        try:
            if operation is None:
                raise UsageError(
                    f"the keeper knows no operation {name!r}", evidence=[", ".join(self._operations)]
                )
            _check_arguments(name, operation, arguments)
            result = await operation(**arguments)
        except ClusterError as error:
            self._refuse(number, error)
        except asyncio.CancelledError:
            self._refuse(number, self._keeper.gone())
        except Exception as error:  # noqa: BLE001 - a client must never wait for an answer that does not come
            traceback.print_exc()
            self._refuse(number, _unforeseen(name, error, self._keeper))
        else:
            self._say({"id": number, "result": result})

    def _refuse(self, number: object, error: ClusterError) -> None:
        self._say({"id": number, "error": error.to_dict()})

    def _say(self, message: dict[str, Any]) -> None:
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > LONGEST_BACKLOG:
            self._writer.transport.abort()  # it does not listen; the keeper's memory is not its mailbox
            return
        self._writer.write(json.dumps(message).encode() + b"\n")

    def _hang_up(self) -> None:
        self._over = True
        if self._unwatch is not None:
            self._unwatch()
        self._let_go("its holder is gone")
        self._writer.close()

    def _let_go(self, how: str) -> None:
        while self._leases:
            self._keeper.leases.release(self._leases.pop(), how)

    # -- operations that belong to the conversation

    async def _start(self) -> dict[str, Any]:
        await self._watch(after=0)
        try:
            return await self._keeper.start()
        except Exception:
            await self._keeper.shut_down("it did not start")
            raise

    async def _status(self) -> dict[str, Any]:
        return self._keeper.status()

    async def _watch(self, after: int | None = None) -> dict[str, Any]:
        """From now on events are told; with `after`, those since that number first."""

        def tell(event: Event) -> None:
            self._say({"event": event})

        if after is not None:
            for event in self._keeper.events.recent:
                if event["number"] > after:
                    tell(event)
        if self._unwatch is None:
            self._unwatch = self._keeper.events.watch(tell)
        return {}

    async def _lease(self, holder: str) -> dict[str, Any]:
        if self._keeper.ending or self._over:
            raise self._keeper.gone()
        self.hold(holder)
        return {"status": self._keeper.status()}

    async def _release(self) -> dict[str, Any]:
        """Hands back what this conversation holds. Where that ends the cluster, answers when it is gone."""
        self._let_go("handed back")
        return await self._unless_it_lives_on()

    async def _abandon(self) -> dict[str, Any]:
        self._let_go("its holder changed its mind")
        self._keeper.abandon()
        return await self._unless_it_lives_on()

    async def _keep(self) -> dict[str, Any]:
        self._keeper.keep()
        self._let_go("handed back")
        return {"status": self._keeper.status()}

    async def _down(self, reason: str = "asked to") -> dict[str, Any]:
        await asyncio.shield(self._keeper.shut_down(reason))
        problem = self._keeper.finished.result()
        if problem is not None:
            raise problem
        return {"stopped": sorted(self._keeper.nodes)}

    async def _unless_it_lives_on(self) -> dict[str, Any]:
        if self._keeper.ending:
            await self._down()
        return {"ended": self._keeper.ending}


def _check_arguments(name: str, operation: Callable[..., Awaitable[Any]], arguments: dict[str, Any]) -> None:
    try:
        inspect.signature(operation).bind(**arguments)
    except TypeError as error:
        raise UsageError(f"bad arguments for {name!r}", cause=str(error)) from error


def _unforeseen(name: str, error: Exception, keeper: Keeper) -> ClusterError:
    return ClusterError(
        f"the keeper of cluster '{keeper.plan.name}' failed at {name!r}",
        cause=f"{type(error).__name__}: {error}",
        remedies=[f"cat {keeper.run.keeper_log}"],
    )


def _request(line: bytes) -> tuple[object, str, dict[str, Any]] | None:
    try:
        request = json.loads(line)
        number, name, arguments = request["id"], request["op"], request.get("args") or {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (number, name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None
