"""How long a cluster lives: as long as it has a holder, or as it was asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from clusterlib.drivers.fake import Life
from clusterlib.messages.uses import LeaseEnd
from tests.unit.keeper.stage import World


def test_the_last_lease_ends_the_cluster(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        second = world.keeper.holding.leases.take("another")
        world.keeper.holding.leases.release(1, LeaseEnd.LOST)
        assert str(world.keeper.state) == "ready"
        world.keeper.holding.leases.release(second, LeaseEnd.RETURNED)
        await world.keeper.finished

    play(story)


def test_a_cluster_that_lingers_waits_for_another_holder(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.holding.leases.release(1, LeaseEnd.RETURNED)
        await world.until(lambda: "cluster.lingering" in world.kinds())
        again = world.keeper.holding.leases.take("another")
        assert str(world.keeper.state) == "ready"
        world.keeper.holding.leases.release(again, LeaseEnd.RETURNED)

    world = play(story, linger=60)
    assert world.kinds().count("cluster.lingering") == 2


def test_a_kept_cluster_needs_no_lease(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.holding.keep()
        world.keeper.holding.leases.release(1, LeaseEnd.RETURNED)
        assert str(world.keeper.state) == "ready"
        assert not world.keeper.finished.done()

    play(story)


def test_a_start_whose_starter_dies_is_undone(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        starting = asyncio.ensure_future(world.keeper.start())
        await world.until(lambda: "node.started" in world.kinds())
        world.keeper.holding.leases.release(1, LeaseEnd.LOST)
        await world.keeper.finished
        with pytest.raises(asyncio.CancelledError):
            await starting

    play(story, {"node1": [Life(silent=True)]})
