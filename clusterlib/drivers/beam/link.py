"""The keeper's connection to one Erlang node, from its registration to its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from clusterlib.drivers.api import Link, Member
from clusterlib.drivers.beam.aio import AsyncConnection
from clusterlib.drivers.beam.diagnosis import (
    INVALID_COOKIE,
    VmArguments,
    Words,
    foreign_cookie,
    misnamed,
    registered_elsewhere,
)
from clusterlib.drivers.beam.errors import CookieMismatch, NameTaken
from clusterlib.drivers.beam.health import unreachable
from clusterlib.drivers.beam.serving import start_serving
from clusterlib.drivers.beam.session import HELPER
from clusterlib.drivers.beam.terms import Atom
from clusterlib.errors import CallTimeout, ClusterError, NodeExited, NodeUnavailable
from clusterlib.health.probes import Answer, Never, NotYet, Probe, Ready, Rung
from clusterlib.hosts import holders
from clusterlib.hosts.api import Process
from clusterlib.messages.findings import Finding
from clusterlib.remedies import do
from clusterlib.waiting import Deadline, pause_async, poll_async

if TYPE_CHECKING:
    from clusterlib.drivers.beam.driver import BeamDriver

__all__ = ["BeamLink"]

ANSWER_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 0.25
"""Between attempts to reach a node, or to make it reach another."""
UNREGISTERED_SECONDS: Final = 2.0
"""After this time, a node that has not registered is searched at its port: it may have registered
elsewhere."""
LOG_SECONDS: Final = 1.0
"""Until a node has printed what it has just done."""


class BeamLink(Link):
    view: frozenset[str] = frozenset()

    def __init__(
        self,
        driver: BeamDriver,
        name: str,
        node: str,
        cookie: str,
        asked: VmArguments | None = None,
        port: int = 0,
    ) -> None:
        """`asked` is what its vm.args requests, `port` where it accepts connections as far as we
        know."""
        self.name = name
        self.node = node
        self._asked = asked or VmArguments()
        self._port = port
        self._words = Words()
        self._failure: ClusterError | None = None
        self._process: Process | None = None
        self._driver = driver
        self._cookie = cookie
        self._news = asyncio.Event()
        self._connection: AsyncConnection | None = None
        self._connecting = False
        self._begun = False
        self._closed = False
        self._asked_again = 0.0
        self._waits_for: str | None = "it has just met the others"
        """What it waits for before it serves; None once it serves."""
        self._starting = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def answering(self) -> bool:
        return self._connection is not None and self._connection.lost is None

    @property
    def complaint(self) -> str | None:
        return self._words.complaint

    @property
    def failure(self) -> ClusterError | None:
        """What was found out about it; after its end also what it printed."""
        if self._failure is None and self._process is not None and self._process.exit.done():
            self._failure = self._end_explained()
        return self._failure

    def begin(self, process: Process, news: asyncio.Event) -> None:
        self._process = process
        self._news = news
        self._begun = True
        self._driver.serve()
        self.look_up()
        self._do(self._seek())

    def _end_explained(self) -> ClusterError | None:
        error = self._words.last_words(self.name)
        if isinstance(error, NodeExited):
            port = int(self._asked.after("inet_dist_listen_min") or self._port)
            holder = holders.of_port(self.node.partition("@")[2], port)
            error.cause = (
                f"port {port} is held by {holder or 'another node, which has left by now'} (eaddrinuse)"
            )
        return error

    def hear(self, data: bytes) -> None:
        self._words.hear(data)

    def ladder(self, expected: frozenset[str]) -> list[Rung]:
        return [
            Rung(
                "listening",
                self._probe(
                    lambda: self._registered is not None, "it has not registered yet: it takes no connections"
                ),
                polls=False,
            ),
            Rung(
                "answering", self._probe(lambda: self.answering, "it does not shake hands yet"), polls=False
            ),
            Rung("joined", self._joined(expected)),
            Rung("serving", self._serving(), polls=False),
        ]

    def expect(self, members: Sequence[Member]) -> None:
        """Nodes connect by themselves: a new one receives the names of those that are there."""

    async def examine(self, ready: frozenset[str], within: float) -> Mapping[str, Finding]:
        if self._connection is None:
            return unreachable("it was not reached yet", self.name)
        from clusterlib.drivers.beam.examining import (
            ANSWERS,
            Patient,
            examine,
        )  # not at a start, which would wait for it

        patient = Patient(
            name=self.name,
            node=self.node,
            cookie=self._cookie,
            port=self._registered,
            connection=self._connection,
            applications=self._driver.settings.applications,
            complaint=self.complaint,
            ready=ready,
            seconds=within / ANSWERS,
            neighbour=self._neighbour(ready),
        )
        return await examine(patient)

    def _neighbour(self, ready: frozenset[str]) -> tuple[str, str] | None:
        nodes = {link.name: link.node for link in self._driver.others(self.name) if link.name in ready}
        ring = sorted({self.name, *nodes})
        following = ring[(ring.index(self.name) + 1) % len(ring)]
        return None if following == self.name else (following, nodes[following])

    async def ask(self, function: str, arguments: list[Any], timeout: float) -> Any:
        """The answer of our helper in the node."""
        if self._connection is None or not self.answering:
            raise NodeUnavailable(
                f"{self.name} does not answer",
                remedies=[do("cluster.logs", self.name), do("cluster.health")],
            )
        return await self._connection.call(HELPER, Atom(function), arguments, timeout=timeout)

    async def ask_to_stop(self) -> bool:
        if self._connection is None and self._process is not None:
            # It was never used, and SIGTERM is lost on a virtual machine that is still booting.
            self._process.signal(signal.SIGKILL)
            return True
        if self._connection is None or not self.answering:
            return False
        try:
            await self._connection.call(HELPER, Atom("leave"), timeout=ANSWER_SECONDS)
        except ClusterError:
            return False
        return True

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._connection is not None:
            self._connection.close()
        self._driver.leave(self)

    # -- connecting

    @property
    def _registered(self) -> int | None:
        return self._driver.directory.ports.get(self.name)

    def look_up(self) -> None:
        """A node has registered or left, perhaps this one."""
        if (
            self._begun
            and not self._closed
            and not self._connecting
            and not self.answering
            and self._registered
        ):
            self._connecting = True
            self._do(self._connect())
        elif self._begun and not self._closed and self._failure is None and self._took_another_name():
            self._failure = misnamed(self.node, self._asked.name or "")
        self._news.set()

    def _took_another_name(self) -> bool:
        """It has registered by the name in its vm.args, which is not a name of our nodes."""
        called = _short(self._asked.name or self.name)
        return called in self._driver.directory.ports and not self._driver.knows(called)

    async def _seek(self) -> None:
        """Searches for a node that accepts connections without having registered with us."""
        await pause_async(UNREGISTERED_SECONDS)
        while self._registered is None and self._failure is None and not self._closed:
            with contextlib.suppress(ClusterError):
                found = await AsyncConnection.open(
                    self.node, self._cookie, self._port, timeout=ANSWER_SECONDS
                )
                found.close()
                if self._registered is None:  # a node registers before it accepts
                    self._fail(registered_elsewhere(self.name, self._driver.known_at))
                return
            await pause_async(AGAIN_SECONDS)

    def _fail(self, error: ClusterError) -> None:
        self._failure = self._failure or error
        self._news.set()

    async def _connect(self) -> None:
        try:
            while (port := self._registered) is not None and not self._closed:
                try:
                    await self._reach(port)
                    return
                except CookieMismatch:
                    await poll_async(lambda: self._words.said(INVALID_COOKIE), Deadline(LOG_SECONDS))
                    raise foreign_cookie(self.node, self._asked) from None
                except NameTaken as error:
                    raise await self._misnamed(error) from None
                except (NodeUnavailable, CallTimeout):  # it may be ending; then its process shows it
                    await pause_async(AGAIN_SECONDS)
        except ClusterError as error:
            self._fail(error)
        finally:
            self._connecting = False
            self._news.set()

    async def _misnamed(self, error: NameTaken) -> NameTaken:
        calls_itself = (error.cause or "").partition("it calls itself ")[2]
        if not calls_itself:
            return error
        host = calls_itself.partition("@")[2]
        return misnamed(self.node, calls_itself, resolves=await _resolves(host))

    async def _reach(self, port: int) -> None:
        connection = await AsyncConnection.open(
            self.node, self._cookie, port, timeout=ANSWER_SECONDS, on_message=self._hear, on_lost=self._lost
        )
        self.view = frozenset({self.name})
        try:
            _, _, nodes = await connection.call(
                HELPER, Atom("watch"), [connection.pid], timeout=ANSWER_SECONDS
            )
            self.view |= {_short(node) for node in nodes}
            limit = round(self._driver.silence(self.name) * 1000)
            await connection.call(HELPER, Atom("heed"), [limit], timeout=ANSWER_SECONDS)
            others = [Atom(link.node) for link in self._driver.others(self.name)]
            await connection.call(HELPER, Atom("join"), [others], timeout=ANSWER_SECONDS)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _hear(self, message: Any) -> None:
        match message:
            case (_, _, (Atom("nodeup"), node, Atom("visible"))):
                self.view |= {_short(node)}
            case (_, _, (Atom("nodedown"), node, *_)):
                self.view -= {_short(node)}
        self._news.set()

    def _lost(self) -> None:
        """The node ended, or the connection was closed there; its last view is all we know."""
        self.look_up()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- its rungs

    def _probe(self, reached: Callable[[], bool], why_not: str) -> Probe:
        async def probe() -> Answer:
            if self._failure is not None:
                return Never(self._failure.problem)
            return Ready() if reached() else NotYet(why_not)

        return probe

    def _joined(self, expected: frozenset[str]) -> Probe:
        async def probe() -> Answer:
            missing = sorted(expected - self.view)
            if self._failure is not None or not missing:
                return await self._probe(lambda: True, "")()
            self._ask_to_join(missing)
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            return NotYet(f"it does not see {shown} yet")

        return probe

    def _ask_to_join(self, missing: list[str]) -> None:
        """Once more, in case two nodes connected to each other at once and both gave way."""
        now = asyncio.get_running_loop().time()
        if self._connection is None or now < self._asked_again + AGAIN_SECONDS:
            return
        self._asked_again = now
        connection = self._connection
        there = [Atom(link.node) for link in self._driver.others(self.name) if link.name in missing]

        async def ask() -> None:
            with contextlib.suppress(ClusterError):
                await connection.call(HELPER, Atom("join"), [there], timeout=ANSWER_SECONDS)

        if there:
            self._do(ask())

    def _serving(self) -> Probe:
        async def probe() -> Answer:
            if not self._starting:
                self._starting = True
                self._do(self._start())
            return await self._probe(lambda: self._waits_for is None, self._waits_for or "")()

        return probe

    async def _start(self) -> None:
        assert self._connection is not None

        def wait_for(reason: str) -> None:
            self._waits_for = reason

        try:
            await start_serving(self._connection, self._driver.settings, self.name, wait_for)
            self._waits_for = None
        except ClusterError as error:
            self._fail(error)
        self._news.set()


async def _resolves(host: str) -> bool:
    """False also if there is no answer in time, because the name is useless then."""
    try:
        async with asyncio.timeout(LOG_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return False
    return True


def _short(node: Any) -> str:
    return str(node).partition("@")[0]
