"""A server that is started alone reads the code of that moment, so it alone can be stale."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.waiting import Deadline, poll
from tests.functional.command.test_own_code import SERVER
from tests.functional.conftest import Up

PROFILE = f"""\
driver = "command"
watch = ["prices.csv"]
[nodes]
count = 2
name = "shop{{index}}"
[ports]
client = "29400-29599"
[restart]
policy = "always"
first = 0.01
[command]
program = "{sys.executable}"
arguments = ["-m", "shop.serve", "{{{{ node.ports.client }}}}"]
[environment]
PYTHONPATH = "{{{{ cluster.project }}}}/src"
"""
OLD, NEW = 'ANSWER = "old"\n', 'ANSWER = "new"  # longer: Python compares size and second of a source\n'
Begin = Callable[[clusterlib.Cluster], object]


@pytest.fixture
def answers(project: Path) -> Path:
    """What the servers of this project answer."""
    for folder in ("src/shop", "profiles"):
        (project / folder).mkdir(parents=True)
    (project / "src/shop/serve.py").write_text(f"{SERVER}\n\nmain()\n")
    (project / "src/shop/__init__.py").write_text("")
    (project / "profiles/shop.toml").write_text(PROFILE)
    (project / "prices.csv").write_text("tea,1\n")
    path = project / "src/shop/answers.py"
    path.write_text(OLD)
    return path


def starts(cluster: clusterlib.Cluster) -> dict[str, int]:
    return {node.name: node.starts for node in cluster.status().nodes}


def stale(cluster: clusterlib.Cluster) -> list[str]:
    return list(cluster.stale)


def crash(cluster: clusterlib.Cluster) -> None:
    before = starts(cluster)["shop1"]
    os.kill(cluster["shop1"].pid or 0, signal.SIGKILL)
    poll(lambda: starts(cluster)["shop1"] > before and cluster.state == "ready", Deadline(20))


def stop_and_start(cluster: clusterlib.Cluster) -> None:
    cluster["shop1"].stop()
    cluster["shop1"].start()


def kill_and_heal(cluster: clusterlib.Cluster) -> None:
    cluster["shop1"].stop()
    cluster.heal()


WAYS: dict[str, Begin] = {
    "restarted": lambda cluster: cluster.restart("shop1"),
    "restarted fresh": lambda cluster: cluster.restart("shop1", fresh=True),
    "revived": crash,
    "stopped and started": stop_and_start,
    "healed": kill_and_heal,
    "added": lambda cluster: cluster.scale(3),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_began_with_an_edit_that_is_undone_is_restarted(up: Up, answers: Path, way: str) -> None:
    cluster = up("shop", hold=False)
    answers.write_text(NEW)
    WAYS[way](cluster)

    answers.write_text(OLD)

    assert stale(cluster) == [str(answers)]
    assert "shop1" in cluster.sync().restarted
    assert (stale(cluster), cluster.sync().restarted) == ([], ())


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_began_with_the_code_of_the_others_is_left_alone(up: Up, answers: Path, way: str) -> None:
    cluster = up("shop", hold=False)

    WAYS[way](cluster)

    assert (stale(cluster), cluster.sync().restarted) == ([], ())


def test_the_files_that_a_profile_watches_are_those_of_each_nodes_own_start(
    up: Up, project: Path, answers: Path
) -> None:
    prices = project / "prices.csv"
    cluster = up("shop", hold=False)
    prices.write_text("tea,2\n")
    cluster.restart("shop2")

    prices.write_text("tea,1\n")

    assert stale(cluster) == [str(prices)]
    assert up().notes[-1].startswith("its code had changed")
    assert stale(cluster) == []


def test_nodes_restarted_one_by_one_with_the_same_edit_run_what_is_on_disk(up: Up, answers: Path) -> None:
    cluster = up("shop", hold=False)
    answers.write_text(NEW)

    cluster.restart("shop1")
    assert stale(cluster) == [str(answers)]
    cluster.restart("shop2")

    assert (stale(cluster), cluster.sync().restarted) == ([], ())
