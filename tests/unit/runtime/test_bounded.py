"""A person who looks at a process must not hold up the node."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from clusterlib.runtime.processes.bounded import short_text


class Counted:
    """Counts how many values were rendered."""

    rendered = 0

    def __repr__(self) -> str:
        Counted.rendered += 1
        return "counted"


@dataclass
class Cart:
    owner: str
    items: list[Any] = field(default_factory=list)


class Walked(list[Any]):
    """A list that fails when it is walked further than a person would read."""

    def __iter__(self) -> Iterator[Any]:
        for number, value in enumerate(super().__iter__()):
            assert number < 20, "the whole list is walked"
            yield value


MANY = [Counted()] * 10_000


@pytest.mark.parametrize(
    "value",
    [
        MANY,
        tuple(MANY),
        deque(MANY),
        dict(enumerate(MANY)),
        OrderedDict(enumerate(MANY)),
        {Counted() for _ in range(1000)},
        Cart("ann", MANY),
        [Cart("ann", MANY)],
        ValueError(MANY),
        Walked(MANY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_large_container_is_read_only_as_far_as_it_is_shown(value: object) -> None:
    Counted.rendered = 0

    text = short_text(value)

    assert len(text) < 250
    assert "counted, " in text
    assert "..." in text
    assert Counted.rendered < 50


def test_a_list_that_contains_itself_ends() -> None:
    endless: list[Any] = [1]
    endless.append(endless)

    assert short_text(endless) == "[1, [1, [1, [1, [...]]]]]"


@pytest.mark.parametrize(
    "value",
    [
        "text",
        ["tea"],
        [],
        (),
        ("one",),
        set(),
        {1},
        {"a": [1, (2, 3)]},
        frozenset({1}),
        deque([1, 2]),
        None,
        1.5,
    ],
)
def test_a_small_value_is_shown_as_python_shows_it(value: object) -> None:
    assert short_text(value) == repr(value)


def test_a_dataclass_and_a_class_derived_from_a_container_keep_their_names() -> None:
    assert short_text(Cart("ann", ["tea"])) == repr(Cart("ann", ["tea"]))
    assert short_text(Counter("aab")) == "Counter({'a': 2, 'b': 1})"


def test_long_text_is_cut_before_it_is_rendered() -> None:
    assert short_text("x" * 10_000_000) == "'" + "x" * 199 + "..."
    assert len(short_text(b"\0" * 10_000_000)) < 250


def test_a_value_whose_repr_fails_is_named_by_its_class() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise OSError

    assert short_text(Broken()) == "<Broken, whose repr raised OSError>"
