"""Several services on one loop, whose links are calls: what nodes that leave do with processes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, cast

import pytest

from clusterlib.errors import NodeUnavailable, UsageError
from clusterlib.runtime.links import Links
from clusterlib.runtime.log import Log
from clusterlib.runtime.membership import Liveness, Membership
from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.processes import Leaving, Mailbox, child, supervisor
from clusterlib.runtime.processes.service import ProcessService


class Members:
    """All nodes live."""

    def __init__(self, names: list[str]) -> None:
        self.names = self.ring = names

    def alive(self) -> list[str]:
        return self.names

    def lives(self, name: str) -> bool:
        return name in self.names

    def status(self, _: str) -> Liveness:
        return Liveness.ALIVE


class Calls:
    """The links of one node to all others."""

    def __init__(self, node: str, services: dict[str, ProcessService]) -> None:
        self.node = node
        self.links = services
        self.frames: dict[int, Any] = {}
        self.linked: Callable[[str], None] | None = None

    def tell(self, peer: str, _: int, payload: bytes) -> bool:
        asyncio.get_running_loop().call_soon(self.links[peer].received, self.node, payload)
        return True


def cluster(*names: str) -> dict[str, ProcessService]:
    services: dict[str, ProcessService] = {}
    members = cast("Membership", Members(list(names)))
    for name in names:
        network = NodeNetwork(asyncio.get_running_loop())
        links = cast("Links", Calls(name, services))
        context = contextvars.copy_context()
        services[name] = ProcessService(name, 1, network, context, links, members, Log())
    return services


async def cart(box: Mailbox, items: tuple[object, ...] = ()) -> None:
    async for message in box:
        match message:
            case "items":
                box.reply(items)
            case Leaving():
                box.hand_over((*items, "tea"))
                return


async def told(services: dict[str, ProcessService], name: str) -> None:
    """All nodes know the name."""
    for one in services.values():
        one._spreading.spread()
    await asyncio.sleep(0)
    assert all(one.registry.find(name) is not None for one in services.values())


def test_of_nodes_that_leave_together_none_takes_over_what_another_one_hands_over() -> None:
    async def story() -> None:
        services = cluster("node1", "node2", "node3")
        await services["node2"].spawn(child(cart, name="cart", moves=True), node="node2")
        await told(services, "cart")

        await asyncio.gather(services["node1"].leave(), services["node2"].leave())

        owner = services["node3"].registry.find("cart")
        assert owner is not None
        assert owner.node == "node3"  # though node1 has as few processes, and comes first
        assert await services["node3"].ask(owner, "items") == ("tea",)
        services["node3"].stop()

    asyncio.run(story())


def test_a_node_that_leaves_starts_nothing() -> None:
    async def story() -> None:
        services = cluster("node1", "node2")
        await services["node2"].leave()

        with pytest.raises(NodeUnavailable, match="node2 leaves"):
            await services["node1"].spawn(child(cart), node="node2")

    asyncio.run(story())


def test_what_no_node_takes_over_is_named_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        services = cluster("node1", "node2")
        await services["node2"].spawn(child(cart, name="cart", moves=True), node="node2")
        await told(services, "cart")

        await asyncio.gather(services["node1"].leave(), services["node2"].leave())

    asyncio.run(story())

    assert "cart is lost: node1 leaves the cluster" in capfd.readouterr().err


def test_a_child_of_a_supervisor_that_runs_does_not_move_either() -> None:
    async def story() -> None:
        services = cluster("node1")
        staff = await services["node1"].spawn(supervisor(name="staff"))

        with pytest.raises(UsageError, match="does not move"):
            await services["node1"].start_under(child(cart, name="cart", moves=True), staff)

    asyncio.run(story())
