"""What is seen of the processes of Erlang and Elixir nodes."""

from __future__ import annotations

import pytest

from clusterlib.drivers.beam.terms import Atom
from clusterlib.drivers.processes import Spawning
from clusterlib.errors import (
    ProcessGone,
)
from clusterlib.messages.processes import ProcessOrder, ProcessState
from tests.systems.beam_processes.nodes import (
    SECONDS,
    SHORT,
    World,
    find,
    pid_of,
    until,
)


def test_a_process_is_found_by_id_and_by_name(world: World) -> None:
    found, node = world.on("node1").where("cart", SECONDS)

    assert node == "node1"
    assert found.startswith("node1.0.")
    assert world.on("node1").where(found, SECONDS) == (found, "node1")
    assert world.on("node1").where("node2.0.5.0", SECONDS) == ("node2.0.5.0", "node2")
    with pytest.raises(ProcessGone, match="no process has the name 'nobody'"):
        world.on("node1").where("nobody", SECONDS)
    with pytest.raises(ProcessGone, match=r"there is no process node1\.0\.99999999999\.0"):
        world.on("node1").where("node1.0.99999999999.0", SECONDS)
    with pytest.raises(ProcessGone, match=r"is not on node1, but on node2"):
        world.on("node1").detail("node2.0.5.0", SECONDS)


def test_a_name_that_is_registered_on_another_node_is_found_from_here(world: World) -> None:
    process = world.on("node2").spawn(Spawning("shop:loop", ([],), name="grüße:42"), SECONDS)

    assert process.startswith("node2.0.")
    assert world.on("node1").where("grüße:42", SECONDS) == (process, "node2")
    assert world.on("node1").names(SECONDS)["grüße:42"] == process
    with pytest.raises(ProcessGone, match="grüße:42 is not on node1, but on node2"):
        world.on("node1").detail("grüße:42", SECONDS)
    world.on("node2").kill("grüße:42", "enough", SECONDS)


def test_the_busiest_are_chosen_on_the_node_and_found_by_name_or_function(world: World) -> None:
    world.call("node1", "shop", "fill", 8, 300_000)
    node = world.on("node1")

    largest = node.busiest(ProcessOrder.MEMORY, 5, None, SECONDS)
    idle = node.busiest(ProcessOrder.WORK, 10, "shop:idle", SECONDS)
    named = node.busiest(ProcessOrder.MESSAGES, 10, "cart", SECONDS)

    assert len(largest.rows) == 5
    assert largest.count > 8
    assert {row.function for row in largest.rows} == {"shop:idle/1"}
    assert all(row.memory is not None and row.memory > 1_000_000 for row in largest.rows)
    assert (idle.count, len(idle.rows)) == (8, 8)
    assert [(row.name, row.function, row.node) for row in named.rows] == [("cart", "shop:init/1", "node1")]
    assert named.rows[0].supervisor == node.where("shop_sup", SECONDS)[0]
    assert named.rows[0].state is ProcessState.WAITING
    for row in node.busiest(ProcessOrder.WORK, 30, "shop:idle", SECONDS).rows:
        node.kill(row.id, "enough", SECONDS)


def test_the_longest_mailbox_comes_first(world: World) -> None:
    process = world.spawn("node1", "plain")
    node = world.on("node1")
    node.suspend(process, SECONDS)
    for _ in range(3):
        node.send(process, (Atom("ok"), 1), SECONDS)

    first = node.busiest(ProcessOrder.MESSAGES, 1, None, SECONDS).rows[0]

    assert (first.id, first.messages, first.state) == (process, 3, ProcessState.SUSPENDED)
    node.kill(process, "enough", SECONDS)


def test_the_first_of_ten_thousand_are_answered(world: World) -> None:
    world.call("node1", "shop", "fill", 10_000, 10)
    node = world.on("node1")

    found = node.busiest(ProcessOrder.MEMORY, 20, None, SECONDS)
    matching = node.busiest(ProcessOrder.WORK, 20, "shop:idle", SECONDS)

    assert found.count > 10_000
    assert (matching.count, len(matching.rows)) == (10_000, 20)
    assert node.detail("cart", SECONDS).row.name == "cart"
    world.call("node1", "shop", "empty")
    until(lambda: node.busiest(ProcessOrder.WORK, 1, "shop:idle", SECONDS).count == 0)


def test_the_detail_of_a_server_has_its_state_and_its_place(world: World) -> None:
    node = world.on("node1")
    watched = world.spawn("node1", "plain")

    found = node.detail("cart", SECONDS)

    values = dict(found.values)
    assert values["state"] == ("%{tea: 1}" if world.elixir else "#{tea => 1}")
    assert values["supervisor"] == "shop_sup"
    assert values["child id"] == (":cart" if world.elixir else "cart")
    assert found.ancestors[0] == "shop_sup"
    assert found.row.supervisor in found.links
    assert any(line.startswith("gen_server:loop/7") for line in found.stack)
    assert "state" not in dict(node.detail(watched, SECONDS).values)
    node.kill(watched, "enough", SECONDS)


def test_monitors_are_shown_at_both_ends(world: World) -> None:
    cart = world.on("node1").where("cart", SECONDS)[0]
    watcher = world.spawn("node1", "watcher", Atom("cart"))

    assert world.on("node1").detail(watcher, SECONDS).monitors == (cart,)
    assert watcher in world.on("node1").detail(cart, SECONDS).monitored_by
    world.on("node1").kill(watcher, "enough", SECONDS)


def test_the_messages_of_a_mailbox_are_shortened(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")
    node.suspend(process, SECONDS)
    node.send(process, (Atom("ok"), b"x" * 100_000), SECONDS)
    for number in range(20):
        node.send(process, number, SECONDS)

    found = node.detail(process, SECONDS)

    assert len(found.waiting) == 10
    assert found.row.messages == 21
    assert len(found.waiting[0]) < 300
    assert found.waiting[1] == "0"
    node.kill(process, "enough", SECONDS)


def test_a_server_that_does_not_answer_is_shown_without_its_state_and_asked_once(world: World) -> None:
    node = world.on("node1")
    process = world.id_of("node1", world.call("node1", "shop", "busy"))
    until(lambda: any("shop:handle_cast" in line for line in node.detail(process, SHORT).stack))

    found = [node.detail(process, SHORT) for _ in range(3)]

    assert all("earlier question" in dict(one.values)["state"] for one in found)
    assert found[-1].row.messages == 1
    assert any("shop:handle_cast" in line for line in found[-1].stack)
    node.kill(process, "enough", SECONDS)


def test_what_does_not_answer_such_questions_by_its_kind_is_not_asked(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")

    assert "state" not in dict(node.detail(process, SECONDS).values)
    assert world.call("node1", "shop", "seen", pid_of(world, "node1", process)) == []
    node.kill(process, "enough", SECONDS)


# -- trees and names ------------------------------------------------------------------------------


def test_the_trees_of_all_applications_are_shown(world: World) -> None:
    trees = world.on("node1").trees(SECONDS)

    assert {"kernel", "shop"} <= {tree.name for tree in trees}
    shop = find(trees, "shop")
    assert shop.strategy == "one-for-one"
    assert [(one.name, one.restart, one.node) for one in shop.children] == [
        ("cart", "permanent", "node1"),
        ("till", "permanent", "node1"),
    ]
    assert shop.children[0].function == "shop:init/1"


def test_the_restarts_that_a_supervisor_counts_are_shown(world: World) -> None:
    node = world.on("node1")
    before = find(node.trees(SECONDS), "shop")

    node.kill("cart", "enough", SECONDS)
    until(lambda: find(node.trees(SECONDS), "shop").restarts == before.restarts + 1)

    assert find(node.trees(SECONDS), "shop").children[0].id != before.children[0].id


def test_a_supervisor_that_hangs_does_not_hold_up_the_rest(world: World) -> None:
    node = world.on("node1")
    node.suspend("shop_sup", SECONDS)
    try:
        trees = node.trees(SHORT)
    finally:
        node.resume("shop_sup", SECONDS)

    shop = find(trees, "shop")
    assert shop.children == ()
    assert "did not answer within" in shop.note
    assert find(trees, "kernel").children
    assert find(node.trees(SECONDS), "shop").children


def test_names_of_all_kinds_are_shown_with_their_registry(world: World) -> None:
    node = world.on("node1")
    one, two = world.spawn("node1", "plain"), world.spawn("node2", "plain")
    world.call("node1", "shop", "join", Atom("tills"), pid_of(world, "node1", one))
    world.call("node1", "shop", "horde", [("cart:ü", pid_of(world, "node2", two))])

    until(lambda: any(view.registry == "pg shop_scope" for view in node.registered(SECONDS)))
    views = {(view.registry, view.name): view.process for view in node.registered(SECONDS)}

    assert views["local", "cart"] == node.where("cart", SECONDS)[0]
    assert views["pg shop_scope", "tills"] == one
    assert views["Horde shop_horde", "cart:ü"] == two
    assert node.where("cart:ü", SECONDS) == (two, "node2")
    assert node.names(SECONDS) == {"cart:ü": two}
    for name, process in (("node1", one), ("node2", two)):
        world.on(name).kill(process, "enough", SECONDS)
    node.kill("shop_horde", "enough", SECONDS)
    node.kill("shop_scope", "enough", SECONDS)
