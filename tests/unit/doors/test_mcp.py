"""The server for assistants: what it makes of declarations, messages and results."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.doors.documents import as_json
from clusterlib.doors.mcp.answers import bounded
from clusterlib.doors.mcp.messages import MessageLines, RpcError, read_message
from clusterlib.doors.mcp.tools import described
from clusterlib.doors.mcp.wording import ToolWording, by_tool
from clusterlib.errors import NotSupported
from clusterlib.messages.effects import Effect
from clusterlib.operations.catalogue import shipped
from clusterlib.operations.permitting import Permissions
from clusterlib.remedies import do

ALL = Permissions.also(Effect)
TOOLS = by_tool(shipped())


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20)), st.integers(1, 9))
def test_lines_are_the_same_however_they_arrive(pieces: list[bytes], size: int) -> None:
    whole = b"".join(pieces) + b"\n"
    lines = MessageLines(most=50)

    found = [line for start in range(0, len(whole), size) for line in lines.feed(whole[start : start + size])]

    assert found == [one if len(one) <= 50 else None for one in whole.split(b"\n")[:-1]]


def test_a_line_that_is_too_long_is_not_kept_in_memory() -> None:
    lines = MessageLines(most=10)

    assert list(lines.feed(b"x" * 1000)) == []
    assert list(lines.feed(b"x" * 1000)) == []
    assert len(lines._begun) == 0
    assert list(lines.feed(b"\nshort\n")) == [None, b"short"]


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists) | st.text())
def test_any_line_is_a_message_or_a_mistake_that_is_named(value: object) -> None:
    for line in (json.dumps(value).encode(), str(value).encode()):
        try:
            read_message(line)
            code = -32700
        except RpcError as error:
            code = error.code
        assert code in {-32700, -32600}


def test_every_operation_is_a_tool_whose_name_all_assistants_accept() -> None:
    assert len(TOOLS) == len(shipped())
    for name in TOOLS:
        assert name.replace("_", "").isalnum()
        assert name.isascii()
        assert len(name) <= 64


def test_hints_come_from_the_effect() -> None:
    for tool in described(shipped(), ALL, structured=True):
        hints, effect = tool["annotations"], TOOLS[tool["name"]].effect
        assert hints["readOnlyHint"] is hints["idempotentHint"] is (effect is Effect.READ)
        assert hints["destructiveHint"] is (effect in {Effect.DESTROY, Effect.EXECUTE})


def test_every_schema_has_an_object_at_its_root_and_help_is_of_this_door() -> None:
    for tool in described(shipped(), ALL, structured=True):
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"
        assert not re.search(r"\b(cluster|profile|test)\.[a-z]", tool["description"])
        assert "follow" not in tool["inputSchema"]["properties"]
        for one in tool["inputSchema"]["properties"].values():
            assert "may be given without" not in one.get("description", "")


def test_the_words_of_a_command_are_a_list() -> None:
    run = next(one for one in described(shipped(), ALL, structured=False) if one["name"] == "cluster_run")

    assert run["inputSchema"]["properties"]["command"] == {"type": "array", "items": {"type": "string"}}
    assert "outputSchema" not in run


@pytest.mark.parametrize(
    ("remedy", "call"),
    [
        (do("cluster.status"), "cluster_status {}"),
        (do("cluster.restart", "node2", rolling=True), 'cluster_restart {"node": "node2", "rolling": true}'),
        (do("cluster.scale", 3), 'cluster_scale {"count": 3}'),
        (do("cluster.scale", "N"), 'cluster_scale {"count": "N"}'),
        (do("cluster.up", name="shop"), 'cluster_up {"name": "shop"}'),
        ("first " + do("cluster.down") + " and wait", "first cluster_down {} and wait"),
        (do("cluster.run", command=["pytest", "-q"]), 'cluster_run {"command": ["pytest", "-q"]}'),
    ],
)
def test_a_remedy_is_a_call_of_a_tool(remedy: str, call: str) -> None:
    assert ToolWording(TOOLS, ALL)(remedy) == call


def test_a_remedy_that_is_not_allowed_says_who_can_allow_it() -> None:
    worded = ToolWording(TOOLS, Permissions())(do("cluster.up"))

    assert worded.startswith("cluster_up {} (not allowed here; a person can allow it:")
    assert "--allow change" in worded


def test_of_what_has_a_time_the_newest_is_kept() -> None:
    lines = [{"time": str(number), "text": "x" * 50} for number in range(1000)]

    cut = bounded({"run": "r", "lines": lines}, most=5000)

    assert cut.document["run"] == "r"
    assert cut.document["lines"] == lines[-len(cut.document["lines"]) :]
    assert cut.left_out == (f"{1000 - len(cut.document['lines'])} older of lines",)


def test_the_list_inside_is_cut_and_not_the_one_around_it() -> None:
    document = {"clusters": [{"name": "shop", "nodes": [{"name": f"node{n}"} for n in range(1000)]}]}

    cut = bounded(document, most=2000)

    assert cut.document["clusters"][0]["name"] == "shop"
    assert cut.document["clusters"][0]["nodes"][0] == {"name": "node0"}


VALUES = st.recursive(
    st.none() | st.integers(0, 10**6) | st.text(max_size=2000),
    lambda inner: st.lists(inner, max_size=200) | st.dictionaries(st.text(max_size=3), inner, max_size=100),
    max_leaves=50,
)


@settings(deadline=None)
@given(VALUES)
def test_any_result_is_small_enough_or_refused(value: Any) -> None:
    try:
        cut = bounded({"result": value}, most=1000)
    except NotSupported:
        return
    assert len(as_json(cut.document)) <= 1000
    assert bool(cut.left_out) is (len(as_json({"result": value})) > 1000)
