"""A project with functions that are the targets of loads."""

from __future__ import annotations

from pathlib import Path

import pytest

SHOP = """
import asyncio
import os
import sys

sold = []


def sell(item):
    sold.append(item)


def count():
    return len(sold)


def order(node):
    node.call("shop:sell", "tea")


def nowhere():
    pass


async def soon(node):
    await asyncio.sleep(0)
    if node.name == "node2":
        raise ValueError("node2 has no tea")


def leaving(node):
    sys.exit("no tea left")


async def leaving_soon(node):
    sys.exit("no tea left")


async def cancelled(node):
    raise asyncio.CancelledError


async def ending_the_loop(node):
    if node.name == "node2":
        asyncio.get_running_loop().call_soon(sys.exit, "no tea left")
    await asyncio.sleep(3600)


async def at_once(node):
    pass


async def never(node):
    await asyncio.sleep(3600)


def greeted(node):
    print("hello from", os.getpid())


def other(node, count):
    pass


not_a_function = 5
"""


@pytest.fixture
def shop(project: Path) -> Path:
    (project / "shop.py").write_text(SHOP)
    return project
