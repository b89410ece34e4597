"""The error of a call to a node that does not answer says what the keeper knows."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable

import pytest

import clusterlib
from clusterlib.errors import CallTimeout, HandleClosed, KeeperLost, NodeUnavailable

Up = Callable[..., clusterlib.Cluster]
WHEN = r"at \d\d:\d\d:\d\d\.\d{3} UTC, \d+\.\d s ago"


@pytest.mark.parametrize("simulate", [False, True], ids=["processes", "simulated"])
def test_a_call_to_a_killed_node_says_that_it_was_killed_when_and_by_whom(up: Up, simulate: bool) -> None:
    cluster = up("ci-small", simulate=simulate)
    node = cluster["node2"]
    assert node.call("operator:add", 40, 2) == 42
    node.kill()

    with pytest.raises(NodeUnavailable, match="node2 was killed") as caught:
        node.call("operator:add", 40, 2)
    assert re.fullmatch(rf"pid {os.getpid()} \(.*\) killed it {WHEN}", str(caught.value.cause))
    assert "invoke cluster.restart node2" in caught.value.remedies
    assert "nothing listens" in caught.value.evidence[0] or "not reachable" in caught.value.evidence[0]

    node.restart()
    cluster.take_turn("test_shop.py::test_a_crash")
    node.kill()
    with pytest.raises(NodeUnavailable) as caught:
        node.ping()
    assert str(caught.value.cause).startswith("test_shop.py::test_a_crash killed it at ")
    cluster.end_turn()


def test_a_node_that_ends_during_a_call_says_how_it_ended(up: Up) -> None:
    node = up("ci-small")["node1"]

    with pytest.raises(NodeUnavailable, match="node1 is dead") as caught:
        node.run(os._exit, 7)

    assert re.fullmatch(rf"exited with code 7, {WHEN}", str(caught.value.cause))
    assert "went away during" in caught.value.evidence[0]


def test_a_call_to_a_paused_node_says_that_it_is_paused_and_how_to_go_on(up: Up) -> None:
    node = up("ci-small")["node2"]
    node.ping()
    node.pause()

    with pytest.raises(CallTimeout, match="took longer than") as caught:
        node.call("operator:add", 40, 2, timeout=0.2)
    assert re.fullmatch(rf"it is paused: pid {os.getpid()} \(.*\) paused it {WHEN}", str(caught.value.cause))
    assert caught.value.remedies == ("invoke cluster.resume node2",)

    node.resume()
    assert node.call("operator:add", 40, 2) == 42


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_node_that_a_signal_from_outside_has_stopped_is_called_paused(up: Up) -> None:
    node = up("ci-small")["node2"]
    node.ping()
    assert node.pid is not None
    os.kill(node.pid, signal.SIGSTOP)

    with pytest.raises(CallTimeout) as caught:
        node.call("operator:add", 40, 2, timeout=0.2)

    assert "it is paused: a signal from outside" in str(caught.value.cause)
    assert caught.value.remedies == (f"kill -CONT {node.pid}",)
    os.kill(node.pid, signal.SIGCONT)


def test_a_closed_handle_says_that_it_is_closed(up: Up) -> None:
    cluster = up("ci-small", hold=False)
    other = clusterlib.attach()
    node = other["node1"]
    other.close()

    for ask in (other.status, other.wait_ready, node.ping, node.kill, lambda: node.state):
        with pytest.raises(HandleClosed, match="this handle on cluster 'default' is closed") as caught:
            ask()
        assert "Bad file descriptor" not in str(caught.value)
        assert "clusterlib.attach('default')" in caught.value.remedies[0]
    assert cluster.status().state == "ready"


def test_a_handle_that_has_lost_its_keeper_goes_on_to_say_so(up: Up) -> None:
    cluster = up("ci-small", hold=False)
    other = clusterlib.attach()
    cluster.down()

    for _ in range(3):
        with pytest.raises(KeeperLost) as caught:
            other.status()
        assert not isinstance(caught.value, HandleClosed)
        assert "Bad file descriptor" not in str(caught.value)
    other.close()
