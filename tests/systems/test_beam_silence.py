"""A node that hangs is noticed by the others, and is one of them again once it goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

import clusterlib
from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.terms import Atom
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import COOKIE, PATIENCE, Nodes, stop_for_good
from tests.systems.conftest import System
from tests.systems.installed import need

TWO = Atom("node2@127.0.0.1")


def up(system: System, count: int = 3) -> clusterlib.Cluster:
    need("erl", "erlang-base")
    return system("beam", nodes=count)


def all_see(cluster: clusterlib.Cluster, *names: str) -> bool:
    """Whether each of these nodes sees these, and no other: by its own account."""
    return poll(lambda: all(cluster[name].members() == list(names) for name in names), Deadline(PATIENCE))


def test_a_paused_node_is_noticed_and_joins_again_when_it_is_resumed(system: System) -> None:
    cluster = up(system)

    for _ in range(2):
        cluster["node2"].pause()
        assert all_see(cluster, "node1", "node3")
        cluster["node2"].resume()
        assert all_see(cluster, "node1", "node2", "node3")
        cluster.wait_ready(PATIENCE)


def test_most_nodes_may_be_paused_at_once(system: System) -> None:
    cluster = up(system, 4)
    everyone = ["node1", "node2", "node3", "node4"]

    for name in everyone[1:]:
        cluster[name].pause()
    assert all_see(cluster, "node1")
    for name in everyone[1:]:
        cluster[name].resume()

    assert all_see(cluster, *everyone)


def test_a_process_that_somebody_else_stops_is_noticed_as_well(system: System) -> None:
    cluster = up(system)
    pid = cluster["node2"].pid
    assert pid is not None

    stop_for_good(pid)
    try:
        assert all_see(cluster, "node1", "node3")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert all_see(cluster, "node1", "node2", "node3")


def test_a_node_that_is_killed_while_it_is_paused_comes_back_by_a_restart(system: System) -> None:
    cluster = up(system)
    cluster["node2"].pause()
    assert all_see(cluster, "node1", "node3")

    cluster["node2"].kill()
    cluster["node2"].restart()

    assert all_see(cluster, "node1", "node2", "node3")


def test_nodes_that_were_disconnected_on_purpose_stay_apart(system: System) -> None:
    cluster = up(system)
    assert cluster["node1"].call("erlang", "disconnect_node", [TWO]) is True

    cluster["node3"].pause()  # this is noticed only after others would have come back
    assert all_see(cluster, "node1")
    assert all_see(cluster, "node2")
    cluster["node3"].resume()

    assert poll(lambda: cluster["node1"].members() == ["node1", "node3"], Deadline(PATIENCE))


def test_a_node_of_somebody_else_may_be_silent(system: System, tmp_path: Path) -> None:
    cluster = up(system, 2)
    one, guest = cluster["node1"], Atom("guest@127.0.0.1")
    with Nodes(tmp_path) as nodes:
        nodes.launch("guest", at=int(one.status().facts["epmd_port"]))
        one.call("erlang", "set_cookie", [guest, Atom(COOKIE)])
        assert poll(lambda: one.call("net_kernel", "connect_node", [guest]), Deadline(PATIENCE)), nodes.log(
            "guest"
        )
        assert one.call("net_adm", "ping", [guest]) == Atom("pong")

        nodes.pause("guest")
        cluster["node2"].pause()

        assert poll(lambda: "node2" not in one.members(), Deadline(PATIENCE))
        assert one.members() == ["guest", "node1"]


def test_many_connections_wait_at_a_node_that_has_no_time_for_them(system: System) -> None:
    """And none of them is lost: it would try again only after a second, then after three, then
    after seven."""
    cluster = up(system, 1)
    node = cluster["node1"].status()
    pid = node.pid
    assert pid is not None
    stop_for_good(pid)

    with contextlib.ExitStack() as held:
        held.callback(os.kill, pid, signal.SIGCONT)
        for _ in range(500):
            place = (node.address, node.ports["cluster"])
            held.enter_context(socket.create_connection(place, timeout=PATIENCE)).sendall(b"garbage")
        os.kill(pid, signal.SIGCONT)
        with Connection.open(
            node.facts["node"],
            cluster.cookie_file.read_text(),
            port=node.ports["cluster"],
            timeout=PATIENCE,
        ) as connection:
            assert connection.call("lists", "sum", [[40, 2]]) == 42
