"""What a keeper says of the code that its nodes run."""

from __future__ import annotations

from collections.abc import Callable

from clusterlib.messages.plan import RunningCode, revive
from tests.unit.keeper.stage import World

Play = Callable[..., World]


def test_nodes_say_what_they_have_loaded_and_those_that_cannot_are_named(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.driver.stale = {"node1": ["cart.py"], "node2": None}
        await world.keeper.harm.kill("node3")

        running = revive(RunningCode, await world.keeper.code())

        assert running == RunningCode({"program": "a"}, {"node1": ("cart.py",)}, ("node2",))

    play(story, code={"program": "a"})


def test_a_paused_node_is_not_asked(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.driver.stale = {"node1": ["cart.py"]}
        await world.keeper.harm.pause("node1")

        running = revive(RunningCode, await world.keeper.code())

        assert (running.stale, running.unasked) == ({}, ("node1",))

    play(story)


def test_nodes_that_were_restarted_run_the_code_that_came_with_it(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.restart([], {"program": "b"})
        assert (await world.keeper.code())["files"] == {"program": "b"}
        await world.keeper.restart(["node1"])
        assert (await world.keeper.code())["files"] == {"program": "b"}

    play(story, code={"program": "a"})
