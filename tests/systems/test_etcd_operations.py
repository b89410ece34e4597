"""The operations of etcd, on a real one."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from clusterlib.errors import NodeUnavailable, NodeUnknown, NotSupported, ServerRefused
from tests.systems.conftest import System
from tests.systems.server_operations import check_missing_nodes


@pytest.fixture(autouse=True)
def etcd(needs: Callable[..., ModuleType]) -> None:
    needs("json", "etcd", "etcdctl")


def test_the_members_agree_on_their_leader_and_a_named_one_takes_its_place(system: System) -> None:
    cluster = system("etcd")

    status = cluster.etcd.status()
    leader = cluster.etcd.leader()

    assert [one.node for one in status.members] == ["etcd1", "etcd2", "etcd3"]
    assert [one.node for one in status.members if one.leads] == [leader.node]
    assert {one.leader for one in status.members} == {leader.node}
    assert len({one.member for one in status.members}) == 3
    assert leader.others == ()
    chosen = next(iter(leader.followers))
    moved = cluster.etcd.move_leader(chosen)
    assert (moved.node, moved.former) == (chosen, leader.node)
    assert moved.term > leader.term
    assert cluster.etcd.leader().node == chosen
    assert cluster.etcd.move_leader(chosen).former == chosen
    assert cluster.etcd.status(chosen).members[0].leads


def test_one_member_names_a_leader_that_was_not_asked_for(system: System) -> None:
    cluster = system("etcd")
    follower = cluster.etcd.leader().followers[0]

    (member,) = cluster.etcd.status(follower).members

    assert member.leader == cluster.etcd.leader().node


def test_a_leader_cannot_be_moved_to_a_dead_or_unknown_member(system: System) -> None:
    cluster = system("etcd")
    cluster["etcd3"].kill()

    with pytest.raises(NodeUnavailable, match="etcd3 was killed"):
        cluster.etcd.move_leader("etcd3")
    with pytest.raises(NodeUnknown):
        cluster.etcd.move_leader("etcd9")
    assert cluster.etcd.leader().node in {"etcd1", "etcd2"}
    assert cluster.status().dirty == ("etcd3 was killed",)


def test_a_dead_and_a_hanging_member_are_named(system: System) -> None:
    check_missing_nodes(system("etcd"), "etcd", "etcd1", "etcd2")


def test_without_a_leader_there_is_none_to_move(system: System) -> None:
    cluster = system("etcd")
    cluster["etcd1"].kill()
    cluster["etcd2"].kill()
    cluster.wait_until(lambda: cluster.etcd.leader().node is None, 15, "etcd3 gives up its leader")

    with pytest.raises(ServerRefused, match="agree on no leader"):
        cluster.etcd.move_leader("etcd3")


def test_operations_of_other_servers_name_those_of_etcd(system: System) -> None:
    cluster = system("etcd")

    with pytest.raises(NotSupported) as refused:
        cluster.redis.clients()

    assert refused.value.cause == "it serves clusters of redis-server; this one is of etcd"
    assert "invoke cluster.etcd.status" in refused.value.remedies
    assert "etcd" in dir(cluster)
    assert "redis" not in dir(cluster)
