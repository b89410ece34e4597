"""Processes behave in the same way on real and on simulated nodes."""

from __future__ import annotations

import signal
import threading

import pytest

from clusterlib.errors import NodeUnavailable, ProcessGone, UsageError
from clusterlib.messages.codec import revive
from clusterlib.messages.processes import ProcessDetail, ProcessesOfNode
from tests.contract.node_grid import PATIENCE, Grid
from tests.contract.processes.shop import UNHURRIED, act, detail, listed, look, on, until


def test_asking_a_process_that_is_gone_or_ends_is_an_error_with_its_reason(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    process = on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", node="node2")

    with pytest.raises(ProcessGone, match=rf"no process {process}"):
        on(grid, "node1", "ask", process, "fail")
    with pytest.raises(ProcessGone) as caught:
        on(grid, "node1", "ask", process, "items")
    assert caught.value.cause == "it ended: ValueError: the cart fell over"
    with pytest.raises(ProcessGone, match=r"no process has the name 'unknown'"):
        on(grid, "node1", "ask", "unknown", "items")


def test_an_answer_that_would_come_from_a_dead_node_is_an_error(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)
    process = on(grid, "node1", "spawn", "shop:silent", node="node2")
    asked = grid["node1"].client
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            asked.call("shop:ask", (process, "items"), {"timeout": PATIENCE})
        except NodeUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: on(grid, "node2", "was_asked"), True)
    grid["node2"].kill()
    thread.join(PATIENCE)

    assert [str(error.problem) for error in errors] == ["node2 is gone"]  # type: ignore[attr-defined]


def test_blocking_calls_are_refused_on_the_loop(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)

    with pytest.raises(UsageError, match="would block the event loop"):
        on(grid, "node1", "spawn_wrongly")
    assert on(grid, "node1", "spawn_async", "cart") == ("ann", [])


def test_the_busiest_are_chosen_on_the_node_and_found_by_name_or_function(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    for number in range(5):
        on(grid, "node1", "spawn", "shop:cart", "ann", name=f"cart:{number}")
    on(grid, "node1", "spawn", "shop:stubborn")
    for _ in range(3):
        on(grid, "node1", "ask", "cart:2", "items")

    found = revive(ProcessesOfNode, look(grid, "node1", "list", order="work", limit=2, matching=None))
    carts = revive(ProcessesOfNode, look(grid, "node1", "list", order="work", limit=20, matching="cart:"))

    assert (found.count, found.rows[0].name, found.rows[0].work) == (6, "cart:2", 3)
    assert found.rows[0].function == "shop:cart"
    assert len(found.rows) == 2
    assert found.lag is not None
    assert (carts.count, len(carts.rows)) == (5, 5)


def test_a_suspended_process_holds_still_with_its_messages_until_it_is_resumed(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    process = on(grid, "node1", "spawn", "shop:cart", "ann", name="cart")
    on(grid, "node1", "ask", "cart", "items")

    look(grid, "node1", "suspend", target="cart")
    on(grid, "node1", "send", "cart", ("add", "tea"))
    held = revive(ProcessDetail, look(grid, "node1", "detail", target=process))
    look(grid, "node1", "resume", target="cart")

    assert held.row.state == "suspended"
    assert held.waiting == ("('add', 'tea')",)
    assert ("owner", "'ann'") in held.values
    assert any("async for message in box" in line for line in held.stack)
    assert on(grid, "node1", "ask", "cart", "items") == ("ann", ["tea"])


def test_a_suspended_process_can_be_killed(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="cart")
    look(grid, "node1", "suspend", target="cart")

    act(grid, "node1", "kill", target="cart", reason="enough")

    assert on(grid, "node1", "find", "cart") is None


def test_the_processes_of_a_paused_node_hold_still(grid: Grid) -> None:
    grid.start(2)
    on(grid, "node1", "spawn", "shop:counter", node="node1")
    until(lambda: on(grid, "node1", "ticks") > 3, True)
    grid["node1"].signal(signal.SIGSTOP)
    grid.wait_for_views(["node2"])
    grid["node1"].signal(signal.SIGCONT)
    grid.wait_for_views(["node1", "node2"])

    assert on(grid, "node1", "pause_in_ticks") > 0.3


def test_clients_start_processes_and_ask_them(grid: Grid) -> None:
    grid.start(2, detect=UNHURRIED)

    process = act(
        grid, "node1", "spawn", target="shop:cart", args=("ann",), name="cart", prefer="node2",
        node=None, under=None, restart="never",
    )  # fmt: skip

    assert process == "node2.1"
    assert look(grid, "node2", "where", target="cart") == ("node2.1", "node2")
    assert on(grid, "node1", "ask", "cart", "items") == ("ann", [])
    until(lambda: look(grid, "node1", "names"), {"cart": "node2.1"})


def test_a_process_that_ignores_its_end_is_reported_and_forgotten(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    process = on(grid, "node1", "spawn", "shop:stubborn")

    act(grid, "node1", "kill", target=process, reason="enough")

    assert f"the process {process} (shop:stubborn) ignores that it was ended" in grid["node1"].said()


def test_a_process_that_exits_ends_alone(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    on(grid, "node1", "spawn", "shop:exiting", name="exiting")

    with pytest.raises(ProcessGone) as caught:
        on(grid, "node1", "ask", "exiting", "now")

    assert caught.value.cause == "it ended: RuntimeError: it raised SystemExit(3)"
    assert on(grid, "node1", "names") == {}


def test_a_function_that_is_no_coroutine_function_is_refused(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)

    with pytest.raises(UsageError, match="it is no coroutine function"):
        on(grid, "node1", "spawn", "shop:names")
    with pytest.raises(UsageError, match="takes other arguments than a mailbox") as caught:
        on(grid, "node1", "spawn", "shop:cart")
    assert "missing 1 required positional argument: 'owner'" in str(caught.value.cause)
    with pytest.raises(UsageError, match="between 1 and 200 characters"):
        on(grid, "node1", "spawn", "shop:cart", "ann", name="")


def test_messages_beyond_the_room_of_a_mailbox_are_counted_and_reported(grid: Grid) -> None:
    grid.start(1, detect=UNHURRIED)
    process = on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", room=2)
    look(grid, "node1", "suspend", target="cart")

    for item in ("tea", "milk", "bread"):
        on(grid, "node1", "send", "cart", ("add", item))
    with pytest.raises(NodeUnavailable, match="the mailbox of cart is full"):
        on(grid, "node1", "ask", "cart", "items")

    assert detail(grid, "node1", process).lost == 2
    assert "the mailbox of cart is full (2 messages); messages to it are lost" in grid["node1"].said()


PLAIN = """
import sys

def loaded():
    return [name for name in sys.modules if name.startswith("clusterlib.runtime.processes")]
"""


def test_a_node_that_uses_no_processes_loads_none_of_their_code(grid: Grid) -> None:
    (grid.code / "plain.py").write_text(PLAIN)
    grid.start(2, detect=UNHURRIED)

    assert grid["node1"].client.call("plain:loaded") == []
    listed(grid, "node1")
    assert grid["node1"].client.call("plain:loaded") != []
