"""What a keeper says of the code that its nodes run."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clusterlib.errors import ClusterError, LeftBehind
from clusterlib.messages.plan import CodeSources, RunningCode
from tests.unit.keeper.stage import World

Play = Callable[..., World]


def test_nodes_say_what_they_have_loaded_and_those_that_cannot_are_named(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.driver.stale = {"node1": ["cart.py"], "node2": None}
        await world.keeper.faults.kill("node3")

        running = await world.keeper.code()

        assert running == RunningCode({"node": ({"program": "a"},)}, {"node1": ("cart.py",)}, ("node2",))

    play(story, code={"program": "a"})


def test_a_paused_node_is_not_asked(play: Play) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.driver.stale = {"node1": ["cart.py"]}
        await world.keeper.faults.pause("node1")

        running = await world.keeper.code()

        assert (running.stale, running.unasked) == ({}, ("node1",))

    play(story)


def test_each_node_has_the_code_that_was_on_disk_when_it_started(play: Play, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("b")
    b = {str(program): hashlib.sha256(b"b").hexdigest()}

    async def story(world: World) -> None:
        async def files() -> tuple[Mapping[str, str], ...]:
            return (await world.keeper.code()).files["node"]

        await world.keeper.start()
        await world.keeper.restart(["node1"])
        assert await files() == (b, {"program": "a"})
        await world.keeper.restart(["node2"])
        await world.keeper.scale(2)
        assert await files() == (b,)
        await world.keeper.faults.stop("node2")
        await world.keeper.faults.stop("node1")
        assert await files() == (), "nodes that were stopped read their code when they are started"

    sources = CodeSources(files=(str(program),))
    play(story, code={"program": "a"}, sources=sources)


def test_a_simulated_node_among_others_has_their_code(play: Play, tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.restart(["node1"])
        assert (await world.keeper.code()).files["node"] == ({"program": "a"},)
        await world.keeper.restart([])
        assert (await world.keeper.code()).files["node"] == ({},)

    play(story, code={"program": "a"}, simulated=True)


def test_a_node_whose_old_process_cannot_be_ended_keeps_the_code_of_that_process(play: Play) -> None:
    async def story(world: World) -> None:
        async def survives(seconds: float) -> None:
            raise LeftBehind(f"node1 survived SIGKILL and {seconds} s")

        await world.keeper.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(world.keeper.nodes["node1"], "stop", survives)
            with pytest.raises(LeftBehind):
                await world.keeper.restart(["node1"])

        assert (await world.keeper.code()).files["node"] == ({"program": "a"},)

    play(story, code={"program": "a"})


def test_nodes_keep_their_code_if_a_restart_fails_before_they_are_stopped(play: Play, tmp_path: Path) -> None:
    template = tmp_path / "node.conf.j2"
    template.write_text("name = {{ node.name }}\n")
    program = tmp_path / "program"
    program.write_text("b")

    async def story(world: World) -> None:
        await world.keeper.start()
        template.write_text("{{ nothing.of.that.name }}")
        with pytest.raises(ClusterError):
            await world.keeper.restart([])

        assert (await world.keeper.code()).files["node"] == ({"program": "a"},)

    play(
        story,
        code={"program": "a"},
        sources=CodeSources(files=(str(program),)),
        templates={"node.conf": template.name},
        template_search=(str(tmp_path),),
    )


def test_the_keeper_answers_while_it_reads_the_code_of_a_large_project(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, answered = threading.Event(), threading.Event()

    def read_slowly(_: CodeSources) -> dict[str, str]:
        begun.set()
        assert answered.wait(10), "the event loop was blocked"
        return {}

    monkeypatch.setattr("clusterlib.disk.code.code_on_disk", read_slowly)

    async def story(world: World) -> None:
        await world.keeper.start()
        restart = asyncio.create_task(world.keeper.restart(["node1"]))
        await world.until(begun.is_set)
        assert world.keeper.status().name
        answered.set()
        await restart

    play(story)
