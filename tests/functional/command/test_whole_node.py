"""Driver `command`: a node is all its processes, also those that its server has let go of."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.hosts import proc
from clusterlib.messages.requests import Measure
from clusterlib.operations.health import examine_health
from tests.functional.command.boxes import say
from tests.functional.conftest import Up

MANAGER = """\
import os, sys, time

# As a manager starts a daemon: another session, another parent, no variable, no file and no folder of ours.
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        for number in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        os.execve(sys.executable, [sys.executable, sys.argv[1], sys.argv[2]], {})
    os._exit(0)
os.wait()
time.sleep(600)
"""

WRAPPED = """\
import os, signal, socket, sys, time

port, data, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def stop(number, _):
    if mode == "stubborn":
        return
    print("writes what it has in memory", flush=True)
    time.sleep(0.3)
    with open(data + "/flushed", "w") as file:
        file.write(signal.Signals(number).name)
    sys.exit(0)

for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop)
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(600)  # a worker, which its server does not wait for
listener = socket.create_server(("127.0.0.1", port))
while True:
    client, _ = listener.accept()
    with client:
        if client.recv(100):
            client.sendall(b"PONG")
"""

ARGUMENTS = '["manager.py", "{{ cluster.project }}/server.py", "{{ node.ports.client }}"]'


@pytest.fixture
def managed(write: Callable[..., None], project: Path) -> None:
    """Each box is a manager, and the server that it has started."""
    (project / "manager.py").write_text(MANAGER)
    write(arguments=ARGUMENTS.replace("manager.py", "{{ cluster.project }}/manager.py"))


@pytest.fixture
def wrapped(write: Callable[..., None], project: Path) -> Callable[..., None]:
    """Each box is a shell that waits for the server that it has started, and ends without it."""
    (project / "wrapped.py").write_text(WRAPPED)

    def profile(mode: str = "well", waits: str = "; exit $?", **replaced: str) -> None:
        script = f'"{sys.executable}" "$0/wrapped.py" "$1" "$2" {mode} {waits}'
        words = ["-c", script, "{{ cluster.project }}", "{{ node.ports.client }}", "{{ data }}"]
        write(program='"sh"', arguments=json.dumps(words), **replaced)

    return profile


def flushed(cluster: clusterlib.Cluster) -> list[str]:
    return [path.read_text() for path in cluster.run_folder.path.rglob("flushed")]


@pytest.mark.parametrize("rung", ["auto", "sweep"])
@pytest.mark.parametrize(("asked", "waits"), [("SIGTERM", "; exit $?"), ("SIGINT", "& wait $!")])
def test_a_server_behind_a_script_ends_in_order_when_its_node_is_stopped(
    up: Up,
    wrapped: Callable[..., None],
    rung: str,
    asked: str,
    waits: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLUSTERLIB_CONTAINMENT", rung)
    wrapped(waits=waits, stop=f'"{asked}"')
    cluster = up("box", nodes=1)

    cluster["box1"].stop()

    assert flushed(cluster) == [asked]
    assert cluster["box1"].state == "stopped"
    assert servers(cluster["box1"].ports["client"]) == []
    cluster["box1"].start()
    assert say(cluster, "box1", b"who") == b"PONG"


def test_servers_behind_a_script_end_in_order_with_their_cluster(
    up: Up, wrapped: Callable[..., None]
) -> None:
    wrapped(stop='"SIGTERM"')
    cluster = up("box", nodes=2)

    cluster.down()

    events = map(json.loads, cluster.run_folder.events.read_text().splitlines())
    assert "node.killed" not in [event["kind"] for event in events]
    logs = [path.read_text() for path in cluster.run_folder.path.rglob("*.log")]
    assert sum("writes what it has in memory" in text for text in logs) == 2


def test_a_server_behind_a_script_is_killed_at_once_with_its_node(
    up: Up, wrapped: Callable[..., None]
) -> None:
    wrapped(stop='"SIGTERM"')
    cluster = up("box", nodes=1)

    cluster["box1"].kill()

    assert flushed(cluster) == []
    assert servers(cluster["box1"].ports["client"]) == []


def test_a_server_behind_a_script_that_does_not_end_is_killed_when_the_time_to_stop_is_over(
    up: Up, wrapped: Callable[..., None]
) -> None:
    wrapped("stubborn", stop='"SIGTERM"', start="10.0\nstop = 1.0")
    cluster = up("box", nodes=1, overrides={"adapt.ci_timeout_factor": 1})
    port = cluster["box1"].ports["client"]

    cluster["box1"].stop()

    assert servers(port) == []
    assert "did not stop within 1 s and was killed" in cluster["box1"].status().reason


def servers(port: int) -> list[int]:
    """Who runs the server at this port."""
    told = f"{sys.executable} "
    found = [pid for pid in proc.processes() if proc.command_line(pid).startswith(told)]
    return [pid for pid in found if f".py {port}" in proc.command_line(pid) and lives(pid)]


def lives(pid: int) -> bool:
    seen = proc.status(pid)
    return seen is not None and seen.alive


@pytest.mark.usefixtures("managed")
@pytest.mark.parametrize("rung", ["auto", "sweep"])
def test_a_killed_node_does_not_answer_any_more_whoever_had_started_its_server(
    up: Up, rung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTERLIB_CONTAINMENT", rung)
    cluster = up("box")
    assert say(cluster, "box1", b"who").startswith(b"PONG")

    cluster["box1"].kill()

    with pytest.raises(ConnectionRefusedError):
        say(cluster, "box1", b"who")
    assert say(cluster, "box2", b"who").startswith(b"PONG")
    cluster["box1"].restart()
    assert say(cluster, "box1", b"who").startswith(b"PONG")


@pytest.mark.usefixtures("managed")
def test_a_node_that_ends_by_itself_takes_its_server_along(up: Up) -> None:
    cluster = up("box", nodes=1)
    manager = cluster["box1"].pid
    assert manager is not None
    port = cluster["box1"].ports["client"]
    (server, *_) = [pid for pid in servers(port) if pid != manager]

    proc.kill(known(manager))
    cluster.wait_until(lambda: cluster["box1"].state == "dead", 10, "the keeper has noticed")

    assert not lives(server)


@pytest.mark.usefixtures("managed")
def test_the_memory_of_a_node_is_that_of_all_its_processes(up: Up, project: Path) -> None:
    cluster = up("box", nodes=1)
    each = examine_health(project=project)
    (memory,) = (check for check in each.nodes[0].checks if check.name == "memory")

    manager = cluster["box1"].pid
    assert manager is not None
    whole = cluster.keeper.ask(Measure()).nodes["box1"]

    assert whole.threads == 2, "the manager and the server"
    assert memory.evidence.endswith("MiB")
    assert float(memory.evidence.split()[0]) >= 0.8 * whole.pss / 2**20


def known(pid: int) -> proc.ProcessStatus:
    seen = proc.status(pid)
    assert seen is not None
    return seen
