"""What the nodes cost: looked at now and then, never dearly, and remembered."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from clusterlib.hosts.api import Exit
from clusterlib.keeper.monitor import THINNING, pause_after
from clusterlib.messages.status import Peak
from clusterlib.waiting import pause_async
from tests.unit.keeper.stage import World

Play = Callable[..., World]
MIB = 1 << 20


def lines(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.run.samples.read_text().splitlines()]


def uses(world: World, number: int, memory: int, cpu: float) -> None:
    process = world.host.started[number]
    process.uses = dataclasses.replace(process.uses, pss=memory, cpu_seconds=cpu)


def test_a_line_for_each_look_the_first_one_when_the_cluster_is_ready(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.until(lambda: world.run.samples.exists() and len(lines(world)) >= 3)

    world = play(story, monitor=0.01)
    line = lines(world)[0]
    assert line["nodes"] == {name: {"memory": MIB, "cpu": 0.0} for name in ("node1", "node2", "node3")}
    assert line["keeper"]["memory"] > 0
    assert line["time"].endswith("Z")


def test_a_short_life_has_its_figures_too(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        uses(world, 0, 5 * MIB, 0.5)

    world = play(story, monitor=3600)
    assert lines(world)[-1]["nodes"]["node1"] == {"memory": 5 * MIB, "cpu": 0.5}
    assert json.loads(world.run.state.read_text())["peak"] == {"memory": 7 * MIB, "cpu": 0.5}


def test_there_are_figures_even_while_the_first_sample_is_being_taken(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await pause_async(0)
        assert world.keeper.status().peak == Peak(3 * MIB, 0.0)

    play(story, monitor=3600)


def test_the_shortest_life_has_its_figures_also_where_a_sample_is_expensive(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusterlib.keeper.monitor.CHEAP", -1.0)

    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.shut_down("it is enough")

    world = play(story, monitor=3600)
    assert len(lines(world)) == 1


def test_the_peak_is_of_all_nodes_at_one_moment_and_the_cpu_of_all_their_lives(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        uses(world, 0, 10 * MIB, 1.5)
        await world.until(lambda: world.keeper.status().peak.memory == 12 * MIB)
        uses(world, 0, MIB, 1.5)
        uses(world, 1, 9 * MIB, 0.5)
        await world.until(lambda: world.keeper.status().peak.cpu == 2.0)
        await world.keeper.restart(["node1"])
        uses(world, 3, MIB, 0.25)
        await world.until(lambda: world.keeper.status().peak == Peak(12 * MIB, 2.25))

    play(story, monitor=0.005)


def test_simulated_nodes_are_one_process(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.until(world.run.samples.exists)

    world = play(story, monitor=3600, simulated=True)
    assert list(lines(world)[0]["nodes"]) == ["simulation"]


def test_where_nobody_looks_there_is_no_file(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        assert world.keeper.status().peak == Peak()

    assert not play(story).run.samples.exists()


def test_a_dead_node_is_not_looked_at(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.host.started[1].end(Exit(code=1))
        await world.until(
            lambda: world.run.samples.exists() and list(lines(world)[-1]["nodes"]) == ["node1", "node3"]
        )

    play(story, monitor=0.005)


def test_a_dear_look_makes_the_pause_longer() -> None:
    assert pause_after(1.0, 0, cost=0.001) == 1.0
    assert pause_after(1.0, 0, cost=0.05) == pytest.approx(10.0)


def test_the_file_of_a_long_life_grows_ever_more_slowly() -> None:
    pauses = [pause_after(1.0, megabytes * THINNING, cost=0.0) for megabytes in (0, 1, 2, 10)]

    assert pauses == [1.0, 2.0, 4.0, 1024.0]
