"""The embedded Python node: inherits its listening sockets, reports over a control channel, stops
on request."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clusterlib.drivers.api import Driver, Link, Member, NodeSpec
from clusterlib.errors import ClusterError
from clusterlib.health.probes import Answer, Never, NotYet, Ready, Rung
from clusterlib.hosts.api import Entry, Process, Spawn
from clusterlib.messages.codec import plain
from clusterlib.network.ports import Claim

__all__ = ["PythonDriver"]


class PythonDriver(Driver):
    name = "python"
    purposes = ("cluster", "http")

    @property
    def stack_signal(self) -> int | None:
        from clusterlib.runtime.stacks import SIGNAL  # imported late, so that a keeper starts without it

        return SIGNAL

    @property
    def observe_signal(self) -> int | None:
        from clusterlib.runtime.observing import SIGNAL

        return SIGNAL

    @property
    def stacks_file(self) -> str:
        from clusterlib.runtime.stacks import STACKS_FILE

        return STACKS_FILE

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, PythonLink]:
        listeners: dict[str, socket.socket] = {}
        try:
            for purpose in self.purposes:
                listeners[purpose] = claims[purpose].listen()
            ours, theirs = socket.socketpair()
        except OSError:
            for listener in listeners.values():
                listener.close()
            raise
        spawn = Spawn(
            name=node.name,
            run=Entry("clusterlib.runtime.node:main", {"config": str(Path(node.directory) / "node.json")}),
            directory=node.directory,
            environment=node.environment,
            inherit={"control": theirs.fileno()} | {purpose: s.fileno() for purpose, s in listeners.items()},
        )
        return spawn, PythonLink(ours, [theirs, *listeners.values()])

    def ports_stolen(self, log_tail: list[str]) -> bool:
        return any("Address already in use" in line or "EADDRINUSE" in line for line in log_tail)


class PythonLink(Link):
    """JSON lines with one node. All information arrives as messages, so nothing is polled."""

    view: frozenset[str] = frozenset()
    failure: ClusterError | None = None

    def __init__(self, channel: socket.socket, lent: list[socket.socket]) -> None:
        self._listening = False
        self._serving = False
        self._channel = channel
        self._lent = lent
        self._buffer = b""
        self._unsent = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._open = True
        self._asked: dict[int, asyncio.Future[Sequence[str] | None]] = {}
        self._numbers = itertools.count(1)

    def begin(self, process: Process, news: asyncio.Event) -> None:  # noqa: ARG002  (the channel tells all)
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel.fileno(), self._receive)
        self._return_lent()

    def ladder(self, expected: frozenset[str]) -> list[Rung]:
        return [
            Rung(
                "listening",
                self._probe(lambda: self._listening, "it has not opened its ports yet"),
                polls=False,
            ),
            Rung("joined", self._joined(expected), polls=False),
            Rung(
                "serving",
                self._probe(lambda: self._serving, "its application has not started yet"),
                polls=False,
            ),
        ]

    def expect(self, members: Sequence[Member]) -> None:
        self._send({"do": "peers", "peers": plain(members)})

    async def ask_to_stop(self) -> bool:
        return self._send({"do": "stop"})

    async def stale_files(self, within: float) -> Sequence[str] | None:
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            if not self._send({"do": "code", "number": number}):
                return None
            return await asyncio.wait_for(answer, within)
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def close(self) -> None:
        if self._open:
            self._open = False
            for answer in self._asked.values():
                _answer(answer, None)
            if self._loop is not None:
                self._loop.remove_reader(self._channel.fileno())
                self._loop.remove_writer(self._channel.fileno())
            self._channel.close()
            self._return_lent()

    def _return_lent(self) -> None:
        while self._lent:
            self._lent.pop().close()

    def _send(self, message: dict[str, Any]) -> bool:
        """Sends it in order: a paused node gets later what it could not take now."""
        if not self._open or self._loop is None:
            return False
        self._unsent += json.dumps(message).encode() + b"\n"
        return self._flush()

    def _flush(self) -> bool:
        assert self._loop is not None
        try:
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # it is gone, which the reader notices, too
            return False
        if self._unsent:
            self._loop.add_writer(self._channel.fileno(), self._flush)
        else:
            self._loop.remove_writer(self._channel.fileno())
        return True

    def _receive(self) -> None:
        try:
            data = self._channel.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))
        self._news.set()

    def _hear(self, message: dict[str, Any]) -> None:
        match message.get("event"):
            case "listening":
                self._listening = True
            case "view":
                self.view = frozenset(message["alive"])
            case "serving":
                self._serving = True
            case "failed":
                self.failure = ClusterError.from_dict(message["error"])
            case "code" if (answer := self._asked.get(message["number"])) is not None:
                _answer(answer, tuple(map(str, message["stale"])))

    def _probe(self, reached: Callable[[], bool], why_not: str) -> Callable[[], Any]:
        async def probe() -> Answer:
            if self.failure is not None:
                return Never(self.failure.problem)
            return Ready() if reached() else NotYet(why_not)

        return probe

    def _joined(self, expected: frozenset[str]) -> Callable[[], Any]:
        async def probe() -> Answer:
            if self.failure is not None:
                return Never(self.failure.problem)
            missing = sorted(expected - self.view)
            if not missing:
                return Ready()
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            return NotYet(f"it does not see {shown} yet")

        return probe


def _answer(asked: asyncio.Future[Sequence[str] | None], answer: Sequence[str] | None) -> None:
    if not asked.done():
        asked.set_result(answer)
