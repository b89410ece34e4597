"""What happens when a process ends: supervisors, monitors and links."""

from __future__ import annotations

import pytest

from clusterlib.messages.codec import revive
from clusterlib.messages.processes import MemberView
from tests.contract.node_grid import Grid
from tests.contract.processes.shop import UNHURRIED, act, children, detail, look, on, until


def test_a_process_that_fails_is_started_again_with_its_name(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    first = on(grid, "node1", "spawn", "shop:cart", "ann", "milk", name="cart", restart="on-error")

    on(grid, "node1", "send", "cart", "fail")
    until(lambda: on(grid, "node1", "find", "cart") not in (None, first), True)

    assert on(grid, "node1", "ask", "cart", "items") == ("ann", ["milk"])
    on(grid, "node1", "send", "cart", "close")
    until(lambda: on(grid, "node1", "find", "cart"), None)
    assert "the cart fell over" in grid[first.split(".")[0]].said()


def test_a_process_that_fails_again_and_again_is_given_up(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:broken", restart="always")

    until(lambda: "gives up: shop:broken ended too often" in grid["node1"].said(), True)


@pytest.mark.parametrize("place", ["node1", "node2"])
def test_a_monitor_learns_of_an_end_and_of_a_lost_node(grid: Grid, place: str) -> None:
    grid.start(2, detect=UNHURRIED)
    one, two = (on(grid, "node1", "spawn", "shop:cart", "ann", node=place) for _ in range(2))
    for name, target in (("w1", one), ("w2", two)):
        on(grid, "node1", "spawn", "shop:watcher", target, "monitor", name=name, node="node1")
        on(grid, "node1", "ask", name, "heard")

    on(grid, "node1", "kill", one, reason="the test wants it")
    until(lambda: on(grid, "node1", "ask", "w1", "heard"), [("ProcessDown", one, "the test wants it")])

    assert on(grid, "node1", "ask", "w2", "heard") == []
    if place == "node2":
        grid["node2"].kill()
        until(lambda: on(grid, "node1", "ask", "w2", "heard"), [("ProcessDown", two, "its node is gone")])


@pytest.mark.parametrize("place", ["node1", "node2"])
def test_linked_processes_fail_together_unless_one_asks_for_messages(grid: Grid, place: str) -> None:
    grid.start(2, detect=UNHURRIED)
    cart = on(grid, "node1", "spawn", "shop:cart", "ann", node=place)
    on(grid, "node1", "spawn", "shop:watcher", cart, "link", name="linked", node="node1")
    on(grid, "node1", "spawn", "shop:watcher", cart, "trap", name="trapping", node="node1")
    for name in ("linked", "trapping"):
        assert on(grid, "node1", "ask", name, "heard") == []

    on(grid, "node1", "send", cart, "fail")

    until(lambda: on(grid, "node1", "find", "linked"), None)
    assert on(grid, "node1", "ask", "trapping", "heard") == [
        ("LinkDown", cart, "ValueError: the cart fell over")
    ]


@pytest.mark.parametrize(
    ("strategy", "again"),
    [("one-for-one", {"two"}), ("rest-for-one", {"two", "three"}), ("one-for-all", {"one", "two", "three"})],
)
def test_a_supervisor_starts_again_what_its_strategy_says(grid: Grid, strategy: str, again: set[str]) -> None:
    grid.start(1, detect=UNHURRIED)
    on(grid, "node1", "supervise", strategy)
    before = children(grid)

    on(grid, "node1", "send", "two", "fail")
    until(lambda: {name for name, (_, restarts) in children(grid).items() if restarts} == again, True)
    until(lambda: all(process for process, _ in children(grid).values()), True)

    after = children(grid)
    assert list(after) == ["one", "two", "three"]
    assert {name for name in before if before[name][0] != after[name][0]} == again
    assert on(grid, "node1", "ask", "two", "items") == ("two", [])


def test_a_supervisor_that_restarts_too_often_ends_and_is_started_again_by_its_own(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    first = on(grid, "node1", "supervise", "one-for-one", restarts=1)

    for _ in range(2):
        last = on(grid, "node1", "find", "two")
        on(grid, "node1", "send", "two", "fail")
        until(lambda last=last: on(grid, "node1", "find", "two") not in (None, last), True)  # type: ignore[misc]

    assert on(grid, "node1", "find", "shop") not in (None, first)
    assert all(restarts == 0 for _, restarts in children(grid).values())


def test_what_is_terminated_stays_away_and_what_is_restarted_has_a_new_id(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    on(grid, "node1", "supervise", "one-for-all")
    until(lambda: on(grid, "node2", "find", "three") is not None, True)
    before = children(grid)

    act(grid, "node2", "terminate", target="one")
    restarted = act(grid, "node2", "restart", target="two")

    assert list(children(grid)) == ["two", "three"]
    assert children(grid)["two"] == (restarted, 1)
    assert children(grid)["three"] == before["three"]
    act(grid, "node2", "terminate", target="shop")
    assert revive(MemberView, look(grid, "node1", "tree")).children == ()
    until(lambda: look(grid, "node2", "names"), {})


def test_a_watcher_that_has_ended_is_forgotten(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    cart = on(grid, "node1", "spawn", "shop:cart", "ann", node="node2")
    for _ in range(3):
        on(grid, "node1", "spawn", "shop:watcher", cart, "monitor", name="watcher", node="node1")
        until(lambda: len(detail(grid, "node2", cart).monitored_by), 1)
        on(grid, "node1", "kill", "watcher")
        until(lambda: detail(grid, "node2", cart).monitored_by, ())
