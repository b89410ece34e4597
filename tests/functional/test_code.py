from __future__ import annotations

import os
import py_compile
from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.start import is_running
from clusterlib.errors import NodeExited, NodeNotReady
from clusterlib.operations.restart import restart

Up = Callable[..., clusterlib.Cluster]


def test_nodes_run_the_code_of_the_project(up: Up, project: Path) -> None:
    (project / "cart.py").write_text("def total(name):\n    return f'{name}: 42'\n")

    with up("dev") as cluster:
        assert cluster["node2"].call("cart:total", "alice") == "alice: 42"


@pytest.mark.parametrize("simulate", [False, True], ids=["real", "simulated"])
def test_up_restarts_the_nodes_when_the_code_has_changed(up: Up, project: Path, simulate: bool) -> None:
    (project / "cart.py").write_text("def total():\n    return 1\n")
    cluster = up("dev", simulate=simulate, hold=False)
    assert cluster["node1"].call("cart:total") == 1

    (project / "cart.py").write_text("def total():\n    return 2\n")
    again = up("dev", simulate=simulate, hold=False)

    assert [node.call("cart:total") for node in again] == [2, 2, 2]
    assert any("restarted" in note for note in again.notes)


@pytest.mark.parametrize("simulate", [False, True], ids=["real", "simulated"])
def test_sync_restarts_nodes_that_cannot_load_code_while_they_run(
    up: Up, project: Path, simulate: bool
) -> None:
    (project / "cart.py").write_text("def total():\n    return 1\n")
    with up("dev", simulate=simulate) as cluster:
        assert [node.call("cart:total") for node in cluster] == [1, 1, 1]
        assert cluster.sync().restarted == ()
        (project / "cart.py").write_text("def total():\n    return 2\n")

        synced = cluster.sync()

        assert synced.restarted == ("node1", "node2", "node3")
        assert synced.changed == (str(project / "cart.py"),)
        assert [node.call("cart:total") for node in cluster] == [2, 2, 2]
        assert cluster.sync().restarted == ()


@pytest.mark.parametrize("simulate", [False, True], ids=["real", "simulated"])
def test_a_rolling_restart_is_never_taken_for_new_code_where_it_is_not(
    up: Up, project: Path, simulate: bool
) -> None:
    (project / "cart.py").write_text("def total():\n    return 1\n")
    cluster = up("dev", simulate=simulate, hold=False)
    assert [node.call("cart:total") for node in cluster] == [1, 1, 1]
    (project / "cart.py").write_text("def total():\n    return 2\n")

    restart(rolling=True, project=project)

    assert [node.call("cart:total") for node in up("dev", simulate=simulate)] == [2, 2, 2]


def test_bytecode_that_only_looks_fresh_is_not_believed(up: Up, project: Path) -> None:
    source = project / "cart.py"
    source.write_text("def total():\n    return 1\n")
    written = source.stat()
    py_compile.compile(str(source))
    source.write_text("def total():\n    return 2\n")
    os.utime(source, ns=(written.st_atime_ns, written.st_mtime_ns))  # as within the same second

    with up("ci-small") as cluster:
        assert cluster["node1"].call("cart:total") == 2


def test_an_application_runs_in_every_node_before_the_cluster_is_ready(up: Up, project: Path) -> None:
    (project / "app.py").write_text(
        "started = []\ndef main():\n    started.append(True)\ndef ready():\n    return started\n"
    )

    with up("dev", overrides={"python.app": "app:main"}) as cluster:
        assert [node.call("app:ready") for node in cluster] == [[True]] * 3


def test_an_application_that_fails_is_told_at_once_with_its_traceback(up: Up, project: Path) -> None:
    (project / "app.py").write_text("def main():\n    raise RuntimeError('no database here')\n")

    with pytest.raises(NodeExited) as caught:
        up("dev", overrides={"python.app": "app:main"})

    assert "no database here" in str(caught.value)
    assert not is_running()


def test_a_node_that_exits_is_told_with_the_tail_of_its_log(up: Up, project: Path) -> None:
    (project / "app.py").write_text(
        "import os\ndef main():\n    print('giving up', flush=True)\n    os._exit(7)\n"
    )

    with pytest.raises(NodeExited) as caught:
        up("dev", overrides={"python.app": "app:main"})

    assert "code 7" in str(caught.value)
    assert any("giving up" in line for line in caught.value.evidence)


def test_a_node_that_never_gets_ready_is_told_with_what_it_was_waiting_for(up: Up, project: Path) -> None:
    (project / "app.py").write_text("import threading\ndef main():\n    threading.Event().wait()\n")

    with pytest.raises(NodeNotReady) as caught:
        up("ci-small", overrides={"python.app": "app:main", "timeouts.start": 1.0, "timeouts.stop": 0.2})

    assert "application" in str(caught.value.cause)


def test_a_start_is_repeated_on_other_ports_when_a_port_was_stolen(up: Up, project: Path) -> None:
    (project / "app.py").write_text(
        "import os, pathlib, sys\n"
        "def main():\n"
        "    once = pathlib.Path('%s')\n"
        "    if not once.exists():\n"
        "        once.touch()\n"
        "        print('OSError: [Errno 98] Address already in use', flush=True)\n"
        "        os._exit(1)\n" % (project / "stolen")
    )
    events: list[str] = []

    with up(
        "ci-small", overrides={"python.app": "app:main"}, on_event=lambda e: events.append(e.kind)
    ) as cluster:
        assert cluster.state == "ready"

    assert "cluster.retrying" in events


def test_the_restart_policy_brings_a_crashed_node_back_and_gives_up_in_the_end(up: Up) -> None:
    policy = {"restart.policy": "on-failure", "restart.attempts": 2, "restart.first": 0.01}
    with up("ci-small", overrides=policy) as cluster:
        for _ in range(2):
            before = cluster["node1"].pid
            cluster["node1"].kill()
            cluster.wait_until(lambda b=before: cluster["node1"].pid not in {None, b})  # type: ignore[misc]
            cluster.wait_ready()

        cluster["node1"].kill()
        cluster.wait_until(lambda: "given up" in cluster["node1"].status().reason)
        assert cluster["node1"].state == "dead"


def test_a_running_cluster_survives_a_restart_that_fails(up: Up, project: Path) -> None:
    (project / "app.py").write_text("def main():\n    pass\n")
    with up("dev", overrides={"python.app": "app:main"}) as cluster:
        (project / "app.py").write_text("def main():\n    raise ValueError('broken')\n")

        with pytest.raises(NodeExited, match="broken"):
            cluster["node2"].restart()

        assert cluster["node1"].call("math:sqrt", 4) == 2
        (project / "app.py").write_text("def main():\n    pass\n")
        cluster["node2"].restart()
        cluster.wait_ready()
