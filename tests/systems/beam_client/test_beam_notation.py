"""Terms are read from text as Erlang itself reads them."""

from __future__ import annotations

import pytest

from clusterlib.drivers.beam.connection import Connection
from clusterlib.drivers.beam.notation import read_term
from clusterlib.drivers.beam.terms import Atom, Improper, Map, show
from clusterlib.errors import TermError

TERMS = [
    "42", "-7", "16#FF", "-2#101", "1_000", "2.5", "-1.0e3", "$a", "$\\n", "$ü",
    "ok", "'an odd one'", "'it\\'s'", "'Elixir.Shop'", "true", "false", "nil", "größe", "node@host",
    '"tea"', '""', '"a\\"b\\n\\x{1F600}"', "[]", "[1,2|[3]]", "[1|2]", "[a,[b,[c]]|d]",
    "{}", "{ok, {1, 2}}", '<<"tea">>', '<<"grüße"/utf8>>', "<<1,2,255>>", '<<1,"a">>', "<<>>",
    "#{}", '#{a => 1, "b" => [2], {c} => #{}}', "#{1 => a, 1.0 => b}", "% a comment\n ok",
]  # fmt: skip
MISTAKES = [
    "", "{", "{ok", "{ok,}", "[1,2", "[1|]", "[1|2,3]", "ok ok", "ok.ok", "Name", "f()", "fun() -> ok end",
    "#{a}", "#{a => }", "<<a>>", "<<256>>", "1 + 2", '"open', "'open", "#Ref<0.1.2.3>", "<0.1.0>", "\x00",
    "99#12", '"\\x{FFFFFF}"', "[" * 200,
]  # fmt: skip


def exact(term: object) -> Map:
    """Equal to another one only if Erlang considers the terms to be the same."""
    return Map([(term, None)])


@pytest.mark.parametrize("written", TERMS)
def test_a_term_is_read_as_erlang_reads_it(node: Connection, written: str) -> None:
    _, tokens, _ = node.call("erl_scan", "string", [[*map(ord, f"{written}.")]])
    accepted, expected = node.call("erl_parse", "parse_term", [tokens])
    assert accepted == Atom("ok")

    assert exact(read_term(written)) == exact(expected)
    assert exact(read_term(f"  {written} . ")) == exact(expected)


@pytest.mark.parametrize("written", MISTAKES)
def test_what_is_no_term_is_refused(written: str) -> None:
    with pytest.raises(TermError):
        read_term(written)


def test_a_mistake_is_reported_with_its_place() -> None:
    with pytest.raises(TermError, match="`}` is missing") as caught:
        read_term("{ok, [1] 2}")

    assert caught.value.cause == "at character 10"


def test_what_is_shown_is_read_again() -> None:
    term = (Atom("ok"), [1, -2.5, b"\x00\xff", Atom("It's")], {b"a": ()}, Improper((1,), Atom("b")))

    assert read_term(show(term)) == term
