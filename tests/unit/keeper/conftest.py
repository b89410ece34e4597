from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.fake import FakeDriver
from clusterlib.hosts.fake import FakeHost
from clusterlib.keeper.keeper import Keeper
from clusterlib.messages.containing import ContainmentRung
from clusterlib.messages.status import KeeperFacts, KeeperPlace
from clusterlib.network.ports import PortAllocator
from clusterlib.rundir.folders import new_run
from tests.plans import changed
from tests.unit.keeper.stage import PLAN, Lives, Story, World

NOWHERE = KeeperPlace(KeeperFacts(pid=1, guard=2, containment=ContainmentRung.SWEEP), control="", marker="")


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., World]:
    """Plays a story with a keeper, then shuts it down and checks that nothing is left."""

    @contextlib.asynccontextmanager
    async def world(lives: Lives | None, changes: dict[str, Any]) -> AsyncIterator[World]:
        plan = changed(PLAN, {"project": str(tmp_path), **changes})
        run = new_run(tmp_path, plan.name)
        driver = FakeDriver(lives)
        host = FakeHost(driver.behaviours)
        keeper = Keeper(plan, run, {"node": driver}, host, PortAllocator(tmp_path), NOWHERE)
        keeper.holding.leases.take("the test")
        yield World(keeper, driver, host, run)
        await keeper.shut_down("the story is over")
        assert [process for process in host.started if not process.exit.done()] == []
        assert keeper.finished.done()

    def run_story(story: Story, lives: Lives | None = None, **changes: Any) -> World:
        async def go() -> World:
            async with world(lives, changes) as it:
                await story(it)
            return it

        return asyncio.run(go())

    return run_story
