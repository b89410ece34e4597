"""Clusters whose nodes have processes, for tests of what every such kind of node must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import clusterlib
from clusterlib.waiting import Deadline, poll

__all__ = ["KINDS", "PATIENCE", "Shop", "until"]

PATIENCE = 20.0
CODE = '''
import time

from clusterlib.runtime import this_node
from clusterlib.runtime.processes import child, supervisor


async def cart(box, owner):
    items = []
    async for message in box:
        match message:
            case ("add", item):
                items.append(item)
            case "items":
                box.reply(items)
            case "fail":
                raise ValueError("the cart fell over")
            case ("block", seconds):
                time.sleep(seconds)


async def other(box):
    await box.take()


def open_shop():
    """A supervisor on node1 with two carts."""
    if this_node().name == "node1":
        carts = [child(cart, name, name=name) for name in ("ann", "bob")]
        this_node().processes.start(supervisor(*carts, name="shop", restarts=100), node="node1")


def moving(name):
    this_node().processes.spawn(cart, name, name=name, node=this_node().name, moves=True)


def items(name):
    return this_node().processes.ask(name, "items")
'''
PROFILE = 'extends = "dev"\n[python]\napp = "shop:open_shop"\n'


@dataclass(frozen=True)
class Shop:
    """A running cluster of three nodes. On node1 a supervisor has two children."""

    cluster: clusterlib.Cluster
    supervisor: str = "shop"
    children: tuple[str, ...] = ("ann", "bob")
    cart: str = "shop:cart"
    """A function that waits for messages."""
    arguments: tuple[str, ...] = ("carl",)
    other: str = "shop:other"
    """Another one, without arguments."""
    message: str = '("add", "tea")'
    failure: str = "fail"
    """A message that ends a cart with an error."""


Up = Callable[..., clusterlib.Cluster]


def embedded(project: Path, up: Up) -> Shop:
    return _of_python(project, up, simulate=False)


def simulated(project: Path, up: Up) -> Shop:
    return _of_python(project, up, simulate=True)


def _of_python(project: Path, up: Up, *, simulate: bool) -> Shop:
    (project / "shop.py").write_text(CODE)
    (project / "profiles").mkdir(exist_ok=True)
    (project / "profiles" / "shop.toml").write_text(PROFILE)
    return Shop(up("shop", nodes=3, simulate=simulate))


KINDS: dict[str, Callable[[Path, Up], Shop]] = {"embedded": embedded, "simulated": simulated}
"""Kinds of nodes that have processes; another kind is added here."""


def until(condition: Callable[[], bool]) -> None:
    assert poll(lambda: condition() or None, Deadline(PATIENCE))
