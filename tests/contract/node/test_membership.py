"""Nodes see each other come and go, whether they are processes or simulated."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from clusterlib.errors import CallTimeout, NodeUnavailable
from clusterlib.waiting import Deadline, poll
from tests.contract.node_grid import PATIENCE, Grid


def test_a_killed_node_is_noticed_by_all_and_by_its_callers(fragile: Grid) -> None:
    fragile.start(4)
    victim = fragile["node2"]
    started = fragile.folder / "started"
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(victim.client.call, "shop:wait_for_ever", (str(started),))
        assert poll(started.exists, Deadline(PATIENCE))
        victim.signal(signal.SIGKILL)
        with pytest.raises(NodeUnavailable, match="went away"):
            call.result(PATIENCE)
    assert victim.wait_for_end() == -signal.SIGKILL
    fragile.wait_for_views(["node1", "node3", "node4"])
    with pytest.raises(NodeUnavailable, match="not reachable"):
        victim.client.ping()
    assert fragile["node1"].get("/health")[0] == 503


def test_a_restarted_node_is_back_for_all(fragile: Grid) -> None:
    fragile.start(3)
    for name in fragile.nodes:
        fragile[name].kill()
        fragile.wait_for_views(set(fragile.nodes) - {name})
        fragile[name].start()
        fragile.wait_for_views(fragile.nodes)
        assert fragile[name].client.call("shop:Cart.total", (1,)) == 1


def test_connections_to_a_former_life_of_a_node_are_never_an_error(fragile: Grid) -> None:
    fragile.start(2)
    node = fragile["node2"]
    with ThreadPoolExecutor(50) as threads:
        assert len(list(threads.map(lambda _: node.client.call("shop:meet"), range(50)))) == 50
        node.kill()
        node.start()
        fragile.wait_for_views(fragile.nodes)
        assert len(list(threads.map(lambda _: node.client.call("shop:meet"), range(50)))) == 50


def test_a_paused_node_is_noticed_and_comes_back_by_itself(fragile: Grid) -> None:
    fragile.start(3)
    paused = fragile["node3"]
    paused.signal(signal.SIGSTOP)
    fragile.wait_for_views(["node1", "node2"])
    with pytest.raises(CallTimeout):
        paused.client.ping(timeout=0.1)
    paused.signal(signal.SIGCONT)
    fragile.wait_for_views(fragile.nodes)
    assert paused.client.call("shop:Cart.total", (1,)) == 1


def test_a_node_that_is_asked_to_stop_leaves_at_once_and_cleanly(fragile: Grid) -> None:
    fragile.start(3)
    fragile["node2"].order(do="stop")
    fragile.wait_for_views(["node1", "node3"])
    assert fragile["node2"].wait_for_end() == 0
    fragile["node1"].signal(signal.SIGTERM)
    fragile.wait_for_views(["node3"])
    assert fragile["node1"].wait_for_end() == 0
    assert "dead" not in fragile["node3"].said()


def test_the_roster_grows_and_shrinks_live(fragile: Grid) -> None:
    fragile.start(2)
    fragile.plan("node3")
    fragile["node3"].start()
    for name in ("node1", "node2"):
        fragile[name].order(do="peers", peers=fragile.roster)
    fragile.wait_for_views(["node1", "node2", "node3"])
    fragile["node1"].order(do="stop")
    assert fragile["node1"].wait_for_end() == 0
    rest = [fragile[name].peer for name in ("node2", "node3")]
    for name in ("node2", "node3"):
        fragile[name].order(do="peers", peers=rest)
    fragile.wait_for_views(["node2", "node3"])
    assert poll(lambda: fragile["node2"].get("/health")[0] == 200, Deadline(PATIENCE))


def test_twenty_nodes_see_each_other_through_a_sparse_overlay(fragile: Grid, mode: str) -> None:
    if mode == "real":
        pytest.skip(
            "twenty interpreters started one by one are too slow; tests/functional/test_many_nodes.py forks them"
        )
    fragile.start(20)
    fragile["node7"].kill()
    fragile["node8"].signal(signal.SIGSTOP)
    rest = set(fragile.nodes) - {"node7", "node8"}
    fragile.wait_for_views(rest)
    fragile["node8"].signal(signal.SIGCONT)
    fragile["node7"].start()
    fragile.wait_for_views(fragile.nodes)
    # Links that were made to look for the lost are closed soon after.
    assert poll(lambda: fragile["node1"].get("/metrics")[1]["links"] < 15, Deadline(PATIENCE))


def test_a_node_does_not_outlive_its_keeper(fragile: Grid) -> None:
    fragile.start(2)
    fragile["node1"].control.close()
    assert fragile["node1"].wait_for_end() == 1
