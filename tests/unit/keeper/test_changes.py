"""Changes of a running cluster: growing, pausing, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from clusterlib.drivers.fake import Life
from clusterlib.errors import (
    ClusterNotRunning,
    NodeExited,
    NodeUnavailable,
    NodeUnknown,
    UsageError,
)
from tests.unit.keeper.stage import World


def test_growing_tells_the_others_and_shrinking_stops_the_last(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.scale(4)
        assert world.states()["node4"] == "ready"
        assert [node.name for node in world.driver.rosters["node1"]] == [
            "node1",
            "node2",
            "node3",
            "node4",
        ]

        await world.keeper.scale(2)
        assert sorted(world.states()) == ["node1", "node2"]
        assert str(world.keeper.state) == "ready"

    play(story)


def test_a_failed_growth_leaves_the_cluster_as_it_was(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        with pytest.raises(NodeExited):
            await world.keeper.scale(5)
        assert sorted(world.states()) == ["node1", "node2", "node3"]
        assert str(world.keeper.state) == "ready"

    play(story, {"node5": [Life(exits=1)]})


def test_what_is_to_be_known_of_a_ready_node_is_in_its_status(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        status = await world.keeper.start()
        assert [node.reason for node in status.nodes] == ["", "owner not verified", ""]
        await world.keeper.faults.kill("node2")
        assert world.keeper.status().nodes[1].reason == "killed by SIGKILL"

    play(story, {"node2": [Life(remark="owner not verified")]})


def test_a_paused_node_is_paused_until_resumed(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.pause("node1")
        await world.keeper.faults.pause("node1")
        assert world.states()["node1"] == "paused"
        assert world.host.started[0].stopped

        await world.keeper.faults.resume("node1")
        assert world.states()["node1"] == "ready"

    play(story)


def test_a_paused_node_can_be_stopped(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.pause("node1")

    world = play(story)
    assert "node.killed" not in world.kinds()


def test_impossible_wishes_are_refused(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        with pytest.raises(NodeUnknown):
            await world.keeper.faults.kill("node9")
        with pytest.raises(UsageError):
            await world.keeper.scale(0)
        await world.keeper.faults.kill("node1")
        with pytest.raises(NodeUnavailable):
            await world.keeper.faults.pause("node1")

    play(story)


def test_changes_wait_for_each_other(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await asyncio.gather(world.keeper.scale(5), world.keeper.restart([]), world.keeper.scale(2))
        assert sorted(world.states()) == ["node1", "node2"]
        assert str(world.keeper.state) == "ready"

    play(story)


def test_a_change_after_the_end_is_refused(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.shut_down("asked to")
        with pytest.raises(ClusterNotRunning, match="stopped"):
            await world.keeper.scale(4)

    play(story)
