"""Processes of embedded nodes: the busiest of many, a name that is seen elsewhere, a message."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.figures import Figures, Row

if TYPE_CHECKING:
    import clusterlib
    from bench.rows import Bench

__all__ = ["busiest", "messages", "names"]

SHOWN = 20
SIZES = (50, 10_000)
ASKED = 30
NAMED = 30
MESSAGES = 50_000
PATIENCE = 60.0
CODE = '''
import asyncio, heapq, time

from clusterlib.runtime import this_node


class Plain:
    """A process of which only what a table shows is known."""

    def __init__(self, number):
        self.row = {"id": f"node1.{number}", "function": "bench_shop:cart", "messages": 0, "work": number}


plain = []


async def cart(box):
    async for message in box:
        if message == "count":
            box.reply(box.taken)


def fill(count):
    processes = this_node().processes
    for _ in range(count - len(plain)):
        processes.spawn(cart, node=this_node().name)
        plain.append(Plain(len(plain)))


def busiest(count):
    return [one.row for one in heapq.nlargest(count, plain, key=lambda one: one.row["messages"])]


def claim(name):
    begin = time.monotonic()
    this_node().processes.spawn(cart, name=name, node=this_node().name)
    return begin


async def seen(name):
    processes = this_node().processes
    while processes.find(name) is None:
        await asyncio.sleep(0)
    return time.monotonic()


async def messages(count):
    processes = this_node().processes
    process = await processes.spawn_async(cart, node=this_node().name, room=count + 1)
    begin = time.perf_counter()
    for _ in range(count):
        processes.send(process, "add")
    await processes.ask_async(process, "count", timeout=60)
    return time.perf_counter() - begin


async def queued(count):
    queue = asyncio.Queue()

    async def take():
        for _ in range(count):
            await queue.get()

    taking = asyncio.create_task(take())
    begin = time.perf_counter()
    for _ in range(count):
        queue.put_nowait("add")
    await taking
    return time.perf_counter() - begin
'''


@contextmanager
def _cluster(bench: Bench, nodes: int) -> Iterator[clusterlib.Cluster]:
    import clusterlib

    (bench.project / "bench_shop.py").write_text(CODE)
    with clusterlib.up(
        "ci-small", name=f"bench-{os.getpid()}", nodes=nodes, project=bench.project
    ) as cluster:
        yield cluster
        cluster.down()


def busiest(bench: Bench) -> list[Row]:
    """From the question of a client to its answer, over a connection that it has already."""
    from clusterlib.messages.processes import ProcessOrder

    rows = []
    with _cluster(bench, 1) as cluster:
        node = cluster["node1"]

        def ours() -> object:
            return node.ask_processes(lambda calls: calls.busiest(ProcessOrder.MESSAGES, SHOWN, None, 10.0))

        for size in SIZES:
            node.call("bench_shop:fill", size, timeout=PATIENCE)
            mine, theirs = _in_turn(ours, lambda: node.call("bench_shop:busiest", SHOWN))
            rows.append(
                Row(
                    f"process-top-{size}",
                    f"the {SHOWN} busiest of {size:,} processes of an embedded node",
                    "ms",
                    Figures.of(mine),
                    None,
                    Figures.of(theirs),
                    "a remote call that chooses as many of a list of finished rows",
                )
            )
    return rows


def names(bench: Bench) -> list[Row]:
    """From the start of a process on one node until another one knows its name."""
    from concurrent.futures import ThreadPoolExecutor

    taken = []
    with _cluster(bench, 3) as cluster, ThreadPoolExecutor(1) as thread:
        for number in range(NAMED):
            name = f"cart:{number}"
            seen = thread.submit(cluster["node3"].call, "bench_shop:seen", name, timeout=PATIENCE)
            begin = cluster["node2"].call("bench_shop:claim", name)
            taken.append(max(0.0, seen.result() - begin) * 1000)
    what = "a process starts with a name: until another of 3 nodes knows it"
    return [Row("process-name", what, "ms", Figures.of(taken), None)]


def messages(bench: Bench) -> list[Row]:
    """Messages that a process sends to another one of its node."""
    ours, bare = [], []
    with _cluster(bench, 1) as cluster:
        for _ in range(bench.repeat):
            ours.append(cluster["node1"].call("bench_shop:messages", MESSAGES, timeout=PATIENCE))
            bare.append(cluster["node1"].call("bench_shop:queued", MESSAGES, timeout=PATIENCE))
    return [
        Row(
            "process-message",
            f"{MESSAGES:,} messages to a process of the same node",
            "ms",
            Figures.of([1000 * seconds for seconds in ours]),
            None,
            Figures.of([1000 * seconds for seconds in bare]),
            "as many through an asyncio.Queue",
        )
    ]


def _in_turn(*actions: Callable[[], object]) -> list[list[float]]:
    """Milliseconds of each, alternating."""
    taken: list[list[float]] = [[] for _ in actions]
    for action in actions:
        action()
    for _ in range(ASKED):
        for action, series in zip(actions, taken, strict=True):
            begin = time.perf_counter()
            action()
            series.append(1000 * (time.perf_counter() - begin))
    return taken
