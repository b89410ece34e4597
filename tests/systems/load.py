"""A small load on a system while something is done to it, and what the system acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import clusterlib

__all__ = ["restarted_one_by_one_under_load"]

PATIENCE = 60.0


@contextmanager
def _load(write: Callable[[int], object]) -> Iterator[list[int]]:
    """Writes number after number; gives those that the system has taken."""
    taken: list[int] = []
    over = Event()

    def work() -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                write(number)
            except Exception:  # noqa: BLE001 - whoever it asked is away, which clients tell in many ways: nothing was promised
                over.wait(0.01)
            else:
                taken.append(number)

    writer = Thread(target=work)
    writer.start()
    try:
        yield taken
    finally:
        over.set()
        writer.join()


def restarted_one_by_one_under_load(cluster: clusterlib.Cluster, write: Callable[[int], object]) -> list[int]:
    """Restarts nodes one after another while numbers are written; gives the acknowledged
    numbers."""
    with _load(write) as taken:
        cluster.wait_until(lambda: len(taken) >= 10, PATIENCE, "numbers are written before it")
        cluster.restart(rolling=True)
        before = len(taken)
        cluster.wait_until(lambda: len(taken) >= before + 10, PATIENCE, "numbers are written after it")
    assert cluster.state == "ready"
    return taken
