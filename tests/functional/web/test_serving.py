"""`clusterlib serve`: its start, its end, and what it survives."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.errors import AlreadyServed, UsageError
from clusterlib.hosts import proc
from clusterlib.operations.serving import ProjectServer
from clusterlib.waiting import Deadline, poll
from tests.functional.web.client import Client
from tests.functional.web.conftest import Serve


def refused(project: Path, *options: str, code: int) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "clusterlib", "serve", "--json", *options],
        cwd=project,
        env={**os.environ, "CLUSTERLIB_PROJECT": str(project)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    error = json.loads(done.stdout)["error"]
    assert isinstance(error, dict)
    return error


def child_of(pid: int) -> int:
    """The process that answers."""
    (child,) = [one.pid for one in proc.descendants(pid) if one.parent == pid and one.alive]
    return child


def test_it_says_where_it_is_and_keeps_its_token_private(serve: Serve, project: Path) -> None:
    served = serve()

    token = Path(served.serving["token_file"])
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.parent.stat().st_mode & 0o777 == 0o700
    assert served.serving["url"].startswith("http://127.0.0.1:")
    assert served.serving["project"] == str(project)
    assert served.client.get("/api/profile/list").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(serve: Serve, gone: Callable[[int], bool], number: int) -> None:
    served = serve()
    child = child_of(served.process.pid)

    assert served.end(number) == 0

    assert gone(child)
    assert not Path(served.serving["token_file"]).exists()


def test_a_signal_that_comes_as_soon_as_the_address_is_known_ends_it_cleanly(project: Path) -> None:
    script = """
import os, signal
from clusterlib.operations.serving import ProjectServer
server = ProjectServer.start()
server.run(lambda: os.kill(os.getpid(), signal.SIGTERM))
print("ended in order:", server.child)
"""

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "ended in order: None\n"), done.stderr


def test_a_second_one_says_where_the_first_one_is(serve: Serve, project: Path) -> None:
    served = serve()

    error = refused(project, code=1)

    assert error["code"] == "already-served"
    assert served.serving["url"] in str(error["problem"])
    assert served.client.get("/api/profile/list").status == 200


def test_it_comes_back_at_its_last_port(serve: Serve) -> None:
    first = serve()
    url = first.serving["url"]
    first.end()

    assert serve().serving["url"] == url


def test_a_taken_port_is_explained(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        error = refused(project, "--port", str(port), code=1)

    assert error["code"] == "port-taken"
    assert str(port) in str(error["problem"])
    remedies = error["remedies"]
    assert isinstance(remedies, list)
    assert remedies[0] == f"ss -tlnp 'sport = :{port}'"
    assert remedies[1].endswith("clusterlib serve  # on a free port")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "1"])
def test_only_this_machine_can_reach_it(project: Path, host: str) -> None:
    error = refused(project, "--host", host, code=2)

    assert "loopback" in str(error["problem"])
    assert "no other machine may reach it" in str(error["cause"])


def test_it_also_listens_on_the_other_loopback_address(serve: Serve) -> None:
    served = serve("--host", "::1")
    port = served.client.port
    assert served.serving["url"] == f"http://[::1]:{port}"

    with socket.create_connection(("::1", port), timeout=10) as connection:
        request = f"GET /api/profile/list HTTP/1.1\r\nHost: [::1]:{port}\r\nAuthorization: Bearer {served.client.token}\r\n\r\n"
        connection.sendall(request.encode())
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_a_child_that_is_killed_is_replaced_and_no_client_is_refused(
    serve: Serve, gone: Callable[[int], bool]
) -> None:
    served = serve()
    for _ in range(3):
        child = child_of(served.process.pid)
        os.kill(child, signal.SIGKILL)
        assert gone(child)

        assert served.client.get("/api/profile/list").status == 200

        assert child_of(served.process.pid) != child


def test_nothing_is_left_when_it_is_killed(serve: Serve, gone: Callable[[int], bool]) -> None:
    served = serve()
    child = child_of(served.process.pid)

    served.process.kill()
    served.process.wait(10)

    assert gone(child)
    again = serve()
    assert again.client.get("/api/profile/list").status == 200


def test_a_program_in_python_can_serve(project: Path, gone: Callable[[int], bool]) -> None:
    with ProjectServer.start(project) as server:
        child = server.child
        assert child is not None
        assert Client(server.serving.url, server.token).get("/api/profile/list").status == 200
        with pytest.raises(AlreadyServed, match=server.serving.url):
            ProjectServer.start(project)

        os.kill(child, signal.SIGKILL)
        assert poll(lambda: server.child not in {None, child}, Deadline(30))

    assert gone(child)
    assert server.child is None


def test_without_its_extra_it_says_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterlib.operations.serving.find_spec", lambda name: None)

    with pytest.raises(UsageError, match="not installed") as caught:
        ProjectServer.start(project)

    assert caught.value.remedies == ("python3 -m pip install 'starlette>=0.40' 'uvicorn>=0.30'",)
