"""The application of a node, and its start, whether it is a process or simulated."""

from __future__ import annotations

import pytest

from tests.contract.node_grid import PATIENCE, Grid


@pytest.mark.parametrize("app", ["shop:open_shop", "shop:open_shop_later", None])
def test_a_node_serves_once_its_app_has_started(fragile: Grid, app: str | None) -> None:
    fragile.start(1, app=app)
    fragile["node1"].wait_for("serving")
    kinds = [event["event"] for event in fragile["node1"].events]
    assert kinds[0] == "listening"
    assert fragile["node1"].client.run(lambda: "open" in __import__("shop").served) is (app is not None)


@pytest.mark.parametrize(
    ("app", "told"),
    [("shop:burn_down", "RuntimeError: the shop burns"), ("shop:opn_shop", "has no 'opn_shop'")],
)
def test_an_app_that_fails_is_told_and_ends_the_node(fragile: Grid, app: str, told: str) -> None:
    fragile.start(1, app=app)
    error = fragile["node1"].wait_for("failed")["error"]
    assert error["code"] == "application-failed"
    assert told in f"{error['problem']} {error['cause']}"
    assert fragile["node1"].wait_for_end() == 1
    assert told in fragile["node1"].said()


def test_a_node_that_breaks_at_its_start_ends_alone_and_says_why(fragile: Grid) -> None:
    fragile.start(1)
    fragile.plan("node2")
    fragile["node2"].start(cookie_file="\0")
    assert fragile["node2"].wait_for_end() == 1
    assert "embedded null" in fragile["node2"].said()
    assert fragile["node1"].client.ping() < PATIENCE


def test_a_wrong_configuration_is_reported_whole_and_starts_nothing(fragile: Grid) -> None:
    fragile.plan("node1")
    fragile["node1"].start(peers=[], detect=-1)
    assert fragile["node1"].wait_for_end() == 2
    said = fragile["node1"].said()
    assert "detect: must be more than 0" in said
    assert "peers: 'node1' itself is missing" in said
    assert "Traceback" not in said
