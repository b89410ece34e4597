"""A keeper whose plan has two roles, web and store, each with a driver of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.fake import Life
from clusterlib.hosts.fake import FakeHost
from clusterlib.keeper.keeper import Keeper
from clusterlib.messages.plan import Plan, RolePlan
from clusterlib.network.ports import PortAllocator
from clusterlib.rundir.folders import new_run
from tests.plans import backoff, plan_of, timeouts
from tests.unit.keeper.conftest import NOWHERE
from tests.unit.keeper.roles.two import STORE, WEB, Play, RoleDriver, Story, Two


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Plays a story with the two roles, then shuts the keeper down and checks that nothing is
    left."""

    @contextlib.asynccontextmanager
    async def world(plan: Plan, lives: Mapping[str, list[Life]]) -> AsyncIterator[Two]:
        web, store = RoleDriver("a-web", lives), RoleDriver("a-store", lives)
        host = FakeHost({**web.behaviours, **store.behaviours})
        run = new_run(tmp_path, plan.name)
        drivers = {"web": web, "store": store}
        keeper = Keeper(plan, run, drivers, host, PortAllocator(tmp_path), NOWHERE)
        keeper.holding.leases.take("the test")
        yield Two(keeper, web, store, host, run.path)
        await keeper.shut_down("the story is over")
        assert [process for process in host.started if not process.exit.done()] == []

    def run_story(
        story: Story,
        lives: Mapping[str, list[Life]] | None = None,
        *,
        web: RolePlan = WEB,
        store: RolePlan = STORE,
        **changes: Any,
    ) -> None:
        usual = {
            "project": str(tmp_path),
            "timeouts": timeouts(start=10, stop=5),
            "retry": backoff(attempts=0),
        }
        plan = plan_of(web, store, **{**usual, **changes})

        async def go() -> None:
            async with world(plan, lives or {}) as two:
                await story(two)

        asyncio.run(go())

    return run_story
