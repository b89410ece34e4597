"""Trouble while the keeper is busy: nothing is forgotten, stuck or left half done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.fake import STOLEN, Life
from clusterlib.errors import ClusterError, NodeExited, NodeNotReady, NodeUnavailable, StartError
from clusterlib.hosts.api import Spawn
from clusterlib.keeper.node import ManagedNode
from clusterlib.messages.events import NodeMoved
from clusterlib.messages.states import NodeState
from clusterlib.messages.uses import LeaseEnd
from clusterlib.rundir.event_files import read_events
from tests.plans import restart_policy, timeouts
from tests.unit.keeper.stage import World

SOON = restart_policy("on-failure", attempts=9, first=0.001)


def test_a_node_that_crashes_while_another_is_restarted_comes_back(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        restarting = asyncio.ensure_future(world.keeper.restart(["node1"]))
        await world.until(lambda: world.keeper.nodes["node1"].starts == 2)
        await world.keeper.faults.kill("node3")
        await restarting
        await world.until(lambda: str(world.keeper.state) == "ready")
        assert world.keeper.nodes["node3"].starts == 2

    play(story, {"node1": [Life(), Life(slow=0.05)]}, restart=SOON)


def test_a_restart_does_not_wait_for_a_node_that_died_meanwhile(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        restarting = asyncio.ensure_future(world.keeper.restart(["node1"]))
        await world.until(lambda: world.keeper.nodes["node1"].starts == 2)
        await world.keeper.faults.kill("node3")
        async with asyncio.timeout(5):
            await restarting
        assert world.states() == {"node1": "ready", "node2": "ready", "node3": "dead"}

    play(story, {"node1": [Life(), Life(slow=0.05)]}, timeouts=timeouts(start=60, stop=1))


def test_a_restart_does_not_wait_for_a_node_that_is_paused_meanwhile(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        restarting = asyncio.ensure_future(world.keeper.restart(["node1"]))
        await world.until(lambda: world.keeper.nodes["node1"].starts == 2)
        world.driver.alive.discard("node3")  # as the others see a paused node
        await world.keeper.faults.pause("node3")
        async with asyncio.timeout(5):
            await restarting
        assert world.states()["node1"] == "ready"

    play(story, {"node1": [Life(), Life(slow=0.05)]}, timeouts=timeouts(start=60, stop=1))


def test_a_revival_that_fails_is_tried_again(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node1")
        await world.until(lambda: str(world.keeper.state) == "ready")
        assert world.keeper.nodes["node1"].starts == 4

    lives = {"node1": [Life(), Life(silent=True), Life(exits=1)]}
    world = play(story, lives, restart=SOON, timeouts=timeouts(start=0.1, stop=1))
    assert world.kinds().count("node.restart-failed") == 2


def test_of_nodes_that_are_restarted_each_has_its_own_fate(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        with pytest.raises(NodeExited, match="node2"):
            await world.keeper.restart([])
        assert world.states() == {"node1": "ready", "node2": "dead", "node3": "ready"}

    play(story, {"node2": [Life(), Life(exits=1)]})


def test_a_restarted_node_that_does_not_get_ready_is_ended(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        with pytest.raises(NodeNotReady):
            await world.keeper.restart(["node2"])
        node = world.keeper.nodes["node2"]
        assert (str(node.state), node.pid) == ("dead", None)
        assert "did not become ready" in node.reason
        await world.keeper.restart(["node2"])
        assert str(world.keeper.state) == "ready"

    play(story, {"node2": [Life(), Life(silent=True)]}, timeouts=timeouts(start=0.1, stop=1))


def test_a_node_that_cannot_be_spawned_again_is_dead_and_can_be_taken_down(
    play: Callable[..., World],
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        spawn = world.host.spawn

        async def refuse(order: Spawn) -> Any:
            raise StartError("no more processes")

        world.host.spawn = refuse  # type: ignore[method-assign]
        with pytest.raises(StartError, match="no more processes"):
            await world.keeper.restart(["node2"])
        node = world.keeper.nodes["node2"]
        assert (str(node.state), node.pid) == ("dead", None)
        world.host.spawn = spawn  # type: ignore[method-assign]

    world = play(story)
    assert world.keeper.finished.result() is None


def test_a_shutdown_in_the_middle_of_a_restart_is_clean(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        spawning = asyncio.Event()

        async def hang(order: Spawn) -> Any:
            spawning.set()
            await asyncio.Event().wait()

        world.host.spawn = hang  # type: ignore[method-assign]
        restarting = asyncio.ensure_future(world.keeper.restart(["node2"]))
        await spawning.wait()
        await world.keeper.shut_down("asked to")
        with pytest.raises(asyncio.CancelledError):
            await restarting

    world = play(story)
    assert world.keeper.finished.result() is None
    assert "node.killed" not in world.kinds()


def test_a_shutdown_that_goes_wrong_still_ends(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()

        async def broken(seconds: float) -> Any:
            await type(world.host).sweep(world.host, seconds)
            raise OSError("no /proc")

        world.host.sweep = broken  # type: ignore[method-assign]

    world = play(story)
    problem = world.keeper.finished.result()
    assert isinstance(problem, ClusterError)
    assert "no /proc" in str(problem.cause)


def test_a_start_fails_when_a_node_that_was_ready_ends_before_the_others_are(
    play: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    climb = ManagedNode.climb

    async def story(world: World) -> None:
        held = asyncio.Event()

        async def hesitate(node: ManagedNode, *arguments: Any) -> None:
            await climb(node, *arguments)
            if node.name == "node3":
                await held.wait()

        monkeypatch.setattr(ManagedNode, "climb", hesitate)
        starting = asyncio.ensure_future(world.keeper.start())
        await world.until(lambda: set(world.states().values()) == {"ready"})
        await world.keeper.faults.kill("node1")
        held.set()
        with pytest.raises(NodeExited, match="node1"):
            await starting

    play(story)


def test_what_a_node_said_in_a_former_life_is_no_evidence(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NodeExited) as caught:
            await world.keeper.start()
        assert caught.value.evidence == ("no database",)

    lives = {"node1": [Life(exits=1, says=STOLEN), Life(exits=1, says="no database")]}
    world = play(story, lives)
    assert world.kinds().count("cluster.retrying") == 1


def test_a_node_comes_back_only_when_nobody_sees_its_former_life(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node2")
        world.driver.alive.add("node2")  # the others have not noticed yet
        restarting = asyncio.ensure_future(world.keeper.restart(["node2"]))
        await world.until(lambda: world.states()["node2"] == "stopped")
        assert world.keeper.nodes["node2"].starts == 1
        world.driver.alive.discard("node2")
        await restarting
        assert str(world.keeper.state) == "ready"

    play(story, timeouts=timeouts(start=10, stop=1, detect=60))


def test_only_a_node_that_is_ready_can_be_paused(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        starting = asyncio.ensure_future(world.keeper.start())
        await world.until(lambda: "node1" in world.keeper.nodes and world.keeper.nodes["node1"].pid)
        with pytest.raises(NodeUnavailable, match="starting"):
            await world.keeper.faults.pause("node1")
        await starting
        assert world.states()["node1"] == "ready"

    play(story, {"node1": [Life(slow=0.05)]})


def test_a_second_start_finds_the_cluster_started(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        both = await asyncio.gather(world.keeper.start(), world.keeper.start())
        assert [status.state for status in both] == ["ready", "ready"]
        assert len(world.host.started) == 3

    play(story)


def written(world: World, name: str) -> list[str]:
    text = (world.run.node(name) / "peers.json").read_text()
    return [str(peer) for peer in json.loads(text)]


@pytest.fixture
def peers(tmp_path: Path) -> dict[str, Any]:
    """Changes to a plan whose nodes read who their peers are; no configuration can be made for
    five."""
    (tmp_path / "peers.j2").write_text(
        "{{ cluster.nodes | map(attribute='name') | list | tojson }}"
        "{% if cluster.nodes | length == 5 %}{{ one.too_many }}{% endif %}"
    )
    return {"templates": {"peers.json": "peers.j2"}, "template_search": (str(tmp_path),)}


def test_a_node_restarted_after_shrinking_reads_who_is_left(
    play: Callable[..., World], peers: dict[str, Any]
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        assert written(world, "node1") == ["node1", "node2", "node3"]
        await world.keeper.scale(2)
        await world.keeper.restart(["node1"])
        assert written(world, "node1") == ["node1", "node2"]

    play(story, **peers)


def test_growth_whose_configuration_cannot_be_made_leaves_the_cluster_as_it_was(
    play: Callable[..., World], peers: dict[str, Any]
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        with pytest.raises(ClusterError, match="template"):
            await world.keeper.scale(5)
        assert sorted(world.states()) == ["node1", "node2", "node3"]
        await world.keeper.scale(4)
        assert str(world.keeper.state) == "ready"

    play(story, **peers)


def test_files_that_cannot_be_written_end_the_start_with_an_error_that_teaches(
    play: Callable[..., World], peers: dict[str, Any]
) -> None:
    async def story(world: World) -> None:
        with pytest.raises(StartError) as caught:
            await world.keeper.start()
        assert caught.value.cause
        assert caught.value.remedies
        assert world.keeper.nodes == {}

    play(story, **{**peers, "templates": {"a": "peers.j2", "a/b": "peers.j2"}})


def test_a_new_holder_starts_the_lingering_anew(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.holding.leases.release(1, LeaseEnd.RETURNED)
        world.keeper.holding.leases.release(world.keeper.holding.leases.take("another"), LeaseEnd.RETURNED)
        world.keeper.holding.linger = 0
        await world.keeper.holding._linger(taken=1)
        assert str(world.keeper.state) == "ready"
        await world.keeper.holding._linger(taken=2)
        assert str(world.keeper.state) == "stopping"

    play(story, linger=60)


def test_a_cluster_that_is_kept_while_it_lingers_lives_on(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.keeper.holding.leases.release(1, LeaseEnd.RETURNED)
        lingering = world.keeper._background.copy()
        world.keeper.holding.keep()
        await asyncio.wait(lingering)
        assert str(world.keeper.state) == "ready"

    play(story, linger=0.01)


def test_what_a_node_says_last_is_in_its_log_however_much_it_is(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NodeExited) as caught:
            await world.keeper.start()
        assert caught.value.evidence[-1] == "the reason"

    says = "\n".join([*("x" * 70 for _ in range(700)), "the reason"])
    world = play(story, {"node1": [Life(exits=1, says=says)]})
    moves = [event.what for event in read_events(world.run.events) if isinstance(event.what, NodeMoved)]
    assert NodeState.DEAD in [move.state for move in moves]


def test_a_node_named_twice_is_restarted_once(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.restart(["node1", "node1"])
        assert world.keeper.nodes["node1"].starts == 2
        assert str(world.keeper.state) == "ready"

    play(story)


def test_a_cluster_ends_even_if_its_status_cannot_be_told(
    play: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()

        def broken(*_: object) -> None:
            raise RuntimeError("the author of a driver made a mistake")

        with monkeypatch.context() as patch:
            patch.setattr(type(world.driver), "facts", broken)
            await asyncio.wait_for(world.keeper.shut_down("asked to"), 10)

        assert world.keeper.finished.result() is None

    play(story)
