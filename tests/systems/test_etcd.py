"""etcd, over its HTTP gateway."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from types import ModuleType
from typing import Any
from urllib.request import Request, urlopen

import pytest

import clusterlib
from clusterlib.operations.health import examine_health
from tests.systems.conftest import System
from tests.systems.load import restarted_one_by_one_under_load


@pytest.fixture(autouse=True)
def etcd(needs: Callable[..., ModuleType]) -> None:
    needs("json", "etcd", "etcdctl")


def ask(node: clusterlib.Node, path: str, **body: object) -> dict[str, Any]:
    url = f"http://{node.address}:{node.ports['client']}/v3/{path}"
    with urlopen(Request(url, json.dumps(body).encode()), timeout=10) as reply:
        answer: dict[str, Any] = json.load(reply)
        return answer


def put(node: clusterlib.Node, key: str, value: str) -> None:
    ask(node, "kv/put", key=b64encode(key.encode()).decode(), value=b64encode(value.encode()).decode())


def get(node: clusterlib.Node, key: str) -> str | None:
    found = ask(node, "kv/range", key=b64encode(key.encode()).decode()).get("kvs", [])
    return b64decode(found[0]["value"]).decode() if found else None


def test_what_is_written_at_one_member_is_read_at_every_other(system: System) -> None:
    cluster = system("etcd")

    for writer in cluster:
        put(writer, f"from/{writer.name}", "hello")
        assert [get(reader, f"from/{writer.name}") for reader in cluster] == ["hello"] * 3


def test_the_others_go_on_without_a_killed_member_which_then_catches_up(system: System) -> None:
    cluster = system("etcd")
    leader = leader_of(list(cluster))
    assert leader is not None

    leader.kill()

    assert cluster.state == "degraded"
    others = [node for node in cluster if node.name != leader.name]
    cluster.wait_until(lambda: leader_of(others), 10, "another member leads")
    put(others[0], "while", "it was gone")
    assert get(others[1], "while") == "it was gone"
    leader.restart()
    cluster.wait_ready(15)
    assert get(leader, "while") == "it was gone"


def test_what_was_taken_during_a_rolling_restart_is_at_every_member(system: System) -> None:
    cluster = system("etcd")

    taken = restarted_one_by_one_under_load(
        cluster, lambda number: put(cluster.nodes[number % 3], f"load/{number}", str(number))
    )

    for node in cluster:
        assert [get(node, f"load/{number}") for number in taken] == list(map(str, taken))


def test_a_rolling_restart_keeps_everything(system: System) -> None:
    cluster = system("etcd")
    put(cluster["etcd1"], "kept", "yes")

    for node in cluster:
        node.restart()
        assert cluster.state == "ready"
        put(node, f"after/{node.name}", "yes")

    assert [get(node, "kept") for node in cluster] == ["yes"] * 3
    assert get(cluster["etcd1"], "after/etcd3") == "yes"


def test_all_members_can_end_and_come_back_at_once(system: System) -> None:
    cluster = system("etcd")
    put(cluster["etcd1"], "kept", "yes")

    cluster.restart()

    assert get(cluster["etcd3"], "kept") == "yes"


def test_two_of_a_kind_know_nothing_of_each_other(system: System) -> None:
    one, other = system("etcd", name="one"), system("etcd", name="other")

    put(one["etcd1"], "mine", "yes")

    assert get(other["etcd1"], "mine") is None


def test_its_health_is_its_own_word(system: System) -> None:
    cluster = system("etcd")

    assert examine_health(project=cluster.project).healthy


def leader_of(nodes: list[clusterlib.Node]) -> clusterlib.Node | None:
    for node in nodes:
        told = ask(node, "maintenance/status")
        if told["header"]["member_id"] == told.get("leader"):
            return node
    return None
