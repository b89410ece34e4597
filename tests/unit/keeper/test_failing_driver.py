"""A driver fails while its nodes run: they are shown as they are, and end all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clusterlib.drivers.fake import FakeDriver, FakeLink
from clusterlib.errors import DriverUnusable, NotSupported
from clusterlib.messages.findings import CheckOutcome, Finding, ok
from tests.unit.keeper.stage import World


def fails(*_: object) -> None:
    raise ValueError("a mistake in the driver")


def test_a_node_is_dead_also_if_its_driver_cannot_let_go_of_it(
    play: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        monkeypatch.setattr(FakeLink, "close", fails)
        await world.keeper.faults.kill("node1")
        await world.until(lambda: world.states()["node1"] == "dead")
        assert str(world.keeper.state) == "degraded"
        monkeypatch.undo()

    play(story)


@pytest.mark.parametrize(("kind", "method"), [(FakeDriver, "stopping"), (FakeLink, "close")])
def test_a_driver_that_fails_at_the_end_leaves_no_node(
    kind: type, method: str, play: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        monkeypatch.setattr(kind, method, fails)

    world = play(story)  # which finds no process of it

    error = world.keeper.finished.result()
    assert error is not None
    assert "keeper.log" in error.remedies[0]
    assert all(process.exit.done() for process in world.host.started)


def test_the_start_of_a_node_fails_with_its_process_if_its_link_cannot_begin(
    play: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: object) -> None:
        raise DriverUnusable("the driver fails in begin")

    async def story(world: World) -> None:
        monkeypatch.setattr(FakeLink, "begin", begin)
        with pytest.raises(DriverUnusable):
            await world.keeper.start()
        assert all(process.exit.done() for process in world.host.started)

    play(story)


def test_what_a_driver_cannot_examine_is_the_finding_of_that_node(
    play: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def examine(link: Any, *_: object) -> dict[str, Finding]:
        if link._name == "node1":
            raise DriverUnusable("the driver fails in examine", cause="odd.py:3: ValueError")
        return {"weight": ok("weight", "3")}

    async def story(world: World) -> None:
        monkeypatch.setattr(FakeDriver, "columns", (("scales", "weight"), ("scales", "height")))
        monkeypatch.setattr(FakeLink, "examine", examine)
        await world.keeper.start()
        found = (await world.keeper.looking.examine(5.0)).nodes
        assert {one.outcome for one in found["node1"].values()} == {CheckOutcome.FAILED}
        assert found["node1"]["weight"].evidence == "the driver fails in examine: odd.py:3: ValueError"
        assert found["node2"]["weight"].outcome is CheckOutcome.OK
        assert found["node2"]["height"].evidence == "the driver says nothing about it"

    play(story)


@pytest.mark.parametrize(("file", "why"), [("", "shows no stacks"), ("stacks.txt", "wrote no stacks.txt")])
def test_a_node_that_writes_no_stacks_is_said_to_show_none(
    file: str, why: str, play: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        monkeypatch.setattr(FakeDriver, "stack_signal", 40)
        monkeypatch.setattr(FakeDriver, "stacks_file", file)
        await world.keeper.start()
        with pytest.raises(NotSupported) as caught:
            await world.keeper.stacks("node1")
        assert why in str(caught.value)

    play(story)
