"""RabbitMQ, through pika. Its brokers take seconds to start: one cluster serves a whole story."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from clusterlib.operations.health import examine_health
from clusterlib.operations.shell import run_own_shell
from tests.systems.conftest import System
from tests.systems.load import restarted_one_by_one_under_load

pytestmark = pytest.mark.lab

SEARCH = ("/usr/lib/rabbitmq/bin", "/usr/lib/erlang/lib/erl_interface-*/bin")
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture
def pika(needs: Callable[..., ModuleType]) -> ModuleType:
    return needs("pika", "rabbitmq-server", "rabbitmqctl", "erl_call", search=SEARCH)


@contextmanager
def channel(pika: ModuleType, node: clusterlib.Node) -> Iterator[Any]:
    where = pika.ConnectionParameters(node.address, node.ports["amqp"], blocked_connection_timeout=20)
    connection = pika.BlockingConnection(where)
    try:
        opened = connection.channel()
        opened.confirm_delivery()
        yield opened
    finally:
        connection.close()


def put(pika: ModuleType, node: clusterlib.Node, text: str) -> None:
    with channel(pika, node) as here:
        here.queue_declare("orders", durable=True, arguments=QUORUM)
        lasting = pika.BasicProperties(delivery_mode=2)
        here.basic_publish("", "orders", text.encode(), properties=lasting, mandatory=True)


def take(pika: ModuleType, node: clusterlib.Node) -> str | None:
    with channel(pika, node) as here:
        _, _, body = here.basic_get("orders", auto_ack=True)
        return None if body is None else body.decode()


def tried(action: Callable[[], Any]) -> Any:
    """What came of it; nothing while the queue has no leader."""
    try:
        return action()
    except Exception:  # noqa: BLE001 - it is refused in several ways
        return None


@pytest.mark.timeout(400)
def test_a_quorum_queue_is_one_at_every_broker_and_outlives_one(pika: ModuleType, system: System) -> None:
    cluster = system("rabbitmq")

    for writer in cluster:
        for reader in cluster:
            put(pika, writer, f"from {writer.name} for {reader.name}")
            told = cluster.wait_until(lambda r=reader: take(pika, r), 20)  # type: ignore[misc]
            assert told == f"from {writer.name} for {reader.name}"

    put(pika, cluster["rabbit1"], "kept")
    cluster["rabbit1"].kill()
    assert cluster.state == "degraded"
    put_again = lambda: tried(lambda: put(pika, cluster["rabbit2"], "more")) or True  # noqa: E731
    assert cluster.wait_until(put_again, 30)
    cluster["rabbit1"].restart()
    cluster.wait_ready(60)

    told = cluster.wait_until(lambda: tried(lambda: take(pika, cluster["rabbit1"])), 30)
    assert told == "kept"


@pytest.mark.timeout(400)
def test_what_was_taken_during_a_rolling_restart_is_in_the_queue(
    pika: ModuleType, system: System, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = system("rabbitmq")
    nodes = cluster.nodes

    taken = restarted_one_by_one_under_load(cluster, lambda number: put(pika, nodes[number % 3], str(number)))

    kept: set[str] = set()

    def all_kept() -> bool:
        told = tried(lambda: take(pika, cluster["rabbit2"]))
        kept.update([told] if told else [])
        return set(map(str, taken)) <= kept

    cluster.wait_until(all_kept, 60)
    assert all(examine_health(project=cluster.project).healthy for _ in range(3)), (
        "questions do not get into each other's way"
    )
    assert run_own_shell("rabbit2", code="list_queues --quiet name", project=cluster.project) == 0
    assert "orders" in capfd.readouterr().out, "its shell is rabbitmqctl, for this cluster"


@pytest.mark.timeout(400)
def test_two_of_a_kind_know_nothing_of_each_other(pika: ModuleType, system: System) -> None:
    """Their brokers have the same names, and each cluster has an epmd of its own."""
    one, other = system("rabbitmq", nodes=2, name="one"), system("rabbitmq", nodes=2, name="other")

    put(pika, one["rabbit1"], "mine")

    put(pika, other["rabbit1"], "theirs")
    assert one.wait_until(lambda: take(pika, one["rabbit2"]), 20) == "mine"
    assert other.wait_until(lambda: take(pika, other["rabbit2"]), 20) == "theirs"


@pytest.mark.timeout(400)
def test_features_change_the_tables_when_all_brokers_share_them_and_one_can_be_added(
    pika: ModuleType, system: System
) -> None:
    """A broker that joined another one in the middle of that would fail."""
    cluster = system("rabbitmq", nodes=2)
    log = cluster["rabbit1"].log()
    changes = re.search(
        r"`quorum_queue`: mark as enabled|attempt to enable `rabbitmq_4", log
    )  # RabbitMQ 3, RabbitMQ 4
    assert changes, "the features are switched on"
    assert log.index("rabbit on node rabbit2@localhost up") < changes.start(), "it had joined before"
    put(pika, cluster["rabbit1"], "kept")

    cluster.scale(3)

    assert cluster.state == "ready"
    assert cluster.wait_until(lambda: take(pika, cluster["rabbit3"]), 20) == "kept"
