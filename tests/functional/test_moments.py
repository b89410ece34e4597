"""Two things at once, or one that is interrupted. Each moment is made, not waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import clusterlib
from clusterlib.client.connection import KeeperClient
from clusterlib.client.ending import Ending, take_down
from clusterlib.client.start import attach, is_running
from clusterlib.errors import (
    CallTimeout,
    ClusterNotRunning,
    KeeperLost,
    NodeUnavailable,
    StartError,
    UsageError,
)
from clusterlib.hosts import proc
from clusterlib.messages.requests import Kill, Release, Request, StatusRequest, Watch
from clusterlib.waiting import Deadline, poll

Up = Callable[..., clusterlib.Cluster]


def run(script: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, timeout=60, check=False
    )


def pid_of(cluster: clusterlib.Cluster, name: str) -> int:
    pid = cluster[name].pid
    assert pid is not None
    return pid


def deafen(node: clusterlib.Node) -> None:
    """Makes a node hear nothing, not even SIGTERM, so that its cluster takes its time to end."""

    def hold_the_interpreter() -> None:
        import ctypes
        import threading

        threading.Timer(0.05, ctypes.PyDLL(None).sleep, [60]).start()

    def is_deaf() -> bool:
        try:
            node.ping(timeout=0.1)
        except (CallTimeout, NodeUnavailable):
            return True
        return False

    node.run(hold_the_interpreter)
    assert poll(is_deaf, Deadline(10))


def test_an_up_during_a_down_waits_for_the_end_and_starts_anew(up: Up) -> None:
    slow = {"timeouts.stop": 0.5}
    first = up("ci-small", hold=False, overrides=slow)
    before = pid_of(first, "node2")
    deafen(first["node2"])
    ending = threading.Thread(target=take_down)
    ending.start()
    assert poll(lambda: first.state == "stopping", Deadline(10))

    second = up("ci-small", hold=False, overrides=slow)

    ending.join()
    assert not second.notes
    assert second.state == "ready"
    assert pid_of(second, "node2") != before
    assert second["node2"].call("math:sqrt", 4) == 2


def test_nobody_is_attached_to_a_cluster_that_is_being_stopped(up: Up) -> None:
    cluster = up("ci-small", hold=False, overrides={"timeouts.stop": 0.5})
    deafen(cluster["node2"])
    ending = threading.Thread(target=take_down)
    ending.start()
    assert poll(lambda: cluster.state == "stopping", Deadline(10))

    with pytest.raises(ClusterNotRunning):
        attach()
    ending.join()


def test_a_down_while_the_keeper_boots_is_heard_at_once(project: Path) -> None:
    (project / "slow.py").write_text("import threading\ndef main():\n    threading.Event().wait()\n")
    script = "import clusterlib; clusterlib.up('ci-small', hold=False, overrides={'python.app': 'slow:main'})"
    starting = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=project,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert poll(lambda: is_running(project=project), Deadline(30), longest=0.001)

    ending = take_down(project=project)

    _, said = starting.communicate(timeout=30)
    assert ending == Ending("default", was_running=True, forced=None)
    assert "ClusterNotRunning: cluster 'default' was stopped" in said
    assert not is_running(project=project)


def test_a_starter_killed_between_its_plan_and_its_request_leaves_nothing(project: Path) -> None:
    script = (
        "import os, signal, clusterlib\n"
        "from clusterlib.client.connection import KeeperClient\n"
        "KeeperClient.ask = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "clusterlib.up('ci-small')\n"
    )

    assert run(script, project).returncode == -signal.SIGKILL

    assert poll(lambda: not is_running(project=project), Deadline(10))


@pytest.mark.parametrize("hold", [True, False])
def test_an_interrupt_after_the_last_answer_leaves_nothing(project: Path, hold: bool) -> None:
    script = (
        "import clusterlib.client.cluster as c, clusterlib\n"
        "def interrupted(self, *_): raise KeyboardInterrupt\n"
        "c.Cluster.__init__ = interrupted\n"
        f"clusterlib.up('ci-small', hold={hold}, overrides={{'linger': 60.0}})\n"
    )

    done = run(script, project)

    assert done.stderr.endswith("KeyboardInterrupt\n")
    assert not is_running(project=project)


def test_a_starter_that_gives_up_leaves_the_cluster_to_who_joined_meanwhile(project: Path) -> None:
    (project / "slow.py").write_text(
        "import pathlib, time\n"
        "from clusterlib.waiting import Deadline, poll\n"
        "def main():\n"
        "    assert poll(pathlib.Path('%s').exists, Deadline(60))\n" % (project / "go")
    )
    script = (
        "import clusterlib\n"
        "def tell(event):\n"
        "    if event.kind == 'node.reached': print(event, flush=True)\n"
        "clusterlib.up('ci-small', overrides={'python.app': 'slow:main'}, on_event=tell)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    assert starter.stdout.readline()
    joined: list[clusterlib.Cluster] = []
    joining = threading.Thread(target=lambda: joined.append(attach(project=project)))
    joining.start()
    events = next((project / ".clusterlib" / "default").iterdir()) / "events.jsonl"
    assert poll(lambda: events.read_text().count("lease.taken") == 2, Deadline(10))

    starter.send_signal(signal.SIGINT)
    starter.communicate(timeout=30)
    (project / "go").touch()
    joining.join(30)

    with joined[0] as cluster:
        assert cluster.state == "ready"
    assert not is_running(project=project)


def test_a_cluster_that_is_held_stays_when_somebody_wants_it_to(up: Up) -> None:
    holder = up("ci-small")

    up("ci-small", hold=False).close()
    holder.close()

    assert is_running()
    take_down()


def test_of_two_holders_that_close_at_once_neither_ends_it_over_the_other(up: Up) -> None:
    first, second = up("ci-small"), attach()
    newcomer: list[clusterlib.Cluster] = []
    asked = second.keeper.ask

    def slip_in(request: Request[Any], **options: Any) -> object:
        answer: object = asked(request, **options)
        if isinstance(request, Release) and not newcomer:
            newcomer.append(attach())
        return answer

    second.keeper.ask = slip_in  # type: ignore[method-assign, assignment]
    second.close()
    first.close()

    assert newcomer[0]["node1"].call("math:sqrt", 9) == 3
    newcomer[0].close()
    assert not is_running()


def test_a_fork_can_use_the_cluster_and_its_end_is_not_the_clusters(up: Up) -> None:
    cluster = up("ci-small")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with cluster:
                os.write(writing, json.dumps([cluster.state, cluster["node1"].call("math:sqrt", 9)]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        assert json.load(told) == ["ready", 3.0]
    os.waitpid(child, 0)

    assert cluster.state == "ready"
    cluster.close()
    assert not is_running()


def test_a_fork_that_outlives_its_parents_handle_holds_nothing(up: Up) -> None:
    cluster = up("ci-small")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)

    cluster.close()

    assert not is_running()
    os.close(writing)
    os.waitpid(child, 0)


def test_a_request_that_was_given_up_does_not_answer_the_next_one(up: Up) -> None:
    cluster = up("ci-small")
    pid = cluster.status().keeper.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(KeeperLost, match="lost"):
        cluster.keeper.ask(Kill("node2"), seconds=0.05)
    os.kill(pid, signal.SIGCONT)

    assert cluster.status().name == "default"
    assert cluster.wait_until(lambda: cluster["node2"].state == "dead")


def test_a_listener_that_asks_over_its_own_connection_is_told_so(up: Up) -> None:
    cluster = up("ci-small")
    cluster.keeper.ask(Watch())

    with pytest.raises(UsageError, match="listens"):
        cluster.scale(3, on_event=lambda _: cluster.wait_ready())

    assert cluster.wait_until(lambda: len(cluster.status().nodes) == 3)


def test_a_handle_follows_what_another_one_changes(up: Up) -> None:
    mine = up("ci-small")
    theirs = attach()
    mine.scale(3)
    assert theirs["node3"].call("math:sqrt", 16) == 4

    mine.scale(2)
    mine.scale(3)

    assert theirs["node3"].call("math:sqrt", 16) == 4
    assert len(theirs) == 3
    theirs.close()


def test_a_listener_is_woken_when_its_connection_is_closed(up: Up) -> None:
    cluster = up("ci-small")
    client = KeeperClient.connect(Path(cluster.status().control), cluster.name)
    client.ask(Watch())
    listening = threading.Thread(target=lambda: list(client.events()))
    listening.start()

    client.close()
    listening.join(10)

    assert not listening.is_alive()


def test_a_keeper_that_cannot_write_says_so_in_its_own_words(project: Path) -> None:
    script = (
        "import resource, clusterlib\n"
        "from clusterlib.errors import ClusterError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "try: clusterlib.up('ci-small')\n"
        "except ClusterError as error: print(error)\n"
    )

    done = run(script, project)

    assert f"[{StartError.code}]" in done.stdout, done.stderr
    assert "File too large" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not is_running(project=project)


def test_a_project_whose_path_is_not_utf8_has_clusters(up: Up, tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"gr\xf6\xdfe \xe2\x82\xac")
    project.mkdir()
    (project / "shop.py").write_text("def total():\n    return 7\n")

    with up("ci-small", project=project, name="größe") as cluster:
        assert cluster["node2"].call("shop:total") == 7


def test_a_node_that_never_stops_talking_does_not_have_the_keeper_to_itself(up: Up, project: Path) -> None:
    (project / "flood.py").write_text(
        "import os, threading\n"
        "def pour():\n"
        "    while True: os.write(1, b'word ' * 13_106 + b'\\n')\n"
        "def main():\n"
        "    threading.Thread(target=pour, daemon=True).start()\n"
    )
    with up("ci-small", overrides={"python.app": "flood:main"}) as cluster:
        for _ in range(20):
            assert cluster.keeper.ask(StatusRequest(), seconds=5).state in {"ready", "degraded"}
        marker = cluster.status().marker
    assert proc.marked(marker) == []


def test_many_nodes_do_not_need_a_higher_limit_of_open_files(project: Path) -> None:
    script = (
        "import resource, clusterlib\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (80, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "with clusterlib.up('ci-small', nodes=16, overrides={'adapt.enabled': False}) as cluster:\n"
        "    print(cluster['node3'].run(lambda: __import__('resource').getrlimit(resource.RLIMIT_NOFILE)[0]))\n"
    )

    done = run(script, project)

    assert done.stdout == "80\n", done.stderr


def test_the_next_cluster_of_a_name_is_not_taken_for_the_one_that_was_taken_down(up: Up) -> None:
    ended: list[Ending] = []
    taking_down = threading.Thread(target=lambda: ended.append(take_down()))
    first = up("ci-small", hold=False, overrides={"timeouts.stop": 0.5})
    deafen(first["node2"])
    taking_down.start()
    assert poll(lambda: first.state == "stopping", Deadline(10))

    with up("ci-small", overrides={"timeouts.stop": 0.5}) as second:
        taking_down.join(5)
        assert ended == [Ending("default", was_running=True, forced=None)]
        assert second.state == "ready"
