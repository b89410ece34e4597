"""When a cluster counts as dirty, why, and what makes it clean again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from clusterlib.drivers.fake import Life
from clusterlib.errors import NodeExited, NodeNotReady
from clusterlib.hosts.api import Exit
from clusterlib.keeper.taint import Taint
from tests.plans import restart_policy, timeouts
from tests.unit.keeper.stage import World

Play = Callable[..., World]


def dirty(world: World) -> list[str]:
    return list(world.keeper.status().dirty)


async def take(world: World, holder: str, *, exclusive: bool = True) -> Callable[[], None]:
    """Takes a turn; gives back what happens when its connection ends."""
    turn = world.keeper.holding.turns.ask(holder, exclusive=exclusive)
    await world.keeper.begin_turn(turn, 0)
    return lambda: world.keeper.holding.lose_turn(turn)


def test_a_killed_node_makes_it_dirty_once_and_a_restart_of_that_node_clean(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        assert dirty(world) == []
        await world.keeper.faults.kill("node2")
        assert dirty(world) == ["node2 was killed"]
        await world.keeper.restart(["node1"])
        assert dirty(world) == ["node2 was killed"]
        await world.keeper.restart(["node2"])
        assert dirty(world) == []

    world = play(story)
    assert world.kinds().count("cluster.dirty") == 1


def test_a_node_that_ended_by_itself_makes_it_dirty_however_it_ended(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.host.started[0].end(Exit(code=0))
        await world.until(lambda: dirty(world) == ["node1 ended by itself: exited with code 0"])

    play(story)


def test_what_the_restart_policy_revived_is_dirty_all_the_same(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.host.started[0].end(Exit(signal=11))
        await world.until(
            lambda: world.keeper.nodes["node1"].starts == 2 and str(world.keeper.state) == "ready"
        )
        assert dirty(world) == ["node1 died unexpectedly (SIGSEGV)"]
        await world.keeper.heal()
        assert dirty(world) == []
        assert world.keeper.nodes["node1"].starts == 2, "it was whole: nobody was restarted"

    play(story, restart=restart_policy("on-failure", first=0.001))


def test_resuming_the_last_paused_node_leaves_nothing_behind(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.pause("node1")
        await world.keeper.faults.pause("node3")
        assert dirty(world) == ["node1 is paused", "node3 is paused"]
        await world.keeper.faults.resume("node1")
        assert dirty(world) == ["node3 is paused"]
        await world.keeper.faults.resume("node3")
        assert dirty(world) == []

    play(story)


def test_healing_resumes_the_paused_and_restarts_only_who_is_gone(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node2")
        await world.keeper.faults.pause("node1")
        status = await world.keeper.heal()
        assert (status.state, status.dirty) == ("ready", ())
        assert [node.starts for node in status.nodes] == [1, 2, 1]

    world = play(story)
    assert world.kinds().count("cluster.healed") == 1


def test_fresh_healing_restarts_everybody(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.pause("node1")
        status = await world.keeper.heal(fresh=True)
        assert (status.state, status.dirty) == ("ready", ())
        assert [node.starts for node in status.nodes] == [2, 2, 2]

    play(story)


def test_a_node_that_dies_while_the_cluster_heals_is_restarted_too(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node2")
        healing = asyncio.ensure_future(world.keeper.heal())
        await world.until(lambda: world.keeper.nodes["node2"].starts == 2)
        await world.keeper.faults.kill("node3")
        status = await healing
        assert (status.state, status.dirty) == ("ready", ())
        assert [node.starts for node in status.nodes] == [1, 2, 2]

    play(story, {"node2": [Life(), Life(slow=0.05)]})


def test_a_healing_that_fails_says_why_and_leaves_it_dirty(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node2")
        with pytest.raises(NodeExited):
            await world.keeper.heal()
        assert dirty(world) == ["node2 was killed"]

    play(story, {"node2": [Life(), Life(exits=1)]})


def test_a_healing_ends_with_its_deadline(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.driver.alive.discard("node3")  # it lives, and nobody sees it
        with pytest.raises(NodeNotReady) as caught:
            await world.keeper.heal()
        assert caught.value.evidence[2] == "node3 is ready and sees no other node"

    play(story, timeouts=timeouts(start=0.05, stop=1))


def test_a_restart_that_fails_makes_it_dirty(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        with pytest.raises(NodeExited):
            await world.keeper.restart(["node2"])
        assert dirty(world) == ["node2 is gone: node2 ended before it was ready"]

    play(story, {"node2": [Life(), Life(exits=1)]})


def test_a_node_that_dies_while_the_others_restart_is_not_forgotten(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        restarting = asyncio.ensure_future(world.keeper.restart([]))
        await world.until(
            lambda: world.states()["node1"] == "ready" and world.keeper.nodes["node1"].starts == 2
        )
        await world.keeper.faults.kill("node1")
        await restarting
        assert dirty(world) == ["node1 was killed"]

    play(story, {"node2": [Life(), Life(slow=0.05)]})


def test_an_exclusive_turn_that_ends_with_its_connection_makes_it_dirty(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        hang_up = await take(world, "test_one")
        hang_up()
        hang_up()
        assert dirty(world) == ["test_one ended before its turn was over"]
        assert world.keeper.status().turns == ()

    play(story)


def test_a_turn_that_ends_with_the_cluster_says_nothing_about_dirt(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        hang_up = await take(world, "test_one")
        await world.keeper.shut_down("test_one took it down")
        hang_up()
        assert dirty(world) == []

    play(story)


def test_a_shared_turn_or_one_that_never_came_leaves_nothing_behind(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        hang_up = await take(world, "shared", exclusive=False)
        waiting = world.keeper.holding.turns.ask("waiting", exclusive=True)
        world.keeper.holding.lose_turn(waiting)
        hang_up()
        assert dirty(world) == []

    play(story)


def test_what_a_turn_spoilt_is_known_before_the_next_one_begins(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        first = world.keeper.holding.turns.ask("first", exclusive=True)
        second = world.keeper.holding.turns.ask("second", exclusive=True)
        await world.keeper.end_turn(first, "it failed in the middle")
        assert world.keeper.status().dirty == ("it failed in the middle",)
        await world.keeper.begin_turn(second, 0)

    kinds = [kind for kind in play(story).kinds() if kind.startswith(("turn.", "cluster.dirty"))]
    assert kinds == ["turn.taken", "cluster.dirty", "turn.ended", "turn.taken"]


def test_only_a_fresh_restart_of_all_leaves_nothing_of_what_was_spoilt(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.holding.taint.damaged("a table full of rubbish")
        await world.keeper.restart(["node1", "node2"], fresh=True)
        assert dirty(world) == ["a table full of rubbish"]
        await world.keeper.restart([])
        assert dirty(world) == ["a table full of rubbish"], "it may be in the data, which is kept"
        await world.keeper.restart([], fresh=True)
        assert dirty(world) == []

    play(story)


def test_the_state_on_disk_says_why_it_is_dirty(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.holding.taint.damaged("a table full of rubbish")
        await world.until(
            lambda: json.loads(world.run.state.read_text())["dirty"] == ["a table full of rubbish"]
        )

    play(story)


def test_whoever_ends_a_turn_finds_what_was_printed_in_the_log(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        turn = world.keeper.holding.turns.ask("test_one", exclusive=True)
        world.host.started[0].write(b"a line\nand a begi")
        await world.keeper.end_turn(turn)
        text = world.run.log("node1").read_text()
        assert text.count("\n") == 1
        assert text.endswith("Z and a begi")

    play(story)


def test_a_node_that_never_stops_talking_does_not_keep_a_turn_from_ending(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        turn = world.keeper.holding.turns.ask("test_one", exclusive=True)
        process = world.host.started[0]
        process.write(b"x" * 60_000)
        read = world.keeper.nodes["node1"].log.feed

        def feed(data: bytes) -> None:
            read(data)
            process.write(b"y" * 60_000)  # it goes on while it is read

        world.keeper.nodes["node1"].log.feed = feed  # type: ignore[method-assign]
        async with asyncio.timeout(5):
            await world.keeper.end_turn(turn)
        world.keeper.nodes["node1"].log.feed = read  # type: ignore[method-assign]

    play(story)


def test_what_is_the_matter_with_one_node_is_not_the_matter_with_the_whole() -> None:
    taint = Taint(lambda *_, **__: {}, lambda: None)

    taint.ended("node2", "was killed")
    assert not taint.of_the_whole
    taint.damaged("a test left its data")
    assert taint.of_the_whole


def test_a_node_that_ended_is_not_paused_any_more() -> None:
    taint = Taint(lambda *_, **__: {}, lambda: None)
    taint.paused("node1")
    taint.paused("node2")

    taint.ended("node2", "was killed")

    assert taint.reasons() == ["node1 is paused", "node2 was killed"]


def test_a_node_that_was_taken_away_takes_its_reasons_along() -> None:
    taint = Taint(lambda *_, **__: {}, lambda: None)
    taint.ended("node2", "was killed")
    taint.ended("node3", "was killed")

    taint.gone(["node3"])

    assert taint.reasons() == ["node2 was killed"]
