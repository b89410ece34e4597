"""Redis with Sentinel, through redis-py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from clusterlib.messages.events import NodeReached, NodeStarted
from clusterlib.rundir.event_files import read_events
from tests.systems.conftest import System
from tests.systems.load import restarted_one_by_one_under_load


@pytest.fixture
def redis(needs: Callable[..., ModuleType]) -> ModuleType:
    return needs("redis", "redis-server", "redis-cli")


Connect = Callable[[clusterlib.Node], Any]


@pytest.fixture
def connect(redis: ModuleType) -> Iterator[Connect]:
    opened: list[Any] = []

    def one(node: clusterlib.Node) -> Any:
        opened.append(redis.Redis(host=node.address, port=node.ports["client"], decode_responses=True))
        return opened[-1]

    yield one
    for client in opened:
        client.close()


def master(connect: Connect, sentinel: clusterlib.Node) -> int:
    """The port of the master, as this sentinel sees it."""
    return int(connect(sentinel).sentinel_get_master_addr_by_name("main")[1])


def test_every_sentinel_knows_the_master_and_replicas_have_what_it_has(
    system: System, connect: Connect
) -> None:
    cluster = system("redis-sentinel")
    data, sentinels = cluster.nodes[:3], cluster.nodes[3:]

    assert {master(connect, one) for one in sentinels} == {data[0].ports["client"]}
    first = connect(data[0])
    first.set("tea", 3)
    assert first.wait(2, 5000) == 2
    assert [connect(one).get("tea") for one in data] == ["3"] * 3


@pytest.mark.usefixtures("redis")
def test_replicas_and_sentinels_start_when_the_master_answers(system: System) -> None:
    """A replica that finds no master tries again only after a second."""
    cluster = system("redis-sentinel")

    happened = [event.what for event in read_events(cluster.run_folder.events)]
    started = {what.node: place for place, what in enumerate(happened) if isinstance(what, NodeStarted)}
    answers = next(
        place for place, what in enumerate(happened) if isinstance(what, NodeReached) and what.node == "node1"
    )

    assert all(answers < place for node, place in started.items() if node != "node1")
    assert not [
        name
        for name in cluster.run_folder.node_names()
        if "refused" in cluster.run_folder.log(name).read_text()
    ]


def test_a_killed_master_gets_a_successor_and_comes_back_as_its_replica(
    system: System, connect: Connect
) -> None:
    cluster = system("redis-sentinel")
    data, sentinel = cluster.nodes[:3], cluster.nodes[3]
    first = connect(data[0])
    first.set("tea", 3)
    assert first.wait(2, 5000) == 2

    data[0].kill()

    assert cluster.state == "degraded"
    old = data[0].ports["client"]
    cluster.wait_until(lambda: master(connect, sentinel) != old, 20, "a successor is chosen")
    data[0].restart()
    cluster.wait_ready(20)
    again = connect(data[0])
    cluster.wait_until(lambda: again.role()[0] == "slave", 20, "the old master follows the new one")
    cluster.wait_until(lambda: again.get("tea") == "3", 20)


def test_a_rolling_restart_loses_nothing(system: System, connect: Connect) -> None:
    cluster = system("redis-sentinel")
    first = connect(cluster["node1"])
    first.set("tea", 3)
    assert first.wait(2, 5000) == 2

    cluster.restart(rolling=True)
    assert cluster.state == "ready"

    cluster.wait_until(lambda: connect(cluster["node2"]).get("tea") == "3", 20)


def test_what_all_had_taken_during_a_rolling_restart_is_there_after_it(
    redis: ModuleType, system: System, connect: Connect
) -> None:
    """Redis promises to keep what its replicas have confirmed, too: a successor is chosen from
    among them."""
    cluster = system("redis-sentinel")
    sentinels = [(node.address, node.ports["client"]) for node in cluster.nodes[3:]]
    directory = redis.Sentinel(sentinels, socket_timeout=1)
    first = directory.master_for("main", decode_responses=True)

    def write(number: int) -> None:
        first.set(f"load:{number}", number)
        if first.wait(2, 1000) != 2:
            raise TimeoutError

    taken = restarted_one_by_one_under_load(cluster, write)

    assert [first.get(f"load:{number}") for number in taken] == list(map(str, taken))
    first.close()
    for sentinel in directory.sentinels:
        sentinel.close()


@pytest.mark.parametrize(("nodes", "data"), [(1, 1), (2, 1), (5, 2)])
def test_it_comes_in_other_sizes(system: System, connect: Connect, nodes: int, data: int) -> None:
    cluster = system("redis-sentinel", nodes=nodes)

    modes = [connect(node).info("server")["redis_mode"] for node in cluster]

    assert modes == ["standalone"] * data + ["sentinel"] * (nodes - data)


def test_two_of_a_kind_know_nothing_of_each_other(system: System, connect: Connect) -> None:
    one, other = system("redis-sentinel", name="one"), system("redis-sentinel", name="other")

    connect(one["node1"]).set("mine", "yes")

    assert connect(other["node1"]).get("mine") is None
    assert connect(other["node4"]).info("sentinel")["sentinel_masters"] == 1
