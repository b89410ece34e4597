"""The stacks of a node are shown with a call, or a test, that took too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import CallTimeout, NodeUnavailable, NotSupported

Up = Callable[..., clusterlib.Cluster]

SHOP = """
import asyncio, itertools, threading

held = threading.Event()

async def wait_for_stock():
    await inner_wait()

async def inner_wait():
    await asyncio.Event().wait()

def wait_in_a_thread():
    held.wait()

async def block_the_loop():
    for _ in itertools.count():
        pass

def hold_the_interpreter():
    sum(itertools.repeat(1, 10**9))
"""


@pytest.fixture
def node(up: Up, project: Path) -> clusterlib.Node:
    (project / "shop.py").write_text(SHOP)
    return up("ci-small")["node1"]


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (
            "wait_for_stock",
            ["coroutine ", "in wait_for_stock", "in inner_wait", "await asyncio.Event().wait()"],
        ),
        ("wait_in_a_thread", ["thread node1 call ", "in wait_in_a_thread", "held.wait()"]),
        ("block_the_loop", ["in block_the_loop"]),
        ("hold_the_interpreter", ["in hold_the_interpreter"]),
    ],
)
def test_a_call_that_takes_too_long_shows_what_the_node_does(
    node: clusterlib.Node, function: str, shown: list[str]
) -> None:
    told = ""
    for seconds in (0.4, 2, 8):  # on a busy machine a short call may end before its function has begun
        with pytest.raises(CallTimeout) as caught:
            node.call(f"shop:{function}", timeout=seconds)
        told = "\n".join(caught.value.evidence)
        if f"in {function}" in told:
            break
    for text in shown:
        assert text in told
    from_c = function in ("block_the_loop", "hold_the_interpreter")
    assert ("clusterlib/runtime/calls.py" in told) == from_c, "frames of ours are left out where Python looks"


def test_stacks_can_be_asked_for_at_any_time_and_do_no_harm(node: clusterlib.Node) -> None:
    for _ in range(3):
        assert node.stacks() == ["node1 runs no code of yours"]
    assert node.call("operator:add", 40, 2) == 42


def test_a_paused_node_is_not_sent_a_signal_and_a_call_to_it_ends_as_before(node: clusterlib.Node) -> None:
    node.ping()
    node.pause()

    with pytest.raises((NotSupported, CallTimeout, NodeUnavailable)):
        node.stacks()
    with pytest.raises(CallTimeout, match="took longer"):
        node.call("operator:add", 40, 2, timeout=0.2)

    node.resume()
    assert node.call("operator:add", 40, 2) == 42
