"""Calls of real Erlang nodes: values, exceptions, and what a call costs the node."""

from __future__ import annotations

import queue
import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.terms import Atom, Export
from clusterlib.errors import (
    CallTimeout,
    ErlangError,
    TermError,
)
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_client.asking import NEST, THREADS, make_fun
from tests.systems.beam_nodes import PATIENCE, Nodes
from tests.systems.installed import need

# -- calls


def test_a_call_gives_the_value(node: Connection) -> None:
    assert node.call("lists", "reverse", [[1, 2, 3]]) == [3, 2, 1]
    assert node.call("string", "uppercase", ["größe"]) == "GRÖSSE".encode()
    assert node.call(Atom("maps"), Atom("from_list"), [[(Atom("a"), None)]]) == {Atom("a"): None}


@pytest.mark.parametrize(
    ("module", "function", "args", "kind", "reason"),
    [
        ("erlang", "error", [Atom("broken")], "error", Atom("broken")),
        ("erlang", "exit", [(Atom("shutdown"), 1)], "exit", (Atom("shutdown"), 1)),
        ("erlang", "throw", [b"thrown"], "throw", b"thrown"),
        ("erlang", "binary_to_integer", [b"x"], "error", Atom("badarg")),
        ("lists", "no_such_function", [], "error", Atom("undef")),
        ("no_such_module_at_all", "f", [1], "error", Atom("undef")),
        ("erlang", "exit_of_the_caller", [], "error", Atom("undef")),
    ],
)
def test_an_exception_arrives_with_class_reason_and_stack(
    node: Connection, module: str, function: str, args: list[Any], kind: str, reason: Any
) -> None:
    with pytest.raises(ErlangError) as caught:
        node.call(module, function, args)

    assert (caught.value.kind, caught.value.reason) == (kind, reason)
    assert caught.value.problem.startswith(f"{module}:{function}/{len(args)} ended with {kind}:")


def test_the_stack_tells_where_it_happened(node: Connection) -> None:
    with pytest.raises(ErlangError) as caught:
        node.call("lists", "map", [Export(Atom("erlang"), Atom("atom_to_list"), 1), [1]])

    assert caught.value.stack[0][:2] == (Atom("erlang"), Atom("atom_to_list"))
    assert caught.value.evidence[0] == "erlang:atom_to_list/1"
    assert any(line.startswith("lists:map") and "lists.erl:" in line for line in caught.value.evidence)


def test_a_value_that_looks_like_a_failed_call_is_still_a_value(node: Connection) -> None:
    lookalike = (Atom("badrpc"), (Atom("EXIT"), Atom("oops")))

    assert node.call("lists", "last", [[lookalike]]) == lookalike


def test_a_process_killed_in_the_middle_of_its_call_is_told(node: Connection) -> None:
    with pytest.raises(ErlangError, match="exit:killed"):
        node.call("erlang", "apply", [make_fun(node, "fun() -> exit(self(), kill) end."), []])


def test_a_call_that_takes_too_long_is_given_up_and_disturbs_no_other(node: Connection) -> None:
    with pytest.raises(CallTimeout, match=r"timer:sleep/1 within 0\.05 s"):
        node.call("timer", "sleep", [200], timeout=0.05)

    assert node.call("erlang", "node") == Atom("n1@127.0.0.1")


def test_many_threads_share_one_connection_and_each_gets_its_own_answers(node: Connection) -> None:
    def work(seed: int) -> int:
        numbers = random.Random(seed)
        for _ in range(40):
            first = numbers.randrange(10**9)
            size = numbers.choice([1, 10, 1000])
            assert node.call("lists", "seq", [first, first + size]) == list(range(first, first + size + 1))
        return seed

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == list(range(THREADS))


def test_ten_megabytes_travel_both_ways_while_others_call(node: Connection) -> None:
    large = random.Random(1).randbytes(10_000_000)
    stop = threading.Event()

    def small_talk() -> int:
        count = 0
        while not stop.is_set():
            assert node.call("erlang", "abs", [-count]) == count
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        talk = pool.submit(small_talk)
        try:
            for term in (large, [large[start : start + 100_000] for start in range(0, len(large), 100_000)]):
                assert node.call("lists", "last", [[0, term]]) == term
        finally:
            stop.set()
        assert talk.result() > 0


def test_a_value_too_deep_to_be_read_spoils_its_own_call_only(node: Connection) -> None:
    with pytest.raises(TermError, match="nested"):
        node.call("lists", "foldl", [make_fun(node, NEST), 0, list(range(1000))])

    assert node.call("erlang", "abs", [-1]) == 1


def test_what_erlang_has_no_term_for_is_refused_before_it_is_sent(node: Connection) -> None:
    with pytest.raises(TermError, match="a set is no Erlang term"):
        node.call("lists", "last", [[{1}]])


def test_elixir_modules_are_found_by_their_own_names(nodes: Nodes) -> None:
    need("elixir", "elixir")
    with nodes.connect("n1") as node:
        asked = ["elixir", "-e", "IO.write(:code.lib_dir(:elixir))"]
        folder = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert node.call("code", "add_patha", [[*map(ord, f"{folder}/ebin")]]) is True
        assert node.call("Enum", "sum", [[1, 2]]) == 3
        assert node.call("Elixir.String", "upcase", ["é"]) == "É".encode()
        with pytest.raises(ErlangError, match="undef"):
            node.call("No.Such.Module", "f")


# -- what use of a node costs it


@pytest.mark.lab
def test_a_day_of_use_makes_hardly_an_atom(nodes: Nodes, node: Connection) -> None:
    """Two thousand connections, some at once, and thousands of calls, many of them misspelt."""
    before = node.call("erlang", "system_info", [Atom("atom_count")])

    for number in range(1000):
        with nodes.connect("n1") as another:
            assert another.call("lists", "sum", [[number, 1]]) == number + 1
            with pytest.raises(ErlangError):
                another.call(f"module_{number}", f"function_{number}", [{f"key {number}": f"value {number}"}])
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: nodes.connect("n1").close(), range(1000)))
        list(pool.map(lambda number: node.call("erlang", "abs", [-number]), range(5000)))

    assert node.call("erlang", "system_info", [Atom("atom_count")]) - before <= 100


def test_the_connection_is_hidden_from_the_cluster(node: Connection) -> None:
    assert node.call("erlang", "nodes") == []
    assert Atom(node.peer.our_name) in node.call("erlang", "nodes", [Atom("hidden")])


def test_an_idle_connection_answers_the_ticks_of_its_node(nodes: Nodes) -> None:
    nodes.start("ticking", flags=("-kernel", "net_ticktime", "1"))
    try:
        with nodes.connect("ticking") as node:
            poll(lambda: node.lost, Deadline(3.0))
            assert node.lost is None
            assert node.call("erlang", "node") == Atom("ticking@127.0.0.1")
    finally:
        nodes.kill("ticking")


# -- news


def test_the_helper_tells_of_nodes_that_come_and_go(nodes: Nodes, mortal: str) -> None:
    told: queue.Queue[Any] = queue.Queue()
    with nodes.connect("n1", on_message=told.put) as node:
        assert node.call("clusterlib_node", "watch", [node.pid])[0] == Atom("ok")
        name = Atom(f"{mortal}@127.0.0.1")
        assert node.call("net_kernel", "connect_node", [name]) is True
        assert told.get(timeout=PATIENCE)[2] == (Atom("nodeup"), name, Atom("visible"))
        nodes.kill(mortal)
        assert told.get(timeout=PATIENCE)[2] == (
            Atom("nodedown"),
            name,
            Atom("visible"),
            Atom("connection_closed"),
        )


def test_nothing_is_left_when_the_nodes_are_ended(nodes: Nodes) -> None:
    nodes.start("brief")
    ours = psutil.Process(nodes.processes["brief"].pid)
    family = [ours, *ours.children(recursive=True)]

    nodes.kill("brief")

    _, alive = psutil.wait_procs(family, timeout=PATIENCE)
    assert alive == []
    assert "epmd" not in {process.name() for process in family if process.is_running()}
