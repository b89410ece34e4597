"""Calls of a node, whether it is a process or simulated."""

from __future__ import annotations

import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clusterlib.errors import CallTimeout, RemoteError, UsageError
from clusterlib.runtime.client import NodeClient
from clusterlib.waiting import Deadline, poll
from tests.contract.node_grid import PATIENCE, Grid

# -- calls ---------------------------------------------------------------------------------------


def test_a_call_reaches_a_function_by_its_name(client: NodeClient) -> None:
    assert client.call("shop:Cart.total", (1, 2, 3), {"factor": 2}) == 12


def test_a_coroutine_function_is_awaited(client: NodeClient) -> None:
    assert client.call("shop:double", (21,)) == 42


def test_a_closure_a_lambda_and_a_local_class_travel_as_code(client: NodeClient) -> None:
    class Local:
        def __init__(self, value: int) -> None:
            self.value = value

    factor = 6
    assert client.run(lambda number: number * factor, (7,)) == 42
    answer = client.run(lambda: Local(factor))
    assert type(answer) is Local
    assert answer.value == 6


def test_code_of_a_module_that_the_node_lacks_travels_along(client: NodeClient) -> None:
    module = types.ModuleType("only_here")
    exec(
        "LIMIT = 5\ndef helper(x): return x + LIMIT\ndef run(x): return helper(x)\nclass Thing: pass",
        module.__dict__,
    )
    sys.modules["only_here"] = module
    try:
        assert client.run(module.run, (1,)) == 6
        assert type(client.run(lambda thing: thing, (module.Thing(),))) is module.Thing
    finally:
        del sys.modules["only_here"]


@pytest.mark.parametrize(
    ("target", "hints"),
    [
        ("shop:Cart.totl", ["has no 'totl'", "'total'"]),
        ("shopp:Cart", ["no module 'shopp'", "'shop'"]),
        ("shop.Cart.total", ["is not a target", "'shop.Cart:total'"]),
        ("shop:served", ["cannot be called"]),
    ],
)
def test_a_target_that_is_not_there_is_explained(client: NodeClient, target: str, hints: list[str]) -> None:
    with pytest.raises(RemoteError) as raised:
        client.call(target)
    for hint in hints:
        assert hint in str(raised.value)


def test_a_result_that_cannot_travel_is_named(client: NodeClient) -> None:
    with pytest.raises(RemoteError, match=r"_thread\.lock"):
        client.call("shop:lock")


def test_arguments_that_cannot_travel_are_refused_before_they_are_sent(client: NodeClient) -> None:
    with pytest.raises(UsageError, match="cannot be sent"):
        client.call("shop:size", (threading.Lock(),))


@pytest.mark.parametrize(
    ("target", "name"), [("shop:leave", "SystemExit"), ("shop:leave_later", "KeyboardInterrupt")]
)
def test_a_function_cannot_end_the_node(client: NodeClient, target: str, name: str) -> None:
    with pytest.raises(RemoteError, match=name):
        client.call(target)
    assert client.ping() < PATIENCE


def test_fifty_calls_run_at_once(client: NodeClient) -> None:
    with ThreadPoolExecutor(50) as threads:
        places = list(threads.map(lambda _: client.call("shop:meet"), range(50)))
    assert sorted(places) == list(range(50))


def test_a_call_that_takes_too_long_is_given_up_and_the_node_goes_on(grid: Grid, client: NodeClient) -> None:
    with pytest.raises(CallTimeout, match=r"0\.1 s"):
        client.call("shop:wait_for_ever", (str(grid.folder / "started"),), timeout=0.1)
    assert client.call("shop:Cart.total", (1,)) == 1


def test_a_coroutine_whose_caller_left_is_cancelled(grid: Grid, client: NodeClient) -> None:
    path = grid.folder / "awaiting"
    with pytest.raises(CallTimeout):
        client.call("shop:await_for_ever", (str(path),), timeout=0.2)
    assert poll(Path(f"{path}.cancelled").exists, Deadline(PATIENCE))


def test_a_hundred_megabytes_travel_both_ways_while_the_nodes_keep_seeing_each_other(grid: Grid) -> None:
    client = grid["node2"].client
    count = 100_000_000

    def there_and_back() -> int:
        assert client.call("shop:size", (bytes(count),)) == count
        return len(client.call("shop:make", (count,)))

    before = {name: node.get("/members")[1]["version"] for name, node in grid.nodes.items()}
    with ThreadPoolExecutor(1) as thread:
        transfer = thread.submit(there_and_back)
        while not transfer.done():
            for node in grid.nodes.values():
                assert node.client.members() == ["node1", "node2", "node3"]
        assert transfer.result() == count
    # Every change of a view has a number: there was none, not even one too short to be seen from
    # here.
    assert {name: node.get("/members")[1]["version"] for name, node in grid.nodes.items()} == before


def test_a_client_in_a_fork_does_not_talk_on_the_connections_of_its_parent(client: NodeClient) -> None:
    client.ping()
    client._pid = -1  # as after a fork
    assert client.call("shop:Cart.total", (2,)) == 2
