"""A keeper whose plan has two roles, web and store, each with a driver of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from dataclasses import replace

import pytest

from clusterlib.drivers.fake import Life
from clusterlib.drivers.registry import driver_of
from clusterlib.errors import NodeExited, NodeNotReady, NotSupported, StartError
from clusterlib.hosts.fake import FakeHost
from clusterlib.messages.codec import Packed
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.values.choices import AddressMode
from clusterlib.values.ports import PortRange
from tests.plans import plan_of, restart_policy, timeouts
from tests.unit.keeper.roles.two import STORE, WEB, Play, Two


def test_each_node_has_its_role_and_sees_the_nodes_of_that_role(play: Play) -> None:
    async def story(two: Two) -> None:
        status = await two.keeper.start()

        assert status.state is ClusterState.READY
        assert [(node.name, node.role, node.index) for node in status.nodes] == [
            ("web1", "web", 1),
            ("web2", "web", 2),
            ("web3", "web", 3),
            ("store1", "store", 1),
            ("store2", "store", 2),
        ]
        assert {node.view for node in status.nodes} == {("web1", "web2", "web3"), ("store1", "store2")}
        assert [(role.name, role.driver) for role in status.roles] == [("web", "fake"), ("store", "fake")]

    play(story)


def test_roles_with_the_same_range_have_different_ports(play: Play) -> None:
    async def story(two: Two) -> None:
        status = await two.keeper.start()

        assert len({(node.address, node.ports["cluster"]) for node in status.nodes}) == 5

    play(story)


def test_roles_whose_nodes_have_addresses_of_their_own_can_have_the_same_port(play: Play) -> None:
    pinned = {"cluster": PortRange(28400, 28400)}

    async def story(two: Two) -> None:
        status = await two.keeper.start()

        assert {node.ports["cluster"] for node in status.nodes} == {28400}
        assert len({node.address for node in status.nodes}) == 5

    play(story, web=replace(WEB, ports=pinned), store=replace(STORE, ports=pinned), mode=AddressMode.PER_NODE)


def test_a_failed_start_of_one_role_ends_the_start_of_all(play: Play) -> None:
    async def story(two: Two) -> None:
        with pytest.raises(NodeExited, match="store2"):
            await two.keeper.start()
        assert two.keeper.nodes == {}

    play(story, {"store2": [Life(exits=3)]})


def test_a_killed_node_is_missed_in_its_role_only_and_healing_brings_it_back(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        await two.keeper.faults.kill("store2")

        assert two.keeper.state is ClusterState.DEGRADED
        status = two.keeper.status()
        assert {node.view for node in status.nodes if node.role == "web"} == {("web1", "web2", "web3")}
        assert status.dirty == ("store2 was killed",)

        healed = await two.keeper.heal()
        assert healed.state is ClusterState.READY
        assert {node.name: node.starts for node in healed.nodes}["store2"] == 2
        assert sum(node.starts for node in healed.nodes) == 6

    play(story)


def test_the_restart_policy_holds_in_every_role(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        for name in ("web1", "store1"):
            (process,) = [one for one in two.host.started if one.name == name]
            process.signal(signal.SIGKILL)
        await two.until(lambda: two.keeper.state is ClusterState.DEGRADED)
        await two.until(lambda: two.keeper.state is ClusterState.READY)

        assert {node.name: node.starts for node in two.keeper.status().nodes} == {
            "web1": 2,
            "web2": 1,
            "web3": 1,
            "store1": 2,
            "store2": 1,
        }

    play(story, restart=restart_policy("on-failure", first=0.001))


def test_at_the_end_each_driver_hears_of_its_own_nodes_at_once(play: Play) -> None:
    left: list[list[list[str]]] = []

    async def story(two: Two) -> None:
        await two.keeper.start()
        await two.keeper.faults.stop("web3")
        left.extend([two.web.left, two.store.left])

    play(story)

    assert left == [[[], ["web1", "web2", "web3"]], [["store1", "store2"]]]


def test_a_role_can_begin_with_no_data_while_the_other_keeps_its_own(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        for name in two.states():
            (two.folder / "nodes" / name / "data").write_text("kept")

        with pytest.raises(NotSupported, match="store1 cannot begin with no data"):
            await two.keeper.restart(["store1"], fresh=True)
        await two.keeper.restart(["store1", "store2"], fresh=True)

        kept = [name for name in two.states() if (two.folder / "nodes" / name / "data").exists()]
        assert kept == ["web1", "web2", "web3"]
        assert two.keeper.state is ClusterState.READY

    play(story)


def test_the_error_of_the_node_that_has_got_least_far_on_its_own_ladder_is_shown(play: Play) -> None:
    async def story(two: Two) -> None:
        two.web.stuck, two.store.stuck = 1, 3
        with pytest.raises(NodeNotReady, match="store1"):
            await two.keeper.start()

    play(story, timeouts=timeouts(start=0.3, stop=5))


def test_a_node_that_waits_to_join_waits_for_its_role_only(play: Play) -> None:
    async def story(two: Two) -> None:
        starting = asyncio.ensure_future(two.keeper.start())
        await two.until(
            lambda: (
                [two.keeper.nodes[name].state for name in ("store1", "store2") if two.keeper.nodes]
                == [NodeState.READY] * 2
            )
        )
        assert two.states()["web3"] == "starting"
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting

    play(story, {"web3": [Life(silent=True)]})


def test_settings_that_the_driver_cannot_read_are_refused_by_role_and_field() -> None:
    role = replace(STORE, driver="beam", settings=Packed({"program": 3}))

    with pytest.raises(StartError, match="the settings of driver 'beam'") as caught:
        driver_of(role, FakeHost({}))

    assert caught.value.cause == "role 'store': program: 3 is no str"


def test_a_plan_with_two_roles_is_plain_data() -> None:
    plan = plan_of(WEB, STORE)

    assert [role["name"] for role in json.loads(plan.to_json())["roles"]] == ["web", "store"]
