"""NATS with JetStream, through nats-py."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from clusterlib.drivers.command.profile import Formed
from clusterlib.operations.health import examine_health
from clusterlib.profiles import load_profile
from clusterlib.rendering import render_text
from tests.systems.conftest import System
from tests.systems.load import restarted_one_by_one_under_load


@pytest.fixture
def nats(needs: Callable[..., ModuleType]) -> ModuleType:
    return needs("nats", "nats-server")


@asynccontextmanager
async def connected(nats: ModuleType, node: clusterlib.Node) -> AsyncIterator[Any]:
    """A client of this one server, which it does not leave for another."""
    client = await nats.connect(
        f"nats://{node.address}:{node.ports['client']}", dont_randomize=True, allow_reconnect=False
    )
    try:
        yield client
    finally:
        await client.close()


async def publish(nats: ModuleType, node: clusterlib.Node, count: int) -> None:
    async with connected(nats, node) as client:
        stream = client.jetstream(timeout=10)
        for number in range(count):
            await stream.publish("orders.new", str(number).encode())


async def stored(nats: ModuleType, node: clusterlib.Node) -> int:
    async with connected(nats, node) as client:
        return int((await client.jetstream(timeout=10).stream_info("orders")).state.messages)


async def make_stream(nats: ModuleType, node: clusterlib.Node) -> None:
    async with connected(nats, node) as client:
        await client.jetstream(timeout=10).add_stream(name="orders", subjects=["orders.*"], num_replicas=3)


def test_what_is_published_at_one_server_is_heard_at_every_other(nats: ModuleType, system: System) -> None:
    cluster = system("nats")

    async def story() -> list[bytes]:
        heard = []
        for publisher in cluster:
            for listener in cluster:
                async with connected(nats, publisher) as here, connected(nats, listener) as there:
                    subscription = await there.subscribe("greetings")
                    await there.flush()
                    heard.append(await _heard(here, subscription))
        return heard

    assert asyncio.run(story()) == [b"hello"] * 9


async def _heard(publisher: Any, subscription: Any) -> bytes:
    """Interest spreads through the cluster in its own time: says it until it is heard."""
    for _ in range(100):
        await publisher.publish("greetings", b"hello")
        await publisher.flush()
        try:
            return bytes((await subscription.next_msg(timeout=0.1)).data)
        except TimeoutError:
            continue
    raise AssertionError("never heard")


def test_a_leader_that_has_not_heard_of_a_server_is_not_formed(system: System) -> None:
    """It would refuse a stream: "no suitable peers for placement, peer offline"."""
    cluster = system("nats")
    formed = load_profile("nats").values.section(Formed)
    answers = {node.name: status_of(node) for node in cluster}
    leader = re.search(r'"leader": "(\w+)"', answers["nats1"])
    assert leader

    for node in cluster:
        peers = [{"name": one.name, "ports": one.ports} for one in cluster if one is not node]
        names = {"node": {"name": node.name}, "peers": peers, "alive": [one.name for one in cluster]}
        pattern, answer = render_text(formed.answer, names), answers[node.name]
        assert re.search(pattern, answer)
        for peer in peers:
            heard = rf'("name": "{peer["name"]}",\s+"current": true,)'
            unheard = re.sub(heard, r'\1 "offline": true,', answer)
            assert bool(re.search(pattern, unheard)) is (node.name != leader[1])


def status_of(node: clusterlib.Node) -> str:
    with urllib.request.urlopen(f"http://{node.address}:{node.ports['monitor']}/varz", timeout=10) as reply:
        return str(reply.read().decode())


def test_a_stream_outlives_a_killed_server_which_then_catches_up(nats: ModuleType, system: System) -> None:
    cluster = system("nats")
    asyncio.run(make_stream(nats, cluster["nats1"]))
    asyncio.run(publish(nats, cluster["nats1"], 20))

    cluster["nats1"].kill()

    assert cluster.state == "degraded"
    assert cluster.wait_until(lambda: published(nats, cluster["nats2"]), 30, "the others accept messages")
    cluster["nats1"].restart()
    cluster.wait_ready(20)
    cluster.wait_until(lambda: asyncio.run(stored(nats, cluster["nats1"])) >= 21, 20)


def test_a_rolling_restart_keeps_the_stream(nats: ModuleType, system: System) -> None:
    cluster = system("nats")
    asyncio.run(make_stream(nats, cluster["nats1"]))
    asyncio.run(publish(nats, cluster["nats1"], 20))

    cluster.restart(rolling=True)
    assert cluster.state == "ready"

    cluster.wait_until(lambda: count(nats, cluster["nats3"]) == 20, 30, "the stream has a leader again")


def test_what_was_taken_during_a_rolling_restart_is_in_the_stream(nats: ModuleType, system: System) -> None:
    cluster = system("nats")
    asyncio.run(make_stream(nats, cluster["nats1"]))

    taken = restarted_one_by_one_under_load(
        cluster, lambda number: asyncio.run(publish(nats, cluster.nodes[number % 3], 1))
    )

    for node in cluster:
        cluster.wait_until(lambda n=node: (count(nats, n) or 0) >= len(taken), 30)  # type: ignore[misc]


def test_two_of_a_kind_know_nothing_of_each_other(nats: ModuleType, system: System) -> None:
    one, other = system("nats", name="one"), system("nats", name="other")
    asyncio.run(make_stream(nats, one["nats1"]))

    assert count(nats, one["nats2"]) == 0
    assert count(nats, other["nats2"]) is None


def test_servers_can_be_added(nats: ModuleType, system: System) -> None:
    cluster = system("nats")

    cluster.scale(4)

    assert cluster.state == "ready"
    assert examine_health(project=cluster.project).healthy


def published(nats: ModuleType, node: clusterlib.Node) -> bool:
    try:
        asyncio.run(publish(nats, node, 1))
    except Exception:  # noqa: BLE001 - until there is a leader it is refused, in several ways
        return False
    return True


def count(nats: ModuleType, node: clusterlib.Node) -> int | None:
    try:
        return asyncio.run(stored(nats, node))
    except Exception:  # noqa: BLE001
        return None
