"""What a server over REST refuses, and what bounds it has."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import pytest

from clusterlib.doors.web.given import LARGEST_BODY
from clusterlib.doors.web.protocol import MOST_CONNECTIONS
from clusterlib.hosts import proc
from clusterlib.waiting import Deadline, poll
from tests.functional.conftest import Up
from tests.functional.web.client import JSON, Client

PATHS = ["/", "/api/status", "/api/openapi.json", "/problems/usage", "/api/clusters/x/down", "/api/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_needs_the_token(client: Client, path: str) -> None:
    for token in (None, "wrong", f"{client.token}x", str(client.token)[:-1], "", "é"):
        stranger = Client(client.url, token and token.encode().decode("latin-1"))
        for method in ("GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "TRACE"):
            answer = stranger.ask(method, path)
            assert answer.status == 401, (method, path, token)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert "access-control-allow-origin" not in answer.headers


def test_the_token_counts_only_as_a_bearer_and_once(client: Client) -> None:
    assert (
        client.ask("GET", "/api/profile/list", headers={"Authorization": f"Basic {client.token}"}).status
        == 401
    )
    assert client.ask("GET", "/api/profile/list", headers={"Authorization": str(client.token)}).status == 401
    assert (
        client.ask("GET", f"/api/profile/list?token={client.token}", headers={"Authorization": ""}).status
        == 401
    )
    raw = [
        f"Host: 127.0.0.1:{client.port}",
        f"Authorization: Bearer {client.token}",
        "Authorization: Bearer x",
    ]
    assert _raw(client, "GET /api/profile/list HTTP/1.1", *raw).startswith(b"HTTP/1.1 401 ")
    assert (
        client.ask("GET", "/api/profile/list", headers={"Authorization": f"bearer {client.token}"}).status
        == 200
    )


def test_another_host_is_refused_even_with_the_token(client: Client) -> None:
    """A page whose name an attacker lets point to 127.0.0.1 sends its own name (DNS rebinding)."""
    names = ["evil.example", f"evil.example:{client.port}", "127.0.0.1", "localhost", "127.0.0.1:1"]
    names += [f"127.0.0.1:{client.port}.evil.example", f"0.0.0.0:{client.port}", f"127.1:{client.port}"]
    names += [f"[::1]:{client.port}", f"LOCALHOST:{client.port} "[:-1] + "x", f"user@127.0.0.1:{client.port}"]
    for name in names:
        assert client.ask("GET", "/api/profile/list", headers={"Host": name}).status == 421, name
    for name in (f"127.0.0.1:{client.port}", f"localhost:{client.port}"):
        assert client.ask("GET", "/api/profile/list", headers={"Host": name}).status == 200
    token = f"Authorization: Bearer {client.token}"
    assert _raw(client, "GET /api/profile/list HTTP/1.0", token).startswith(b"HTTP/1.1 421 ")
    double = [f"Host: 127.0.0.1:{client.port}", "Host: evil.example"]
    assert _raw(client, "GET /api/profile/list HTTP/1.1", *double, token).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:PORT", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_is_refused(client: Client, headers: dict[str, str]) -> None:
    sent = {name: value.replace("PORT", str(client.port)) for name, value in headers.items()}

    answer = client.ask("POST", "/api/clusters/x/down", b"{}", {**JSON, **sent})

    assert answer.status == 403
    assert not {name for name in answer.headers if name.startswith("access-control")}


def test_a_page_of_this_server_may_ask(client: Client) -> None:
    for headers in ({"Origin": client.url, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert client.ask("GET", "/api/profile/list", headers=headers).status == 200


def test_no_answer_can_be_framed_cached_or_taken_for_another_type(client: Client) -> None:
    stranger = Client(client.url, None)
    for answer in (client.get("/api/profile/list"), client.get("/api/nothing"), stranger.get("/")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "json"],
)
def test_only_json_is_read(client: Client, kind: str | None) -> None:
    """A form of another site can send other types, without asking first."""
    answer = client.ask("POST", "/api/clusters/x/down", b"{}", {"Content-Type": kind} if kind else {})

    assert (answer.status, answer.document["code"]) == (415, "request-refused")


BODIES = [
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"1",
    b"\xff\xfe",
    b'{"node": NaN}',
    b'{"node": "\x00"}',
    b"[" * 100_000,
    b'{"node":' * 50_000,
    b'{"node": ' + b"9" * 10_000 + b"}",
    b'{"node": "\\ud800"}',
    b'{"node": "a\\u0000b"}',
    b'{"": 1}',
    b'{"cluster": "x", "caller": 1, "self": 2}',
]


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_a_malformed_body_is_a_problem(client: Client, up: Up, number: int) -> None:
    up("ci-small", simulate=True)

    answer = client.ask("POST", "/api/clusters/default/kill", BODIES[number], JSON)

    assert answer.status in {400, 404, 422}
    assert answer.document["code"] in {"request-refused", "usage", "unknown-node"}
    assert client.get("/api/profile/list").status == 200


def test_a_huge_body_is_not_read(client: Client, project: Path) -> None:
    token = f"Authorization: Bearer {client.token}"
    head = ["POST /api/clusters/x/down HTTP/1.1", f"Host: 127.0.0.1:{client.port}", token]
    head.append("Content-Type: application/json")
    answer = _raw(client, *head, f"Content-Length: {1 << 40}", body=b"{")
    assert answer.startswith(b"HTTP/1.1 413 ")
    digits = _raw(client, *head, f"Content-Length: {'9' * 40}", body=b"{")
    assert digits.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))
    before = _memory(project)
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    said = _raw(client, *head, "Transfer-Encoding: chunked", body=chunk * (4 * LARGEST_BODY // 0x10000))
    assert said.startswith(b"HTTP/1.1 413 ") or said == b""  # the connection was cut while we sent
    assert _memory(project) - before < 8 * LARGEST_BODY


@pytest.mark.parametrize(
    "head",
    [
        "GET",
        "GET /api/status",
        "GET /api/status HTTP/9.9",
        "GET http://evil.example/api/status HTTP/1.1",
        "\x16\x03\x01",
        "GET /" + "a" * 200_000 + " HTTP/1.1",
        "GET /\x80 HTTP/1.1",
    ],
    ids=range(7),
)
def test_what_is_no_http_is_refused(client: Client, head: str) -> None:
    answer = _raw(client, head, f"Host: 127.0.0.1:{client.port}")

    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 ", b"HTTP/1.1 421 "))
    assert client.get("/api/profile/list").status == 200


def test_a_thousand_connections_are_bounded_and_the_cluster_is_untouched(
    client: Client, project: Path, up: Up
) -> None:
    cluster = up("ci-small", simulate=True)
    keeper = cluster.status().keeper.pid
    opened: list[socket.socket] = []
    try:
        opened += (socket.create_connection(("127.0.0.1", client.port), timeout=20) for _ in range(1000))
        ends: list[bytes] = []
        for one in opened[-100:]:  # refused; or accepted in the place of one that has waited too long
            one.settimeout(60)
            with contextlib.suppress(ConnectionResetError):
                ends.append(_to_the_end(one))
        assert all(end == b"" or end.startswith(b"HTTP/1.1 503 ") for end in ends)
        assert any(ends)
        assert _descriptors(project) < MOST_CONNECTIONS + 100
        assert cluster.status().keeper.pid == keeper
    finally:
        for one in opened:
            one.close()
    assert client.get("/api/clusters/default/status").status == 200


def test_slow_writers_do_not_keep_others_out(client: Client) -> None:
    slow = [socket.create_connection(("127.0.0.1", client.port), timeout=20) for _ in range(50)]
    for one in slow:
        one.sendall(b"GET /api/status HTTP/1.1\r\nHost: ")

    assert client.get("/api/profile/list").status == 200

    for one in slow:
        one.settimeout(60)
        assert one.recv(1) == b""  # the server waits for a request for some seconds, not for ever
        one.close()


def test_slow_readers_do_not_keep_others_out(client: Client, project: Path) -> None:
    folder = project / "operations"
    folder.mkdir()
    (folder / "large.py").write_text(LARGE)
    request = f"GET /api/shop/large HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nAuthorization: Bearer {client.token}\r\n\r\n"
    client.get("/api/profile/list")
    before = _descriptors(project)
    slow = [socket.create_connection(("127.0.0.1", client.port), timeout=60) for _ in range(8)]
    for one in slow:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(request.encode())

    assert client.get("/api/profile/list").status == 200

    assert poll(lambda: _descriptors(project) < before + len(slow), Deadline(60)), "they are not cut off"
    for one in slow:
        one.close()


LARGE = '''
from clusterlib.operations import operation


@operation(effect="read", group="shop")
def large() -> str:
    """A large answer."""
    return "x" * 4_000_000
'''


def _raw(client: Client, *lines: str, body: bytes = b"") -> bytes:
    """The beginning of the answer."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        with contextlib.suppress(ConnectionResetError):
            return connection.recv(1000)
    return b""


def _to_the_end(connection: socket.socket) -> bytes:
    """What arrives until the server has closed its side, and so its descriptor."""
    return b"".join(iter(lambda: connection.recv(1000), b""))


def _child(project: Path) -> int:
    """The process that answers: the one below the holder of the socket."""
    state = json.loads((project / ".clusterlib" / ".server" / "server.json").read_text())
    (child,) = [one.pid for one in proc.descendants(state["pid"]) if one.parent == state["pid"] and one.alive]
    return child


def _descriptors(project: Path) -> int:
    return len(list(Path(f"/proc/{_child(project)}/fd").iterdir()))


def _memory(project: Path) -> int:
    for line in Path(f"/proc/{_child(project)}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no memory is shown")
