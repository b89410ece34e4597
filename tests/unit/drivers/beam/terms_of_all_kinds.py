"""Erlang terms of every kind, for tests that hold for all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from clusterlib.drivers.beam.terms import Atom, Bits, Export, Improper, Pid, Port, Ref

__all__ = ["TERMS"]

WORD = st.integers(0, 2**32 - 1)
NAMES = st.text(st.characters(codec="utf-8"), max_size=255)
ATOMS = NAMES.filter(lambda name: name not in {"true", "false", "nil"}).map(Atom)
OPAQUE = st.one_of(
    st.builds(Pid, ATOMS, WORD, WORD, WORD),
    st.builds(Ref, ATOMS, st.lists(WORD, min_size=1, max_size=5).map(tuple), WORD),
    st.builds(Port, ATOMS, st.integers(0, 2**64 - 1), WORD),
    st.builds(Export, ATOMS, ATOMS, st.integers(0, 255)),
    st.builds(Bits, st.binary(min_size=1, max_size=40), st.integers(1, 7)),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.integers(0, 300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(max_size=100),
    ATOMS,
    OPAQUE,
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hashed = st.one_of(LEAVES, st.tuples(LEAVES, LEAVES))
    tails = st.one_of(LEAVES, st.tuples(inner))
    return st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=6).map(tuple),
        st.dictionaries(hashed, inner, max_size=6),
        st.builds(Improper, st.lists(inner, min_size=1, max_size=4).map(tuple), tails),
    )


TERMS = st.recursive(LEAVES, containers, max_leaves=30)
