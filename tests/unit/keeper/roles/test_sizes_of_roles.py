"""Each role has a size of its own, and names that no other role has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clusterlib.errors import NotSupported, UsageError
from clusterlib.messages.events import ClusterScaling
from clusterlib.messages.plan import NodePlan
from clusterlib.messages.states import ClusterState
from clusterlib.rundir.event_files import read_events
from tests.unit.keeper.roles.two import STORE, Play, Two


def test_one_role_is_scaled_while_the_other_stays_as_it_is(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        grown = await two.keeper.scale(4, "web")

        assert [node.name for node in grown.nodes] == ["web1", "web2", "web3", "web4", "store1", "store2"]
        assert [member.name for member in two.web.rosters["web1"]] == ["web1", "web2", "web3", "web4"]
        assert two.store.rosters == {}, "nothing has changed for them"
        assert [one["name"] for one in two.store.texts["store1"].values["cluster"]["nodes"]][3] == "web4"

        shrunk = await two.keeper.scale(1, "store")
        assert [node.name for node in shrunk.nodes] == ["web1", "web2", "web3", "web4", "store1"]
        assert shrunk.state is ClusterState.READY
        events = [event.what for event in read_events(two.keeper.run.events)]
        assert [event.headline() for event in events if isinstance(event, ClusterScaling)] == [
            "scaling role web from 3 to 4 nodes",
            "scaling role store from 2 to 1 node",
        ]

    play(story)


def test_with_several_roles_scaling_needs_the_name_of_one(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        for role, said in ((None, "has several roles, and none was named"), ("db", "has no role 'db'")):
            with pytest.raises(UsageError, match=said) as caught:
                await two.keeper.scale(4, role)
            assert caught.value.evidence == ("its roles: web, store",)
            with pytest.raises(UsageError, match=said):
                await two.keeper.load({}, {}, [], role)
        with pytest.raises(UsageError, match="each role has at least one node"):
            await two.keeper.scale(0, "web")
        assert len(two.states()) == 5

    play(story)


def test_a_role_of_a_fixed_size_does_not_keep_the_other_from_growing(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()

        with pytest.raises(NotSupported, match="role 'store' stays at 2 nodes: its slots are dealt out once"):
            await two.keeper.scale(3, "store")
        await two.keeper.scale(4, "web")
        assert two.states()["web4"] == "ready"

    play(story, store=replace(STORE, fixed="its slots are dealt out once"))


def test_nodes_of_the_same_name_in_two_roles_are_refused_before_anything_starts(play: Play) -> None:
    async def story(two: Two) -> None:
        with pytest.raises(UsageError, match="two nodes of the cluster would be called 'web2'") as caught:
            await two.keeper.start()
        assert caught.value.cause == "role 'store' names its nodes 'store{index}'"
        assert two.host.started == []

    same = replace(STORE, nodes=(NodePlan("store1", 1), NodePlan("web2", 2)))
    play(story, store=same)


def test_a_role_cannot_grow_into_the_names_of_another(play: Play) -> None:
    async def story(two: Two) -> None:
        await two.keeper.start()
        with pytest.raises(UsageError, match="two nodes of the cluster would be called 'web4'"):
            await two.keeper.scale(5, "web")
        assert set(two.states()) == {"web1", "web2", "web3", "store1", "web4"}
        assert two.keeper.state is ClusterState.READY

    play(story, store=replace(STORE, nodes=(NodePlan("store1", 1), NodePlan("web4", 2))))
