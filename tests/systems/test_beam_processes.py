"""What is seen of the processes of Erlang and Elixir nodes, and done with them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.mix import elixir_libraries
from clusterlib.drivers.beam.processes import MODULES, BeamProcesses
from clusterlib.drivers.beam.starting import SMALL
from clusterlib.drivers.beam.terms import Atom, Pid, text
from clusterlib.drivers.place import Place
from clusterlib.drivers.processes import Spawning
from clusterlib.errors import (
    CallTimeout,
    NodeUnavailable,
    NotSupported,
    ProcessGone,
    ProcessNameTaken,
    TermError,
    UsageError,
)
from clusterlib.hosts.programs import folders_of
from clusterlib.messages.plan import CodeSources
from clusterlib.messages.processes import MemberView, ProcessOrder, ProcessState
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import COOKIE, PATIENCE, Nodes
from tests.systems.beam_shop import compile_shop
from tests.systems.installed import need

SECONDS = 20.0
SHORT = 0.6
NAMES_OF_CLIENTS = 3
"""Atoms: a node names each of the clients that are connected at the same time, and uses these names
again."""
ELIXIR_ONLY = pytest.mark.parametrize("shared", ["elixir"], indirect=True)


class World:
    """Two nodes that see each other, with the same application."""

    def __init__(self, nodes: Nodes, ebin: Path, kind: str) -> None:
        self.nodes = nodes
        self.kind = kind
        self.elixir = kind == "elixir"
        self._ebin = ebin
        self._connections: dict[str, Connection] = {}
        for name in ("node1", "node2"):
            self.start(name)

    def start(self, name: str) -> None:
        libraries = folders_of([elixir_libraries(Path(shutil.which("elixir") or ""))]) if self.elixir else []
        self.nodes.start(
            name, paths=[str(self._ebin), *map(str, libraries)], flags=(*SMALL, "+pc", "unicode")
        )
        with contextlib.suppress(KeyError):
            self._connections.pop(name).close()
        for application in (*(["elixir"] if self.elixir else []), "shop"):
            assert self.call(name, "application", "ensure_all_started", Atom(application))[0] == Atom("ok")
        for other in self.nodes.processes:
            if other != name:
                assert self.call(name, "net_kernel", "connect_node", Atom(f"{other}@127.0.0.1")) is True
        self.call(name, "global", "sync")

    def connection(self, name: str) -> Connection:
        known = self._connections.get(name)
        if known is None or known.lost is not None:
            known = self._connections[name] = self.nodes.connect(name)
        return known

    def call(self, name: str, module: str, function: str, *args: Any) -> Any:
        return self.connection(name).call(module, function, args, timeout=PATIENCE)

    def on(self, name: str) -> BeamProcesses:
        def call(module: str, function: str, args: Sequence[Any], timeout: float) -> Any:
            connection = self.connection(name)
            connection.bring(MODULES, timeout=PATIENCE)
            return connection.call(module, function, args, timeout=timeout)

        return BeamProcesses(place(name), call)

    def spawn(self, name: str, function: str, *args: Any) -> str:
        """A process of the application that is no child of a supervisor."""
        return self.id_of(name, self.call(name, "shop", function, *args))

    @staticmethod
    def id_of(name: str, pid: Pid) -> str:
        return f"{name}.0.{pid.id}.{pid.serial}"

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def place(name: str) -> Place:
    def unused(*_: object) -> Any:
        raise AssertionError("the keeper is not asked")

    return Place(name, "test", "beam", Path(COOKIE), CodeSources(), status=unused, look=unused)


@pytest.fixture(scope="module", params=["erlang", "elixir"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    need("erl", "erlang-base")
    if request.param == "elixir":
        need("elixir", "elixir")
    folder = tmp_path_factory.mktemp("beam")
    with Nodes(folder) as nodes:
        world = World(nodes, compile_shop(folder / "shop"), request.param)
        yield world
        world.close()


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """Nothing is left on a node after a test: no process, and no name."""
    for name in ("node1", "node2"):
        shared.on(name).busiest(ProcessOrder.WORK, 1, None, SECONDS)  # loads what is used
    yield shared
    assert poll(lambda: not _holder(shared), Deadline(PATIENCE)), "a suspended process is held"


def _holder(world: World) -> list[str]:
    return [
        name
        for name in ("node1", "node2")
        if isinstance(world.call(name, "erlang", "whereis", Atom("clusterlib_suspended")), Pid)
    ]


def until(condition: Callable[[], Any]) -> None:
    assert poll(condition, Deadline(PATIENCE))


def find(trees: Sequence[MemberView], name: str) -> MemberView:
    for tree in trees:
        if tree.name == name:
            return tree
        with contextlib.suppress(LookupError):
            return find(tree.children, name)
    raise LookupError(name)


# -- looking --------------------------------------------------------------------------------------


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
    assert (
        world.call("node1", "shop", "seen", world.call("node1", "erlang", "list_to_pid", _digits(process)))
        == []
    )
    node.kill(process, "enough", SECONDS)


def _digits(process: str) -> list[int]:
    return [*map(ord, f"<0.{process.split('.', 2)[2]}>")]


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
    world.call("node1", "shop", "join", Atom("tills"), _pid(world, "node1", one))
    world.call("node1", "shop", "horde", [("cart:ü", _pid(world, "node2", two))])

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


def _pid(world: World, name: str, process: str) -> Pid:
    found = world.call(name, "erlang", "list_to_pid", _digits(process))
    assert isinstance(found, Pid)
    return found


# -- acting ---------------------------------------------------------------------------------------


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
    pid = _pid(world, "node1", process)

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
    pid = _pid(world, "node1", process)
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

    assert world.call("node1", "shop", "seen", _pid(world, "node1", process)) == [(Atom("ok"), b"tea")]
    assert dict(node.detail(child, SECONDS).values)["state"] == "[]"
    with pytest.raises((TermError, UsageError)):
        node.spawn(Spawning("shop:loop", ("[",)), SECONDS)
    node.kill(process, "enough", SECONDS)
    node.terminate(child, SECONDS)


@pytest.mark.parametrize(
    ("reason", "told"), [("killed", Atom("killed")), ("the test wants it", b"the test wants it")]
)
def test_others_are_given_the_reason_of_an_end(world: World, reason: str, told: object) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")
    watcher = world.call("node1", "shop", "watching", _pid(world, "node1", process))

    node.kill(process, reason, SECONDS)

    (message,) = world.call("node1", "shop", "seen", watcher)
    assert message[0] == Atom("DOWN")
    assert message[4] == told
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
    assert world.call("node1", "shop", "seen", _pid(world, "node1", process)) == []
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


# -- nodes in trouble -----------------------------------------------------------------------------


def test_a_node_that_is_stopped_is_reported_and_answers_when_it_goes_on(world: World) -> None:
    world.nodes.pause("node2")
    try:
        with pytest.raises(CallTimeout):
            world.on("node2").busiest(ProcessOrder.WORK, 5, None, SHORT)
        assert world.on("node1").busiest(ProcessOrder.WORK, 5, None, SECONDS).rows
        assert world.on("node1").trees(SECONDS)
    finally:
        world.nodes.processes["node2"].send_signal(signal.SIGCONT)

    assert world.on("node2").busiest(ProcessOrder.WORK, 5, None, SECONDS).rows


def test_a_node_that_is_killed_is_reported_at_once(world: World) -> None:
    process = world.spawn("node2", "plain")
    errors: list[BaseException] = []
    world.call("node2", "shop", "deaf")

    def ask() -> None:
        try:
            world.on("node2").restart("shop_deaf_child", PATIENCE)
        except NodeUnavailable as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    world.nodes.kill("node2")
    asking.join(PATIENCE)

    assert len(errors) == 1
    assert world.on("node1").where(process, SECONDS) == (process, "node2")
    assert world.on("node1").busiest(ProcessOrder.WORK, 5, None, SECONDS).rows
    world.start("node2")
    with pytest.raises(ProcessGone):
        world.on("node2").where("wished", SECONDS)


def test_nothing_is_left_on_a_node_by_clients_that_are_cut_off(world: World) -> None:
    node = world.on("node1")
    busy = world.id_of("node1", world.call("node1", "shop", "busy"))
    plain = world.spawn("node1", "plain")
    asked: list[Callable[[BeamProcesses], object]] = [
        lambda calls: calls.detail(busy, SECONDS),
        lambda calls: calls.trees(SECONDS),
        lambda calls: calls.busiest(ProcessOrder.MEMORY, 20, "shop", SECONDS),
        lambda calls: calls.suspend(plain, SECONDS),
        lambda calls: calls.resume(plain, SECONDS),
        lambda calls: calls.registered(SECONDS),
        lambda calls: calls.spawn(Spawning("shop:cart", ("[]",), under="shop_spread"), SECONDS),
    ]

    def ask(question: Callable[[BeamProcesses], object], connection: Connection) -> None:
        def call(module: str, function: str, args: Sequence[Any], timeout: float) -> Any:
            return connection.call(module, function, args, timeout=timeout)

        with contextlib.suppress(NodeUnavailable, ProcessGone):
            question(BeamProcesses(place("node1"), call))

    def count(what: str) -> int:
        found: int = world.call("node1", "erlang", "system_info", Atom(what))
        return found

    def cut_off(times: int) -> None:
        for number in range(times):
            with world.nodes.connect("node1") as connection:
                connection.bring(MODULES, timeout=PATIENCE)
                asking = threading.Thread(target=ask, args=(asked[number % len(asked)], connection))
                asking.start()
                if number % 2:
                    asking.join(0.005)
            asking.join(PATIENCE)
            assert not asking.is_alive()

    def only_before() -> bool:
        node.resume(plain, SECONDS)  # an order of a client that was cut off may arrive late
        return count("process_count") <= processes

    for question in asked:  # loads all that is needed
        with world.nodes.connect("node1") as connection:
            ask(question, connection)
    # Erlang starts this when an answer cannot be delivered
    world.call("node1", "inet_gethost_native", "gethostbyname", [*map(ord, "localhost")])
    processes = count("process_count")
    cut_off(20)
    until(only_before)
    atoms = count("atom_count")
    cut_off(60)

    until(only_before)
    assert count("atom_count") <= atoms + NAMES_OF_CLIENTS
    for process in (busy, plain):
        node.kill(process, "enough", SECONDS)


def test_nothing_is_left_on_a_node_by_many_questions(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")
    cart = _pid(world, "node1", node.where("cart", SECONDS)[0])

    def monitors() -> Any:
        return world.call("node1", "erlang", "process_info", cart, Atom("monitored_by"))

    before = world.call("node1", "erlang", "system_info", Atom("process_count")), monitors()
    for _ in range(20):
        node.detail("cart", SECONDS)
        node.trees(SECONDS)
        node.registered(SECONDS)
        node.suspend(process, SECONDS)
        node.resume(process, SECONDS)

    until(lambda: (world.call("node1", "erlang", "system_info", Atom("process_count")), monitors()) == before)
    assert text(world.call("node1", "erlang", "process_info", cart, Atom("status"))[1]) == "waiting"
    node.kill(process, "enough", SECONDS)
