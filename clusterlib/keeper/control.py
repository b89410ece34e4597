"""The keeper's control socket: a private Unix socket with JSON lines for requests and answers.

    -> {"id": 1, "op": "status", "args": {}}
    <- {"id": 1, "result": {...}}            or  {"id": 1, "error": {...}}
    <- {"event": {...}}                      until the answer, if a request has "events": true;
                                             without end after `watch`
    <- {"id": null, "error": {...}}          if the line is not a valid request

A request of more than a mebibyte must begin with "id" and "op", and its operation must be one
that carries code.

A connection is also a lease if it asked for one. When its holder ends in any way, the kernel
closes it.
"""

from __future__ import annotations

import asyncio
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
from clusterlib.messages.codec import sent
from clusterlib.messages.event import Event
from clusterlib.messages.events import ControlRefused
from clusterlib.messages.requests import (
    Abandon,
    BeginOperation,
    Code,
    Down,
    EndOperation,
    EndTurn,
    Examine,
    FlushLogs,
    Handed,
    Heal,
    Keep,
    Kill,
    Load,
    Measure,
    NodeRequest,
    Observe,
    Pause,
    Release,
    Request,
    Restart,
    Resume,
    Scale,
    Stacks,
    Start,
    StartNode,
    StatusRequest,
    StopNode,
    TakeLease,
    TakeTurn,
    Watch,
    name_of,
    request_of,
)
from clusterlib.messages.status import ClusterStatus, Peak, TurnGiven
from clusterlib.messages.uses import LeaseEnd
from clusterlib.remedies import do

__all__ = ["ControlServer", "Conversation", "peer_is_us"]

LONGEST_BACKLOG = 4 * 1024 * 1024
Answerer = Callable[[Any], Awaitable[object]]
MOST_WAITING = 1024
"""Connections that may wait to be accepted: as many test workers as a machine may have."""


def peer_is_us(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as our user, according to the kernel."""
    if hasattr(socket, "SO_PEERCRED"):
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return bool(uid == os.getuid())
    return True  # elsewhere the folder's mode, 0700, keeps others out


class ControlServer:
    """Accepts clients. Each gets its own conversation."""

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
        """Serves a socket that is older than the server: the channel of the starter of the keeper.

        It holds the cluster from the start. If the starter dies early, nothing else ends the
        keeper."""
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        self._accept(reader, writer, holder)

    async def close(self) -> None:
        """Stops listening, sends what is pending, and hangs up."""
        if self._server is not None:
            self._server.close()
        remove_socket(self._path)
        await asyncio.gather(*(conversation.finish() for conversation in self._conversations))

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, holder: str | None = None
    ) -> None:
        if not peer_is_us(writer.get_extra_info("socket")):
            self._keeper.events.tell(ControlRefused("a process of another user"))
            writer.close()
            return
        conversation = Conversation(self._keeper, Lines(reader, self._long_lines), writer)
        if holder is not None:
            conversation.hold(holder)
        self._conversations[conversation] = asyncio.get_running_loop().create_task(conversation.run())
        self._conversations[conversation].add_done_callback(lambda _: self._conversations.pop(conversation))


class Conversation:
    """One client. Its requests run side by side. Its leases and watches end with it."""

    def __init__(self, keeper: Keeper, lines: Lines, writer: asyncio.StreamWriter) -> None:
        self._keeper = keeper
        self._lines = lines
        self._writer = writer
        self._leases: list[int] = []
        self._turn: Turn | None = None
        self._over = False
        self._unwatch: Callable[[], None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        faults = keeper.faults
        self._answers: dict[type[Request[Any]], Answerer] = {
            Start: lambda _: self._start(),
            StatusRequest: lambda _: self._status(),
            Watch: self._watch,
            TakeLease: self._take_lease,
            Release: lambda _: self._release(),
            Abandon: lambda _: self._abandon(),
            Keep: lambda _: self._keep(),
            Down: self._down,
            TakeTurn: self._take_turn,
            EndTurn: self._end_turn,
            BeginOperation: self._begin_operation,
            EndOperation: self._end_operation,
            FlushLogs: lambda _: keeper.flush_logs(),
            Examine: lambda asked: keeper.looking.examine(asked.within),
            Measure: lambda _: keeper.looking.measure(),
            Code: lambda _: keeper.code(),
            Stacks: lambda asked: keeper.stacks(asked.name),
            Observe: lambda asked: keeper.looking.observe(
                faults.find(asked.name), simulated=keeper.plan.simulated
            ),
            Restart: lambda asked: keeper.restart(asked.names, fresh=asked.fresh),
            Load: lambda asked: keeper.load(asked.code, asked.modules, asked.gone, asked.role),
            Scale: lambda asked: keeper.scale(asked.count, asked.role),
            Heal: lambda asked: keeper.heal(fresh=asked.fresh),
            StopNode: lambda asked: faults.stop(asked.name, self._signature(asked)),
            StartNode: lambda asked: faults.start(asked.name, self._signature(asked)),
            Kill: lambda asked: faults.kill(asked.name, self._signature(asked)),
            Pause: lambda asked: faults.pause(asked.name, self._signature(asked)),
            Resume: lambda asked: faults.resume(asked.name, self._signature(asked)),
        }
        self._kinds = {name_of(kind): kind for kind in self._answers}

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
            pass  # a reset is the same as a hang-up
        finally:
            self._hang_up()
        # Requests go on without their client: half a restart is worse than an unwatched one.
        if self._requests:
            await asyncio.wait(self._requests)

    async def finish(self) -> None:
        """Answers open requests within a second and hangs up, even if the client does not read."""
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
        heard = self._keeper.events.watch(self._tell) if listening and self._unwatch is None else None
        try:
            request = request_of(self._kinds, name, arguments)
            if request.changes:
                self._check_not_shared()
            result = await self._answers[type(request)](request)
        except ClusterError as error:
            self._refuse(number, error)
        except asyncio.CancelledError:
            self._refuse(number, self._keeper.gone())
        except Exception as error:  # noqa: BLE001 - a client must never wait for an answer that does not come
            traceback.print_exc()
            self._refuse(number, _unforeseen(name, error, self._keeper))
        else:
            self._say({"id": number, "result": sent(result)})
        finally:
            if heard is not None:
                heard()

    def _tell(self, event: Event) -> None:
        self._say({"event": event.to_dict()})

    def _refuse(self, number: object, error: ClusterError) -> None:
        self._say({"id": number, "error": error.to_dict()})

    def _say(self, message: dict[str, Any]) -> None:
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > LONGEST_BACKLOG:
            self._writer.transport.abort()  # it does not read, and memory is limited
            return
        self._writer.write(json.dumps(message).encode() + b"\n")

    def _hang_up(self) -> None:
        self._over = True
        if self._unwatch is not None:
            self._unwatch()
        if not self._keeper.ending:
            self._keeper.holding.operations.lose(self)
        if self._turn is not None:
            self._keeper.holding.lose_turn(self._turn)
        self._let_go(LeaseEnd.LOST)
        self._writer.close()

    def _let_go(self, how: LeaseEnd) -> None:
        while self._leases:
            self._keeper.holding.leases.release(self._leases.pop(), how)

    # -- requests that belong to the conversation

    async def _start(self) -> ClusterStatus:
        try:
            return await self._keeper.start()
        except Exception:
            await self._keeper.shut_down("it did not start")
            raise

    async def _status(self) -> ClusterStatus:
        return self._keeper.status()

    async def _watch(self, asked: Watch) -> None:
        if asked.after is not None:
            for event in self._keeper.events.recent:
                if event.number > asked.after:
                    self._tell(event)
        if self._unwatch is None:
            self._unwatch = self._keeper.events.watch(self._tell)

    async def _take_lease(self, asked: TakeLease) -> ClusterStatus:
        if self._keeper.ending or self._over:
            raise self._keeper.gone()
        if asked.sole:
            self._check_sole()
        self.hold(asked.holder)
        return self._keeper.status()

    def _check_sole(self) -> None:
        leases = self._keeper.holding.leases.status()
        others = [lease.holder for lease in leases if lease.number not in self._leases]
        if others:
            raise ClusterBusy(
                f"cluster '{self._keeper.plan.name}' is held by another client",
                evidence=others,
                remedies=[do("cluster.status"), do("cluster.up", name="another")],
            )

    async def _take_turn(self, asked: TakeTurn) -> TurnGiven:
        """Waits for a turn. It ends at the latest with this conversation."""
        if self._keeper.ending or self._over:
            raise self._keeper.gone()
        if self._turn is not None:
            raise UsageError(
                f"this connection has a turn already, or waits for one: {self._turn}",
                remedies=["end_turn() first", "attach() once more: each connection can have a turn"],
            )
        turn = self._turn = self._keeper.holding.turns.ask(asked.holder, exclusive=asked.exclusive)
        try:
            return await self._keeper.begin_turn(turn, asked.timeout)
        except BaseException:
            if self._turn is turn:
                self._turn = None
            raise

    async def _end_turn(self, asked: EndTurn) -> Peak:
        """Ends the turn of this conversation, or withdraws its request for one."""
        turn, self._turn = self._turn, None
        if turn is None:
            raise UsageError("this connection has no turn that could end", remedies=["take_turn() first"])
        return await self._keeper.end_turn(turn, asked.dirty)

    def _check_not_shared(self) -> None:
        """Prevents a test that shares the cluster from changing it while others use it."""
        turn = self._turn
        if turn is not None and turn.since is not None and not turn.exclusive:
            raise ClusterBusy(
                f"{turn.holder} shares the cluster with others, and may not change it",
                cause="its turn is a shared one",
                remedies=["@pytest.mark.cluster(exclusive=True)", "take_turn(who, exclusive=True)"],
            )

    async def _begin_operation(self, asked: BeginOperation) -> int:
        if asked.effect.changes or asked.taints:
            self._check_not_shared()
        return self._keeper.holding.operations.begin(asked, self._signature(asked), self)

    async def _end_operation(self, asked: EndOperation) -> None:
        self._keeper.holding.operations.end(asked, self)

    def _signature(self, asked: NodeRequest | BeginOperation) -> str:
        """Who asks: the test that has the turn, or else the name that the client gives itself."""
        has_turn = self._turn is not None and self._turn.since is not None
        return self._turn.holder if self._turn is not None and has_turn else asked.by

    async def _release(self) -> Handed:
        """Hands back what this conversation holds. If that ends the cluster, waits for the end."""
        self._let_go(LeaseEnd.RETURNED)
        return await self._unless_it_lives_on()

    async def _abandon(self) -> Handed:
        self._let_go(LeaseEnd.ABANDONED)
        self._keeper.holding.abandon()
        return await self._unless_it_lives_on()

    async def _keep(self) -> ClusterStatus:
        self._keeper.holding.keep()
        self._let_go(LeaseEnd.RETURNED)
        return self._keeper.status()

    async def _down(self, asked: Down) -> None:
        self._keeper.holding.operations.ends_cluster(self)
        await asyncio.shield(self._keeper.shut_down(asked.reason, by=self._keeper.holding.turns.alone))
        problem = self._keeper.finished.result()
        if problem is not None:
            raise problem

    async def _unless_it_lives_on(self) -> Handed:
        if self._keeper.ending:
            await self._down(Down())
        return Handed(self._keeper.ending)


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
