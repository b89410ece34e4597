from __future__ import annotations

import pickle
from typing import Any

import pytest

from clusterlib.drivers.beam.terms import Atom, Bits, Export, Improper, Map, Pid, Port, Ref, show, text
from clusterlib.errors import TermError

NODE = Atom("n1@127.0.0.1")


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        (Atom("ok"), "ok"),
        (Atom("n1@host"), "n1@host"),
        (Atom("Elixir.Enum"), "'Elixir.Enum'"),
        (Atom(""), "''"),
        (Atom("it's"), r"'it\'s'"),
        (Atom("end"), "'end'"),
        (None, "nil"),
        (True, "true"),
        (b"abc", '<<"abc">>'),
        ("é", '<<"é"/utf8>>'),
        (b"\xff\x00", "<<255,0>>"),
        (b"", '<<"">>'),
        ([104, 105], '"hi"'),
        ([1, [2], (3, {})], "[1,[2],{3,#{}}]"),
        ({Atom("a"): 1.5}, "#{a => 1.5}"),
        (Map([([1], 2)]), "#{[1] => 2}"),
        (Improper((1, 2), 3), "[1,2|3]"),
        (Bits(b"\x01\xff", 3), "<<1,7:3>>"),
        (Pid(NODE, 12, 0, 5), "<n1@127.0.0.1.12.0>"),
        (Ref(NODE, (1, 2, 3), 5), "#Ref<n1@127.0.0.1.3.2.1>"),
        (Port(NODE, 4, 5), "#Port<n1@127.0.0.1.4>"),
        (Export(Atom("lists"), Atom("map"), 2), "fun lists:map/2"),
    ],
)
def test_a_term_is_shown_as_erlang_writes_it(term: Any, shown: str) -> None:
    assert show(term) == shown


def test_an_atom_is_never_text() -> None:
    assert Atom("ok") != "ok"
    assert Atom("ok") == Atom("ok")
    assert len({Atom("ok"), "ok", Atom("ok")}) == 2


@pytest.mark.parametrize(
    "term", [Atom("a"), Pid(NODE, 1, 2, 3), Map([(1, 2)]), Improper((1,), 2), Bits(b"a", 1)]
)
def test_terms_survive_pickling_and_can_be_keys(term: Any) -> None:
    assert pickle.loads(pickle.dumps(term)) == term
    assert {term: 1}[pickle.loads(pickle.dumps(term))] == 1


def test_an_atom_cannot_be_changed_nor_be_too_long() -> None:
    with pytest.raises(AttributeError):
        Atom("a").name = "b"
    with pytest.raises(TermError, match="255"):
        Atom("a" * 256)


@pytest.mark.parametrize(
    "term",
    [b"caf\xc3\xa9", [99, 97, 102, 233], [b"ca", [102, [b"\xc3\xa9"]]], Atom("café"), "café"],
)
def test_all_that_erlang_means_as_text_is_read_as_text(term: Any) -> None:
    assert text(term) == "café"


def test_what_is_no_text_is_not_taken_for_text() -> None:
    with pytest.raises(TermError, match="is no text"):
        text((1, 2))


def test_an_integer_of_thousands_of_digits_is_shown_too() -> None:
    assert show([10**5000]) == f"[16#{10**5000:X}]"
