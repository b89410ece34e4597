"""Driver `command`: only a node that listens on its ports itself is ready."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clusterlib import errors
from clusterlib.messages.requests import Measure
from clusterlib.operations.health import examine_health
from tests.functional.command.boxes import arguments, say
from tests.functional.conftest import Up

MENTIONS = (
    "import socket; s = socket.create_connection(('127.0.0.1', {at}));"
    " s.sendall(b'{{{{ node.ports.client }}}}'); s.recv(9)"
)


class Thief:
    """Takes a port before its node binds it, and answers there as the node would, once or
    always."""

    def __init__(self, takes: int, *, once: bool = False) -> None:
        self._once = once
        self.taken: list[int] = []
        self._left = takes
        self._doors: list[socket.socket] = []
        self._told = socket.create_server(("127.0.0.1", 0))
        self._run(self._listen)

    @property
    def prepare(self) -> str:
        """For the profile: tells us, and waits until the port is ours."""
        return f'["{sys.executable}", "-c", "{MENTIONS.format(at=self._told.getsockname()[1])}"]'

    def take(self, port: int) -> None:
        self.taken.append(port)
        door = socket.create_server(("127.0.0.1", port))
        self._doors.append(door)
        self._run(lambda: self._answer(door))

    def close(self) -> None:
        for one in (self._told, *self._doors):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._told.accept()
                with client:
                    port = int(client.recv(100))
                    if self._left > 0:
                        self._left -= 1
                        self.take(port)
                    client.sendall(b"go")

    def _answer(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = door.accept()
                with client:
                    if self._once:
                        door.close()
                    if client.recv(100):
                        client.sendall(b"PONG stolen")

    @staticmethod
    def _run(work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()


@pytest.fixture
def thief() -> Iterator[Callable[..., Thief]]:
    made: list[Thief] = []

    def make(takes: int = 0, *, once: bool = False) -> Thief:
        made.append(Thief(takes, once=once))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("rung", ["auto", "sweep"])
@pytest.mark.parametrize("mode", ["well", "stubborn"])
def test_a_port_that_is_stolen_before_the_node_binds_it_never_makes_it_ready(
    up: Up,
    write: Callable[..., None],
    thief: Callable[..., Thief],
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    rung: str,
) -> None:
    """Whether the server ends when it finds its port taken, or lives on without."""
    monkeypatch.setenv("CLUSTERLIB_CONTAINMENT", rung)
    robber = thief(takes=1)
    write(stop=f'"SIGINT"\nprepare = {robber.prepare}', arguments=arguments(mode))

    cluster = up("box")

    assert len(robber.taken) == 1
    assert not {node.ports["client"] for node in cluster} & set(robber.taken)
    assert [say(cluster, node.name, b"who") for node in cluster] == [b"PONG "] * 3
    assert "cluster.retrying" in cluster.run_folder.events.read_text()


def test_a_stranger_that_listens_no_more_when_it_answers_makes_no_node_ready(
    up: Up, write: Callable[..., None], thief: Callable[..., Thief]
) -> None:
    robber = thief(takes=1, once=True)
    write(stop=f'"SIGINT"\nprepare = {robber.prepare}', arguments=arguments("well"))
    never_listens = {"command.program": "sleep", "command.arguments": ["600"]}

    with pytest.raises(errors.NodeNotReady, match="box1 did not become ready"):
        up("box", nodes=1, overrides={**never_listens, "timeouts.start": 2, "retry.attempts": 0})

    assert robber.taken


def test_a_restart_on_a_stolen_port_says_who_has_it(
    up: Up, write: Callable[..., None], thief: Callable[..., Thief], project: Path
) -> None:
    write(arguments=arguments("stubborn"))
    cluster = up("box")
    port = cluster["box2"].ports["client"]
    cluster["box2"].kill()
    thief().take(port)

    with pytest.raises(errors.PortTaken, match="box2 cannot have its port") as caught:
        cluster["box2"].restart()

    assert f"not of box2 listens on 127.0.0.1:{port} (pid " in (caught.value.cause or "")
    assert cluster["box2"].state == "dead"
    assert not examine_health(project=project).healthy


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_server_that_ends_because_its_port_was_stolen_says_who_has_it(
    up: Up, write: Callable[..., None], thief: Callable[..., Thief], verb: str
) -> None:
    write()
    cluster = up("box")
    box = cluster["box2"]
    port = box.ports["client"]
    box.stop()
    thief().take(port)

    with pytest.raises(errors.PortTaken, match="box2 cannot have its port") as caught:
        box.start() if verb == "start" else box.restart()

    assert f"not of box2 listens on 127.0.0.1:{port} (pid " in (caught.value.cause or "")
    assert any("Address already in use" in line for line in caught.value.evidence)
    assert any("end that process" in remedy for remedy in caught.value.remedies)


def test_health_notices_a_stranger_at_the_port_of_a_node_that_lives(
    up: Up, write: Callable[..., None], thief: Callable[..., Thief], project: Path
) -> None:
    write(arguments=arguments("leaves"))
    cluster = up("box")
    port = cluster["box2"].ports["client"]
    assert examine_health(project=project).healthy
    assert say(cluster, "box2", b"LEAVE") == b""
    cluster.wait_until(lambda: not listens(port), 5, "it has closed its port")
    thief().take(port)

    found = examine_health(project=project)

    (row,) = (row for row in found.nodes if row.node == "box2")
    (answering,) = (check for check in row.checks if check.name == "answering")
    assert answering.outcome == "failed"
    assert f"not of box2 listens on 127.0.0.1:{port}" in answering.evidence


HEADLESS = """
import ctypes, socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def serve():
    while True:
        client, _ = listener.accept()
        with client:
            if client.recv(100):
                client.sendall(b"PONG ")
threading.Thread(target=serve).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_server_whose_main_thread_has_ended_starts_and_is_healthy(
    up: Up, write: Callable[..., None], project: Path
) -> None:
    (project / "headless.py").write_text(HEADLESS)
    script = '["{{ cluster.project }}/headless.py", "{{ node.ports.client }}"]'
    write(arguments=script, stop='"SIGTERM"')

    cluster = up("box", nodes=1)

    assert say(cluster, "box1", b"who") == b"PONG "
    report = examine_health(project=project)
    assert report.healthy
    assert cluster.keeper.ask(Measure()).nodes["box1"].pss > 1_000_000
    cluster["box1"].restart()
    assert say(cluster, "box1", b"who") == b"PONG "


def test_a_listener_outside_the_node_counts_where_the_profile_says_so(
    up: Up, write: Callable[..., None], thief: Callable[..., Thief]
) -> None:
    robber = thief(takes=1)
    write(
        "owned = false\n",
        stop=f'"SIGINT"\nprepare = {robber.prepare}',
        arguments=arguments("stubborn"),
    )

    cluster = up("box", nodes=1)

    assert say(cluster, "box1", b"who") == b"PONG stolen"


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
