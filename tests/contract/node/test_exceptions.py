"""An exception arrives as it was raised, whether the node is a process or simulated."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from clusterlib.errors import RemoteError
from clusterlib.runtime.client import NodeClient
from clusterlib.runtime.pickling import RemoteTraceback
from tests.contract.node_grid import Grid


@pytest.fixture
def shop(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The project's own module, as the caller imports it."""
    monkeypatch.syspath_prepend(grid.code)
    try:
        yield importlib.import_module("shop")
    finally:
        sys.modules.pop("shop", None)


def test_an_exception_of_the_project_arrives_as_itself_with_the_remote_traceback(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(shop.OutOfStock, match="tea: 0 left") as raised:
        client.call("shop:buy", ("tea",))
    assert (raised.value.article, raised.value.left) == ("tea", 0)
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "on node1" in str(raised.value.__cause__)
    assert "raise OutOfStock(article, 0)" in str(raised.value.__cause__)


def test_an_exception_arrives_as_itself_whatever_arguments_its_class_wants(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(shop.Stubborn, match=r"^1 and 2$") as raised:
        client.call("shop:sulk")
    assert raised.value.one == 1


def test_a_chain_of_exceptions_arrives_with_all_its_tracebacks_and_its_message_once(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(shop.Wordy, match=r"^there is no tea$") as raised:
        client.call("shop:explain", ("tea",))
    told = str(raised.value.__cause__)
    assert "KeyError: 'tea'" in told
    assert "direct cause of the following exception" in told
    assert "raise Wordy(article) from error" in told


def test_an_exception_that_holds_what_cannot_travel_becomes_a_remote_error(
    client: NodeClient, shop: Any
) -> None:
    with pytest.raises(RemoteError, match=r"shop\.Locked: locked"):
        client.call("shop:lock_out")


def test_a_builtin_exception_is_raised_as_itself(client: NodeClient) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        client.run(lambda: 1 // 0)
    assert isinstance(raised.value.__cause__, RemoteTraceback)
    assert "on node1" in str(raised.value.__cause__)
    assert "_run" not in str(raised.value.__cause__)  # no frames of ours


def test_an_exception_whose_class_the_caller_lacks_becomes_a_remote_error_with_its_traceback(
    client: NodeClient,
) -> None:
    assert "shop" not in sys.modules
    with pytest.raises(RemoteError) as raised:
        client.call("shop:sulk")
    assert "shop.Stubborn: 1 and 2" in raised.value.problem
    assert any("raise Stubborn(1, 2)" in line for line in raised.value.evidence)
