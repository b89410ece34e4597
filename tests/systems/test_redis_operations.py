"""The operations of Redis, on a real Redis Cluster and on Redis with Sentinel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from clusterlib.errors import NotSupported, UsageError
from tests.systems.conftest import System
from tests.systems.server_operations import check_missing_nodes


@pytest.fixture
def redis(needs: Callable[..., ModuleType]) -> ModuleType:
    return needs("redis", "redis-server", "redis-cli")


@pytest.fixture
def connect(redis: ModuleType) -> Iterator[Callable[..., Any]]:
    """A client of one node."""
    opened: list[Any] = []

    def one(node: clusterlib.Node, **options: object) -> Any:
        opened.append(redis.Redis(host=node.address, port=node.ports["client"], **options))
        return opened[-1]

    yield one
    for client in opened:
        client.close()


def test_a_client_is_listed_and_loses_its_connection(
    redis: ModuleType, connect: Callable[..., Any], system: System
) -> None:
    cluster = system("redis")
    client = connect(cluster["redis2"], client_name="shop", single_connection_client=True)
    client.ping()

    (found,) = [one for one in cluster.redis.clients().clients if one.name == "shop"]

    assert (found.node, found.command, found.user) == ("redis2", "ping", "default")
    assert {one.node for one in cluster.redis.clients("redis3").clients} == {"redis3"}
    cluster.redis.kill_client("redis2", found.client)
    assert not [one for one in cluster.redis.clients("redis2").clients if one.client == found.client]
    with pytest.raises(UsageError, match=f"redis2 has no client {found.client}"):
        cluster.redis.kill_client("redis2", found.client)
    assert cluster.status().dirty == ()


def test_slow_commands_of_all_nodes_come_with_their_node(connect: Callable[..., Any], system: System) -> None:
    cluster = system("redis")
    for name in ("redis1", "redis3"):
        client = connect(cluster[name], client_name=f"of {name}".replace(" ", "-"))
        client.config_set("slowlog-log-slower-than", 0)
        client.execute_command("ECHO", f"two words\nfor {name}")
        client.config_set("slowlog-log-slower-than", -1)

    found = cluster.redis.slowlog().commands

    echoes = {one.node: one for one in found if one.command.startswith("ECHO")}
    assert {node: one.command for node, one in echoes.items()} == {
        name: f"ECHO two words\nfor {name}" for name in ("redis1", "redis3")
    }
    assert echoes["redis1"].client == "of-redis1"
    assert [one.milliseconds for one in found] == sorted((one.milliseconds for one in found), reverse=True)
    assert len(cluster.redis.slowlog("redis1", limit=1).commands) == 1


def test_a_replica_takes_over_in_order(system: System) -> None:
    cluster = system("redis")
    members = {one.node: one for one in cluster.redis.topology().members}
    assert [one.part for one in members.values()] == ["master"] * 3 + ["replica"] * 3
    assert members["redis1"].slots == "0-5460"
    assert members["redis4"].master == "redis1"
    assert members["redis1"].replicas == ("redis4",)
    with pytest.raises(NotSupported) as refused:
        cluster.redis.failover("redis1")
    assert list(refused.value.remedies) == ["invoke cluster.redis.failover redis4"]

    done = cluster.redis.failover("redis4")

    assert (done.master, done.former) == ("redis4", "redis1")
    cluster.wait_until(
        lambda: cluster.redis.topology("redis1").members[0].part == "replica", 10, "redis1 is a replica"
    )
    assert cluster.redis.topology("redis4").members[0].slots == "0-5460"


def test_sentinels_choose_the_replica_that_takes_over(redis: ModuleType, system: System) -> None:
    cluster = system("redis-sentinel")
    members = {one.node: one.part for one in cluster.redis.topology().members}
    assert list(members.values()) == ["master", "replica", "replica", "sentinel", "sentinel", "sentinel"]

    done = cluster.redis.failover("node4")

    assert done.former == "node1"
    assert done.master in {"node2", "node3"}
    assert cluster.redis.topology(done.master).members[0].part == "master"


def test_a_sentinel_of_no_master_or_of_several_is_not_guessed_for(
    connect: Callable[..., Any], system: System
) -> None:
    cluster = system("redis-sentinel")
    sentinel = connect(cluster["node4"])
    place = cluster["node1"]
    with pytest.raises(UsageError, match="node2 is no sentinel"):
        cluster.redis.failover("node2", group="main")
    with pytest.raises(UsageError, match="node4 watches no 'mian'"):
        cluster.redis.failover("node4", group="mian")

    sentinel.execute_command("SENTINEL", "MONITOR", "other", place.address, place.ports["client"], 2)
    with pytest.raises(UsageError) as several:
        cluster.redis.failover("node4")
    assert several.value.problem == "node4 watches 2 masters"
    assert list(several.value.remedies) == [
        "invoke cluster.redis.failover node4 --group main",
        "invoke cluster.redis.failover node4 --group other",
    ]

    for group in ("main", "other"):
        sentinel.execute_command("SENTINEL", "REMOVE", group)
    with pytest.raises(NotSupported, match="node4 watches no master"):
        cluster.redis.failover("node4")
    assert cluster.redis.topology("node1").members[0].part == "master"

    assert cluster.redis.failover("node5", group="main").former == "node1"


def test_a_dead_and_a_hanging_node_are_named(redis: ModuleType, system: System) -> None:
    check_missing_nodes(system("redis"), "redis-server", "redis2", "redis5")
