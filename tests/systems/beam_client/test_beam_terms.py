"""Terms that travel between Python and a real node."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.etf import decode, decode_from, encode
from clusterlib.drivers.beam.terms import Atom, Bits, Fun, Improper, Map, Pid, Port, Ref
from tests.systems.beam_client.asking import NEST, make_fun, outcome
from tests.unit.drivers.beam.terms_of_all_kinds import TERMS


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
"""Tags of references to the memory of a virtual machine. It trusts them, and none is ever sent."""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(term=TERMS, data=st.data())
def test_damaged_bytes_that_a_real_node_takes_for_a_term_are_the_same_term_here(
    node: Connection, term: Any, data: st.DataObject
) -> None:
    damaged = bytearray(encode(term))
    at = data.draw(st.integers(1, len(damaged) - 1))
    damaged[at] = data.draw(st.integers(0, 255))
    assume(INTERNAL.isdisjoint(damaged))

    theirs = outcome(lambda: node.call("erlang", "binary_to_term", [bytes(damaged)]))
    ours = outcome(lambda: decode_from(bytes(damaged), 0))  # as binary_to_term, blind to what comes after it

    if theirs is not None:
        assert ours is not None
        assert ours[0][0] == theirs[0]


def test_terms_that_only_a_node_can_make_go_back_as_they_came(node: Connection) -> None:
    fun = make_fun(node, NEST)
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
