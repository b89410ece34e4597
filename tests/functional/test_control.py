"""The control socket: the keeper answers its user, and survives everything else."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.connection import KeeperClient
from clusterlib.errors import CallTimeout, KeeperLost, NodeUnavailable, NotSupported, UsageError
from clusterlib.hosts.registry import Registry
from clusterlib.keeper.control import peer_is_us
from clusterlib.messages.requests import Load, StatusRequest, Watch
from clusterlib.operations.restart import restart

Up = Callable[..., clusterlib.Cluster]


@pytest.fixture
def cluster(up: Up) -> clusterlib.Cluster:
    return up("ci-small")


def connect(cluster: clusterlib.Cluster) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(cluster.status().control)
    return connection


def test_remedies_for_a_node_name_its_cluster(up: Up) -> None:
    node = up("ci-small", name="shop")["node2"]
    node.pause()
    assert remedies_of(node) == ("invoke cluster.resume node2 --name shop",)
    node.resume()
    node.kill()
    assert remedies_of(node) == (
        "invoke cluster.restart node2 --name shop",
        "invoke cluster.logs node2 --name shop",
    )
    with pytest.raises(UsageError) as caught:
        restart("node2", name="shop", rolling=True)
    assert caught.value.remedies[0] == "invoke cluster.restart node2 --name shop"


def remedies_of(node: clusterlib.Node) -> tuple[str, ...]:
    with pytest.raises((NodeUnavailable, CallTimeout)) as caught:
        node.call("os:getpid", timeout=1)
    return caught.value.remedies


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"op": "fly"}, ["the keeper knows no operation 'fly'", "stop_node, start_node"]),
        ({"op": "kill", "args": {"planet": "mars"}}, ["bad arguments for 'kill'", "'planet'", "name, by"]),
        ({"op": "kill"}, ["bad arguments for 'kill'", "a value for 'name'"]),
        (
            {"op": "scale", "args": {"count": "three"}},
            ["bad arguments for 'scale'", "count: 'three' is no int"],
        ),
    ],
)
def test_a_request_that_the_keeper_does_not_understand_is_refused_with_what_it_would(
    cluster: clusterlib.Cluster, request_: dict[str, object], said: list[str]
) -> None:
    with connect(cluster) as connection:
        connection.sendall(json.dumps({"id": 7, **request_}).encode() + b"\n")
        answer = json.loads(connection.makefile().readline())

    assert (answer["id"], answer["error"]["code"]) == (7, "usage")
    assert not [text for text in said if text not in json.dumps(answer["error"])], answer


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello\n",
        b"\0\xff\xfe\n",
        b"[]\n",
        b'{"id": 1}\n',
        b'{"op": []}\n',
        b"{" * 10_000 + b"\n",
        b'{"id":1,"op":{}}\n',
    ],
)
def test_garbage_is_answered_with_an_error_and_the_keeper_lives_on(
    cluster: clusterlib.Cluster, garbage: bytes
) -> None:
    with connect(cluster) as connection:
        connection.sendall(garbage)
        answer = json.loads(connection.makefile().readline())

    assert answer["error"]["code"] == "usage"
    assert cluster.state == "ready"


def test_a_client_that_never_finishes_its_line_disturbs_nobody(cluster: clusterlib.Cluster) -> None:
    with connect(cluster) as half_open, connect(cluster):
        half_open.sendall(b'{"id": 1, "op": "sta')

        assert cluster.state == "ready"


def resident(pid: int) -> int:
    """Bytes of memory that the process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "beginning", [b'{"id": 1, "op": "status", "args": "', b'{"id": 1, "op": "restart", "x": "']
)
def test_lines_that_nobody_finishes_take_little_memory(cluster: clusterlib.Cluster, beginning: bytes) -> None:
    keeper = next(one.keeper.pid for one in Registry().entries() if one.control == cluster.status().control)
    before = resident(keeper)
    open_lines = [connect(cluster) for _ in range(6)]

    def send(connection: socket.socket) -> None:
        connection.settimeout(2)
        with contextlib.suppress(OSError):  # it is refused, or has to wait
            connection.sendall(beginning + b"x" * 60_000_000)

    threads = [threading.Thread(target=send, args=(connection,)) for connection in open_lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert cluster.state == "ready"
    assert resident(keeper) - before < 80 << 20
    for connection in open_lines:
        connection.close()


def test_a_request_that_lists_much_code_arrives_and_another_of_that_length_is_refused_with_the_reason(
    cluster: clusterlib.Cluster,
) -> None:
    much = {f"module{number}.py": "0" * 64 for number in range(40_000)}
    with pytest.raises(NotSupported):  # it was read to its end
        cluster.keeper.ask(Load(much, {}), seconds=60)

    with connect(cluster) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b'{"id": 1, "op": "status", "args": "' + b"x" * 2_000_000)
        answer = json.loads(connection.makefile().readline())
    assert answer["error"]["problem"] == "a request was not read to its end"
    assert "longer than 1 MiB" in answer["error"]["cause"]


def test_a_watcher_that_does_not_read_is_dropped_not_collected(cluster: clusterlib.Cluster) -> None:
    with connect(cluster) as deaf:
        requests = b"".join(b'{"id": %d, "op": "status"}\n' % number for number in range(100_000))
        with pytest.raises(OSError):  # noqa: PT011 - a reset or a broken pipe, whichever comes first
            deaf.sendall(requests)

        assert cluster.state == "ready"


def test_who_started_a_cluster_and_says_nothing_keeps_it_however_much_happens(
    cluster: clusterlib.Cluster,
) -> None:
    """Events are sent only to clients that asked for them. Others would be dropped, with their
    lease."""
    other = clusterlib.attach(cluster.name, project=cluster.project)
    for _ in range(60):
        other.take_turn("a very long name" * 8000)
        other.end_turn()
    other.close()

    assert cluster.status().state == "ready"


def test_who_listens_to_a_request_is_told_events_until_its_answer_on_any_connection(
    cluster: clusterlib.Cluster,
) -> None:
    other = clusterlib.attach(cluster.name, project=cluster.project)
    heard: list[str] = []

    other.scale(len(cluster) - 1, on_event=lambda event: heard.append(event.kind))
    other.scale(len(other) + 1)
    other.close()

    assert heard.count("cluster.scaling") == 1


def test_events_reach_a_watcher_in_order(cluster: clusterlib.Cluster) -> None:
    watcher = KeeperClient.connect(Path(cluster.status().control), cluster.name)
    watcher.ask(Watch())
    heard: list[str] = []

    def listen() -> None:
        heard.extend(event.kind for event in watcher.events())

    thread = threading.Thread(target=listen)
    thread.start()
    cluster["node2"].pause()
    cluster["node2"].resume()
    cluster.down()
    thread.join(10)
    watcher.close()

    assert not thread.is_alive()
    assert heard.index("fault.pause") < heard.index("heal.resume") < heard.index("cluster.stopping")


def test_many_clients_at_once_are_all_answered(cluster: clusterlib.Cluster) -> None:
    control = Path(cluster.status().control)
    states: list[str] = []

    def ask() -> None:
        client = KeeperClient.connect(control, cluster.name)
        states.extend(client.ask(StatusRequest(), seconds=30).state for _ in range(5))
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert states == ["ready"] * 100


def test_a_handle_may_be_shared_between_threads(cluster: clusterlib.Cluster) -> None:
    results: list[float] = []

    def work() -> None:
        results.extend(cluster["node1"].call("math:sqrt", 16) for _ in range(10))
        assert cluster.state == "ready"

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert results == [4.0] * 100


def test_a_connection_to_nothing_teaches(tmp_path: Path) -> None:
    with pytest.raises(KeeperLost) as caught:
        KeeperClient.connect(tmp_path / "nothing.sock", "default")

    assert caught.value.remedies


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_of_another_user_is_not_us(tmp_path: Path) -> None:
    place = f"\0clusterlib-test/{tmp_path}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place)
        server.listen()
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            client = socket.socket(socket.AF_UNIX)
            client.connect(place)
            client.recv(1)
            os._exit(0)
        connection, _ = server.accept()
        with connection:
            assert not peer_is_us(connection)
    os.waitpid(child, 0)


def test_a_process_of_our_own_is_us() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_is_us(ours)
