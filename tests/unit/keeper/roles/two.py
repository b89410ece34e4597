"""Two roles, web and store, each with a driver that notes what it is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from clusterlib.drivers.api import NodeSpec, NodeTexts
from clusterlib.drivers.fake import FakeDriver, FakeLink, Life
from clusterlib.health.probes import Answer, NotYet, Rung
from clusterlib.hosts.api import Spawn
from clusterlib.hosts.fake import FakeHost
from clusterlib.keeper.keeper import Keeper
from clusterlib.network.ports import Claim
from clusterlib.values.ports import PortRange
from clusterlib.waiting import Deadline, poll_async
from tests.plans import role_plan

__all__ = ["PORTS", "STORE", "WEB", "Play", "RoleDriver", "Story", "Two", "never_ready"]


PORTS = {"cluster": PortRange(28000, 28999)}
WEB = role_plan("fake", "web", count=3, ports=PORTS)
STORE = role_plan("fake", "store", count=2, ports=PORTS)


class RoleDriver(FakeDriver):
    """One that notes what it is told."""

    stuck: int = 0
    """Its nodes stay on the first rung of their ladder, below this many."""

    def __init__(self, program: str, lives: Mapping[str, list[Life]]) -> None:
        super().__init__(lives, program=program)
        self.texts: Mapping[str, NodeTexts] = {}
        self.left: list[list[str]] = []

    def order(self, node: NodeSpec, claims: Mapping[str, Claim]) -> tuple[Spawn, FakeLink]:
        spawn, link = super().order(node, claims)
        if self.stuck:
            listening, _ = link.ladder(frozenset())
            ladder = [listening, *[Rung("more", never_ready, polls=False)] * self.stuck]
            link.ladder = lambda expected: ladder  # type: ignore[method-assign]
        return spawn, link

    def learn(self, texts: Mapping[str, NodeTexts]) -> None:
        self.texts = texts

    def stopping(self, names: Collection[str]) -> None:
        self.left.append(list(names))

    def why_not_fresh(self, names: Collection[str]) -> str | None:
        return None if self.texts.keys() <= set(names) else "they begin together"


async def never_ready() -> Answer:
    return NotYet("it never will be")


@dataclass
class Two:
    keeper: Keeper
    web: RoleDriver
    store: RoleDriver
    host: FakeHost
    folder: Path

    def states(self) -> dict[str, str]:
        return {node.name: node.state for node in self.keeper.status().nodes}

    async def until(self, condition: Callable[[], object]) -> None:
        assert await poll_async(condition, Deadline(10)), self.states()


Story = Callable[[Two], Awaitable[None]]
Play = Callable[..., None]
