"""The keeper's ear: a private Unix socket, JSON lines both ways, requests in, answers and events out.

    -> {"id": 1, "op": "status", "args": {}}
    <- {"id": 1, "result": {...}}            or  {"id": 1, "error": {...}}
    <- {"event": {...}}                      until the answer, where a request has "events": true; for good after `watch`
    <- {"id": null, "error": {...}}          where the conversation itself makes no sense

A request of more than a mebibyte must begin with "id" and "op", and its operation must be one that carries code.

A connection is also a lease where it asked for one: when its holder dies, however it dies, the kernel closes it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import socket
import struct
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from clusterlib.errors import ClusterBusy, ClusterError, UsageError
from clusterlib.hosts.places import remove_socket
from clusterlib.keeper.keeper import Keeper
from clusterlib.keeper.lines import Lines, LineTooLong, LongLines
from clusterlib.keeper.turns import Turn
from clusterlib.messages.events import Event

__all__ = ["ControlServer", "Conversation", "peer_is_us"]

LONGEST_BACKLOG = 4 * 1024 * 1024
Operation = Callable[..., Awaitable[Any]]
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
        self._long_lines = LongLines()

    async def open(self) -> None:
        remove_socket(self._path)
        self._server = await asyncio.start_unix_server(self._accept, path=self._path, backlog=MOST_WAITING)
        self._path.chmod(0o600)

    async def adopt(self, channel: socket.socket, holder: str) -> None:
        """Talks over a socket that was there before the server: the channel of whoever started the keeper.

        It holds the cluster from the first moment: if it dies before it says a word, nobody else would end the keeper."""
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        self._accept(reader, writer, holder)

    async def close(self) -> None:
        """Stops listening, says what is still to be said, hangs up."""
        if self._server is not None:
            self._server.close()
        remove_socket(self._path)
        await asyncio.gather(*(conversation.finish() for conversation in self._conversations))

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holder: str | None = None
    ) -> None:
        if not peer_is_us(writer.get_extra_info("socket")):
            self._keeper.events.tell("control.refused", reason="a process of another user")
            writer.close()
            return
        conversation = Conversation(self._keeper, Lines(reader, self._long_lines), writer)
        if holder is not None:
            conversation.hold(holder)
        self._conversations[conversation] = asyncio.get_running_loop().create_task(conversation.run())
        self._conversations[conversation].add_done_callback(lambda _: self._conversations.pop(conversation))


class Conversation:
    """One client. Its requests are carried out side by side; its leases and watches end with it."""

    def __init__(self, keeper: Keeper, lines: Lines, writer: asyncio.StreamWriter) -> None:
        self._keeper = keeper
        self._lines = lines
        self._writer = writer
        self._leases: list[int] = []
        self._turn: Turn | None = None
        self._over = False
        self._unwatch: Callable[[], None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._operations: dict[str, Operation] = {
            "start": self._start,
            "status": self._status,
            "watch": self._watch,
            "lease": self._lease,
            "release": self._release,
            "abandon": self._abandon,
            "keep": self._keep,
            "down": self._unless_shared(self._down),
            "take_turn": self._take_turn,
            "end_turn": self._end_turn,
            "flush_logs": keeper.flush_logs,
            "examine": keeper.looking.examine,
            "measure": keeper.looking.measure,
            "restart": self._unless_shared(keeper.restart),
            "code": keeper.code,
            "load": self._unless_shared(keeper.load),
            "scale": self._unless_shared(keeper.scale),
            "heal": self._unless_shared(keeper.heal),
            "stop_node": self._unless_shared(self._signed(keeper.harm.stop)),
            "start_node": self._unless_shared(self._signed(keeper.harm.start)),
            "stacks": keeper.stacks,
            "kill": self._unless_shared(self._signed(keeper.harm.kill)),
            "pause": self._unless_shared(self._signed(keeper.harm.pause)),
            "resume": self._unless_shared(self._signed(keeper.harm.resume)),
        }

    def hold(self, holder: str) -> None:
        """Takes a lease that ends with this conversation."""
        self._leases.append(self._keeper.holding.leases.take(holder))

    async def run(self) -> None:
        try:
            while line := await self._lines.next():
                self._take(line)
        except LineTooLong as reason:
            self._refuse(None, UsageError("a request was not read to its end", cause=str(reason)))
        except OSError:
            pass  # a connection reset: as good as a hang-up
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
        number, name, arguments, listening = request
        task = asyncio.get_running_loop().create_task(self._answer(number, name, arguments, listening))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _answer(self, number: object, name: str, arguments: dict[str, Any], listening: bool) -> None:
        operation = self._operations.get(name)
        heard = self._keeper.events.watch(self._tell) if listening and self._unwatch is None else None
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
        finally:
            if heard is not None:
                heard()

    def _tell(self, event: Event) -> None:
        self._say({"event": event})

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
        if self._turn is not None:
            self._keeper.holding.lose_turn(self._turn)
        self._let_go("its holder is gone")
        self._writer.close()

    def _let_go(self, how: str) -> None:
        while self._leases:
            self._keeper.holding.leases.release(self._leases.pop(), how)

    # -- operations that belong to the conversation

    async def _start(self) -> dict[str, Any]:
        try:
            return await self._keeper.start()
        except Exception:
            await self._keeper.shut_down("it did not start")
            raise

    async def _status(self) -> dict[str, Any]:
        return self._keeper.status()

    async def _watch(self, after: int | None = None) -> dict[str, Any]:
        """From now on events are told; with `after`, those since that number first."""
        if after is not None:
            for event in self._keeper.events.recent:
                if event["number"] > after:
                    self._tell(event)
        if self._unwatch is None:
            self._unwatch = self._keeper.events.watch(self._tell)
        return {}

    async def _lease(self, holder: str, *, sole: bool = False) -> dict[str, Any]:
        """`sole`: only where nobody else holds the cluster."""
        if self._keeper.ending or self._over:
            raise self._keeper.gone()
        if sole:
            self._check_sole()
        self.hold(holder)
        return {"status": self._keeper.status()}

    def _check_sole(self) -> None:
        leases = self._keeper.holding.leases.describe()
        others = [lease["holder"] for lease in leases if lease["number"] not in self._leases]
        if others:
            raise ClusterBusy(
                f"cluster '{self._keeper.plan.name}' is held by somebody else",
                evidence=others,
                remedies=["invoke cluster.status", "invoke cluster.up --name another"],
            )

    async def _take_turn(
        self, holder: str, *, exclusive: bool = True, timeout: float | None = None
    ) -> dict[str, Any]:
        """Waits for a turn, at most `timeout` seconds. It ends with this conversation at the latest."""
        if self._keeper.ending or self._over:
            raise self._keeper.gone()
        if self._turn is not None:
            raise UsageError(
                f"this connection has a turn already, or waits for one: {self._turn}",
                remedies=["end_turn() first", "attach() once more: each connection can have a turn"],
            )
        turn = self._turn = self._keeper.holding.turns.ask(holder, exclusive=exclusive)
        try:
            return await self._keeper.begin_turn(turn, timeout)
        except BaseException:
            if self._turn is turn:
                self._turn = None
            raise

    async def _end_turn(self, dirty: str | None = None) -> dict[str, Any]:
        """Ends the turn of this conversation; one that it still waits for is withdrawn."""
        turn, self._turn = self._turn, None
        if turn is None:
            raise UsageError("this connection has no turn that could end", remedies=["take_turn() first"])
        return await self._keeper.end_turn(turn, dirty)

    def _unless_shared(self, operation: Operation) -> Operation:
        """Whoever shares the cluster with others must not break it under them."""

        @functools.wraps(operation)
        async def allowed(*arguments: Any, **named: Any) -> Any:
            turn = self._turn
            if turn is not None and turn.since is not None and not turn.exclusive:
                raise ClusterBusy(
                    f"{turn.holder} shares the cluster with others, and may not change it under them",
                    cause="its turn is a shared one",
                    remedies=["@pytest.mark.cluster(exclusive=True)", "take_turn(who, exclusive=True)"],
                )
            return await operation(*arguments, **named)

        return allowed

    def _signed(self, operation: Operation) -> Operation:
        """Says who does it: the test whose turn it is, else what the client calls itself."""

        @functools.wraps(operation)
        async def signed(name: str, by: str = "") -> Any:
            has_turn = self._turn is not None and self._turn.since is not None
            return await operation(name, self._turn.holder if self._turn and has_turn else by)

        return signed

    async def _release(self) -> dict[str, Any]:
        """Hands back what this conversation holds. Where that ends the cluster, answers when it is gone."""
        self._let_go("handed back")
        return await self._unless_it_lives_on()

    async def _abandon(self) -> dict[str, Any]:
        self._let_go("its holder changed its mind")
        self._keeper.holding.abandon()
        return await self._unless_it_lives_on()

    async def _keep(self) -> dict[str, Any]:
        self._keeper.holding.keep()
        self._let_go("handed back")
        return {"status": self._keeper.status()}

    async def _down(self, reason: str = "asked to") -> dict[str, Any]:
        await asyncio.shield(self._keeper.shut_down(reason, by=self._keeper.holding.turns.alone))
        problem = self._keeper.finished.result()
        if problem is not None:
            raise problem
        return {"stopped": sorted(self._keeper.nodes)}

    async def _unless_it_lives_on(self) -> dict[str, Any]:
        if self._keeper.ending:
            await self._down()
        return {"ended": self._keeper.ending}


def _check_arguments(name: str, operation: Operation, arguments: dict[str, Any]) -> None:
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


def _request(line: bytes) -> tuple[object, str, dict[str, Any], bool] | None:
    try:
        request = json.loads(line)
        number, name, arguments = request["id"], request["op"], request.get("args") or {}
        listening = request.get("events") is True
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    return number, name, arguments, listening
