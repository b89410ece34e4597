"""Processes behave in the same way on real and on simulated nodes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import NodeUnavailable, ProcessGone, ProcessNameTaken, UsageError
from clusterlib.messages.codec import revive
from clusterlib.messages.processes import MemberView, ProcessDetail, ProcessesOfNode
from clusterlib.waiting import Deadline, poll
from tests.contract.node_grid import PATIENCE, Grid

SHOP = """
import asyncio, sys, time
from clusterlib.runtime import this_node
from clusterlib.runtime.processes import ProcessDown, Leaving, LinkDown, child, supervisor

seen = {}

async def cart(box, owner, *first):
    items = list(first)
    async for message in box:
        match message:
            case ("add", item):
                items.append(item)
            case "items":
                box.reply((owner, items))
            case "where":
                box.reply(this_node().name)
            case "fail":
                raise ValueError("the cart fell over")
            case "close":
                return

async def moving_cart(box, owner, items=()):
    items = list(items)
    async for message in box:
        match message:
            case ("add", item):
                items.append(item)
            case "items":
                box.reply((owner, items))
            case Leaving():
                box.hand_over(owner, items)
                return

async def broken(box):
    raise ValueError("it is broken")

async def exiting(box):
    async for message in box:
        sys.exit(3)

async def silent(box):
    async for message in box:
        seen["asked"] = True

def was_asked():
    return seen.get("asked", False)

async def stubborn(box):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def counter(box):
    number = 0
    seen["ticks"] = 0
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.001)
        seen["ticks"] += 1
        seen["pause"] = max(seen.get("pause", 0.0), time.monotonic() - last)
        last = time.monotonic()

async def watcher(box, target, how):
    processes = this_node().processes
    if how == "trap":
        processes.trap()
    found = processes.monitor(target) if how == "monitor" else processes.link(target)
    heard = []
    async for message in box:
        match message:
            case ProcessDown(process, reason) | LinkDown(process, reason):
                heard.append((type(message).__name__, str(process), reason))
            case "heard":
                box.reply(heard)

def spawn(target, *args, **how):
    return str(this_node().processes.spawn(target, *args, **how))

def supervise(strategy, restarts=5):
    carts = [child(cart, name, name=name) for name in ("one", "two", "three")]
    shop = supervisor(*carts, name="shop", strategy=strategy, restarts=restarts)
    return str(this_node().processes.start(shop, node="node1"))

def send(target, message):
    this_node().processes.send(target, message)

def ask(target, message, timeout=10):
    return this_node().processes.ask(target, message, timeout)

def find(name):
    found = this_node().processes.find(name)
    return str(found) if found else None

def names():
    return {name: str(process) for name, process in this_node().processes.names().items()}

def ticks():
    return seen["ticks"]

def pause_in_ticks():
    return seen["pause"]

def kill(target, **how):
    this_node().processes.kill(target, **how)

async def spawn_wrongly():
    return this_node().processes.spawn("shop:cart", "ann")

async def spawn_async(name):
    processes = this_node().processes
    await processes.spawn_async("shop:cart", "ann", name=name)
    return await processes.ask_async(name, "items")
"""


@pytest.fixture(params=["real", "simulated"])
def grid(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Grid]:
    code = tmp_path / "code"
    code.mkdir()
    (code / "shop.py").write_text(SHOP)
    grid = Grid(tmp_path, code, simulated=request.param == "simulated")
    try:
        yield grid
    finally:
        grid.close()


def on(grid: Grid, node: str, function: str, /, *args: Any, **kwargs: Any) -> Any:
    return grid[node].client.call(f"shop:{function}", args, kwargs)


def until(condition: Callable[[], Any], expected: Any) -> None:
    last = poll(lambda: condition() == expected or None, Deadline(PATIENCE))
    assert last, f"{condition()!r} instead of {expected!r}"


def test_a_process_is_found_by_name_from_every_node_and_answers(grid: Grid) -> None:
    grid.start(3)

    process = on(grid, "node1", "spawn", "shop:cart", "ann", name="cart:ann", node="node2")
    until(lambda: on(grid, "node3", "find", "cart:ann"), process)
    on(grid, "node3", "send", "cart:ann", ("add", "tea"))

    assert process == "node2.1"
    assert on(grid, "node3", "ask", "cart:ann", "items") == ("ann", ["tea"])
    assert on(grid, "node3", "ask", "node2.1", "where") == "node2"
    assert on(grid, "node1", "names") == {"cart:ann": "node2.1"}


def test_processes_go_where_they_are_wanted_or_where_there_are_fewest(grid: Grid) -> None:
    grid.start(3)

    wanted = [on(grid, "node1", "spawn", "shop:cart", "ann", prefer="node2") for _ in range(2)]
    others = []
    for number in range(2):
        others.append(on(grid, "node1", "spawn", "shop:cart", "bob", name=f"bob:{number}"))
        for name in grid.nodes:
            until(lambda name=name, number=number: on(grid, name, "find", f"bob:{number}") is None, False)  # type: ignore[misc]

    assert [process.split(".")[0] for process in wanted] == ["node2", "node2"]
    assert sorted(process.split(".")[0] for process in others) == ["node1", "node3"]


def test_a_name_that_is_taken_is_refused_with_its_owner(grid: Grid) -> None:
    grid.start(2)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", node="node1")
    until(lambda: on(grid, "node2", "find", "cart"), "node1.1")

    with pytest.raises(ProcessNameTaken, match=r"belongs to the process node1\.1"):
        on(grid, "node2", "spawn", "shop:cart", "bob", name="cart", node="node2")


def test_a_process_that_fails_is_started_again_with_its_name(grid: Grid) -> None:
    grid.start(2)
    first = on(grid, "node1", "spawn", "shop:cart", "ann", "milk", name="cart", restart="on-error")

    on(grid, "node1", "send", "cart", "fail")
    until(lambda: on(grid, "node1", "find", "cart") not in (None, first), True)

    assert on(grid, "node1", "ask", "cart", "items") == ("ann", ["milk"])
    on(grid, "node1", "send", "cart", "close")
    until(lambda: on(grid, "node1", "find", "cart"), None)
    assert "the cart fell over" in grid[first.split(".")[0]].said()


def test_a_process_that_fails_again_and_again_is_given_up(grid: Grid) -> None:
    grid.start(1)
    on(grid, "node1", "spawn", "shop:broken", restart="always")

    until(lambda: "gives up: shop:broken ended too often" in grid["node1"].said(), True)


def test_asking_a_process_that_is_gone_or_ends_is_an_error_with_its_reason(grid: Grid) -> None:
    grid.start(2)
    process = on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", node="node2")

    with pytest.raises(ProcessGone, match=rf"no process {process}"):
        on(grid, "node1", "ask", process, "fail")
    with pytest.raises(ProcessGone) as caught:
        on(grid, "node1", "ask", process, "items")
    assert caught.value.cause == "it ended: ValueError: the cart fell over"
    with pytest.raises(ProcessGone, match=r"no process has the name 'nobody'"):
        on(grid, "node1", "ask", "nobody", "items")


def test_an_answer_that_would_come_from_a_dead_node_is_an_error(grid: Grid) -> None:
    grid.start(2)
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


@pytest.mark.parametrize("place", ["node1", "node2"])
def test_a_monitor_learns_of_an_end_and_of_a_lost_node(grid: Grid, place: str) -> None:
    grid.start(2)
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
    grid.start(2)
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
    grid.start(2)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", node="node2")
    until(lambda: on(grid, "node1", "find", "cart"), "node2.1")
    grid["node2"].kill()
    grid.wait_for_views(["node1"])
    grid["node2"].start()
    grid.wait_for_views(["node1", "node2"])

    until(lambda: on(grid, "node1", "find", "cart"), None)
    assert on(grid, "node1", "spawn", "shop:cart", "bob", name="cart", node="node2") == "node2.1"
    until(lambda: on(grid, "node1", "ask", "cart", "items"), ("bob", []))


def test_processes_reach_each_other_beyond_the_links_of_a_large_cluster(grid: Grid) -> None:
    grid.start(12, detect=10.0)  # no node is accused by mistake on a slow machine
    for name in list(grid.nodes):
        on(grid, "node1", "spawn", "shop:cart", name, name=f"cart:{name}", node=name)

    for name in grid.nodes:
        assert on(grid, "node1", "ask", f"cart:{name}", "where") == name


def test_blocking_calls_are_refused_on_the_loop(grid: Grid) -> None:
    grid.start(1)

    with pytest.raises(UsageError, match="would block the event loop"):
        on(grid, "node1", "spawn_wrongly")
    assert on(grid, "node1", "spawn_async", "cart") == ("ann", [])


def look(grid: Grid, asked: str, verb: str, /, **arguments: Any) -> Any:
    return grid[asked].client.ask("processes", (verb, arguments))


def act(grid: Grid, asked: str, verb: str, /, **arguments: Any) -> Any:
    return grid[asked].client.ask("do processes", (verb, arguments))


def test_the_busiest_are_chosen_on_the_node_and_found_by_name_or_function(grid: Grid) -> None:
    grid.start(1)
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
    grid.start(1)
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
    grid.start(1)
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
    grid.start(2)

    process = act(
        grid, "node1", "spawn", target="shop:cart", args=("ann",), name="cart", prefer="node2",
        node=None, under=None, restart="never",
    )  # fmt: skip

    assert process == "node2.1"
    assert look(grid, "node2", "where", target="cart") == ("node2.1", "node2")
    assert on(grid, "node1", "ask", "cart", "items") == ("ann", [])
    until(lambda: look(grid, "node1", "names"), {"cart": "node2.1"})


def test_a_process_that_ignores_its_end_is_reported_and_forgotten(grid: Grid) -> None:
    grid.start(1)
    process = on(grid, "node1", "spawn", "shop:stubborn")

    act(grid, "node1", "kill", target=process, reason="enough")

    assert f"the process {process} (shop:stubborn) ignores that it was ended" in grid["node1"].said()


def test_a_process_that_moves_hands_over_its_state_when_its_node_leaves(grid: Grid) -> None:
    grid.start(3)
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
    grid.start(3)
    on(grid, "node1", "spawn", "shop:moving_cart", "ann", ["milk"], name="cart", node="node2", moves=True)
    until(lambda: on(grid, "node3", "find", "cart"), "node2.1")
    until(lambda: on(grid, "node1", "find", "cart"), "node2.1")

    grid["node2"].kill()
    grid.wait_for_views(["node1", "node3"])

    for name in ("node1", "node3"):
        until(lambda name=name: on(grid, name, "find", "cart") in ("node1.1", "node3.1"), True)  # type: ignore[misc]
    assert on(grid, "node1", "ask", "cart", "items") == ("ann", ["milk"])


def test_a_node_that_leaves_does_not_wait_for_a_process_that_ignores_it(grid: Grid) -> None:
    grid.start(2)
    on(grid, "node1", "spawn", "shop:stubborn", node="node2")

    grid["node2"].order(do="stop")

    assert grid["node2"].wait_for_end() == 0


def children(grid: Grid) -> dict[str, tuple[str | None, int]]:
    """The children of the first supervisor of node1: their ids and restarts."""
    root = revive(MemberView, look(grid, "node1", "tree"))
    return {str(one.name): (one.id, one.restarts) for one in root.children[0].children}


@pytest.mark.parametrize(
    ("strategy", "again"),
    [("one-for-one", {"two"}), ("rest-for-one", {"two", "three"}), ("one-for-all", {"one", "two", "three"})],
)
def test_a_supervisor_starts_again_what_its_strategy_says(grid: Grid, strategy: str, again: set[str]) -> None:
    grid.start(1)
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
    grid.start(1)
    first = on(grid, "node1", "supervise", "one-for-one", restarts=1)

    for _ in range(2):
        last = on(grid, "node1", "find", "two")
        on(grid, "node1", "send", "two", "fail")
        until(lambda last=last: on(grid, "node1", "find", "two") not in (None, last), True)  # type: ignore[misc]

    assert on(grid, "node1", "find", "shop") not in (None, first)
    assert all(restarts == 0 for _, restarts in children(grid).values())


def test_what_is_terminated_stays_away_and_what_is_restarted_has_a_new_id(grid: Grid) -> None:
    grid.start(2)
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


def test_a_process_that_exits_ends_alone(grid: Grid) -> None:
    grid.start(1)
    on(grid, "node1", "spawn", "shop:exiting", name="exiting")

    with pytest.raises(ProcessGone) as caught:
        on(grid, "node1", "ask", "exiting", "now")

    assert caught.value.cause == "it ended: RuntimeError: it raised SystemExit(3)"
    assert on(grid, "node1", "names") == {}


def test_a_function_that_is_no_coroutine_function_is_refused(grid: Grid) -> None:
    grid.start(1)

    with pytest.raises(UsageError, match="it is no coroutine function"):
        on(grid, "node1", "spawn", "shop:names")
    with pytest.raises(UsageError, match="takes other arguments than a mailbox") as caught:
        on(grid, "node1", "spawn", "shop:cart")
    assert "missing 1 required positional argument: 'owner'" in str(caught.value.cause)
    with pytest.raises(UsageError, match="between 1 and 200 characters"):
        on(grid, "node1", "spawn", "shop:cart", "ann", name="")


def test_a_child_of_a_supervisor_gives_way_to_the_owner_of_its_name(grid: Grid) -> None:
    grid.start(2)
    on(grid, "node1", "spawn", "shop:cart", "ann", name="two", node="node2")
    until(lambda: on(grid, "node1", "find", "two"), "node2.1")

    on(grid, "node1", "supervise", "one-for-one")

    until(lambda: list(children(grid)), ["one", "three"])
    assert on(grid, "node1", "find", "two") == "node2.1"


def test_two_claims_at_once_end_with_one_process_that_all_agree_on(grid: Grid) -> None:
    grid.start(3)
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


def listed(grid: Grid, node: str) -> ProcessesOfNode:
    return revive(ProcessesOfNode, look(grid, node, "list", order="work", limit=1000, matching=None))


def test_a_watcher_that_has_ended_is_forgotten(grid: Grid) -> None:
    grid.start(2)
    cart = on(grid, "node1", "spawn", "shop:cart", "ann", node="node2")
    for _ in range(3):
        on(grid, "node1", "spawn", "shop:watcher", cart, "monitor", name="watcher", node="node1")
        until(lambda: len(detail(grid, "node2", cart).monitored_by), 1)
        on(grid, "node1", "kill", "watcher")
        until(lambda: detail(grid, "node2", cart).monitored_by, ())


def detail(grid: Grid, node: str, target: str) -> ProcessDetail:
    return revive(ProcessDetail, look(grid, node, "detail", target=target))


def test_messages_beyond_the_room_of_a_mailbox_are_counted_and_reported(grid: Grid) -> None:
    grid.start(1)
    process = on(grid, "node1", "spawn", "shop:cart", "ann", name="cart", room=2)
    look(grid, "node1", "suspend", target="cart")

    for item in ("tea", "milk", "bread"):
        on(grid, "node1", "send", "cart", ("add", item))
    with pytest.raises(NodeUnavailable, match="the mailbox of cart is full"):
        on(grid, "node1", "ask", "cart", "items")

    assert detail(grid, "node1", process).lost == 2
    assert "the mailbox of cart is full (2 messages); messages to it are lost" in grid["node1"].said()


def test_the_load_of_a_restarted_node_is_known_anew(grid: Grid) -> None:
    grid.start(2)
    for number in range(4):  # so that the earlier life has sent more reports than the new one will
        on(grid, "node1", "spawn", "shop:cart", "ann", name=f"cart:{number}", node="node2")
        until(lambda number=number: on(grid, "node1", "find", f"cart:{number}") is None, False)  # type: ignore[misc]
    grid["node2"].kill()
    grid.wait_for_views(["node1"])
    grid["node2"].start()
    grid.wait_for_views(["node1", "node2"])

    for number in range(2):
        on(grid, "node1", "spawn", "shop:cart", "bob", name=f"bob:{number}", node="node1")
        until(lambda number=number: on(grid, "node2", "find", f"bob:{number}") is None, False)  # type: ignore[misc]

    assert on(grid, "node1", "spawn", "shop:cart", "bob") == "node2.1"


PLAIN = """
import sys

def loaded():
    return [name for name in sys.modules if name.startswith("clusterlib.runtime.processes")]
"""


def test_a_node_that_uses_no_processes_loads_none_of_their_code(grid: Grid) -> None:
    (grid.code / "plain.py").write_text(PLAIN)
    grid.start(2)

    assert grid["node1"].client.call("plain:loaded") == []
    listed(grid, "node1")
    assert grid["node1"].client.call("plain:loaded") != []
