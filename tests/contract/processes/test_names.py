"""One process has a name, and all nodes agree on it, on real and on simulated nodes."""

from __future__ import annotations

import contextlib
import signal
import threading

import pytest

from clusterlib.errors import ProcessGone, ProcessNameTaken
from tests.contract.node_grid import PATIENCE, Grid
from tests.contract.processes.shop import UNHURRIED, children, listed, on, until


def test_a_process_is_found_by_name_from_every_node_and_answers(grid: Grid) -> None:
    grid.start(3, detect=UNHURRIED)

    process = on(grid, "node1", "spawn", "shop:cart", "ann", name="cart:ann", node="node2")
    until(lambda: on(grid, "node3", "find", "cart:ann"), process)
    on(grid, "node3", "send", "cart:ann", ("add", "tea"))

    assert process == "node2.1"
    assert on(grid, "node3", "ask", "cart:ann", "items") == ("ann", ["tea"])
    assert on(grid, "node3", "ask", "node2.1", "where") == "node2"
    assert on(grid, "node1", "names") == {"cart:ann": "node2.1"}


def test_a_name_that_is_taken_is_refused_with_its_owner(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", node="node1")
    until(lambda: on(grid, "node2", "find", "cart"), "node1.1")

    with pytest.raises(ProcessNameTaken, match=r"belongs to the process node1\.1"):
        on(grid, "node2", "spawn", "shop:cart", "bob", name="cart", node="node2")


def test_of_two_claims_after_a_partition_the_older_wins_everywhere(grid: Grid) -> None:
    grid.start(2)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="old", node="node1")
    until(lambda: on(grid, "node2", "find", "old"), "node1.1")
    grid["node1"].signal(signal.SIGSTOP)
    grid.wait_for_views(["node2"])
    until(lambda: on(grid, "node2", "find", "old"), None)
    younger = on(grid, "node2", "spawn", "shop:cart", "bob", name="old", node="node2")
    assert on(grid, "node2", "find", "old") == younger
    grid["node1"].signal(signal.SIGCONT)
    grid.wait_for_views(["node1", "node2"])

    for name in grid.nodes:
        until(lambda name=name: on(grid, name, "find", "old"), "node1.1")  # type: ignore[misc]
    with pytest.raises(ProcessGone) as caught:
        on(grid, "node2", "ask", younger, "items")
    assert caught.value.cause == "it ended: the name 'old' belongs to node1.1, whose claim is older"
    assert on(grid, "node2", "ask", "old", "items") == ("ann", [])


def test_the_names_of_a_restarted_node_are_free_again(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", node="node2")
    until(lambda: on(grid, "node1", "find", "cart"), "node2.1")
    grid["node2"].kill()
    grid.wait_for_views(["node1"])
    grid["node2"].start(detect=UNHURRIED)
    grid.wait_for_views(["node1", "node2"])

    until(lambda: on(grid, "node1", "find", "cart"), None)
    assert on(grid, "node1", "spawn", "shop:cart", "bob", name="cart", node="node2") == "node2.1"
    until(lambda: on(grid, "node1", "ask", "cart", "items"), ("bob", []))


def test_a_child_of_a_supervisor_gives_way_to_the_owner_of_its_name(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="two", node="node2")
    until(lambda: on(grid, "node1", "find", "two"), "node2.1")

    on(grid, "node1", "supervise", "one-for-one")

    until(lambda: list(children(grid)), ["one", "three"])
    assert on(grid, "node1", "find", "two") == "node2.1"


def test_two_claims_at_once_end_with_one_process_that_all_agree_on(grid: Grid) -> None:
    grid.start(3, detect=UNHURRIED)
    rounds = 5
    for number in range(rounds):
        threads = [
            threading.Thread(target=try_to_claim, args=(grid, name, f"cart:{number}")) for name in grid.nodes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

    def carts(name: str) -> list[str]:
        return sorted(row.name or "" for row in listed(grid, name).rows)

    wanted = sorted(f"cart:{number}" for number in range(rounds))
    until(lambda: sorted(name for node in grid.nodes for name in carts(node)), wanted)
    seen = [on(grid, name, "names") for name in grid.nodes]
    assert sorted(seen[0]) == wanted
    assert seen[0] == seen[1] == seen[2]


def try_to_claim(grid: Grid, node: str, name: str) -> None:
    with contextlib.suppress(ProcessNameTaken):
        on(grid, node, "spawn", "shop:cart", node, name=name, node=node)
