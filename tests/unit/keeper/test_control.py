"""The keeper's ear, and the ways in which a request is answered: always, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlib.client.connection import KeeperClient
from clusterlib.errors import ClusterBusy, ClusterError, ClusterNotRunning
from clusterlib.keeper.control import LONGEST_BACKLOG, ControlServer
from clusterlib.messages.effects import Effect
from clusterlib.messages.events import ClusterDirty, ClusterStopped, OperationEnded
from clusterlib.messages.happening import Happening
from clusterlib.messages.requests import (
    BeginOperation,
    Down,
    EndOperation,
    Handed,
    Release,
    Scale,
    StatusRequest,
    TakeLease,
    TakeTurn,
)
from clusterlib.messages.uses import LeaseEnd
from clusterlib.rundir.event_files import read_events
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
        world.keeper.holding.taint.damaged("x" * 2 * LONGEST_BACKLOG)
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
            world.keeper.holding.leases.release(1, LeaseEnd.RETURNED)
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


def ends(world: World) -> list[Happening]:
    """What the diary says of the ends of operations and of the cluster."""
    kinds = (OperationEnded, ClusterDirty, ClusterStopped)
    return [event.what for event in read_events(world.run.events) if isinstance(event.what, kinds)]


def outcomes(world: World) -> list[str]:
    return [what.error or "done" if isinstance(what, OperationEnded) else what.kind for what in ends(world)]


def test_an_operation_that_ends_the_cluster_has_not_failed(
    play: Callable[..., World], converse: Converse
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()

        def talking(client: KeeperClient) -> None:
            client.ask(TakeLease("me"))
            client.ask(BeginOperation("shop.close", {}, Effect.DESTROY, taints=True))
            client.ask(Down())

        await converse(world, talking)

    assert outcomes(play(story)) == ["done", "cluster.stopped"]


def test_an_operation_that_another_client_interrupts_by_ending_the_cluster_is_no_success(
    play: Callable[..., World], converse: Converse
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        loop = asyncio.get_running_loop()

        def talking(client: KeeperClient) -> None:
            client.ask(BeginOperation("shop.open", {}, Effect.CHANGE))
            asyncio.run_coroutine_threadsafe(wind_up(), loop).result()

        async def wind_up() -> None:
            await world.keeper.shut_down("another one wants it")

        await converse(world, talking)

    assert outcomes(play(story)) == ["the cluster was stopped", "cluster.stopped"]


def test_an_operation_whose_caller_dies_has_failed(play: Callable[..., World], converse: Converse) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await converse(
            world, lambda client: client.ask(BeginOperation("shop.empty", {}, Effect.DESTROY, taints=True))
        )
        await world.until(lambda: len(ends(world)) == 2)

    gone = "the connection of its caller was closed"
    assert outcomes(play(story)) == [gone, "cluster.dirty", "cluster.stopped"]


def test_only_the_connection_that_began_an_operation_can_end_it(
    play: Callable[..., World], converse: Converse
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()

        def talking(client: KeeperClient) -> int:
            return client.ask(BeginOperation("shop.open", {}, Effect.CHANGE))

        number = await converse(world, talking)
        await world.until(lambda: len(ends(world)) == 1)
        operations = world.keeper.holding.operations
        mine = operations.begin(BeginOperation("shop.open", {}, Effect.CHANGE), "me", world)
        assert mine > number
        operations.end(EndOperation(mine), "another connection")
        assert len(ends(world)) == 1
        operations.end(EndOperation(mine), world)
        assert outcomes(world)[1:] == ["done"]

    play(story)


def test_in_a_shared_turn_an_operation_may_execute_code_but_not_change_the_cluster(
    play: Callable[..., World], converse: Converse
) -> None:
    """A test that shares a cluster may call its nodes, and an operation that executes does no
    more. What declares that it leaves damage is refused, whatever its effect."""

    async def story(world: World) -> None:
        await world.keeper.start()

        def talking(client: KeeperClient) -> None:
            client.ask(TakeTurn("test_a", exclusive=False))
            client.ask(BeginOperation("shop.buy", {}, Effect.EXECUTE))
            for refused in (
                BeginOperation("shop.open", {}, Effect.CHANGE),
                BeginOperation("shop.close", {}, Effect.DESTROY),
                BeginOperation("shop.burn", {}, Effect.EXECUTE, taints=True),
            ):
                with pytest.raises(ClusterBusy, match="test_a shares the cluster"):
                    client.ask(refused)

        await converse(world, talking)

    play(story)
