"""Texts that become values of Python on their way to a process of an embedded node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.place import Place
from clusterlib.drivers.python.processes import PythonProcesses
from clusterlib.errors import UsageError


def arrived(text: str) -> Any:
    """What the node is asked to send."""
    asked: list[Any] = []

    class Client:
        def ask(self, _: str, request: tuple[str, dict[str, Any]], *, timeout: float) -> None:
            asked.append(request[1]["message"])

    place = Place("node1", "shop", "python", Path(), None, lambda: None, lambda _: ())  # type: ignore[arg-type, return-value]
    PythonProcesses(place, lambda talk: talk(Client())).send("cart", text, 1.0)  # type: ignore[arg-type]
    return asked[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('("add", "tea")', ("add", "tea")),
        ("two words", "two words"),
        ("{**1}", "{**1}"),
        ("a\0b", "a\0b"),
        ("\udcff", "\udcff"),
        (r'"\ud800"', "\ud800"),
    ],
)
def test_a_literal_arrives_as_its_value_and_any_other_text_as_itself(text: str, value: object) -> None:
    assert arrived(text) == value


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{[]: 1}", "unhashable type: 'list'"),
        ("{{}}", "unhashable type: 'dict'"),
        ("-" * 5_000 + "1", "nested too deeply"),
        ("-" * 200_000 + "1", "nested too deeply"),
        ("1" + "+1" * 50_000, "nested too deeply"),
    ],
    ids=["list as a key", "dict in a set", "deep", "deeper", "long sum"],
)
def test_a_literal_that_python_cannot_make_is_refused(text: str, cause: str) -> None:
    with pytest.raises(UsageError) as refused:
        arrived(text)

    assert cause in str(refused.value.cause)
    assert len(refused.value.problem) < 100
    assert refused.value.remedies
