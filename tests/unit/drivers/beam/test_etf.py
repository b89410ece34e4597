from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.drivers.beam.etf import DEEPEST, decode, encode, encode_parts
from clusterlib.drivers.beam.terms import Atom, Bits, Improper, Map, Pid, Port, Ref
from clusterlib.errors import TermError
from tests.unit.drivers.beam.terms_of_all_kinds import TERMS


@given(TERMS)
def test_what_is_written_is_read_back_the_same(term: Any) -> None:
    found = decode(encode(term))

    assert found == term
    assert encode(found) == encode(term)


@given(TERMS)
def test_a_compressed_term_is_read_back_the_same(term: Any) -> None:
    assert decode(encode(term, compress=True)) == term


@given(TERMS, st.data())
def test_no_damaged_term_gives_anything_but_a_term_or_a_term_error(term: Any, data: st.DataObject) -> None:
    whole = bytearray(encode(term))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(1, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for damaged in (bytes(whole), bytes(whole[:cut])):
        try:
            decode(damaged)
        except TermError:
            continue


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_no_bytes_at_all_give_anything_but_a_term_or_a_term_error(noise: bytes) -> None:
    for data in (noise, b"\x83" + noise, b"\x83P" + noise):
        try:
            decode(data)
        except TermError:
            continue


@pytest.mark.parametrize(
    ("term", "data"),
    [
        (0, b"\x83a\x00"),
        (255, b"\x83a\xff"),
        (256, b"\x83b\x00\x00\x01\x00"),
        (-1, b"\x83b\xff\xff\xff\xff"),
        (2**31, b"\x83n\x04\x00\x00\x00\x00\x80"),
        (-(2**31) - 1, b"\x83n\x04\x01\x01\x00\x00\x80"),
        (2**2048, b"\x83o\x00\x00\x01\x01\x00" + bytes(256) + b"\x01"),
        (1.5, b"\x83F\x3f\xf8" + bytes(6)),
        (Atom("ok"), b"\x83w\x02ok"),
        (Atom("é" * 200), b"\x83v\x01\x90" + "é".encode() * 200),
        (True, b"\x83w\x04true"),
        (None, b"\x83w\x03nil"),
        (b"abc", b"\x83m\x00\x00\x00\x03abc"),
        ([], b"\x83j"),
        ([1, 2], b"\x83k\x00\x02\x01\x02"),
        ([1, 300], b"\x83l\x00\x00\x00\x02a\x01b\x00\x00\x01\x2cj"),
        ([1, True], b"\x83l\x00\x00\x00\x02a\x01w\x04truej"),
        ((), b"\x83h\x00"),
        ({}, b"\x83t\x00\x00\x00\x00"),
        (Improper((1,), 2), b"\x83l\x00\x00\x00\x01a\x01a\x02"),
        (Bits(b"\xff\xe0", 3), b"\x83M\x00\x00\x00\x02\x03\xff\xe0"),
    ],
)
def test_each_kind_of_term_is_written_as_erlang_writes_it(term: Any, data: bytes) -> None:
    assert encode(term) == data
    assert decode(data) == term


@pytest.mark.parametrize(
    ("data", "term"),
    [
        (b"d\x00\x02\xe9t", Atom("ét")),
        (b"s\x02ok", Atom("ok")),
        (b"s\x04true", True),
        (b"c1.50000000000000000000e+00\x00\x00\x00\x00\x00", 1.5),
        (b"gw\x01n" + bytes((0, 0, 0, 1, 0, 0, 0, 2, 3)), Pid(Atom("n"), 1, 2, 3)),
        (b"fw\x01n" + bytes((0, 0, 0, 1, 3)), Port(Atom("n"), 1, 3)),
        (b"r\x00\x02w\x01n" + bytes((3, 0, 0, 0, 1, 0, 0, 0, 2)), Ref(Atom("n"), (1, 2), 3)),
        (b"ew\x01n" + bytes((0, 0, 0, 1, 3)), Ref(Atom("n"), (1,), 3)),
        (b"i\x00\x00\x00\x01a\x01", (1,)),
        (b"l\x00\x00\x00\x01a\x01k\x00\x01\x02", [1, 2]),
        (b"M\x00\x00\x00\x01\x08\xff", b"\xff"),
    ],
)
def test_the_older_ways_to_write_a_term_are_read_too(data: bytes, term: Any) -> None:
    assert decode(b"\x83" + data) == term


def test_text_is_sent_as_a_binary_and_never_as_an_atom() -> None:
    assert decode(encode(["ok", {"größe": "true"}])) == [b"ok", {"größe".encode(): b"true"}]


def test_keys_equal_only_in_python_stay_apart() -> None:
    found = decode(encode(Map([(1, "integer"), (1.0, "float"), (True, "atom")])))

    assert (found[1], found[1.0], found[True]) == (b"integer", b"float", b"atom")
    assert found == Map([(True, b"atom"), (1.0, b"float"), (1, b"integer")])


def test_a_list_and_a_map_can_be_keys() -> None:
    found = decode(encode(Map([([1, [2]], 1), ({"a": 1}, 2)])))

    assert (found[[1, [2]]], found[{b"a": 1}]) == (1, 2)


@pytest.mark.parametrize(
    "term",
    [
        {"a": 1, b"a": 2},
        {Atom("true"): 1, True: 2},
        float("nan"),
        float("inf"),
        {1, 2},
        object(),
        "\ud800",
    ],
)
def test_what_erlang_has_no_term_for_is_refused_with_a_reason(term: Any) -> None:
    with pytest.raises(TermError):
        encode([term])


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(TermError, match="holds itself"):
        encode(endless)


def test_nesting_is_bounded_both_ways() -> None:
    term: Any = 1
    for _ in range(DEEPEST):
        term = (term,)

    assert decode(encode(term)) == term
    with pytest.raises(TermError, match="nested"):
        encode((term,))
    with pytest.raises(TermError, match="nested"):
        decode(b"\x83" + b"h\x01" * 100_000 + b"j")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x83",
        b"\x84j",
        b"\x83jj",
        b"\x83l\xff\xff\xff\xffj",
        b"\x83t\x80\x00\x00\x00",
        b"\x83m\xff\xff\xff\xff",
        b"\x83o\xff\xff\xff\xff\x00",
        b"\x83F\x7f\xf0" + bytes(6),
        b"\x83w\x02\xff\xff",
        b"\x83t\x00\x00\x00\x02jjjj",
        b"\x83\x52\x00",
    ],
)
def test_malformed_bytes_are_told_apart_from_terms(data: bytes) -> None:
    with pytest.raises(TermError):
        decode(data)


def test_a_compressed_term_cannot_grow_beyond_its_limit() -> None:
    bomb = zlib.compress(b"m\x00\x98\x96\x80" + bytes(10_000_000))

    with pytest.raises(TermError, match="larger"):
        decode(b"\x83P\x00\x98\x96\x85" + bomb, largest=1_000_000)
    with pytest.raises(TermError, match="not the 1000 bytes"):
        decode(b"\x83P\x00\x00\x03\xe8" + bomb)


def test_a_large_binary_is_handed_on_uncopied() -> None:
    large = bytes(10_000_000)

    parts = encode_parts((1, large, 2))

    assert any(part is large for part in parts)
    assert decode(b"".join(parts)) == (1, large, 2)
