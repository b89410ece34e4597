"""Which processes belong to a node, and signals for all of them together, like the end of a
machine.

    keeper -+- node (the process that was started) -- everything it starts
            +- orphans: their parent has ended, and the keeper, which adopts them, is their parent

Everything below a node belongs to it. An orphan is recognised by the tag of its node.

The kernel lists the children of a process, which is the quickest way to find them. A kernel without
these lists (CONFIG_PROC_CHILDREN) only shows the parent of each process, so all processes are read.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Collection, Iterator

from clusterlib.hosts import proc, tags
from clusterlib.waiting import Deadline

__all__ = ["belonging", "children", "freeze", "signal_all", "signal_one"]

CHILDREN = "children"
"""The file of each thread that lists its children."""
MOST_LOOKS = 100
"""The limit for a keeper whose children change all the time."""
FREEZE_SECONDS = 3.0

Look = Callable[[int], list[int]]
"""Returns the children of a process."""


def wears(pid: int, tag: int) -> bool:
    found = tags.worn(proc.read(f"/proc/{pid}/limits"))
    if found is not None:
        return found[1] == tag
    return f"{tags.VARIABLE}={tag}".encode() in proc.read(f"/proc/{pid}/environ").split(b"\0")


def children(pid: int) -> list[int]:
    return _look()(pid)


def _look() -> Look:
    return _listed if _kernel_lists(CHILDREN) else _by_their_parents()


@functools.cache
def _kernel_lists(file: str) -> bool:
    return os.path.exists(f"/proc/thread-self/{file}")  # noqa: PTH110 - while a node starts


def _by_their_parents() -> Look:
    """Reads all processes once."""
    found: dict[int, list[int]] = {}
    for seen in filter(None, map(proc.status, proc.processes())):
        found.setdefault(seen.parent, []).append(seen.pid)
    return lambda pid: found.get(pid, [])


def _listed(pid: int) -> list[int]:
    """Each thread has its own children."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - asked again and again
    except OSError:
        return []
    children = b" ".join(proc.read(f"/proc/{pid}/task/{thread}/{CHILDREN}") for thread in threads)
    return [int(one) for one in children.split()]


def belonging(leader: int | None, tag: int, keeper: int, known: Collection[int]) -> list[proc.ProcessStatus]:
    """The living processes of the node of this leader, without the leader, parents before children.

    Without a leader (it has ended): what it left behind. `known` are children of the keeper that
    are not orphans."""
    if not proc.LINUX:
        return [] if leader is None else proc.descendants(leader)
    found: list[int] = []
    for _ in range(MOST_LOOKS):
        look = _look()
        adopted = look(keeper)
        found = [] if leader is None else [pid for pid in _below(leader, look) if pid != leader]
        for orphan in adopted:
            if orphan != leader and orphan not in known:
                found += _tagged(orphan, tag, look)
        if children(keeper) == adopted:
            break
        # Otherwise a process may have ended meanwhile, and its child may have moved to the keeper.
    return [seen for seen in map(proc.status, found) if seen is not None and seen.alive]


def _below(pid: int, look: Look) -> Iterator[int]:
    unseen = [pid]
    while unseen:
        one = unseen.pop(0)
        yield one
        unseen += look(one)


def _tagged(orphan: int, tag: int, look: Look) -> list[int]:
    """Those that have the tag among this orphan and its descendants, each with all of its
    descendants."""
    if wears(orphan, tag):
        return list(_below(orphan, look))
    return [found for child in look(orphan) for found in _tagged(child, tag, look)]


def signal_all(look: Callable[[], Collection[proc.ProcessStatus]], number: int) -> list[proc.ProcessStatus]:
    """Signals all processes that `look` finds, and returns them.

    They are stopped first, so that none reacts to the end of another, and none escapes by starting
    a new one."""
    found = freeze(look)
    if number != signal.SIGSTOP:
        for seen in found:
            signal_one(seen, number)
    return found


def freeze(look: Callable[[], Collection[proc.ProcessStatus]]) -> list[proc.ProcessStatus]:
    """Stops all, until nothing new is found: a stopped process starts nothing.

    The number of rounds is limited, because some programs are faster."""
    stopped: dict[tuple[int, float], proc.ProcessStatus] = {}
    deadline = Deadline(FREEZE_SECONDS)
    while not deadline.passed:
        new = [seen for seen in look() if (seen.pid, seen.started) not in stopped]
        if not new:
            break
        for seen in new:
            stopped[seen.pid, seen.started] = seen
            signal_one(seen, signal.SIGSTOP)
    return list(stopped.values())


def signal_one(seen: proc.ProcessStatus, number: int) -> None:
    descriptor = proc.kill(seen, number)
    if descriptor is not None:
        os.close(descriptor)
