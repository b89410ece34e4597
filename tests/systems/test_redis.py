"""Redis Cluster, through redis-py."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from clusterlib.drivers.command.profile import Formed
from clusterlib.profiles import load_profile
from clusterlib.rendering import render_text
from tests.systems.conftest import System
from tests.systems.load import restarted_one_by_one_under_load

Needs = Callable[..., ModuleType]


@pytest.fixture
def redis(needs: Needs) -> ModuleType:
    return needs("redis", "redis-server", "redis-cli")


@pytest.fixture
def connect(redis: ModuleType) -> Iterator[Callable[[clusterlib.Node], Any]]:
    """A client of one node, and of no other."""
    opened: list[Any] = []

    def one(node: clusterlib.Node) -> Any:
        opened.append(redis.Redis(host=node.address, port=node.ports["client"], decode_responses=True))
        return opened[-1]

    yield one
    for client in opened:
        client.close()


def whole(redis: ModuleType, node: clusterlib.Node) -> Any:
    """A client of the whole cluster, which has met it at this node."""
    return redis.RedisCluster(host=node.address, port=node.ports["client"], decode_responses=True)


def test_three_masters_have_a_replica_each(system: System, connect: Callable[[clusterlib.Node], Any]) -> None:
    cluster = system("redis")

    roles = [connect(node).role() for node in cluster]

    assert [role[0] for role in roles] == ["master"] * 3 + ["slave"] * 3
    masters = {node.ports["client"] for node in cluster.nodes[:3]}
    assert {int(role[2]) for role in roles[3:]} == masters


def test_a_node_that_leaves_a_replica_out_of_what_it_gives_to_clients_is_not_formed(system: System) -> None:
    cluster = system("redis")
    formed = load_profile("redis").values.section(Formed)
    nodes = [{"name": node.name, "ports": node.ports} for node in cluster]
    names = [node.name for node in cluster]
    pattern = render_text(formed.answer, {"cluster": {"nodes": nodes}, "alive": names})

    for node in cluster:
        reply = answer_of(node, formed.send)
        assert re.search(pattern, reply)
        for other in cluster:
            listed = f":{other.ports['client']}\r\n$40\r\n"
            assert not re.search(pattern, reply.replace(listed, ":1\r\n$40\r\n"))


def answer_of(node: clusterlib.Node, text: str) -> str:
    """All that a node says to this before it hangs up."""
    with socket.create_connection((node.address, node.ports["client"]), timeout=10) as connection:
        connection.sendall(text.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_a_client_at_every_node_reads_what_it_wrote(redis: ModuleType, system: System) -> None:
    cluster = system("redis")

    for node in cluster:
        with closing(whole(redis, node)) as client:
            for number in range(20):
                assert client.set(f"{node.name}:{number}", number)
            assert [client.get(f"{node.name}:{number}") for number in range(20)] == list(map(str, range(20)))


def test_a_killed_master_is_missed_replaced_and_healed(
    redis: ModuleType, system: System, connect: Callable[[clusterlib.Node], Any]
) -> None:
    cluster = system("redis")
    killed, other = cluster["redis1"], cluster["redis2"]
    with closing(whole(redis, other)) as client:
        for number in range(50):
            client.set(f"key:{number}", number)

    killed.kill()

    assert cluster.state == "degraded"
    info = connect(other)
    cluster.wait_until(lambda: "fail" in flags(info, killed), 15, "redis1 is taken for failed")
    cluster.wait_until(lambda: info.cluster("info")["cluster_state"] == "ok", 15, "a replica takes over")
    killed.restart()
    cluster.wait_ready(15)
    with closing(whole(redis, killed)) as client:
        assert [client.get(f"key:{number}") for number in range(50)] == list(map(str, range(50)))


def test_a_rolling_restart_loses_nothing(redis: ModuleType, system: System) -> None:
    cluster = system("redis")
    with closing(whole(redis, cluster["redis1"])) as client:
        for number in range(50):
            client.set(f"key:{number}", number)

    cluster.restart(rolling=True)
    assert cluster.state == "ready"

    with closing(whole(redis, cluster["redis1"])) as client:
        assert [client.get(f"key:{number}") for number in range(50)] == list(map(str, range(50)))


def test_what_was_taken_during_a_rolling_restart_is_there_after_it(redis: ModuleType, system: System) -> None:
    cluster = system("redis")
    with closing(whole(redis, cluster["redis1"])) as client:
        taken = restarted_one_by_one_under_load(cluster, lambda number: client.set(f"load:{number}", number))

    with closing(whole(redis, cluster["redis6"])) as client:
        assert [client.get(f"load:{number}") for number in taken] == list(map(str, taken))


@pytest.mark.parametrize("nodes", [1, 3, 5, 7])
def test_it_comes_in_other_sizes(redis: ModuleType, system: System, nodes: int) -> None:
    """Fewer than six nodes are masters, all of them."""
    cluster = system("redis", nodes=nodes)

    with closing(whole(redis, cluster.nodes[-1])) as client:
        assert len(client.get_primaries()) == (nodes if nodes < 6 else nodes // 2)
        client.set("tea", 3)


def test_two_of_a_kind_know_nothing_of_each_other(redis: ModuleType, system: System) -> None:
    one, other = system("redis", name="one"), system("redis", name="other")
    with closing(whole(redis, one["redis1"])) as ours, closing(whole(redis, other["redis1"])) as theirs:
        ours.set("mine", "yes")

        assert theirs.get("mine") is None
        assert len(theirs.get_nodes()) == 6


def flags(client: Any, node: clusterlib.Node) -> str:
    """What this client's node thinks of that one."""
    known = client.cluster("nodes")
    return str(known.get(f"{node.address}:{node.ports['client']}", {}).get("flags", ""))
