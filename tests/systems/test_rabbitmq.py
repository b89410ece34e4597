"""RabbitMQ, through pika. Its brokers take most of a minute to start on a small machine: one cluster serves a whole story."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

import clusterlib
from tests.systems.conftest import System

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
