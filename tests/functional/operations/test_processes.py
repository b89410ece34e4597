"""Operations on processes ask the same questions of every kind of node that has processes, and give
answers of the same shape."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from clusterlib.doors.program.completion import candidates
from clusterlib.errors import NodeUnavailable, NodeUnknown, NotSupported, ProcessGone, ProcessNameTaken
from clusterlib.messages.processes import MemberView, ProcessRow, ProcessState
from tests.functional.operations.own import Up, program
from tests.functional.operations.process_shops import CODE, KINDS, Shop, embedded, until


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, project: Path, up: Up) -> Shop:
    found = KINDS[request.param](project, up)
    until(lambda: set(found.children) <= named(found).keys())
    return found


def rows(shop: Shop, **asked: str | int) -> tuple[ProcessRow, ...]:
    found = shop.cluster.processes.list(**asked)  # type: ignore[arg-type]
    return found.processes


def named(shop: Shop) -> dict[str, ProcessRow]:
    return {row.name: row for row in rows(shop, limit=1000) if row.name}


def member(shop: Shop, name: str) -> MemberView:
    """A place in the tree below the supervisor of the shop."""
    trees = [tree for node in shop.cluster.processes.tree("node1").nodes for tree in node.trees]
    while trees:
        one = trees.pop()
        if one.name == name:
            return one
        trees += one.children
    raise AssertionError(f"there is no {name} in the tree")


def test_processes_of_all_nodes_are_listed_and_chosen_by_order_name_and_function(shop: Shop) -> None:
    processes = shop.cluster.processes
    for node in ("node2", "node3"):
        processes.start(shop.cart, *shop.arguments, node=node)
    quiet = processes.start(shop.other, node="node3")
    processes.send("ann", shop.message)
    until(lambda: named(shop)["ann"].work > 0)

    found = processes.list(order="work", limit=2)
    carts = processes.list(matching=shop.cart)

    assert [node.node for node in found.nodes] == ["node1", "node2", "node3"]
    assert found.unasked == ()
    assert len(found.processes) == 2
    assert found.processes[0].name == "ann"
    assert {row.node for row in carts.processes} == {"node1", "node2", "node3"}
    assert quiet.process not in {row.id for row in carts.processes}
    assert [row.id for row in rows(shop, node="node3", matching=shop.other)] == [quiet.process]
    with pytest.raises(NodeUnknown):
        processes.list("node9")


def test_one_process_is_shown_with_its_mailbox_supervisors_and_stack(shop: Shop) -> None:
    shop.cluster.processes.suspend("ann")
    shop.cluster.processes.send("ann", shop.message)
    until(lambda: named(shop)["ann"].messages == 1)

    held = shop.cluster.processes.show("ann").process
    shop.cluster.processes.resume("ann")
    until(lambda: named(shop)["ann"].messages == 0)

    assert (held.row.name, held.row.node, held.row.state) == ("ann", "node1", ProcessState.SUSPENDED)
    assert len(held.waiting) == 1
    assert held.ancestors[0] == shop.supervisor
    assert held.stack
    assert shop.cluster.processes.show(held.row.id).process.row.id == held.row.id


def test_a_process_is_started_where_it_is_wanted_and_named_once(shop: Shop) -> None:
    processes = shop.cluster.processes

    placed = processes.start(shop.cart, *shop.arguments, registered="carl", prefer="node3")
    until(
        lambda: all(
            "carl" in {one.name for one in processes.names(node).names} for node in ("node1", "node2")
        )
    )

    assert (placed.node, named(shop)["carl"].node) == ("node3", "node3")
    assert {one.name: (one.process, one.node, one.others) for one in processes.names().names}["carl"] == (
        placed.process, "node3", (),
    )  # fmt: skip
    with pytest.raises(ProcessNameTaken, match=placed.process):
        processes.start(shop.cart, *shop.arguments, registered="carl", node="node1")
    with pytest.raises(NodeUnknown):
        processes.start(shop.cart, *shop.arguments, prefer="node9")


def test_a_killed_child_comes_back_and_a_terminated_one_stays_away(shop: Shop) -> None:
    processes = shop.cluster.processes
    first = named(shop)["ann"].id

    killed = processes.kill("ann", reason="the test wants it")
    until(lambda: member(shop, "ann").id not in (None, first))
    after = member(shop, "ann")
    restarted = processes.restart("ann")
    processes.terminate("bob")

    assert (killed.process, killed.node) == (first, "node1")
    assert after.restarts == 1
    assert "the test wants it" in after.last
    assert named(shop)["ann"].id == restarted.process != after.id
    assert [one.name for one in member(shop, shop.supervisor).children] == ["ann"]
    with pytest.raises(ProcessGone):
        processes.kill("bob")


def test_a_child_is_started_under_a_supervisor(shop: Shop) -> None:
    started = shop.cluster.processes.start(
        shop.cart, *shop.arguments, registered="carl", under=shop.supervisor, restart="always"
    )

    assert started.node == "node1"
    assert [one.name for one in member(shop, shop.supervisor).children] == ["ann", "bob", "carl"]
    shop.cluster.processes.kill("carl")
    until(lambda: member(shop, "carl").id not in (None, started.process))


def test_a_paused_node_is_named_with_its_state_while_the_others_answer(shop: Shop) -> None:
    processes = shop.cluster.processes
    shop.cluster["node2"].pause()

    listed = processes.list()

    for unasked in (listed.unasked, processes.names().unasked, processes.tree().unasked):
        assert [(one.node, one.state) for one in unasked] == [("node2", "paused")]
        assert "is paused" in unasked[0].why
    assert {node.node for node in listed.nodes} == {"node1", "node3"}
    assert processes.kill("ann").node == "node1"
    with pytest.raises(NodeUnavailable, match="node2 is paused"):
        processes.show("node2.1")
    with pytest.raises(ProcessGone) as caught:
        processes.show("nothing")
    assert any("node2 could not be asked: node2 is paused" in line for line in caught.value.evidence)


def test_names_of_a_killed_node_are_gone_and_what_moves_is_elsewhere(shop: Shop) -> None:
    processes = shop.cluster.processes
    processes.start(shop.cart, *shop.arguments, registered="carl", node="node2")
    shop.cluster["node2"].call("shop:moving", "dora")
    until(lambda: {"carl", "dora"} <= {one.name for one in processes.names("node3").names})

    shop.cluster["node2"].kill()

    def names(node: str) -> dict[str, str]:
        return {one.name: one.node for one in processes.names(node).names}

    for node in ("node1", "node3"):
        until(lambda node=node: "carl" not in names(node) and names(node).get("dora") in ("node1", "node3"))  # type: ignore[misc]
    found = processes.list()
    assert [(one.node, one.state) for one in found.unasked] == [("node2", "dead")]
    assert "carl" not in named(shop)


def test_a_restarted_node_has_new_processes_of_the_present_code(shop: Shop, project: Path) -> None:
    processes = shop.cluster.processes
    old = processes.start(shop.cart, *shop.arguments, registered="carl", node="node2")
    (project / "shop.py").write_text(CODE.replace("items.append(item)", "items.append(item.upper())"))

    shop.cluster.restart()

    assert "carl" not in named(shop)
    with pytest.raises(ProcessGone):
        processes.show(old.process)
    again = processes.start(shop.cart, *shop.arguments, registered="carl", node="node2")
    processes.send("carl", shop.message)
    until(lambda: shop.cluster["node1"].call("shop:items", "carl") == ["TEA"])
    assert again.node == "node2"


def test_what_a_kind_of_node_cannot_do_is_refused_with_the_reason(shop: Shop) -> None:
    with pytest.raises(NotSupported) as caught:
        shop.cluster.processes.collect_garbage("ann")

    assert "share the memory" in str(caught.value.cause)


def test_a_node_whose_loop_is_blocked_is_named_while_the_others_answer(project: Path, up: Up) -> None:
    shop = embedded(project, up)
    shop.cluster.processes.start(shop.cart, *shop.arguments, registered="carl", node="node2")
    shop.cluster.processes.send("carl", '("block", 600)')

    found = shop.cluster.processes.list()
    shop.cluster["node2"].kill()  # what blocks its loop would hold up its end

    assert [one.node for one in found.unasked] == ["node2"]
    assert "something on it does not await" in found.unasked[0].why
    assert {row.node for row in found.processes} == {"node1"}


def test_a_process_stopped_by_a_signal_is_named_as_paused(project: Path, up: Up) -> None:
    shop = embedded(project, up)
    pid = shop.cluster["node3"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        found = shop.cluster.processes.list()
    finally:
        os.kill(pid, signal.SIGCONT)

    assert [one.node for one in found.unasked] == ["node3"]
    assert "SIGSTOP" in found.unasked[0].why


def test_a_tree_shows_no_secrets_in_the_reasons_of_restarts(
    project: Path, up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = embedded(project, up)
    shop.cluster.processes.send("ann", shop.failure)
    until(lambda: member(shop, "ann").restarts == 1)
    assert "the cart fell over" in member(shop, "ann").last

    monkeypatch.setenv("SHOP_PASSWORD", "the cart fell over")

    assert "ValueError" in member(shop, "ann").last
    assert "the cart fell over" not in member(shop, "ann").last


def test_the_commands_print_tables_trees_and_json(project: Path, up: Up) -> None:
    shop = embedded(project, up)
    shop.cluster.processes.send("ann", shop.failure)
    until(lambda: member(shop, "ann").restarts == 1)

    listed = program(project, "processes", "list", "--limit", "1").stdout
    drawn = program(project, "processes", "tree").stdout
    shown = json.loads(program(project, "processes", "show", "bob", "--json").stdout)
    names = program(project, "processes", "names").stdout
    started = program(project, "processes", "start", "shop:cart", "--prefer", "node2", "--", "carl").stdout

    assert "2 processes on 3 nodes, the first 1 by messages" in listed
    assert "shop:cart" in listed
    assert "└─ shop  node1.1  supervisor  (one-for-one, restart always)" in drawn
    assert "├─ ann  node1.4  shop:cart  (restart always, 1 restart, last because of: ValueError" in drawn
    assert shown["process"]["row"]["name"] == "bob"
    assert ["bob", "node1.3", "node1", "-"] in [line.split() for line in names.splitlines()]
    assert started == "node2.1 runs shop:cart on node2\n"
    assert (
        "no process has the name 'nothing'" in program(project, "processes", "kill", "nothing", code=1).stderr
    )
    assert "--order" in program(project, "processes", "list", "--order", "size", code=2).stderr
    assert {"ann", "bob", "shop"} <= set(candidates(["processes", "kill", ""]))


def test_a_loop_that_was_late_is_reported(project: Path, up: Up) -> None:
    shop = embedded(project, up)
    shop.cluster.processes.send("ann", '("block", 1.5)')

    def lag() -> float:
        return shop.cluster.processes.list("node1").nodes[0].lag or 0.0

    until(lambda: lag() > 0.9)  # a timer of half a second was late by at least one
    assert "the event loop of node1 was up to" in program(project, "processes", "list").stderr
