"""What strangers send to a node is refused or dropped, and logged in one line."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from clusterlib.errors import NodeUnavailable, UsageError
from clusterlib.runtime import wire
from clusterlib.runtime.client import NodeClient
from clusterlib.runtime.pickling import dump
from clusterlib.runtime.wire import FrameKind, Role
from clusterlib.waiting import Deadline, poll
from tests.contract.node_grid import PATIENCE, Grid, GridNode

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    folder = tmp_path_factory.mktemp("grid")
    code = folder / "code"
    code.mkdir()
    grid = Grid(folder, code, simulated=False)
    try:
        grid.start(2, limit=LIMIT)
        yield grid
    finally:
        grid.close()


@pytest.fixture
def node(grid: Grid) -> Iterator[GridNode]:
    """A node that must still answer, and see its peer, after the test."""
    node = grid["node1"]
    yield node
    assert node.client.call("operator:add", (1, 2)) == 3
    assert node.client.members() == ["node1", "node2"]


def knock(node: GridNode) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.cluster.port), timeout=PATIENCE)


def is_dropped(connection: socket.socket) -> bool:
    """Reads whatever comes until the end."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return True


def everything(connection: socket.socket) -> bytes:
    """What comes until the end."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def logs(node: GridNode, line: str) -> bool:
    return poll(lambda: line in node.said(), Deadline(PATIENCE))


def authenticated(node: GridNode) -> socket.socket:
    """A raw connection that is past the handshake."""
    connection = knock(node)
    cookie = wire.read_cookie(str(node.grid.cookie))
    greeting = wire.greeting(Role.CLIENT)
    connection.sendall(greeting)
    reply = connection.recv(wire.REPLY_SIZE, socket.MSG_WAITALL)
    assert wire.check_reply(cookie, greeting, reply, node.name) == LIMIT
    connection.sendall(wire.proof(cookie, greeting, reply))
    return connection


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4, os.urandom(4096), b"\0" * 100]
)
def test_garbage_is_dropped(node: GridNode, garbage: bytes) -> None:
    with knock(node) as stranger:
        stranger.sendall(garbage)
        assert is_dropped(stranger)
    assert logs(node, "it does not speak the protocol of clusterlib")


def test_a_wrong_cookie_is_told_on_both_sides(node: GridNode, tmp_path: Path) -> None:
    other = tmp_path / "cookie"
    other.write_text("another secret, just as long")
    other.chmod(0o600)
    with (
        NodeClient("node1", "127.0.0.1", node.cluster.port, str(other)) as stranger,
        pytest.raises(NodeUnavailable) as raised,
    ):
        stranger.ping()
    assert raised.value.cause == "the cookie differs"
    assert logs(node, "its cookie differs")
    assert "another secret" not in node.said()
    assert "a secret that is long enough" not in node.said()


def test_a_proof_of_another_conversation_is_refused(node: GridNode) -> None:
    """A recorded proof is worth nothing: the node's nonce is another one each time."""
    cookie = wire.read_cookie(str(node.grid.cookie))
    greeting = wire.greeting(Role.CLIENT)
    with knock(node) as first, knock(node) as second:
        first.sendall(greeting)
        recorded = wire.proof(cookie, greeting, first.recv(wire.REPLY_SIZE, socket.MSG_WAITALL))
        second.sendall(greeting)
        second.recv(wire.REPLY_SIZE, socket.MSG_WAITALL)
        second.sendall(recorded)
        assert is_dropped(second)


def test_the_answerers_own_code_cannot_be_sent_back_to_it(node: GridNode) -> None:
    with knock(node) as stranger:
        stranger.sendall(wire.greeting(Role.CLIENT))
        reply = stranger.recv(wire.REPLY_SIZE, socket.MSG_WAITALL)
        stranger.sendall(reply[-wire.PROOF_SIZE :])
        assert is_dropped(stranger)


def test_another_version_is_told(node: GridNode) -> None:
    greeting = bytearray(wire.greeting(Role.CLIENT))
    greeting[4:6] = (wire.VERSION + 1).to_bytes(2, "big")
    with knock(node) as stranger:
        stranger.sendall(greeting)
        reply = stranger.recv(wire.REPLY_SIZE, socket.MSG_WAITALL)
        assert int.from_bytes(reply[4:6], "big") == wire.VERSION
        assert is_dropped(stranger)
    assert logs(
        node, f"it speaks version {wire.VERSION + 1} of the protocol, this node version {wire.VERSION}"
    )


def test_another_node_at_the_address_is_not_mistaken_for_the_one_asked_for(node: GridNode) -> None:
    with (
        NodeClient("node2", "127.0.0.1", node.cluster.port, str(node.grid.cookie)) as client,
        pytest.raises(NodeUnavailable, match="another node answers"),
    ):
        client.ping()


def test_half_open_connections_are_dropped_in_time_and_keep_nobody_out(node: GridNode) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(knock(node)) for _ in range(200)]  # more than may wait at once
        assert node.client.ping() < PATIENCE
        newcomer = NodeClient("node1", "127.0.0.1", node.cluster.port, str(node.grid.cookie))
        stack.callback(newcomer.close)
        assert newcomer.call("operator:add", (2, 2)) == 4
        assert all(is_dropped(stranger) for stranger in silent)
    # On a slow machine the first run out of time before there are too many.
    assert logs(node, "dropped a connection from")


def test_a_slow_handshake_is_cut_off(node: GridNode) -> None:
    with knock(node) as stranger:
        stranger.sendall(wire.greeting(Role.CLIENT)[:10])
        assert is_dropped(stranger)
    assert logs(node, "no handshake within 1 s")


def test_an_oversized_frame_is_refused_before_it_is_read(node: GridNode) -> None:
    with authenticated(node) as client:
        client.sendall(wire.frame_header(FrameKind.CALL, 4_000_000_000))
        assert is_dropped(client)
    assert logs(node, "is beyond the limit of 1.0 MB")


def test_a_payload_beyond_the_limit_is_refused_by_the_caller_itself(node: GridNode) -> None:
    with pytest.raises(UsageError, match="too large") as raised:
        node.client.call("builtins:len", (bytes(2 * LIMIT),))
    assert "it takes 1.0 MB" in str(raised.value)


def test_a_result_beyond_the_limit_is_an_error_that_says_so(node: GridNode) -> None:
    with pytest.raises(Exception, match="the result is too large"):
        node.client.call("builtins:bytes", (2 * LIMIT,))


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00\x00\x01\xee!",
        b"\x00\x00\x00\x02\x10\xff\xff",
        b"\x00\x00\x00\x01\x10\xff",
        b"\x00\x00\x00\x03\x11abc",
        b"\x00\x00\x00\x12\x11" + b"".join(dump(([], 1), LIMIT)),
    ],
)
def test_nonsense_past_the_handshake_is_survived(node: GridNode, frame: bytes) -> None:
    with authenticated(node) as client:
        client.sendall(frame)
        assert is_dropped(client)


def test_nonsense_from_a_peer_is_survived(node: GridNode) -> None:
    cookie = wire.read_cookie(str(node.grid.cookie))
    for payload in (
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"name": "node9"}',
        json.dumps({"name": "x", "life": 1, "news": [[1]]}).encode(),
        json.dumps({"name": "x", "life": 1, "news": [["node2", 1, 77]]}).encode(),
        b'{"name": "x", "life": 1e400, "news": []}',
    ):
        with knock(node) as peer:
            greeting = wire.greeting(Role.PEER)
            peer.sendall(greeting)
            reply = peer.recv(wire.REPLY_SIZE, socket.MSG_WAITALL)
            peer.sendall(wire.proof(cookie, greeting, reply))
            peer.sendall(wire.frame_header(FrameKind.HELLO, len(payload)) + payload)
            assert is_dropped(peer)


def test_a_client_that_does_not_read_its_answer_holds_up_nobody(node: GridNode) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(authenticated(node))
            body = b"\x00\x0ebuiltins:bytes" + b"".join(dump(((LIMIT - 1000,), {}), LIMIT))
            client.sendall(wire.frame_header(FrameKind.CALL, len(body)) + body)
        assert node.client.ping() < PATIENCE


@pytest.mark.parametrize("request_line", [b"hello\r\n\r\n", b"\0" * 20 + b"\r\n\r\n", b"GET /health\r\n\r\n"])
def test_a_bad_http_request_is_answered_with_an_error(node: GridNode, request_line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", node.http.port), timeout=PATIENCE) as visitor:
        visitor.sendall(request_line)
        assert visitor.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_an_endless_http_header_is_cut_off(node: GridNode) -> None:
    with socket.create_connection(("127.0.0.1", node.http.port), timeout=PATIENCE) as visitor:
        visitor.sendall(b"GET /health HTTP/1.1\r\n" + b"X" * 100_000)
        assert everything(visitor).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"POST /health HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, b"405"),
        (b"GET /health HTTP/1.1\r\n\r\n" * 5000, b"200"),
        (b"GET http://any.host:1/health?x=1 HTTP/1.1\r\nHost: any.host\r\n\r\n", b"200"),
        (b"GET http://any.host HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /../health HTTP/1.1\r\n\r\n", b"404"),
    ],
    ids=["body", "pipelined", "absolute", "absolute without a path", "climbing"],
)
def test_one_http_request_a_connection_is_answered_and_its_answer_arrives(
    node: GridNode, request_text: bytes, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", node.http.port), timeout=PATIENCE) as visitor:
        visitor.sendall(request_text)
        answer = everything(visitor)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1") == 1


def test_http_connections_that_say_nothing_keep_nobody_out(node: GridNode) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", node.http.port), timeout=PATIENCE))
            for _ in range(100)
        ]
        assert node.get("/health")[0] == 200
        assert all(is_dropped(visitor) for visitor in silent)


def test_a_slow_http_request_is_dropped(node: GridNode) -> None:
    with socket.create_connection(("127.0.0.1", node.http.port), timeout=PATIENCE) as visitor:
        visitor.sendall(b"GET /hea")
        assert is_dropped(visitor)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o700])
def test_a_cookie_file_that_others_may_read_is_refused(grid: Grid, tmp_path: Path, mode: int) -> None:
    cookie = tmp_path / "cookie"
    cookie.write_text("a secret that is long enough")
    cookie.chmod(mode)
    with (
        NodeClient("node1", "127.0.0.1", grid["node1"].cluster.port, str(cookie)) as client,
        pytest.raises(UsageError, match="open to others") as raised,
    ):
        client.ping()
    assert f"chmod 400 {cookie}" in str(raised.value)
