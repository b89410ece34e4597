"""What code on a node can reach, and what a node says of itself."""

from __future__ import annotations

import pytest

from clusterlib.errors import UsageError
from clusterlib.runtime.client import NodeClient
from clusterlib.waiting import Deadline, poll
from tests.contract.node_grid import PATIENCE, Grid


@pytest.mark.parametrize("target", ["shop:where", "shop:where_async"])
def test_code_on_a_node_knows_where_it_is(grid: Grid, mode: str, target: str) -> None:
    for name, node in grid.nodes.items():
        assert node.client.call(target) == (name, "grid", mode == "simulated", ["node1", "node2", "node3"])


def test_code_on_a_node_reaches_other_nodes(client: NodeClient) -> None:
    assert client.call("shop:ask", ("node2",)) == "node2"
    assert client.call("shop:ask_code", ("node3",)) == "node3"
    assert client.call("shop:ask_async", ("node2",)) == 3


def test_a_coroutine_is_told_not_to_block_its_node(client: NodeClient) -> None:
    with pytest.raises(UsageError, match="would block"):
        client.call("shop:ask_wrongly", ("node2",))


def test_what_code_prints_goes_to_the_output_of_its_node(grid: Grid) -> None:
    grid["node2"].client.call("shop:speak", ("hear me",))
    assert poll(lambda: "hear me\nHEAR ME\n" in grid["node2"].said(), Deadline(PATIENCE))
    assert "hear me" not in grid["node1"].said()


def test_the_digest_names_the_own_modules_and_which_of_them_are_stale(grid: Grid) -> None:
    client = grid["node3"].client
    client.call("shop:use_late")
    digest = client.digest()
    loaded = {name for name in digest.modules if not name.startswith("tests.")}  # of tests before
    assert loaded == {"shop", "late"}
    assert digest.stale == ()
    late = grid.code / "late.py"
    late.write_text("VALUE = 2\n")
    assert client.digest().stale == ("late",)
    late.write_text("VALUE = 1\n")


def test_health_is_told_over_http(grid: Grid, mode: str) -> None:
    status, page = grid["node1"].get("/health")
    assert status == 200
    assert page["members"] == page["expected"] == ["node1", "node2", "node3"]
    assert page["simulated"] is (mode == "simulated")
    assert (page["node"], page["state"]) == ("node1", "running")
    assert grid["node1"].get("/members")[1]["status"]["node2"] == "alive"
    assert grid["node1"].get("/metrics")[1]["memory"] > 0


def test_other_pages_and_methods_are_errors(grid: Grid) -> None:
    assert grid["node1"].get("/secrets")[0] == 404
    assert grid["node1"].get("/health", "POST")[0] == 405
