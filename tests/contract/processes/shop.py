"""The code of nodes with processes, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusterlib.messages.codec import revive
from clusterlib.messages.processes import MemberView, ProcessDetail, ProcessesOfNode
from clusterlib.waiting import Deadline, poll
from tests.contract.node_grid import PATIENCE, Grid

__all__ = ["SHOP", "UNHURRIED", "act", "children", "detail", "listed", "look", "on", "until"]

UNHURRIED = 5.0
"""Seconds of silence after which a node counts as lost: a slow machine does not make one."""
SHOP = """
import asyncio, sys, time
from clusterlib.runtime import this_node
from clusterlib.runtime.processes import ProcessDown, Leaving, LinkDown, child, supervisor

seen = {}

async def cart(box, owner, *first):
    items = list(first)
    async for message in box:
        match message:
            case ("add", item):
                items.append(item)
            case "items":
                box.reply((owner, items))
            case "where":
                box.reply(this_node().name)
            case "fail":
                raise ValueError("the cart fell over")
            case "close":
                return

async def moving_cart(box, owner, items=()):
    items = list(items)
    async for message in box:
        match message:
            case ("add", item):
                items.append(item)
            case "items":
                box.reply((owner, items))
            case Leaving():
                box.hand_over(owner, items)
                return

async def broken(box):
    raise ValueError("it is broken")

async def exiting(box):
    async for message in box:
        sys.exit(3)

async def silent(box):
    async for message in box:
        seen["asked"] = True

def was_asked():
    return seen.get("asked", False)

async def stubborn(box):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def counter(box):
    number = 0
    seen["ticks"] = 0
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.001)
        seen["ticks"] += 1
        seen["pause"] = max(seen.get("pause", 0.0), time.monotonic() - last)
        last = time.monotonic()

async def watcher(box, target, how):
    processes = this_node().processes
    if how == "trap":
        processes.trap()
    found = processes.monitor(target) if how == "monitor" else processes.link(target)
    heard = []
    async for message in box:
        match message:
            case ProcessDown(process, reason) | LinkDown(process, reason):
                heard.append((type(message).__name__, str(process), reason))
            case "heard":
                box.reply(heard)

def spawn(target, *args, **how):
    return str(this_node().processes.spawn(target, *args, **how))

def supervise(strategy, restarts=5):
    carts = [child(cart, name, name=name) for name in ("one", "two", "three")]
    shop = supervisor(*carts, name="shop", strategy=strategy, restarts=restarts)
    return str(this_node().processes.start(shop, node="node1"))

def send(target, message):
    this_node().processes.send(target, message)

def ask(target, message, timeout=10):
    return this_node().processes.ask(target, message, timeout)

def find(name):
    found = this_node().processes.find(name)
    return str(found) if found else None

def names():
    return {name: str(process) for name, process in this_node().processes.names().items()}

def ticks():
    return seen["ticks"]

def pause_in_ticks():
    return seen["pause"]

def kill(target, **how):
    this_node().processes.kill(target, **how)

async def spawn_wrongly():
    return this_node().processes.spawn("shop:cart", "ann")

async def spawn_async(name):
    processes = this_node().processes
    await processes.spawn_async("shop:cart", "ann", name=name)
    return await processes.ask_async(name, "items")
"""


def on(grid: Grid, node: str, function: str, /, *args: Any, **kwargs: Any) -> Any:
    return grid[node].client.call(f"shop:{function}", args, kwargs)


def until(condition: Callable[[], Any], expected: Any) -> None:
    last = poll(lambda: condition() == expected or None, Deadline(PATIENCE))
    assert last, f"{condition()!r} instead of {expected!r}"


def look(grid: Grid, asked: str, verb: str, /, **arguments: Any) -> Any:
    return grid[asked].client.ask("processes", (verb, arguments))


def act(grid: Grid, asked: str, verb: str, /, **arguments: Any) -> Any:
    return grid[asked].client.ask("do processes", (verb, arguments))


def children(grid: Grid) -> dict[str, tuple[str | None, int]]:
    """The children of the first supervisor of node1: their ids and restarts."""
    root = revive(MemberView, look(grid, "node1", "tree"))
    return {str(one.name): (one.id, one.restarts) for one in root.children[0].children}


def listed(grid: Grid, node: str) -> ProcessesOfNode:
    return revive(ProcessesOfNode, look(grid, node, "list", order="work", limit=1000, matching=None))


def detail(grid: Grid, node: str, target: str) -> ProcessDetail:
    return revive(ProcessDetail, look(grid, node, "detail", target=target))
