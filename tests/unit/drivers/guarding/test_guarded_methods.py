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


WRONG: dict[str, tuple[str, str]] = {
    "remark": ("5", "not a text"),
    "columns": ("[('node',)]", "not pairs of group and name"),
    "stack_signal": ("'SIGUSR1'", "not the number of a signal, or None"),
    "stacks_file": ("None", "it returned nothing, not the name of a file"),
    "shell": ("'erl'", "not an OwnShell or None"),
    "why_not_fresh": ("False", "not a text or None"),
    "load": ("['node1']", "not the names of modules for each node"),
    "stale_files": ("7", "not the names of files, or None"),
}
ATTRIBUTES = {"remark", "columns", "stack_signal", "stacks_file", "failure", "complaint", "matters"}
OF_A_LINK = {"remark", "stale_files", "failure", "complaint", "matters", "ask_to_stop"}


def part_with(name: str, value: str, write: Write, root: Path, reported: list[DriverUnusable]) -> Any:
    """A link or a driver whose method or attribute of that name gives this value."""
    before = "    view =" if name in OF_A_LINK else "    def order("
    start = "async def" if name in {"load", "stale_files", "ask_to_stop"} else "def"
    method = f"    {start} {name}(self, *_):\n        return {value}"
    code = f"    {name} = {value}" if name in ATTRIBUTES else method
    write((before, f"{code}\n\n{before}"))
    return link_of(root, reported) if name in OF_A_LINK else made(root, reported)


def given_by(thing: Any, name: str) -> Any:
    if name in ATTRIBUTES:
        return getattr(thing, name)
    found = getattr(thing, name)(*[None] * {"load": 3, "ask_to_stop": 0}.get(name, 1))
    return asyncio.run(found) if asyncio.iscoroutine(found) else found


@pytest.mark.parametrize("name", WRONG)
def test_a_result_of_another_type_is_refused_with_the_right_one(
    name: str, write: Write, tmp_path: Path
) -> None:
    value, right = WRONG[name]
    thing = part_with(name, value, write, tmp_path, [])

    with pytest.raises(DriverUnusable) as caught:
        given_by(thing, name)

    assert right in str(caught.value.cause)
    assert f".{name}" in caught.value.problem


@pytest.mark.parametrize(
    ("name", "value", "right", "instead"),
    [
        ("failure", "'it is broken'", "not a ClusterError or None", None),
        ("complaint", "5", "not a text or None", None),
        ("matters", "None", "not True or False", True),
        ("ask_to_stop", "None", "not True or False", False),
        ("ports_stolen", "'yes'", "not True or False", False),
    ],
)
def test_a_result_of_another_type_for_the_end_of_a_node_is_reported(
    name: str, value: str, right: str, instead: object, write: Write, tmp_path: Path
) -> None:
    reported: list[DriverUnusable] = []
    thing = part_with(name, value, write, tmp_path, reported)

    assert given_by(thing, name) is instead

    assert right in str(reported[0].cause)


def test_a_default_is_not_shared_between_its_users(write: Write, tmp_path: Path) -> None:
    write(("    def order(", f"    def last_words(self, *_):\n        {BUG}\n\n    def order("))
    driver = made(tmp_path, [])

    driver.last_words(None).append("a line")  # type: ignore[arg-type]

    assert driver.last_words(None) == []  # type: ignore[arg-type]
