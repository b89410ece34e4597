"""What a client makes of a node that goes away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clusterlib.errors import NodeUnavailable
from clusterlib.runtime import wire
from clusterlib.runtime.client import NodeClient
from clusterlib.runtime.pickling import dump
from clusterlib.runtime.wire import FrameKind

COOKIE = b"sixteen bytes or more"
LIMIT = 64 << 20
PATIENCE = 20.0


class FakeNode:
    """Speaks the protocol as far as it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.port: int = self._listener.getsockname()[1]

    def welcome(self) -> socket.socket:
        """The next client, past its handshake."""
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE)
        greeting = exactly(connection, wire.GREETING_SIZE)
        reply = wire.reply(COOKIE, greeting, "node1", LIMIT)
        connection.sendall(reply)
        assert wire.is_proof(COOKIE, greeting, reply, exactly(connection, wire.PROOF_SIZE))
        return connection

    @property
    def besieged(self) -> bool:
        """Somebody waits to be welcomed."""
        self._listener.setblocking(False)
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listener.close()


def exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += connection.recv(size - len(data))
    return data


def read_request(connection: socket.socket) -> None:
    exactly(connection, int.from_bytes(exactly(connection, 5)[:4], "big"))


def answer(connection: socket.socket, result: object) -> None:
    payload = b"".join(dump(result, LIMIT))
    connection.sendall(wire.frame_header(FrameKind.RESULT, len(payload)) + payload)


@pytest.fixture
def node() -> Iterator[FakeNode]:
    node = FakeNode()
    yield node
    node.close()


@pytest.fixture
def client(node: FakeNode, tmp_path: Path) -> Iterator[NodeClient]:
    cookie = tmp_path / "cookie"
    cookie.write_bytes(COOKIE)
    cookie.chmod(0o400)
    with NodeClient("node1", "127.0.0.1", node.port, str(cookie)) as client:
        yield client


def test_a_kept_connection_that_has_ended_is_replaced(node: FakeNode, client: NodeClient) -> None:
    with ThreadPoolExecutor(1) as thread:
        for number in range(3):  # each life of the node answers once
            call = thread.submit(client.ask, "ping")
            with node.welcome() as connection:
                read_request(connection)
                answer(connection, number)
                assert call.result(PATIENCE) == number


def test_a_request_that_never_left_as_a_whole_is_sent_again(node: FakeNode, client: NodeClient) -> None:
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(client.ask, "ping")
        with node.welcome() as connection:
            read_request(connection)
            answer(connection, "pong")
            assert call.result(PATIENCE) == "pong"
            call = thread.submit(client.ask, "take this", bytes(LIMIT - 1000))
            exactly(connection, 100)
        with node.welcome() as connection:
            read_request(connection)
            answer(connection, "taken")
            assert call.result(PATIENCE) == "taken"


def test_a_request_that_may_have_been_acted_upon_is_not_sent_again(
    node: FakeNode, client: NodeClient
) -> None:
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(client.ask, "ping")
        with node.welcome() as connection:
            read_request(connection)
            answer(connection, "pong")
            assert call.result(PATIENCE) == "pong"
            call = thread.submit(client.ask, "count up")
            read_request(connection)
        with pytest.raises(NodeUnavailable, match="went away during count up"):
            call.result(PATIENCE)
    assert not node.besieged


def test_what_is_no_node_gets_neither_a_request_nor_a_proof(node: FakeNode, client: NodeClient) -> None:
    """An impostor that sends a greeting back, or records a reply, learns nothing."""
    with ThreadPoolExecutor(1) as thread:
        recorded = b""
        for impostor in ("reflect", "record", "replay"):
            call = thread.submit(client.ask, "ping")
            connection, _ = node._listener.accept()
            with connection:
                connection.settimeout(PATIENCE)
                greeting = exactly(connection, wire.GREETING_SIZE)
                if impostor == "record":
                    recorded = wire.reply(COOKIE, greeting, "node1", LIMIT)
                    continue
                padded = greeting + bytes(wire.REPLY_SIZE - wire.GREETING_SIZE)
                connection.sendall(padded if impostor == "reflect" else recorded)
                heard = b"".join(iter(lambda talk=connection: talk.recv(4096), b""))  # type: ignore[misc]
                assert heard in (b"", wire.NO_PROOF)
            with pytest.raises(NodeUnavailable):
                call.result(PATIENCE)
