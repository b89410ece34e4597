"""A driver whose nodes are in memory, on a `FakeHost`, for tests of code that uses a driver.

    driver = FakeDriver({"node2": [Life(exits=3, says="no database"), Life()]})
    host = FakeHost(driver.behaviours)

Each start of a node uses the next of its lives; if none is left, the node works. It passes the same
contract tests as the real one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clusterlib.drivers.api import Driver, Link, Member, NodeSpec
from clusterlib.errors import ClusterError
from clusterlib.frozen import frozen
from clusterlib.health.probes import Answer, NotYet, Ready, Rung
from clusterlib.hosts.api import Process, Program, Spawn
from clusterlib.hosts.fake import Behaviour, FakeProcess
from clusterlib.network.ports import Claim
from clusterlib.waiting import pause_async

__all__ = ["FakeDriver", "FakeLink", "Life"]

STOLEN = "bind: Address already in use"


@frozen
class Life:
    """The behaviour of one start of a node."""

    exits: int | None = None
    """Ends at once, with this code."""
    says: str = ""
    slow: float = 0.0
    """Becomes ready only after so many seconds."""
    silent: bool = False
    """Lives, but never becomes ready."""
    remark: str = ""
    """The remark of its link while it is ready."""
    stubborn: bool = False
    """It does not end on request or SIGTERM."""


class FakeDriver(Driver):
    name = "fake"
    purposes = ("cluster",)

    def __init__(
        self, lives: Mapping[str, Sequence[Life]] | None = None, *, program: str = "fake-node"
    ) -> None:
        """`program`: which of a host's behaviours is that of its nodes, where several drivers share
        a host."""
        self._program = program
        self.alive: set[str] = set()
        self.rosters: dict[str, Sequence[Member]] = {}
        """The last list of members that each node received."""
        self.stale: dict[str, list[str] | None] = {}
        """By node, the files that it reports as loaded and changed; None: it does not answer."""
        self._lives = {name: list(sequence) for name, sequence in (lives or {}).items()}
        self._links: list[FakeLink] = []
        self._stops: dict[str, asyncio.Event] = {}

    @property
    def behaviours(self) -> dict[str, Behaviour]:
        """For the `FakeHost` of these nodes."""
        return {self._program: self._live}

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, FakeLink]:
        del claims
        coming = self._lives.get(node.name)
        link = FakeLink(self, node.name, coming[0].remark if coming else "")
        self._links.append(link)
        return Spawn(node.name, Program((self._program,)), node.directory, node.environment), link

    def ports_stolen(self, log_tail: list[str]) -> bool:
        return any(STOLEN in line for line in log_tail)

    def stop(self, name: str) -> None:
        if name in self._stops:
            self._stops[name].set()

    async def _live(self, process: FakeProcess) -> int:
        waiting = self._lives.get(process.name, [])
        life = waiting.pop(0) if waiting else Life()
        if life.says:
            process.print(life.says)
        if life.exits is not None:
            return life.exits
        stop = asyncio.Event()
        if life.stubborn:
            process.handle(signal.SIGTERM, lambda: None)
        else:
            process.handle(signal.SIGTERM, stop.set)
            self._stops[process.name] = stop
        try:
            if life.slow:
                await pause_async(life.slow)
            if not life.silent:
                self.alive.add(process.name)
                self._announce()
            await stop.wait()
        finally:
            self.alive.discard(process.name)
            self._stops.pop(process.name, None)
            self._announce()
        return 0

    def _announce(self) -> None:
        for link in self._links:
            link.news.set()


class FakeLink(Link):
    failure: ClusterError | None = None

    def __init__(self, driver: FakeDriver, name: str, remark: str = "") -> None:
        self._remark = remark
        self.news = asyncio.Event()
        self._driver = driver
        self._name = name

    @property
    def remark(self) -> str:
        return self._remark

    @property
    def view(self) -> frozenset[str]:
        return frozenset(self._driver.alive) if self._name in self._driver.alive else frozenset()

    def begin(self, process: Process, news: asyncio.Event) -> None:
        del process
        self.news = news

    def ladder(self, expected: frozenset[str]) -> list[Rung]:
        return [
            Rung(
                "listening",
                self._probe(lambda: self._name in self._driver.alive, "it is silent"),
                polls=False,
            ),
            Rung(
                "joined", self._probe(lambda: expected <= self.view, "it does not see them all"), polls=False
            ),
        ]

    def expect(self, members: Sequence[Member]) -> None:
        self._driver.rosters[self._name] = members

    async def stale_files(self, within: float) -> list[str] | None:
        return self._driver.stale.get(self._name, []) if within > 0 else None

    async def ask_to_stop(self) -> bool:
        self._driver.stop(self._name)
        return True

    def close(self) -> None:
        pass

    @staticmethod
    def _probe(reached: Callable[[], bool], why_not: str) -> Callable[[], Any]:
        async def probe() -> Answer:
            return Ready() if reached() else NotYet(why_not)

        return probe
