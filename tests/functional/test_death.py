"""Whatever dies, nothing is left: on every rung of containment that this machine has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import clusterlib
from clusterlib.client.boot import Boot
from clusterlib.client.ending import take_down
from clusterlib.client.start import is_running, lock_of
from clusterlib.errors import KeeperLost, StartError
from clusterlib.hosts import proc
from clusterlib.hosts.places import socket_path
from clusterlib.hosts.registry import Registry
from clusterlib.operations.down import bring_down
from clusterlib.operations.reach import running_names
from clusterlib.rundir.folders import cluster_identifier
from clusterlib.waiting import Deadline, poll

Up = Callable[..., clusterlib.Cluster]
Gone = Callable[[int], bool]

HOLDER = """
import json, sys, clusterlib
cluster = clusterlib.up("dev", overrides={"python.app": "family:main"})
print(json.dumps(cluster.status().to_dict()), flush=True)
sys.stdin.read()
"""

FAMILY = """
import os, signal, time, sys
def main():
    if os.fork() == 0:          # a child that does not listen
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    if os.fork() == 0:          # a daemon: its own session, its parent gone
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.pause()
"""


HIDING = """
import os, resource, sys
from pathlib import Path
def hide(*, untagged):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        if untagged:
            resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.execve("/bin/sleep", [f"hidden below {Path(__file__).parent}", "1000"], {})
def main():
    hide(untagged=False)
    if Path(__file__).with_name("untagged").exists():
        hide(untagged=True)
"""


@pytest.fixture(params=["namespace", "user-namespace", "sweep"])
def rung(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "namespace" and os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setenv("CLUSTERLIB_CONTAINMENT", request.param)
    return str(request.param)


@pytest.fixture
def holder(project: Path, rung: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A process that holds a cluster whose nodes have children, one of them a daemon."""
    (project / "family.py").write_text(FAMILY)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the cluster did not come up"
    yield process, json.loads(line)
    process.kill()
    process.communicate()


@pytest.fixture
def hider(project: Path, rung: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Holds a cluster whose nodes leave daemons that have cleared their environment; with
    `untagged` more of them, that have also lost the tag of their cluster."""
    (project / "family.py").write_text(HIDING)
    command = [sys.executable, "-c", HOLDER]
    processes = []

    def start(*, untagged: bool = False) -> dict[str, Any]:
        if untagged:
            (project / "untagged").touch()
        process = subprocess.Popen(
            command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        status: dict[str, Any] = json.loads(process.stdout.readline())
        assert poll(lambda: len(hidden(project)) == 3 * (1 + untagged), Deadline(10))
        return status

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def hidden(project: Path) -> list[int]:
    label = f"hidden below {project}"
    return [pid for pid in proc.processes() if proc.command_line(pid).startswith(label)]


def none_left(marker: str) -> bool:
    return poll(lambda: not proc.marked(marker), Deadline(10))


def test_the_rung_that_was_asked_for_is_in_force(holder: tuple[Any, dict[str, Any]], rung: str) -> None:
    _, status = holder

    assert status["keeper"]["containment"] == rung
    assert proc.status(status["nodes"][0]["pid"]) is not None, "the pid shown must be the one the user sees"


def test_a_killed_runner_takes_its_cluster_along(holder: tuple[Any, dict[str, Any]]) -> None:
    process, status = holder

    process.kill()

    assert none_left(status["marker"])
    assert poll(lambda: not Path(status["control"]).exists(), Deadline(5))


def test_a_killed_keeper_takes_its_nodes_and_their_daemons_along(holder: tuple[Any, dict[str, Any]]) -> None:
    _, status = holder
    assert len(proc.marked(status["marker"])) >= 3 * 3

    os.kill(status["keeper"]["pid"], signal.SIGKILL)

    assert none_left(status["marker"])
    assert poll(lambda: not Path(status["control"]).exists(), Deadline(5))


def test_a_killed_guard_ends_the_cluster_in_order(holder: tuple[Any, dict[str, Any]]) -> None:
    _, status = holder

    os.kill(status["keeper"]["guard"], signal.SIGKILL)

    assert none_left(status["marker"])


def test_keeper_and_guard_killed_together_leave_nothing_after_the_next_up(
    holder: tuple[Any, dict[str, Any]], project: Path, gone: Gone
) -> None:
    _, status = holder

    os.kill(status["keeper"]["guard"], signal.SIGKILL)
    os.kill(status["keeper"]["pid"], signal.SIGKILL)
    assert gone(status["keeper"]["pid"])
    with clusterlib.up("ci-small", project=project, name="next"):
        assert none_left(status["marker"])
        assert not Path(status["control"]).exists()


def test_a_paused_keeper_can_be_taken_down(holder: tuple[Any, dict[str, Any]], project: Path) -> None:
    _, status = holder
    os.kill(status["keeper"]["pid"], signal.SIGSTOP)

    ending = take_down("default", project=project)

    assert ending.forced
    assert none_left(status["marker"])


def test_a_cluster_with_a_paused_guard_can_be_taken_down(
    holder: tuple[Any, dict[str, Any]], project: Path
) -> None:
    _, status = holder
    os.kill(status["keeper"]["guard"], signal.SIGSTOP)

    ending = take_down(project=project)

    assert ending.forced
    assert none_left(status["marker"])
    assert not is_running(project=project)


def test_the_next_up_buries_a_dead_keeper_whose_guard_is_paused(
    holder: tuple[Any, dict[str, Any]], project: Path
) -> None:
    _, status = holder
    os.kill(status["keeper"]["guard"], signal.SIGSTOP)
    os.kill(status["keeper"]["pid"], signal.SIGKILL)

    with clusterlib.up("ci-small", project=project):
        assert none_left(status["marker"])


def test_daemons_that_cleared_their_environment_are_ended_after_keeper_and_guard_were_killed_together(
    hider: Callable[..., dict[str, Any]], project: Path, gone: Gone
) -> None:
    status = hider()

    os.kill(status["keeper"]["guard"], signal.SIGKILL)
    os.kill(status["keeper"]["pid"], signal.SIGKILL)
    assert gone(status["keeper"]["pid"])
    assert gone(status["keeper"]["guard"])
    with clusterlib.up("ci-small", project=project, name="next"):
        assert poll(lambda: not hidden(project), Deadline(10))


def test_what_a_paused_guard_has_adopted_is_ended_by_the_next_up(
    hider: Callable[..., dict[str, Any]], project: Path
) -> None:
    status = hider(untagged=True)
    os.kill(status["keeper"]["guard"], signal.SIGSTOP)
    os.kill(status["keeper"]["pid"], signal.SIGKILL)

    with clusterlib.up("ci-small", project=project):
        assert poll(lambda: not hidden(project), Deadline(10))


@pytest.mark.parametrize("guard", [signal.SIGSTOP, signal.SIGKILL])
def test_what_a_paused_keeper_has_adopted_ends_with_it_whatever_became_of_its_guard(
    hider: Callable[..., dict[str, Any]], project: Path, guard: int
) -> None:
    status = hider(untagged=True)
    os.kill(status["keeper"]["pid"], signal.SIGSTOP)
    os.kill(status["keeper"]["guard"], guard)

    assert take_down(project=project).forced

    assert poll(lambda: not hidden(project), Deadline(10))
    assert none_left(status["marker"])
    assert not is_running(project=project)


def test_a_guard_that_dies_just_after_it_was_looked_at_leaves_nothing_of_its_paused_keeper(
    hider: Callable[..., dict[str, Any]], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = hider(untagged=True)
    os.kill(status["keeper"]["pid"], signal.SIGSTOP)
    os.kill(status["keeper"]["guard"], signal.SIGKILL)
    monkeypatch.setattr("clusterlib.client.ending._Doomed.guard_can_tidy", True)

    assert take_down(project=project).forced

    assert poll(lambda: not hidden(project), Deadline(10))
    assert not is_running(project=project)


def test_a_keeper_that_is_paused_while_it_boots_can_be_taken_down(project: Path, rung: str) -> None:
    lock = lock_of(project, "default")
    assert lock.take()
    boot = Boot(lock, socket_path(cluster_identifier(project, "default")), project, "default")
    lock.let_go()
    for holder in lock.holders():
        holder.kill(signal.SIGSTOP)
    assert running_names(project) == ["default"]

    stopped = bring_down(all=True, project=project)

    assert stopped.stopped == ("default",)
    assert stopped.forced == ("default: it is paused",)
    assert not is_running(project=project)
    boot.give_up()
    with clusterlib.up("ci-small", project=project) as cluster:
        assert cluster.status().keeper.containment == rung


def test_a_guard_that_is_paused_when_its_cluster_is_no_longer_registered_can_be_taken_down(
    holder: tuple[Any, dict[str, Any]], project: Path, gone: Gone
) -> None:
    _, status = holder
    os.kill(status["keeper"]["guard"], signal.SIGSTOP)
    os.kill(status["keeper"]["pid"], signal.SIGKILL)
    assert gone(status["keeper"]["pid"])
    Registry().remove(status["marker"])
    Path(status["control"]).unlink()

    assert take_down(project=project).forced == "it is paused"

    assert not is_running(project=project)
    assert none_left(status["marker"])


def test_a_paused_node_can_be_taken_down(holder: tuple[Any, dict[str, Any]], project: Path) -> None:
    _, status = holder
    os.kill(status["nodes"][1]["pid"], signal.SIGSTOP)

    take_down("default", project=project)

    assert none_left(status["marker"])


def test_a_paused_simulation_can_be_taken_down(up: Up) -> None:
    cluster = up("ci-small", simulate=True, overrides={"timeouts.stop": 0.2})
    marker = cluster.status().marker
    simulation = cluster.status().nodes[0].pid
    assert simulation is not None
    os.kill(simulation, signal.SIGSTOP)

    cluster.down()

    assert none_left(marker)


def test_the_loss_of_the_process_that_starts_nodes_is_reported_at_once(up: Up) -> None:
    cluster = up("ci-small")
    before = [node.pid for node in cluster.status().nodes]
    below = [seen.pid for seen in proc.descendants(cluster.status().keeper.pid)]
    [nursery] = [pid for pid in below if proc.command_line(pid).startswith("clusterlib nursery")]

    os.kill(nursery, signal.SIGKILL)

    poll(lambda: cluster.status().dirty, Deadline(10))
    [reason] = cluster.status().dirty
    assert "the nursery) was lost (killed by SIGKILL)" in reason
    assert "end the cluster and start it again" in reason
    changes: list[Callable[[], object]] = [cluster.restart, cluster.heal, lambda: cluster.scale(3)]
    for change in changes:
        with pytest.raises(StartError, match="the process that starts nodes is gone"):
            change()
    assert [node.pid for node in cluster.status().nodes] == before, "what could not be restarted goes on"
    assert cluster.status().dirty == (reason,), "no repair hides it"
    assert cluster["node1"].members() == ["node1", "node2"]
    cluster.down()  # `up` looks for what is left


def test_the_holder_of_a_dead_keeper_is_told_so(up: Up, gone: Gone) -> None:
    cluster = up("ci-small")
    pid = cluster.status().keeper.pid

    os.kill(pid, signal.SIGKILL)
    assert gone(pid)

    with pytest.raises(KeeperLost):
        cluster.status()


def test_the_state_on_disk_survives_the_keeper(up: Up, gone: Gone) -> None:
    cluster = up("ci-small")
    pid = cluster.status().keeper.pid

    os.kill(pid, signal.SIGKILL)
    assert gone(pid)

    state = json.loads(cluster.run_folder.state.read_text())
    assert state["state"] == "ready"
    assert [node["name"] for node in state["nodes"]] == ["node1", "node2"]
