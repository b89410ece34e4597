"""A start that hangs, is interrupted or loses its runner leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.client.start import is_running
from clusterlib.errors import NodeNotReady
from clusterlib.hosts import proc
from clusterlib.hosts.places import runtime_dir
from clusterlib.hosts.registry import Registry
from clusterlib.waiting import Deadline, poll

Up = Callable[..., clusterlib.Cluster]


def none_left(marker: str) -> bool:
    return poll(lambda: not proc.marked(marker), Deadline(10))


def test_a_start_ends_at_its_time_out_also_where_the_process_that_starts_nodes_hangs(up: Up) -> None:
    cluster = up("ci-small", overrides={"timeouts.start": 1.0})
    keeper = cluster.status().keeper.pid
    below = [seen.pid for seen in proc.descendants(keeper)]
    [nursery] = [pid for pid in below if proc.command_line(pid).startswith("clusterlib nursery")]
    os.kill(nursery, signal.SIGSTOP)

    with pytest.raises(NodeNotReady, match="could not start within 1 s") as caught:
        cluster.restart("node1")

    assert "the nursery" in str(caught.value.cause)
    cluster.down()  # `up` looks for what is left


def test_an_interrupt_during_the_start_leaves_nothing(project: Path) -> None:
    (project / "slow.py").write_text("import threading\ndef main():\n    threading.Event().wait()\n")
    script = (
        "import clusterlib\n"
        "def tell(event):\n"
        "    if event.kind == 'node.reached': print(event, flush=True)\n"
        "clusterlib.up('dev', overrides={'python.app': 'slow:main'}, on_event=tell)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert not is_running(project=project)


def test_a_runner_killed_during_the_start_leaves_no_file_in_the_runtime_folder(project: Path) -> None:
    (project / "slow.py").write_text("import threading\ndef main():\n    threading.Event().wait()\n")
    script = (
        "import clusterlib\n"
        "clusterlib.up('ci-small', overrides={'python.app': 'slow:main'}, on_event=lambda e: print(e, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=project, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        [entry] = [entry for entry in Registry().entries() if entry.project == str(project)]
        process.kill()

    assert none_left(entry.marker)
    assert poll(lambda: not is_running(project=project), Deadline(5))
    assert not [
        path
        for path in runtime_dir().rglob("*")
        if path.stem in {entry.marker, entry.identifier} and path.suffix != ".lock"
    ]
