"""On which nodes processes run, and what becomes of them when a node leaves or is lost."""

from __future__ import annotations

from tests.contract.node_grid import Grid
from tests.contract.processes.shop import UNHURRIED, on, until


def test_processes_go_where_they_are_wanted_or_where_there_are_fewest(grid: Grid) -> None:
    grid.start(3, detect=UNHURRIED)

    wanted = [on(grid, "node1", "spawn", "shop:cart", "ann", prefer="node2") for _ in range(2)]
    others = []
    for number in range(2):
        others.append(on(grid, "node1", "spawn", "shop:cart", "bob", name=f"bob:{number}"))
        for name in grid.nodes:
            until(lambda name=name, number=number: on(grid, name, "find", f"bob:{number}") is None, False)  # type: ignore[misc]

    assert [process.split(".")[0] for process in wanted] == ["node2", "node2"]
    assert sorted(process.split(".")[0] for process in others) == ["node1", "node3"]


def test_processes_reach_each_other_beyond_the_links_of_a_large_cluster(grid: Grid) -> None:
    grid.start(12, detect=UNHURRIED)
    for name in list(grid.nodes):
        on(grid, "node1", "spawn", "shop:cart", name, name=f"cart:{name}", node=name)

    for name in grid.nodes:
        assert on(grid, "node1", "ask", f"cart:{name}", "where") == name


def test_a_process_that_moves_hands_over_its_state_when_its_node_leaves(grid: Grid) -> None:
    grid.start(3, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:moving_cart", "ann", name="cart", node="node2", moves=True)
    on(grid, "node1", "spawn", "shop:cart", "bob", name="stays", node="node2")
    until(lambda: on(grid, "node3", "find", "cart"), "node2.1")
    on(grid, "node3", "send", "cart", ("add", "tea"))
    on(grid, "node3", "ask", "cart", "items")

    grid["node2"].order(do="stop")
    grid.wait_for_views(["node1", "node3"])

    for name in ("node1", "node3"):
        until(lambda name=name: on(grid, name, "find", "cart") in ("node1.1", "node3.1"), True)  # type: ignore[misc]
        assert on(grid, name, "ask", "cart", "items") == ("ann", ["tea"])
        assert on(grid, name, "find", "stays") is None


def test_a_process_that_moves_is_started_again_when_its_node_is_lost(grid: Grid) -> None:
    grid.start(3, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:moving_cart", "ann", ["milk"], name="cart", node="node2", moves=True)
    until(lambda: on(grid, "node3", "find", "cart"), "node2.1")
    until(lambda: on(grid, "node1", "find", "cart"), "node2.1")

    grid["node2"].kill()
    grid.wait_for_views(["node1", "node3"])

    for name in ("node1", "node3"):
        until(lambda name=name: on(grid, name, "find", "cart") in ("node1.1", "node3.1"), True)  # type: ignore[misc]
    assert on(grid, "node1", "ask", "cart", "items") == ("ann", ["milk"])


def test_a_node_that_leaves_does_not_wait_for_a_process_that_ignores_it(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:stubborn", node="node2")

    grid["node2"].order(do="stop")

    assert grid["node2"].wait_for_end() == 0


def test_the_load_of_a_restarted_node_is_known_anew(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    for number in range(4):  # so that the earlier life has sent more reports than the new one will
        on(grid, "node1", "spawn", "shop:cart", "ann", name=f"cart:{number}", node="node2")
        until(lambda number=number: on(grid, "node1", "find", f"cart:{number}") is None, False)  # type: ignore[misc]
    grid["node2"].kill()
    grid.wait_for_views(["node1"])
    grid["node2"].start(detect=UNHURRIED)
    grid.wait_for_views(["node1", "node2"])

    for number in range(2):
        on(grid, "node1", "spawn", "shop:cart", "bob", name=f"bob:{number}", node="node1")
        until(lambda number=number: on(grid, "node2", "find", f"bob:{number}") is None, False)  # type: ignore[misc]

    assert on(grid, "node1", "spawn", "shop:cart", "bob") == "node2.1"
