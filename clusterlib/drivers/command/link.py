"""The keeper's connection to one server: its output, whether it answers, whether it has found the
others."""

from __future__ import annotations

import asyncio
import math
import re
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clusterlib.drivers.api import Link, NodeSpec
from clusterlib.drivers.command.asking import ask, ports_of, unanswered
from clusterlib.drivers.command.own_ports import OwnPorts
from clusterlib.drivers.command.settings import Question
from clusterlib.errors import ClusterError
from clusterlib.health.probes import Answer, Never, NotYet, Ready, Rung
from clusterlib.hosts.api import Process
from clusterlib.messages.findings import Finding, failed, ok, skipped
from clusterlib.remedies import do
from clusterlib.rendering import render_text
from clusterlib.waiting import backoff, pause_async

if TYPE_CHECKING:
    from clusterlib.drivers.command.driver import CommandDriver

__all__ = ["COLUMNS", "ServerLink"]

COLUMNS = (
    ("connectivity", "answering"),
    ("application", "health"),
    ("application", "log"),
    ("cluster", "formed"),
)
LONGEST_LINE = 64 * 1024
ECHO = 0.1
"""Output within this time after a question counts as a reaction to it, as a part of the elapsed
time."""


class AwaitedLine:
    """A line that a server will print since its present start; none if the text is empty."""

    def __init__(self, text: str, values: Callable[[], Mapping[str, Any]]) -> None:
        self._text = text
        self._values = values
        self._pattern: re.Pattern[str] | None = None
        self._seen = not text

    @property
    def missing(self) -> NotYet | None:
        return None if self._seen else NotYet(f"it has not printed {self._filled()!r} yet")

    def read(self, line: str) -> bool:
        """Whether this is the line."""
        if self._seen:
            return False
        if self._pattern is None:
            self._pattern = re.compile(self._filled())
        self._seen = self._pattern.search(line) is not None
        return self._seen

    def _filled(self) -> str:
        return render_text(self._text, self._values())


class ServerLink(Link):
    """One start of one node. `driver` knows the others."""

    complaint: str | None = None
    failure: ClusterError | None = None

    def __init__(self, driver: CommandDriver, node: NodeSpec) -> None:
        self.node = node
        self.answering = False
        self.closed = False
        self._driver = driver
        self._server = driver.server
        self._process: Process | None = None
        self._news = asyncio.Event()
        self._met: dict[str, ServerLink] = {}
        """The nodes that this node saw when it was asked last, by name, each in its process of that
        moment."""
        self._awaited = [
            AwaitedLine(question.log, self._values_of_line)
            for question in (self._server.ready, self._server.formed)
        ]
        self._ports = OwnPorts(node, owned=self._server.ready.owned)
        self._begun = self._asked = time.monotonic()
        self._has_news = False
        """Whether it has printed an awaited line since the last question."""
        self._question: tuple[Question, Mapping[str, Any]] = (Question(), {})
        """Its last question, and the values for it."""
        self._line = b""
        self._work: set[asyncio.Task[None]] = set()

    # -- what it is now

    @property
    def view(self) -> frozenset[str]:
        return frozenset(name for name, link in self._met.items() if not link.closed)

    @property
    def remark(self) -> str:
        return self._ports.remark

    @property
    def formed(self) -> bool:
        return bool(self._met)

    def announce(self) -> None:
        """Something has changed that this node may wait for."""
        self._news.set()

    # -- the steps of a start

    def begin(self, process: Process, news: asyncio.Event) -> None:
        self._process = process
        self._ports.begin(process)
        self._news = news

    def ladder(self, expected: frozenset[str]) -> list[Rung]:
        return [
            Rung(
                "answering",
                self._answers,
                polls=self._server.ready.asks or self._ports.asked,
                interval=self._server.ready.interval,
                silence=self._silence,
            ),
            Rung("all answering", lambda: self._all_answer(expected), polls=False),
            Rung(
                "formed",
                lambda: self._found(expected),
                polls=self._server.formed.asks or self._server.health.asks,
                interval=self._server.formed.interval,
                silence=self._silence,
            ),
        ]

    async def _answers(self) -> Answer:
        if (broken := self._broken()) is not None:
            return broken
        if (missing := self._awaited[0].missing) is not None:
            return missing
        answer = self._ports.judge(await self._ask(self._server.ready), self._asked_ports)
        if (taken := self._ports.taken) is not None:
            self.failure = taken
        if isinstance(answer, Ready) and not self.answering:
            self.answering = True
            self._driver.announce()
        return answer

    async def _all_answer(self, expected: frozenset[str]) -> Answer:
        """All nodes answer, and the command that forms a cluster has run."""
        if (broken := self._broken()) is not None:
            return broken
        if silent := self._driver.silent(expected):
            return NotYet(
                f"it waits for {_some(silent)}, who {'does' if len(silent) == 1 else 'do'} not answer"
            )
        return self._driver.forming(self)

    async def _found(self, expected: frozenset[str]) -> Answer:
        if (broken := self._broken()) is not None:
            return broken
        if silent := self._driver.silent(expected):
            return NotYet(f"{_some(silent)} has gone")
        if (missing := self._awaited[1].missing) is not None:
            return missing
        others = self._driver.answering()
        answer = await self._formed_and_healthy(expected)
        if isinstance(answer, Ready):
            self._met = others
            self._driver.joined(self)
        return answer

    async def _formed_and_healthy(self, alive: Iterable[str]) -> Answer:
        """A ready cluster must also be healthy: both ask the same questions."""
        answer = await self._ask(self._server.formed, alive=sorted(alive))
        if isinstance(answer, Ready) and self._server.health.asks:
            return await self._ask(self._server.health, alive=sorted(alive))
        return answer

    def meet(self) -> None:
        """A node has joined: asks until this node has found it, too, or has ended."""
        self._spawn(self._meet())

    async def _meet(self) -> None:
        for pause in backoff(0.002, 1.6, 0.1):
            others = self._driver.answering()
            if isinstance(await self._formed_and_healthy(others), Ready):
                self._met = others
                self._driver.announce()
                return
            await pause_async(pause)

    # -- what it prints

    def hear(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-LONGEST_LINE:]
        for line in lines:
            self._read(line.decode("utf-8", errors="replace").rstrip("\r"))

    @property
    def matters(self) -> bool:
        """A line may be printed at the moment at which the server becomes ready.

        Soon after a question it is rather a reaction to this question: servers log their requests,
        and each answer would lead to the next question."""
        if self._has_news:
            return True
        now = time.monotonic()
        least = max(self._server.ready.interval, self._server.formed.interval, ECHO * (now - self._begun))
        return now - self._asked > least

    def _read(self, line: str) -> None:
        for awaited in self._awaited:
            self._has_news |= awaited.read(line)
        if self.complaint is None and any(pattern.search(line) for pattern in self._driver.crash):
            self.complaint = line
            self._has_news = True

    def _broken(self) -> Never | None:
        if self.failure is None and self.complaint is not None:
            self.failure = ClusterError("its log shows that it is broken", cause=self.complaint)
        return None if self.failure is None else Never(self.failure.problem)

    # -- its health

    async def examine(self, ready: frozenset[str], within: float) -> Mapping[str, Finding]:
        del ready, within  # the profile checks which nodes it must see; the keeper checks the time
        look = do("cluster.logs", self.node.name)
        own = (look, do("cluster.restart", self.node.name))
        # If it misses nodes that are down, these nodes need the remedy.
        formed_by = [do("cluster.restart", name) for name in self._driver.absent()] or own
        answering, formed, health = await asyncio.gather(
            self._finding("answering", self._server.ready, own),
            self._finding("formed", self._server.formed, formed_by),
            self._finding("health", self._server.health, own),
        )
        log = ok("log", "ok") if self.complaint is None else failed("log", self.complaint, look)
        return {"answering": answering, "formed": formed, "health": health, "log": log}

    async def _finding(self, name: str, question: Question, remedies: Sequence[str]) -> Finding:
        if not question.asks:
            return skipped(name, "the profile asks nothing")
        answer = await self._ask(question, alive=sorted(self._driver.answering()))
        if question is self._server.ready:
            answer = await self._ports.confirm(answer, self._asked_ports)
        if isinstance(answer, Ready):
            return ok(name, "ok")
        return failed(name, answer.why, *remedies)

    # -- its end

    async def ask_to_stop(self) -> bool:
        if self._server.stop_command:
            return await self._driver.stop(self.node)
        if self._driver.stop_signal is signal.SIGTERM:
            return False  # the keeper sends this in any case
        if self._process is not None:
            self._process.signal(self._driver.stop_signal)
        return True

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._met = {}
        for task in self._work:
            task.cancel()
        self._driver.left(self)

    # -- helpers

    async def _ask(self, question: Question, **more: Any) -> Answer:
        values = {**self._driver.values(self.node.name), **more}
        self._has_news = False
        self._question = (question, values)
        self._asked = math.inf  # output meanwhile belongs to this question
        try:
            return await ask(question, values, lambda words: self._driver.run(self.node, words))
        finally:
            self._asked = time.monotonic()

    @property
    def _asked_ports(self) -> frozenset[int]:
        return ports_of(self._server.ready, self._driver.values(self.node.name))

    def _silence(self) -> str:
        return unanswered(*self._question)

    def _values_of_line(self) -> Mapping[str, Any]:
        """A line is awaited from the start on, so `alive` are the nodes that ran before it and
        those that start with it."""
        values = self._driver.values_at_start(self.node.name)
        return {**values, "alive": [*values["alive"], *values["starting"]]}

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
