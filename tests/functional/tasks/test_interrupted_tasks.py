"""Tasks that are interrupted or killed, and what is cleaned up."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlib.client.start import lock_of
from clusterlib.hosts.registry import Registry
from clusterlib.waiting import Deadline, poll
from tests.functional.tasks.calling import PATIENCE, Invoke, begun, environment, words


@pytest.mark.parametrize("task", [("cluster.up",), ("cluster.run", "--", "tail", "-f", "/dev/null")])
def test_an_interruption_while_a_cluster_starts_leaves_nothing(shop: Path, task: tuple[str, ...]) -> None:
    (shop / "app.py").write_text(
        "import pathlib, threading\n\n\n"
        "def start():\n    pathlib.Path('starting').touch()\n    threading.Event().wait()\n"
    )
    at = task.index("--") if "--" in task else len(task)
    arguments = (*task[:at], "--nodes", "2", *task[at:])
    starting = subprocess.Popen(
        words(*arguments),
        cwd=shop,
        env=environment(CLUSTERLIB_PYTHON_APP="app:start"),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert begun(starting, shop, "starting")

    starting.send_signal(signal.SIGINT)
    _, said = starting.communicate(timeout=PATIENCE)

    assert starting.returncode == 130
    assert said.endswith("interrupted\n")
    assert not [entry for entry in Registry().entries() if entry.project == str(shop)]


def test_an_interruption_of_a_command_ends_it_and_its_cluster(invoke: Invoke, shop: Path) -> None:
    running = subprocess.Popen(
        words("cluster.run", "--nodes", "1", "--", "sh", "-c", "touch begun; exec tail -f /dev/null"),
        cwd=shop,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert begun(running, shop, "begun")

    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE)

    assert running.returncode == 130
    assert invoke("cluster.status").returncode == 3


def test_a_runner_that_is_killed_takes_its_cluster_along(invoke: Invoke, shop: Path) -> None:
    running = subprocess.Popen(
        words("cluster.run", "--nodes", "1", "--", "sh", "-c", "touch begun; exec tail -f /dev/null"),
        cwd=shop,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert begun(running, shop, "begun")

    running.kill()
    running.wait()

    assert poll(
        lambda: not [entry for entry in Registry().entries() if entry.project == str(shop)],
        Deadline(PATIENCE),
    )
    assert invoke("cluster.status").returncode == 3


def test_clean_removes_stopped_runs_and_leaves_running_ones(
    invoke: Invoke, answer: Callable[..., Any], shop: Path
) -> None:
    answer("cluster.run", "--nodes", "1", "--", "true")
    answer("cluster.up", "--nodes", "1")
    assert len(list((shop / ".clusterlib" / "default").iterdir())) == 2

    cleaned = answer("cluster.clean", "--all")

    assert len(cleaned["folders"]) == 1
    assert cleaned["running"] == ["default"]
    assert answer("cluster.health")["healthy"] is True
    answer("cluster.down")
    assert len(answer("cluster.clean", "--all")["folders"]) == 1
    assert not (shop / ".clusterlib" / "default").exists()


def test_neither_a_failed_start_nor_a_clean_leaves_a_lock(
    invoke: Invoke, answer: Callable[..., Any], shop: Path
) -> None:
    lock, of_a_dead_cluster = lock_of(shop, "default"), lock_of(shop / "gone", "default")
    assert of_a_dead_cluster.take()
    of_a_dead_cluster.let_go()

    assert invoke("cluster.up", "--profile", "nowhere").returncode != 0
    assert not lock.path.exists()

    answer("cluster.clean")
    assert not lock.path.exists()
    assert not of_a_dead_cluster.path.exists()
