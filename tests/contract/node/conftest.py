"""Nodes for the tests of their contract, each as a process and simulated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlib.runtime.client import NodeClient
from tests.contract.node_grid import Grid

SHOP = """
import asyncio, contextlib, logging, os, sys, threading
from clusterlib.runtime import this_node

together = threading.Barrier(50)
served = {}

class Cart:
    @staticmethod
    def total(*prices, factor=1):
        return factor * sum(prices)

class OutOfStock(Exception):
    def __init__(self, article, left):
        super().__init__(f"{article}: {left} left")
        self.article, self.left = article, left
    def __reduce__(self):
        return OutOfStock, (self.article, self.left)

class Stubborn(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.one = one

class Wordy(Exception):
    def __init__(self, article):
        super().__init__(f"there is no {article}")

class Locked(Exception):
    def __init__(self):
        super().__init__("locked")
        self.lock = threading.Lock()

def buy(article):
    raise OutOfStock(article, 0)

def sulk():
    raise Stubborn(1, 2)

def explain(article):
    try:
        {}[article]
    except KeyError as error:
        raise Wordy(article) from error

def lock_out():
    raise Locked

def meet():
    return together.wait(20)

def leave():
    sys.exit(3)

async def leave_later():
    await asyncio.sleep(0)
    raise KeyboardInterrupt

async def double(number):
    await asyncio.sleep(0)
    return 2 * number

def wait_for_ever(path):
    open(path, "w").close()
    threading.Event().wait()

async def await_for_ever(path):
    open(path, "w").close()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        open(path + ".cancelled", "w").close()
        raise

def lock():
    return threading.Lock()

def size(data):
    return len(data)

def make(count):
    return bytes(count)

def where():
    here = this_node()
    return here.name, here.cluster, here.simulated, here.members()

async def where_async():
    return where()

def ask(other):
    return this_node().call(other, "shop:where")[0]

def ask_code(other):
    return this_node().run(other, lambda: this_node().name)

async def ask_async(other):
    return await this_node().call_async(other, "shop:Cart.total", 1, 2)

async def ask_wrongly(other):
    return this_node().call(other, "shop:where")

def speak(text):
    print(text)
    print(text.upper(), file=sys.stderr)

def use_late():
    import late
    return late.VALUE

def open_shop():
    print("the shop opens")
    served["open"] = True

async def open_shop_later():
    await asyncio.sleep(0)
    served["open"] = True

def burn_down():
    raise RuntimeError("the shop burns")
"""


@pytest.fixture(scope="module", params=["real", "simulated"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def new_grid(mode: str, folder: Path) -> Grid:
    code = folder / "code"
    code.mkdir()
    (code / "shop.py").write_text(SHOP)
    (code / "late.py").write_text("VALUE = 1\n")
    return Grid(folder, code, simulated=mode == "simulated")


@pytest.fixture(scope="module")
def grid(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """Three nodes that nobody breaks."""
    grid = new_grid(mode, tmp_path_factory.mktemp(mode))
    try:
        grid.start(3)
        yield grid
    finally:
        grid.close()


@pytest.fixture
def fragile(mode: str, tmp_path: Path) -> Iterator[Grid]:
    """A grid for one test, not started yet."""
    grid = new_grid(mode, tmp_path)
    try:
        yield grid
    finally:
        grid.close()


@pytest.fixture
def client(grid: Grid) -> NodeClient:
    return grid["node1"].client
