"""Nodes that hang or die while they are asked about processes, and what clients leave there."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.processes import MODULES, BeamProcesses
from clusterlib.drivers.beam.terms import Atom, text
from clusterlib.drivers.processes import Spawning
from clusterlib.errors import (
    CallTimeout,
    NodeUnavailable,
    ProcessGone,
)
from clusterlib.messages.processes import ProcessOrder
from tests.systems.beam_nodes import PATIENCE
from tests.systems.beam_processes.nodes import (
    NAMES_OF_CLIENTS,
    SECONDS,
    SHORT,
    World,
    pid_of,
    place,
    until,
)

ROUNDS = 3
"""If Erlang loads modules in a round, their atoms are added, too, and another round is needed. If
each round loads some, the clients leave them."""


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
        return _count(world, "process_count") <= processes

    for question in asked:  # loads all that is needed
        with world.nodes.connect("node1") as connection:
            ask(question, connection)
    # Erlang starts this when an answer cannot be delivered
    world.call("node1", "inet_gethost_native", "gethostbyname", [*map(ord, "localhost")])
    processes = _count(world, "process_count")
    cut_off(20)
    until(only_before)
    for _ in range(ROUNDS):
        code, atoms = _loaded(world), _count(world, "atom_count")
        cut_off(60)
        until(only_before)
        if _loaded(world) == code:
            break
    assert _loaded(world) == code
    assert _count(world, "atom_count") <= atoms + NAMES_OF_CLIENTS
    for process in (busy, plain):
        node.kill(process, "enough", SECONDS)


def test_nothing_is_left_on_a_node_by_many_questions(world: World) -> None:
    node = world.on("node1")
    process = world.spawn("node1", "plain")
    cart = pid_of(world, "node1", node.where("cart", SECONDS)[0])

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


def _count(world: World, what: str) -> int:
    found: int = world.call("node1", "erlang", "system_info", Atom(what))
    return found


def _loaded(world: World) -> set[str]:
    return {text(name) for name, _ in world.call("node1", "code", "all_loaded")}
