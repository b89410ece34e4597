"""Where the code of a driver from outside fails, the error has its method, its file and its
line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clusterlib.drivers.registry import calls_of
from clusterlib.errors import DriverUnusable
from tests.unit.drivers.guarding.odd_driver import (
    BUG,
    Write,
    is_told,
    link_of,
    made,
)

SYNC: dict[str, tuple[Any, ...]] = {
    "order": (None, {}),
    "learn": ({},),
    "facts": (None,),
    "shell": (None,),
    "why_not_fresh": ((),),
}
UNAVAILABLE = "from clusterlib.errors import NodeUnavailable; raise NodeUnavailable('it does not answer')"
AT_ANY_COST: dict[str, tuple[Any, ...]] = {
    "stopping": ((),),
    "forget": (None,),
    "last_words": (None,),
    "ports_stolen": ([],),
}


@pytest.mark.parametrize("method", SYNC)
def test_a_method_of_a_driver_that_raises_is_named_with_its_line(
    method: str, write: Write, tmp_path: Path
) -> None:
    added = f"    def {method}(self, *_):\n        {BUG}\n\n    def order(" if method != "order" else ""
    line = write(
        ("    def order(", added)
        if added
        else ("        return Spawn(", f"        {BUG}\n        return Spawn(")
    )

    with pytest.raises(DriverUnusable) as caught:
        getattr(made(tmp_path), method)(*SYNC[method])

    is_told(caught.value, tmp_path, line, f"OddDriver.{method}")


@pytest.mark.parametrize("raises", [BUG, UNAVAILABLE], ids=["a bug", "an error of clusterlib"])
@pytest.mark.parametrize("method", AT_ANY_COST)
def test_a_method_for_the_end_of_a_node_that_raises_is_reported_and_stops_nothing(
    method: str, raises: str, write: Write, tmp_path: Path
) -> None:
    write(("    def order(", f"    def {method}(self, *_):\n        {raises}\n\n    def order("))
    line = 1 + (tmp_path / "odd_driver.py").read_text().splitlines().index(f"        {raises}")
    reported: list[DriverUnusable] = []
    driver = made(tmp_path, reported)

    assert not getattr(driver, method)(*AT_ANY_COST[method])
    getattr(driver, method)(*AT_ANY_COST[method])

    (error,) = reported  # once is enough
    assert f"fails in OddDriver.{method}" in error.problem
    assert str(error.cause).startswith(f"{tmp_path / 'odd_driver.py'}:{line}: ")


def test_a_probe_that_raises_is_named_with_its_rung(write: Write, tmp_path: Path) -> None:
    line = write(("            return Ready()", f"            {BUG}"))
    (rung,) = link_of(tmp_path).ladder(frozenset())

    with pytest.raises(DriverUnusable) as caught:
        asyncio.run(rung.probe())

    is_told(caught.value, tmp_path, line, "the probe of rung 'joined'")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("            return Ready()", "            pass", "not Ready(), NotYet(why) or Never(why)"),
        ("        async def probe", "        def probe", "write `async def`"),
    ],
)
def test_a_probe_without_an_answer_does_not_count_as_ready(
    old: str, new: str, what: str, write: Write, tmp_path: Path
) -> None:
    write((old, new))
    (rung,) = link_of(tmp_path).ladder(frozenset())

    with pytest.raises(DriverUnusable) as caught:
        asyncio.run(rung.probe())

    assert what in str(caught.value.cause)
    assert f"{tmp_path / 'odd_driver.py'}:" in str(caught.value.cause)


@pytest.mark.parametrize(
    ("old", "new", "lacking"),
    [
        ("    view = frozenset()\n", "", "has no view"),
        ("    def ladder(", "    def lader(", "has no ladder"),
        ("        return Spawn(", "        Spawn(", "it returned nothing, not a Spawn and a link"),
    ],
)
def test_an_order_without_a_link_that_can_be_asked_is_refused(
    old: str, new: str, lacking: str, write: Write, tmp_path: Path
) -> None:
    write((old, new))

    with pytest.raises(DriverUnusable) as caught:
        link_of(tmp_path)

    assert lacking in str(caught.value.cause)
    assert "OddDriver.order" in caught.value.problem
    assert f"correct {tmp_path / 'odd_driver.py'}:" in caught.value.remedies[0]


@pytest.mark.parametrize("method", ["examine", "prepare", "load"])
def test_an_asynchronous_method_that_raises_is_named(method: str, write: Write, tmp_path: Path) -> None:
    place = "    view =" if method == "examine" else "    def order("
    line = write((place, f"    async def {method}(self, *_):\n        {BUG}\n\n{place}"))
    thing = link_of(tmp_path) if method == "examine" else made(tmp_path)

    with pytest.raises(DriverUnusable) as caught:
        asyncio.run(getattr(thing, method)(None, None, None))

    is_told(caught.value, tmp_path, line, method)


def test_a_link_that_cannot_be_closed_is_reported(write: Write, tmp_path: Path) -> None:
    line = write(("    view =", f"    def close(self):\n        {BUG}\n\n    view ="))
    reported: list[DriverUnusable] = []

    link_of(tmp_path, reported).close()

    is_told(reported[0], tmp_path, line, "OddLink.close")


def test_a_failure_with_other_words_at_the_same_place_is_reported_once(write: Write, tmp_path: Path) -> None:
    write(("    view =", "    def hear(self, text):\n        raise ValueError(text)\n\n    view ="))
    reported: list[DriverUnusable] = []
    link = link_of(tmp_path, reported)

    for piece in (b"one", b"two", b"three"):
        link.hear(piece)

    assert len(reported) == 1


@pytest.mark.parametrize(
    ("attribute", "value"), [("view", "['node1', 3]"), ("view", "'node1'")], ids=["a number", "a text"]
)
def test_a_view_that_does_not_name_nodes_is_refused(
    attribute: str, value: str, write: Write, tmp_path: Path
) -> None:
    write(("    view = frozenset()\n", f"    {attribute} = {value}\n"))

    with pytest.raises(DriverUnusable, match="the names of nodes"):
        _ = link_of(tmp_path).view


def test_a_view_may_be_any_collection_of_names(write: Write, tmp_path: Path) -> None:
    write(("    view = frozenset()\n", "    view = ['node1', 'node2']\n"))

    assert link_of(tmp_path).view == frozenset({"node1", "node2"})


def test_a_fact_that_is_no_text_is_refused(write: Write, tmp_path: Path) -> None:
    write(("    def order(", "    def facts(self, _):\n        return {'port': 1}\n\n    def order("))

    with pytest.raises(DriverUnusable, match="a fact is a text"):
        made(tmp_path).facts(None)  # type: ignore[arg-type]


def test_a_link_whose_property_raises_is_named(write: Write, tmp_path: Path) -> None:
    line = write(("    view = frozenset()\n", f"    @property\n    def view(self):\n        {BUG}\n"))

    with pytest.raises(DriverUnusable) as caught:
        _ = link_of(tmp_path).view

    is_told(caught.value, tmp_path, line, "OddLink.view")


def test_what_is_raised_by_a_call_is_for_its_caller_and_other_failures_are_the_drivers(
    write: Write, tmp_path: Path
) -> None:
    write()
    calls: Any = calls_of("odd_driver:KIND", [str(tmp_path)])(None)  # type: ignore[arg-type]

    with pytest.raises(ZeroDivisionError):
        calls.call("next", (), {}, 1.0)
    with pytest.raises(DriverUnusable, match=r"NodeCalls\.ping"):
        calls.ping(1.0)
