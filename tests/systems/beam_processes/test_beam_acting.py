"""What is done with the processes of Erlang and Elixir nodes."""

from __future__ import annotations

import contextlib

import pytest

from clusterlib.drivers.beam.terms import Atom
from clusterlib.drivers.processes import Spawning
from clusterlib.errors import (
    NodeUnavailable,
    NotSupported,
    ProcessGone,
    ProcessNameTaken,
    TermError,
    UsageError,
)
from clusterlib.messages.processes import ProcessOrder, ProcessState
from tests.systems.beam_processes.nodes import (
    ELIXIR_ONLY,
    SECONDS,
    World,
    find,
    pid_of,
    until,
)


@pytest.mark.parametrize("function", ["plain", "stubborn"])
def test_a_process_has_ended_when_kill_returns(world: World, function: str) -> None:
    node = world.on("node1")
    process = world.spawn("node1", function)

    node.kill(process, "the test wants it", SECONDS)

    with pytest.raises(ProcessGone):
        node.where(process, SECONDS)
    with pytest.raises(ProcessGone):
        node.kill(process, "again", SECONDS)


def test_a_suspended_process_holds_still_with_its_messages_until_it_is_resumed(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")
    pid = pid_of(world, "node1", process)

    node.suspend(process, SECONDS)
    node.suspend(process, SECONDS)
    node.send(process, 42, SECONDS)
    held = node.detail(process, SECONDS)
    node.resume(process, SECONDS)
    node.resume(process, SECONDS)

    assert (held.row.state, held.row.messages) == (ProcessState.SUSPENDED, 1)
    assert world.call("node1", "shop", "seen", pid) == [42]
    assert node.detail(process, SECONDS).row.state is ProcessState.WAITING
    node.kill(process, "enough", SECONDS)


def test_a_process_stays_suspended_when_its_client_is_gone(world: World) -> None:
    process = world.spawn("node1", "plain")
    world.on("node1").suspend(process, SECONDS)

    world.connection("node1").close()

    assert world.on("node1").detail(process, SECONDS).row.state is ProcessState.SUSPENDED
    world.on("node1").kill(process, "enough", SECONDS)


@pytest.mark.parametrize("name", ["rex", "net_kernel", "init"])
def test_what_is_needed_for_resuming_cannot_be_suspended(world: World, name: str) -> None:
    with pytest.raises(UsageError, match="could not be asked to resume"):
        world.on("node1").suspend(name, SECONDS)


def test_messages_are_written_as_terms_of_the_node(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")
    pid = pid_of(world, "node1", process)
    written = (
        '{:ok, "tea", [1, -2.5], %{true: nil}, Enum}' if world.elixir
        else '{ok, <<"tea">>, [1, -2.5], #{true => nil}, lists}.'
    )  # fmt: skip

    node.send(process, written, SECONDS)
    node.send(process, {"tea": [1, (Atom("ok"), None)]}, SECONDS)

    assert world.call("node1", "shop", "seen", pid) == [
        {b"tea": [1, (Atom("ok"), None)]},
        (Atom("ok"), b"tea", [1, -2.5], {True: None}, Atom("Elixir.Enum" if world.elixir else "lists")),
    ]
    with pytest.raises((TermError, UsageError)):
        node.send(process, "{ok, ", SECONDS)
    with pytest.raises((TermError, UsageError)):
        node.send(process, "erlang:halt()" if not world.elixir else "System.halt()", SECONDS)
    node.kill(process, "enough", SECONDS)


def test_the_arguments_of_a_function_are_written_as_terms_of_the_node(world: World) -> None:
    node = world.on("node1")
    written = ('[{:ok, "tea"}]', "[]") if world.elixir else ('[{ok, <<"tea">>}]', "[].")

    process = node.spawn(Spawning("shop:loop", written[:1]), SECONDS)
    child = node.spawn(Spawning("shop:cart", written[1:], under="shop_sup"), SECONDS)

    assert world.call("node1", "shop", "seen", pid_of(world, "node1", process)) == [(Atom("ok"), b"tea")]
    assert dict(node.detail(child, SECONDS).values)["state"] == "[]"
    with pytest.raises((TermError, UsageError)):
        node.spawn(Spawning("shop:loop", ("[",)), SECONDS)
    node.kill(process, "enough", SECONDS)
    node.terminate(child, SECONDS)


@pytest.mark.parametrize(
    ("reason", "term"), [("killed", Atom("killed")), ("the test wants it", b"the test wants it")]
)
def test_others_are_given_the_reason_of_an_end(world: World, reason: str, term: object) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")
    watcher = world.call("node1", "shop", "watching", pid_of(world, "node1", process))

    node.kill(process, reason, SECONDS)

    (message,) = world.call("node1", "shop", "seen", watcher)
    assert message[0] == Atom("DOWN")
    assert message[4] == term
    node.kill(world.id_of("node1", watcher), "enough", SECONDS)


def test_no_text_from_outside_becomes_an_atom(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")

    def everything(number: int) -> None:
        odd = f"never_seen_{world.kind}_{number}"
        for attempt in (
            lambda: node.where(odd, SECONDS),
            lambda: node.where(f"Never.Seen{number}", SECONDS),
            lambda: node.busiest(ProcessOrder.WORK, 5, odd, SECONDS),
            lambda: node.send(process, f":{odd}" if world.elixir else odd, SECONDS),
            lambda: node.send(process, f"{{:ok, {odd}}}" if world.elixir else f"{{ok, {odd}}}", SECONDS),
            lambda: node.send(process, Atom(odd), SECONDS),
            lambda: node.send(process, f"Never.Seen{number}", SECONDS),
            lambda: node.spawn(Spawning(f"{odd}:{odd}"), SECONDS),
            lambda: node.spawn(Spawning(f"shop:{odd}"), SECONDS),
            lambda: node.spawn(Spawning("shop:loop", (Atom(odd),)), SECONDS),
            lambda: node.spawn(Spawning("shop:loop", (odd,)), SECONDS),
            lambda: node.spawn(Spawning("shop:loop", ([],), name=odd, node=odd), SECONDS),
            lambda: node.kill(odd, odd, SECONDS),
            lambda: node.restart(odd, SECONDS),
            lambda: node.detail(process, SECONDS),
            lambda: node.trees(SECONDS),
            lambda: node.registered(SECONDS),
        ):
            with contextlib.suppress(ProcessGone, UsageError, TermError, NodeUnavailable):
                attempt()

    def atoms() -> int:
        found: int = world.call("node1", "erlang", "system_info", Atom("atom_count"))
        return found

    everything(0)
    before = atoms()
    for number in range(1, 6):
        everything(number)

    assert atoms() == before
    node.kill(process, "enough", SECONDS)


def test_garbage_is_collected(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "wasteful")
    assert world.call("node1", "shop", "seen", pid_of(world, "node1", process)) == []
    before = node.detail(process, SECONDS).row.memory

    node.collect_garbage(process, SECONDS)

    after = node.detail(process, SECONDS).row.memory
    assert before is not None
    assert after is not None
    assert after < before / 2
    node.kill(process, "enough", SECONDS)


def test_a_child_is_terminated_and_restarted_by_its_supervisor(world: World) -> None:
    node = world.on("node2")
    before = node.where("till", SECONDS)[0]

    after = node.restart("till", SECONDS)
    assert after != before
    assert node.where("till", SECONDS)[0] == after
    node.terminate("till", SECONDS)

    till = find(find(node.trees(SECONDS), "shop").children, "till")
    assert till.id is None
    with pytest.raises(ProcessGone):
        node.where("till", SECONDS)
    world.call("node2", "supervisor", "restart_child", Atom("shop_sup"), Atom("till"))
    process = world.spawn("node2", "plain")
    with pytest.raises(UsageError, match="not the child of a supervisor"):
        node.terminate(process, SECONDS)
    node.kill(process, "enough", SECONDS)


def test_a_process_starts_where_it_is_wanted(world: World) -> None:
    node = world.on("node1")

    here = node.spawn(Spawning("shop:loop", ([],)), SECONDS)
    there = node.spawn(Spawning("shop:loop", ([],), node="node2"), SECONDS)
    wished = node.spawn(Spawning("shop:loop", ([],), prefer="node2", name="wished"), SECONDS)
    without = node.spawn(Spawning("shop:loop", ([],), prefer="node9"), SECONDS)

    assert [process.split(".")[0] for process in (here, there, wished, without)] == [
        "node1", "node2", "node2", "node1",
    ]  # fmt: skip
    with pytest.raises(NodeUnavailable, match="no connection to node9"):
        node.spawn(Spawning("shop:loop", ([],), node="node9"), SECONDS)
    with pytest.raises(ProcessNameTaken, match=f"belongs to the process {wished}"):
        node.spawn(Spawning("shop:loop", ([],), name="wished"), SECONDS)
    with pytest.raises(UsageError, match="has no function shop:loop with 2 arguments"):
        node.spawn(Spawning("shop:loop", ([], [])), SECONDS)
    with pytest.raises(UsageError, match="is no function of an Erlang node"):
        node.spawn(Spawning("shop"), SECONDS)
    with pytest.raises(NotSupported, match="has no supervisor"):
        node.spawn(Spawning("shop:loop", ([],), restart="always"), SECONDS)
    for process in (here, there, wished, without):
        world.on(process.split(".")[0]).kill(process, "enough", SECONDS)


def test_a_child_starts_under_a_supervisor(world: World) -> None:
    node = world.on("node1")

    process = node.spawn(Spawning("shop:cart", ([],), under="shop_sup", restart="on-error"), SECONDS)

    assert node.detail(process, SECONDS).row.supervisor == node.where("shop_sup", SECONDS)[0]
    child = next(one for one in find(node.trees(SECONDS), "shop").children if one.id == process)
    assert child.restart == "transient"
    with pytest.raises(UsageError, match="is not a supervisor"):
        node.spawn(Spawning("shop:cart", ([],), under="cart"), SECONDS)
    node.terminate(process, SECONDS)


def test_a_supervisor_that_spreads_over_nodes_is_given_the_wish(world: World) -> None:
    """With a stub of Horde, which is not installed here."""
    node = world.on("node1")
    world.call("node1", "shop", "spreading")

    process = node.spawn(Spawning("shop:cart", ([],), under="shop_spread", prefer="node2"), SECONDS)

    assert process.startswith("node2.")
    assert find(node.trees(SECONDS), "shop").note == ""
    world.on("node2").kill(process, "enough", SECONDS)
    node.kill("shop_spread", "enough", SECONDS)


@ELIXIR_ONLY
def test_a_dynamic_supervisor_of_elixir_is_a_supervisor(world: World) -> None:
    node = world.on("node1")
    world.call("node1", "shop", "dynamic")

    process = node.spawn(Spawning("shop:cart", ([],), under="shop_dynamic", restart="always"), SECONDS)

    row = node.detail(process, SECONDS).row
    assert row.supervisor == node.where("shop_dynamic", SECONDS)[0]
    with pytest.raises(NotSupported, match="cannot be restarted"):
        node.restart(process, SECONDS)
    node.terminate(process, SECONDS)
    with pytest.raises(ProcessGone):
        node.where(process, SECONDS)
    node.kill("shop_dynamic", "enough", SECONDS)


@ELIXIR_ONLY
def test_a_registry_of_elixir_is_found_by_itself(world: World) -> None:
    node = world.on("node1")
    world.call("node1", "shop", "registry", "carts: ü")

    until(lambda: [v for v in node.registered(SECONDS) if v.registry == "Registry shop_registry"])
    found = next(view for view in node.registered(SECONDS) if view.registry == "Registry shop_registry")

    assert found.name == "carts: ü"
    assert node.where("carts: ü", SECONDS) == (found.process, "node1")
    node.kill("shop_registry", "enough", SECONDS)
