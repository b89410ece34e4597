"""Driver `command`: a node is all its processes, also those that its server has let go of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterlib.hosts import proc
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

ARGUMENTS = '["manager.py", "{{ cluster.project }}/server.py", "{{ node.ports.client }}"]'


@pytest.fixture
def managed(write: Callable[..., None], project: Path) -> None:
    """Each box is a manager, and the server that it has started."""
    (project / "manager.py").write_text(MANAGER)
    write(arguments=ARGUMENTS.replace("manager.py", "{{ cluster.project }}/manager.py"))


def servers(port: int) -> list[int]:
    """Who runs the server at this port."""
    told = f"{sys.executable} "
    found = [pid for pid in proc.processes() if proc.command_line(pid).startswith(told)]
    return [pid for pid in found if proc.command_line(pid).endswith(f"/server.py {port}") and lives(pid)]


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
    whole = cluster.keeper.request("measure")["box1"]

    assert whole["threads"] == 2, "the manager and the server"
    assert memory.evidence.endswith("MiB")
    assert float(memory.evidence.split()[0]) >= 0.8 * whole["pss"] / 2**20


def known(pid: int) -> proc.Status:
    seen = proc.status(pid)
    assert seen is not None
    return seen
