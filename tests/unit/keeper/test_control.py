"""The keeper's ear, and the ways in which a request is answered: always, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlib.client.connection import KeeperClient
from clusterlib.errors import ClusterError, ClusterNotRunning
from clusterlib.keeper.control import LONGEST_BACKLOG, ControlServer
from clusterlib.messages.requests import Handed, Release, Scale, StatusRequest, TakeLease
from tests.unit.keeper.stage import World

Converse = Callable[[World, Callable[[KeeperClient], Any]], Any]


@pytest.fixture
def converse(tmp_path: Path) -> Converse:
    """Lets a client talk to the keeper of a story."""

    async def talk(world: World, talking: Callable[[KeeperClient], Any]) -> Any:
        server = ControlServer(world.keeper, tmp_path / "control.sock")
        await server.open()

        def speak() -> Any:
            client = KeeperClient.connect(tmp_path / "control.sock", "test")
            try:
                return talking(client)
            finally:
                client.close()

        try:
            return await asyncio.to_thread(speak)
        finally:
            await server.close()

    return talk


def test_what_nobody_foresaw_is_an_answer_too(play: Callable[..., World], converse: Converse) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()

        async def broken(*_: object) -> None:
            raise ZeroDivisionError("nobody thought of that")

        world.keeper.scale = broken  # type: ignore[method-assign, assignment]
        with pytest.raises(ClusterError, match="scale") as caught:
            await converse(world, lambda client: client.ask(Scale(1)))
        assert "nobody thought of that" in str(caught.value.cause)
        assert caught.value.remedies

    play(story)


def test_an_answer_of_any_size_arrives(play: Callable[..., World], converse: Converse) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.holding.taint.spoilt("x" * 2 * LONGEST_BACKLOG)
        status = await converse(world, lambda client: client.ask(StatusRequest()))
        assert len(status.dirty[0]) == 2 * LONGEST_BACKLOG

    play(story)


def test_a_cluster_that_ends_gives_no_more_leases(play: Callable[..., World], converse: Converse) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.shut_down("enough")
        with pytest.raises(ClusterNotRunning) as caught:
            await converse(world, lambda client: client.ask(TakeLease("late")))
        assert caught.value.cause == "enough"

    play(story)


def test_the_last_lease_that_is_handed_back_is_answered_when_all_is_gone(
    play: Callable[..., World], converse: Converse
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()

        def talking(client: KeeperClient) -> list[Any]:
            client.ask(TakeLease("me"))
            world.keeper.holding.leases.release(1, "handed back")
            return [client.ask(Release()), world.keeper.finished.done()]

        assert await converse(world, talking) == [Handed(True), True]

    play(story)


def test_a_holder_that_dies_gives_its_lease_back(play: Callable[..., World], converse: Converse) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await converse(world, lambda client: client.ask(TakeLease("me")))
        await world.until(lambda: len(world.keeper.holding.leases) == 1)
        assert str(world.keeper.state) == "ready"

    play(story)
