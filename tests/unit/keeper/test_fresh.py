"""A node that begins anew keeps its data, unless it is to begin fresh."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import NotSupported, StartError
from clusterlib.keeper import clearing
from clusterlib.messages.events import ClusterRestarting
from clusterlib.rundir.event_files import read_events
from tests.unit.keeper.stage import World

Play = Callable[..., World]


def data_of(world: World, name: str) -> Path:
    return world.run.node(name) / "table"


def fill(world: World) -> None:
    for name in world.keeper.nodes:
        data_of(world, name).write_text("tea")


def full(world: World) -> list[str]:
    return [name for name in world.keeper.nodes if data_of(world, name).exists()]


def test_a_restart_keeps_the_data_and_a_fresh_one_deletes_it(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        fill(world)
        await world.keeper.restart([])
        assert full(world) == ["node1", "node2", "node3"]
        await world.keeper.restart(["node2"], fresh=True)
        assert full(world) == ["node1", "node3"]
        await world.keeper.restart([], fresh=True)
        assert full(world) == []

    world = play(story)
    happened = [event.what for event in read_events(world.run.events)]
    restarts = [what.fresh for what in happened if isinstance(what, ClusterRestarting)]
    assert restarts == [False, True, True]
    assert world.kinds().count("node.cleared") == 4


def test_a_healing_keeps_the_data_and_a_fresh_one_deletes_it(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        fill(world)
        await world.keeper.faults.kill("node2")
        await world.keeper.heal()
        assert full(world) == ["node1", "node2", "node3"]
        await world.keeper.heal(fresh=True)
        assert full(world) == []

    play(story)


def test_nodes_that_cannot_begin_fresh_alone_are_left_as_they_are(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        fill(world)

        def why(names: Collection[str]) -> str | None:
            return "slots are dealt out once" if len(names) < 3 else None

        monkeypatch.setattr(world.driver, "why_not_fresh", why)
        with pytest.raises(NotSupported, match="node1 cannot begin with no data") as caught:
            await world.keeper.restart(["node1"], fresh=True)
        assert caught.value.cause == "slots are dealt out once"
        assert full(world) == ["node1", "node2", "node3"]
        assert [node.starts for node in world.keeper.nodes.values()] == [1, 1, 1]
        await world.keeper.restart([], fresh=True)
        assert full(world) == []

    play(story)


def test_data_that_cannot_be_deleted_is_an_error_and_the_cluster_stays_dirty(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(16, "Device or resource busy", str(folder / "table"))

    async def story(world: World) -> None:
        await world.keeper.start()
        fill(world)
        world.keeper.holding.taint.damaged("a table full of rubbish")
        monkeypatch.setattr(clearing, "empty_folder", refuse)
        with pytest.raises(StartError, match="the data of node1 cannot be deleted"):
            await world.keeper.heal(fresh=True)
        assert world.keeper.status().dirty == ("a table full of rubbish",)
        monkeypatch.undo()
        await world.keeper.heal(fresh=True)
        assert (full(world), world.keeper.status().dirty) == ([], ())

    play(story)


def test_what_a_node_reads_is_written_anew_after_its_data_was_deleted(play: Play, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "node.conf.j2").write_text("name = {{ node.name }}\n")
    told: dict[str, Any] = {
        "templates": {"node.conf": "node.conf.j2"},
        "template_search": (str(tmp_path / "templates"),),
    }

    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.restart([], fresh=True)
        assert (world.run.node("node3") / "node.conf").read_text() == "name = node3\n"

    play(story, **told)
