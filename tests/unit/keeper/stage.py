"""A keeper on a fake host with fake nodes. The fixture `play` runs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from clusterlib.drivers.fake import FakeDriver, Life
from clusterlib.hosts.fake import FakeHost
from clusterlib.keeper.keeper import Keeper
from clusterlib.rundir.event_files import read_events
from clusterlib.rundir.folders import RunFolder
from clusterlib.values.ports import PortRange
from clusterlib.waiting import Deadline, poll_async
from tests.plans import backoff, plan_of, role_plan, timeouts

__all__ = ["PLAN", "Lives", "Story", "World"]

Lives = dict[str, Sequence[Life]]
PLAN = plan_of(
    role_plan("fake", ports={"cluster": PortRange(28000, 28999)}),
    profile="fake",
    timeouts=timeouts(start=10, stop=5),
    retry=backoff(attempts=2, first=0.001),
)


@dataclasses.dataclass
class World:
    keeper: Keeper
    driver: FakeDriver
    host: FakeHost
    run: RunFolder

    def kinds(self) -> list[str]:
        return [event.kind for event in read_events(self.run.events)]

    def states(self) -> dict[str, str]:
        return {node.name: node.state for node in self.keeper.status().nodes}

    async def until(self, condition: Callable[[], object]) -> None:
        assert await poll_async(condition, Deadline(10)), (self.states(), self.kinds())


Story = Callable[[World], Awaitable[None]]
