"""The client of Erlang nodes against real ones."""

from __future__ import annotations

import queue
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clusterlib.drivers.beam import epmd
from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.etf import decode, decode_from, encode
from clusterlib.drivers.beam.terms import Atom, Bits, Export, Fun, Improper, Map, Pid, Port, Ref
from clusterlib.errors import (
    CallTimeout,
    ClusterError,
    CookieMismatch,
    EpmdUnavailable,
    ErlangError,
    NameTaken,
    NodeUnavailable,
    NoDistribution,
    TermError,
)
from clusterlib.hosts.places import runtime_dir
from clusterlib.waiting import Deadline, poll
from tests.systems.beam_nodes import COOKIE, PATIENCE, Nodes
from tests.systems.installed import need
from tests.unit.drivers.beam.terms_of_all_kinds import TERMS

THREADS = 50
NEST = "fun(_, Inner) -> {Inner} end."


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    need("erl", "erlang-base")
    with Nodes(tmp_path_factory.mktemp("beam")) as nodes:
        nodes.start("n1")
        yield nodes


@pytest.fixture(scope="module")
def node(nodes: Nodes) -> Iterator[Connection]:
    with nodes.connect("n1") as connection:
        yield connection


@pytest.fixture
def mortal(nodes: Nodes) -> Iterator[str]:
    """A node for one test, which may kill it."""
    name = "mortal"
    nodes.start(name)
    yield name
    if name in nodes.processes:
        nodes.kill(name)
    assert poll(lambda: name not in nodes.directory.ports, Deadline(PATIENCE))


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
        node.call("erlang", "apply", [_fun(node, "fun() -> exit(self(), kill) end."), []])


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
        node.call("lists", "foldl", [_fun(node, NEST), 0, list(range(1000))])

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


# -- terms


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(term=TERMS)
def test_a_real_node_reads_and_writes_the_same_terms(node: Connection, term: Any) -> None:
    written = encode(term)

    theirs = node.call("erlang", "term_to_binary", [term])
    assert node.call("erlang", "binary_to_term", [written]) == term
    assert decode(theirs) == term
    assert node.call("erlang", "=:=", [term, term]) is True
    assert encode(node.call("erlang", "binary_to_term", [encode(term, compress=True)])) == encode(
        decode(theirs)
    )


INTERNAL = frozenset(b"IJKL")
"""Tags with which a virtual machine writes references to its own memory. It believes whoever wrote them; nobody sends them."""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(term=TERMS, data=st.data())
def test_damaged_bytes_that_a_real_node_takes_for_a_term_are_the_same_term_here(
    node: Connection, term: Any, data: st.DataObject
) -> None:
    damaged = bytearray(encode(term))
    at = data.draw(st.integers(1, len(damaged) - 1))
    damaged[at] = data.draw(st.integers(0, 255))
    assume(INTERNAL.isdisjoint(damaged))

    theirs = _outcome(lambda: node.call("erlang", "binary_to_term", [bytes(damaged)]))
    ours = _outcome(lambda: decode_from(bytes(damaged), 0))  # as binary_to_term, blind to what comes after it

    if theirs is not None:
        assert ours is not None
        assert ours[0][0] == theirs[0]


def test_terms_that_only_a_node_can_make_go_back_as_they_came(node: Connection) -> None:
    fun = _fun(node, NEST)
    pid, ref = node.call("erlang", "whereis", [Atom("init")]), node.call("erlang", "make_ref")
    port = node.call("erlang", "hd", [node.call("erlang", "ports")])

    assert [type(term) for term in (fun, pid, ref, port)] == [Fun, Pid, Ref, Port]
    assert node.call("lists", "usort", [[fun, pid, ref, port, fun, pid, ref, port]]) == node.call(
        "lists", "usort", [[fun, pid, ref, port]]
    )
    assert node.call("erlang", "process_info", [pid, Atom("registered_name")]) == (
        Atom("registered_name"),
        Atom("init"),
    )
    assert node.call("erlang", "port_info", [port]) != Atom("undefined")
    assert node.call("erlang", "bit_size", [Bits(b"\xff\xe0", 3)]) == 11
    assert node.call("erlang", "tl", [Improper((1,), 2)]) == 2
    assert node.call("maps", "get", [1.0, Map([(1, Atom("integer")), (1.0, Atom("float"))])]) == Atom("float")


# -- what use of a node costs it


@pytest.mark.lab
def test_a_day_of_use_makes_hardly_an_atom(nodes: Nodes, node: Connection) -> None:
    """A thousand connections one after the other, a thousand more ten at a time; thousands of calls, many of them misspelt."""
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


# -- trouble


def test_a_node_killed_in_the_middle_of_calls_tells_all_who_wait_at_once(
    nodes: Nodes, mortal: str, record_property: Callable[[str, object], None]
) -> None:
    with nodes.connect(mortal) as node:
        node.call("erlang", "node")
        told: queue.Queue[tuple[float, ClusterError]] = queue.Queue()

        def wait_for_ever() -> None:
            with pytest.raises(NodeUnavailable) as caught:
                node.call("timer", "sleep", [Atom("infinity")], timeout=None)
            told.put((time.perf_counter(), caught.value))

        waiting = [threading.Thread(target=wait_for_ever) for _ in range(THREADS)]
        for thread in waiting:
            thread.start()
        assert poll(lambda: len(node._waiting) == THREADS, Deadline(PATIENCE))
        killed = time.perf_counter()
        nodes.processes[mortal].send_signal(signal.SIGKILL)
        for thread in waiting:
            thread.join(PATIENCE)
        outcomes = [told.get_nowait() for _ in range(THREADS)]

        seconds = max(moment for moment, _ in outcomes) - killed
        record_property("seconds_from_kill_to_the_last_error", f"{seconds:.4f}")
        assert outcomes[0][1].evidence == ("in the middle of timer:sleep/1",)
        with pytest.raises(NodeUnavailable):
            node.call("erlang", "node")


def test_a_paused_node_costs_each_call_its_own_limit_and_is_of_use_again_once_it_goes_on(
    nodes: Nodes, mortal: str
) -> None:
    with nodes.connect(mortal) as node:
        node.call("erlang", "node")
        nodes.pause(mortal)
        try:
            with pytest.raises(CallTimeout):
                node.call("erlang", "node", timeout=0.1)
        finally:
            nodes.processes[mortal].send_signal(signal.SIGCONT)
        assert node.call("erlang", "node") == Atom(f"{mortal}@127.0.0.1")

        nodes.pause(mortal)
        try:  # more than the kernel takes for it: half a message is sent, and the connection is of no use any more
            with pytest.raises((CallTimeout, NodeUnavailable)):
                node.call("erlang", "byte_size", [bytes(100_000_000)], timeout=0.5)
            with pytest.raises(NodeUnavailable, match="takes no more data"):
                node.call("erlang", "node")
        finally:
            nodes.processes[mortal].send_signal(signal.SIGCONT)
    with nodes.connect(mortal) as node:
        assert node.call("erlang", "node") == Atom(f"{mortal}@127.0.0.1")


def test_a_node_that_halts_in_a_call_tells_its_caller(nodes: Nodes, mortal: str) -> None:
    with nodes.connect(mortal) as node, pytest.raises(NodeUnavailable, match="ended"):
        node.call("erlang", "halt", [0])


def test_closing_the_connection_wakes_whoever_waits(nodes: Nodes) -> None:
    node = nodes.connect("n1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(node.call, "timer", "sleep", [Atom("infinity")], timeout=None)
        assert poll(lambda: node._waiting, Deadline(PATIENCE))
        node.close()
        with pytest.raises(NodeUnavailable, match="was closed"):
            waiting.result(PATIENCE)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # it is told as any thread's is
def test_a_mistake_in_whoever_hears_the_news_leaves_nobody_waiting(nodes: Nodes) -> None:
    def stumble(_: Any) -> None:
        raise ValueError

    with nodes.connect("n1", on_message=stumble) as node, nodes.connect("n1") as another:
        another.call("erlang", "send", [node.pid, b"news"])
        with pytest.raises(NodeUnavailable):
            node.call("timer", "sleep", [Atom("infinity")], timeout=None)


def test_a_helper_kept_on_disk_that_is_damaged_is_made_anew(nodes: Nodes, mortal: str) -> None:
    kept = runtime_dir() / "beam"
    with nodes.connect("n1") as node:
        node.call("erlang", "node")
    whole = {path: path.read_bytes() for path in kept.glob("clusterlib_node-*.beam")}
    try:
        for path in whole:
            path.write_bytes(b"no code at all")
        with nodes.connect(mortal) as node:
            assert node.call("erlang", "node") == Atom(f"{mortal}@127.0.0.1")
    finally:
        for path, code in whole.items():
            path.write_bytes(code)


def test_a_wrong_cookie_is_called_by_its_name(nodes: Nodes) -> None:
    with pytest.raises(CookieMismatch, match="refuses this cookie"):
        nodes.connect("n1", "another cookie")

    assert poll(lambda: "nvalid challenge reply" in nodes.log("n1"), Deadline(PATIENCE))


def test_a_node_that_is_not_registered_is_told_apart_and_the_registered_are_named(nodes: Nodes) -> None:
    with pytest.raises(NoDistribution, match="no node named nobody") as caught:
        nodes.connect("nobody")

    assert caught.value.evidence == ("registered: n1",)


def test_a_missing_epmd_a_foreign_one_and_a_silent_one_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(EpmdUnavailable, match="does not answer as epmd would"):
            epmd.port_of("n1", epmd_port=port, timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_say_once, listener, b"HTTP/1.0 400 Bad Request\r\n\r\n")
            with pytest.raises(EpmdUnavailable, match="is no epmd"):
                epmd.port_of("n1", epmd_port=port, timeout=PATIENCE)
    with pytest.raises(EpmdUnavailable, match="no epmd answers"):
        epmd.names(epmd_port=port)


def test_the_real_epmd_is_understood_as_well_as_ours(nodes: Nodes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    real = subprocess.Popen(["epmd", "-port", f"{port}", "-address", "127.0.0.1"])
    try:
        assert poll(lambda: _outcome(lambda: epmd.names(epmd_port=port)), Deadline(PATIENCE)) == ({},)
        nodes.launch("guest", at=port)
        assert poll(lambda: epmd.names(epmd_port=port), Deadline(PATIENCE)).keys() == {"guest"}
        with Connection.open("guest@127.0.0.1", COOKIE, epmd_port=port, timeout=PATIENCE) as guest:
            assert guest.call("erlang", "node") == Atom("guest@127.0.0.1")
        with pytest.raises(NoDistribution) as caught:
            epmd.port_of("nobody", epmd_port=port)
        assert caught.value.evidence == ("registered: guest",)
    finally:
        if "guest" in nodes.processes:
            nodes.kill("guest")
        real.kill()
        real.wait(PATIENCE)


def test_a_node_of_ours_finds_ours_in_place_of_epmd(nodes: Nodes, node: Connection) -> None:
    assert node.call("net_adm", "names", [(127, 0, 0, 1)]) == (
        Atom("ok"),
        [([*map(ord, name)], port) for name, port in nodes.directory.ports.items()],
    )


def test_a_port_with_nobody_and_one_with_a_stranger_are_told_apart_from_a_wrong_cookie() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NoDistribution, match="does not shake hands within"):
            Connection.open("n1@127.0.0.1", COOKIE, port=port, timeout=0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_say_once, listener, b"\x00\x05hello")
            with pytest.raises(NoDistribution, match="no Erlang node"):
                Connection.open("n1@127.0.0.1", COOKIE, port=port, timeout=PATIENCE)
    with pytest.raises(NoDistribution, match="takes no connections"):
        Connection.open("n1@127.0.0.1", COOKIE, port=port)


def test_localhost_is_not_127_0_0_1_and_a_host_that_does_not_resolve_is_told(nodes: Nodes) -> None:
    port = nodes.directory.ports["n1"]

    with pytest.raises(NameTaken, match="another node than n1@localhost") as caught:
        Connection.open("n1@localhost", COOKIE, address="127.0.0.1", port=port)
    assert caught.value.cause == "it calls itself n1@127.0.0.1"
    with pytest.raises(NoDistribution, match="does not resolve"):
        Connection.open("n1@no-such-host.invalid", COOKIE, port=port)


def test_a_name_in_use_keeps_a_second_node_from_starting(nodes: Nodes) -> None:
    second = nodes.boot("n1")
    before = nodes.processes["n1"]
    process = nodes.launch("n1")
    nodes.processes["n1"] = before

    assert process.wait(PATIENCE) != 0
    assert "seems to be in use" in nodes.log("n1"), second


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


def _fun(node: Connection, source: str) -> Any:
    """A fun made on the node."""
    tokens = node.call("erl_scan", "string", [[*map(ord, source)]])[1]
    expressions = node.call("erl_parse", "parse_exprs", [tokens])[1]
    return node.call("erl_eval", "exprs", [expressions, []])[1]


def _outcome(do: Callable[[], Any]) -> Any:
    try:
        return (do(),)
    except (ErlangError, TermError, EpmdUnavailable):
        return None


def _say_once(listener: socket.socket, words: bytes) -> None:
    caller, _ = listener.accept()
    with caller:
        caller.recv(1024)
        caller.sendall(words)
