"""Nodes that leave together, what cannot be handed over, and nodes that are known to be gone."""

from __future__ import annotations

import pytest

from clusterlib.errors import NodeUnavailable
from tests.contract.node_grid import Grid
from tests.contract.processes.shop import UNHURRIED, on, until


def test_a_process_goes_on_where_no_node_leaves_if_several_leave_together(grid: Grid) -> None:
    grid.start(4, detect=UNHURRIED)
    for number in range(3):  # node1 has the most, so it is asked last
        on(grid, "node1", "spawn", "shop:cart", "ann", node="node1", name=f"stays:{number}")
    on(grid, "node1", "spawn", "shop:moving_cart", "ann", ["tea"], name="cart", node="node2", moves=True)
    until(lambda: on(grid, "node1", "find", "cart"), "node2.1")
    on(grid, "node1", "send", "cart", ("add", "milk"))
    on(grid, "node1", "ask", "cart", "items")
    for name in ("node3", "node4"):  # stubborn processes keep these nodes from being gone at once
        on(grid, "node1", "spawn", "shop:stubborn", node=name)
    for name in ("node3", "node4", "node2"):
        grid[name].order(do="stop")

    until(lambda: on(grid, "node1", "find", "cart"), "node1.4")

    assert on(grid, "node1", "ask", "cart", "items") == ("ann", ["tea", "milk"])


def test_a_process_whose_state_is_too_large_goes_on_without_it_and_the_log_says_so(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:moving_cart", "ann", name="cart", node="node2", moves=True)
    until(lambda: on(grid, "node1", "find", "cart"), "node2.1")
    on(grid, "node1", "send", "cart", ("add", "x" * (65 << 10)))
    on(grid, "node1", "ask", "cart", "items")

    grid["node2"].order(do="stop")

    until(lambda: on(grid, "node1", "find", "cart"), "node1.1")
    assert on(grid, "node1", "ask", "cart", "items") == ("ann", [])
    until(lambda: "without what it handed over" in grid["node2"].log.read_text(), True)


def test_asking_a_process_of_a_node_that_is_gone_is_refused_at_once(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    process = on(grid, "node1", "spawn", "shop:cart", "ann", node="node2")
    grid["node2"].kill()
    grid.wait_for_views(["node1"])

    with pytest.raises(NodeUnavailable, match="its node is gone"):
        on(grid, "node1", "ask", process, "items")
    with pytest.raises(NodeUnavailable, match="its node is gone"):
        on(grid, "node1", "kill", process)
    on(grid, "node1", "send", process, "items")  # its sender never learns whether it arrives
