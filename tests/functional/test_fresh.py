"""Data in the folders of nodes is kept by a restart and deleted by a fresh one, on each host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import UsageError

Up = Callable[..., clusterlib.Cluster]
HOSTS = pytest.mark.parametrize("simulate", [False, True], ids=["real", "simulated"])
SHOP = """\
from pathlib import Path

from clusterlib.runtime import this_node

stock = {}

def put(item):
    stock[item] = True
    (Path(this_node().directory) / item).write_text(item)

def known(item):
    return item in stock, (Path(this_node().directory) / item).exists()
"""


def known(cluster: clusterlib.Cluster) -> set[tuple[bool, bool]]:
    return {node.call("shop:known", "tea") for node in cluster}


@HOSTS
def test_a_restart_keeps_files_and_a_fresh_one_deletes_them(up: Up, project: Path, simulate: bool) -> None:
    (project / "shop.py").write_text(SHOP)
    with up("dev", simulate=simulate) as cluster:
        for node in cluster:
            node.call("shop:put", "tea")

        cluster.restart()
        assert known(cluster) == {(False, True)}

        cluster.restart(fresh=True)
        assert known(cluster) == {(False, False)}


@HOSTS
def test_one_node_can_begin_fresh_while_the_others_keep_their_files(
    up: Up, project: Path, simulate: bool
) -> None:
    (project / "shop.py").write_text(SHOP)
    with up("dev", simulate=simulate) as cluster:
        for node in cluster:
            node.call("shop:put", "tea")

        cluster["node2"].restart(fresh=True)

        assert [node.call("shop:known", "tea")[1] for node in cluster] == [True, False, True]


@HOSTS
def test_healing_keeps_files_and_fresh_healing_deletes_them(up: Up, project: Path, simulate: bool) -> None:
    (project / "shop.py").write_text(SHOP)
    with up("dev", simulate=simulate) as cluster:
        for node in cluster:
            node.call("shop:put", "tea")
        cluster["node1"].kill()

        cluster.heal()
        assert [node.call("shop:known", "tea")[1] for node in cluster] == [True, True, True]

        cluster.heal(fresh=True)
        assert known(cluster) == {(False, False)}


def test_data_that_lies_elsewhere_is_left_alone(up: Up, project: Path) -> None:
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("mine")
    with up("ci-small") as cluster:
        (cluster.run_folder.node("node1") / "data").symlink_to(elsewhere)

        cluster.restart(fresh=True)

        assert not (cluster.run_folder.node("node1") / "data").exists()
    assert (elsewhere / "kept").read_text() == "mine"


def test_a_restart_that_is_rolling_and_fresh_is_refused_before_anything_happens(up: Up) -> None:
    with up("ci-small") as cluster:
        with pytest.raises(UsageError, match="both rolling and fresh"):
            cluster.restart(rolling=True, fresh=True)

        assert [node.starts for node in cluster.status().nodes] == [1, 1]
