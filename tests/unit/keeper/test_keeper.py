"""The keeper's mind, on a fake host with fake nodes: what it does when something happens."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Literal

import pytest

from clusterlib.drivers.api import NodeSpec
from clusterlib.drivers.fake import STOLEN, Life
from clusterlib.errors import (
    LeftBehind,
    NodeExited,
    NodeNotReady,
    NodeUnavailable,
    TemplateError,
)
from clusterlib.keeper.node import AFTER_KILL, ManagedNode
from clusterlib.messages.events import NodeMoved, NodeRestarting
from clusterlib.rundir.event_files import read_events
from tests.plans import restart_policy, timeouts
from tests.unit.keeper.stage import PLAN, World


def test_a_cluster_is_ready_when_all_see_all(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        status = await world.keeper.start()
        assert status.state == "ready"
        assert [node.view for node in status.nodes] == [("node1", "node2", "node3")] * 3

    world = play(story)
    assert world.kinds()[-1] == "cluster.stopped"


def test_an_exit_during_the_start_ends_it_with_the_tail_of_the_log(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NodeExited) as caught:
            await world.keeper.start()
        assert "code 3" in str(caught.value.cause)
        assert caught.value.evidence == ("no database",)
        assert world.keeper.nodes == {}
        assert len(world.host.started) == 3, "a program that fails will fail again: it is not started twice"

    play(story, {"node2": [Life(exits=3, says="no database")]})


def test_a_node_that_never_ran_has_not_stopped(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        async def prepare(node: NodeSpec, hear: object) -> None:
            del hear
            if node.name == "node2":
                raise TemplateError("the template has a mistake")
            await asyncio.Event().wait()

        world.driver.prepare = prepare  # type: ignore[method-assign]
        with pytest.raises(TemplateError):
            await world.keeper.start()
        happened = [event.what for event in read_events(world.run.events)]
        states = [what.state for what in happened if isinstance(what, NodeMoved)]
        assert "starting" in states
        assert "stopped" not in states

    play(story)


def test_a_node_that_stays_silent_is_told_at_the_deadline(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NodeNotReady, match="node1"):
            await world.keeper.start()

    play(story, {"node1": [Life(silent=True)]}, timeouts=timeouts(start=0.05, stop=1))


def test_stolen_ports_are_replaced(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        status = await world.keeper.start()
        assert status.state == "ready"

    world = play(story, {"node1": [Life(exits=1, says=STOLEN)] * 2})
    assert world.kinds().count("cluster.retrying") == 2


def test_ports_that_are_stolen_for_ever_end_the_start(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(NodeExited):
            await world.keeper.start()

    world = play(story, {"node1": [Life(exits=1, says=STOLEN)] * 9})
    assert world.kinds().count("cluster.retrying") == PLAN.retry.attempts


def test_a_crash_degrades_the_cluster_and_is_not_repaired_unless_asked(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node2")
        assert world.states()["node2"] == "dead"
        assert str(world.keeper.state) == "degraded"

        await world.keeper.restart(["node2"])
        assert str(world.keeper.state) == "ready"

    play(story)


@pytest.mark.parametrize(("policy", "restarted"), [("always", True), ("on-failure", True), ("never", False)])
def test_the_restart_policy_decides_after_a_crash(
    play: Callable[..., World], policy: str, restarted: bool
) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node1")
        if restarted:
            await world.until(lambda: str(world.keeper.state) == "ready")
        assert (world.keeper.nodes["node1"].starts == 2) is restarted

    play(story, restart=restart_policy(policy, first=0.001))


def test_a_clean_exit_is_restarted_only_always(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        world.driver.stop("node1")
        await world.until(lambda: world.states()["node1"] == "dead")

    world = play(story, restart=restart_policy("on-failure", first=0.001))
    assert "node.restarting" not in world.kinds()


def test_restarts_back_off_and_end(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node1")
        await world.until(lambda: "given up" in world.keeper.nodes["node1"].reason)
        assert world.states()["node1"] == "dead"

    lives = {"node1": [Life(), *[Life(exits=1)] * 9]}
    world = play(story, lives, restart=restart_policy("on-failure", attempts=3, first=0.001, factor=2))
    happened = [event.what for event in read_events(world.run.events)]
    pauses = [what.after for what in happened if isinstance(what, NodeRestarting)]
    assert pauses == [0.001, 0.002, 0.004]


def test_a_node_that_does_not_stop_is_killed(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()

    world = play(story, {"node3": [Life(stubborn=True)]}, timeouts=timeouts(start=10, stop=0.02))
    assert "node.killed" in world.kinds()


@pytest.mark.parametrize("stop", [0.03, 30.0])
def test_all_that_is_tried_before_a_kill_fits_into_the_time_to_stop(
    play: Callable[..., World], monkeypatch: pytest.MonkeyPatch, stop: float
) -> None:
    """How long the keeper waits, not how long the machine takes."""
    waited: list[float] = []

    async def exits_within(node: ManagedNode, seconds: float) -> bool:
        waited.append(seconds)
        if node._process is not None and seconds == AFTER_KILL:
            await asyncio.wait([node._process.exit], timeout=seconds)
        return node.exit is not None

    async def story(world: World) -> None:
        await world.keeper.start()
        monkeypatch.setattr(ManagedNode, "_exits_within", exits_within)
        stopped = await world.keeper.faults.stop("node3")
        monkeypatch.undo()
        assert (stopped.state, stopped.reason) == (
            "stopped",
            f"did not stop within {stop:g} s and was killed",
        )
        assert [time for time in waited if time > stop and time != AFTER_KILL] == []
        first, second, third = waited
        assert 0 <= first < stop
        assert second <= stop
        assert third == AFTER_KILL
        assert second - first <= stop / 3 + 0.001

    play(story, {"node3": [Life(stubborn=True)]}, timeouts=timeouts(start=10, stop=stop))


@pytest.mark.parametrize("policy", ["never", "always"])
def test_a_node_that_is_stopped_stays_down_until_it_is_started(
    play: Callable[..., World], policy: Literal["never", "always"]
) -> None:
    async def story(world: World) -> None:
        faults = world.keeper.faults
        await world.keeper.start()
        assert (await faults.stop("node2", "ann")).by == "ann"
        await faults.stop("node2")
        assert world.states()["node2"] == "stopped"
        assert str(world.keeper.state) == "degraded"
        assert world.keeper.status().dirty == ("node2 was stopped",)
        assert signal.SIGKILL not in world.host.started[1].received
        with pytest.raises(NodeUnavailable):
            await faults.kill("node2")

        assert (await faults.start("node2")).state == "ready"
        await faults.start("node2")
        assert str(world.keeper.state) == "ready"
        assert world.keeper.status().dirty == ()

        await faults.pause("node1")
        with pytest.raises(NodeUnavailable, match="is paused"):
            await faults.start("node1")
        await faults.stop("node1")
        await world.keeper.heal()
        assert world.states()["node1"] == "ready"

    world = play(story, restart=restart_policy(policy, first=0.001))
    assert "node.restarting" not in world.kinds()


def test_a_node_that_waits_to_be_revived_can_be_stopped(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.kill("node1")
        assert world.states()["node1"] == "waiting"
        await world.keeper.faults.stop("node1")
        assert world.states()["node1"] == "stopped"
        assert len(world.host.started) == 3
        await world.keeper.faults.start("node1")
        assert world.states()["node1"] == "ready"

    play(story, restart=restart_policy("always", first=60))


def test_a_start_that_fails_leaves_the_node_dead_and_the_cluster_dirty(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        await world.keeper.faults.stop("node2")
        with pytest.raises(NodeExited):
            await world.keeper.faults.start("node2")
        assert world.states()["node2"] == "dead"
        assert world.keeper.status().dirty != ()

    play(story, {"node2": [Life(), Life(exits=3)]})


def test_what_survives_everything_is_reported(play: Callable[..., World]) -> None:
    async def story(world: World) -> None:
        await world.keeper.start()
        immortal = world.host.started[0]
        await world.keeper.faults.kill("node2")
        immortal.unkillable = True
        world.driver.stop("node1")
        world.host.started[1].unkillable = True

    async def survivors(world: World) -> None:
        await story(world)
        from clusterlib.hosts.api import Survivor

        async def sweep(seconds: float) -> list[Survivor]:
            return [Survivor(4711, "immortal --daemon")]

        world.host.sweep = sweep  # type: ignore[method-assign]

    world = play(survivors)
    problem = world.keeper.finished.result()
    assert isinstance(problem, LeftBehind)
    assert problem.evidence == ("pid 4711: immortal --daemon",)
