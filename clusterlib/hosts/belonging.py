"""Which processes belong to a node, and signals that take them all together, as the end of a machine would.

    keeper -+- node (the process that was started) -- whatever it starts
            +- orphans: their parent has ended, and the keeper, who adopts them, is their parent now

What lives below a node belongs to it. An orphan is known by a tag that it wears: the soft limit of its processor time as a
realtime process (RLIMIT_RTTIME), which is without effect at this height. It is inherited by every child, also by one that
leaves the session, clears its environment, closes all files or becomes another user, and anybody may read it. Only a process
that sets this limit itself loses it."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Callable, Collection, Iterator

from clusterlib.hosts import proc

__all__ = ["belonging", "children", "freeze", "new_tag", "signal_all", "wear"]

LOWEST_TAG = 1 << 62
"""In microseconds: 146,000 years."""
LIMIT = b"Max realtime timeout"
MOST_LOOKS = 100


def new_tag() -> int:
    return LOWEST_TAG + secrets.randbits(61)


def wear(tag: int) -> None:
    """From now on this process wears the tag, and all that it starts. Where the limit is used for real, it stays as it is."""
    if not proc.LINUX:
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    free = soft == resource.RLIM_INFINITY or soft >= LOWEST_TAG
    if free and hard == resource.RLIM_INFINITY:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_RTTIME, (tag, hard))


def wears(pid: int, tag: int) -> bool:
    for line in proc.read(f"/proc/{pid}/limits").splitlines():
        if line.startswith(LIMIT):
            return line[len(LIMIT) :].split()[0] == b"%d" % tag
    return False


def children(pid: int) -> list[int]:
    """Each thread has children of its own."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - asked again and again
    except OSError:
        return []
    told = b" ".join(proc.read(f"/proc/{pid}/task/{thread}/children") for thread in threads)
    return [int(one) for one in told.split()]


def belonging(leader: int | None, tag: int, keeper: int, known: Collection[int]) -> list[proc.Status]:
    """The living processes that belong to the node of this leader, but for the leader itself, those above before those below.

    Without a leader, which has ended, what it left. `known` are children of the keeper that are nobody's orphans."""
    if not proc.LINUX:
        return [] if leader is None else proc.descendants(leader)
    found = [] if leader is None else [pid for pid in _below(leader) if pid != leader]
    orphans = [pid for pid in children(keeper) if pid != leader and pid not in known]
    for orphan in orphans:
        found += _tagged(orphan, tag)
    return [seen for seen in map(proc.status, found) if seen is not None and seen.alive]


def _below(pid: int) -> Iterator[int]:
    unseen = [pid]
    while unseen:
        one = unseen.pop(0)
        yield one
        unseen += children(one)


def _tagged(orphan: int, tag: int) -> list[int]:
    """Those of this orphan and of what lives below it that wear the tag, each with all that lives below it."""
    if wears(orphan, tag):
        return list(_below(orphan))
    return [found for child in children(orphan) for found in _tagged(child, tag)]


def signal_all(look: Callable[[], Collection[proc.Status]], number: int) -> list[proc.Status]:
    """Signals all that `look` finds, as one: they are stopped first, so that none reacts to the end of another, and none
    escapes by starting a new one meanwhile. Gives them back."""
    found = freeze(look)
    if number != signal.SIGSTOP:
        for seen in found:
            _send(seen, number)
    return found


def freeze(look: Callable[[], Collection[proc.Status]]) -> list[proc.Status]:
    """Stops all, until a look finds nobody new: who is stopped starts nothing. Not without end, where some cannot be stopped."""
    stopped: dict[tuple[int, float], proc.Status] = {}
    for _ in range(MOST_LOOKS):
        new = [seen for seen in look() if (seen.pid, seen.started) not in stopped]
        if not new:
            break
        for seen in new:
            stopped[seen.pid, seen.started] = seen
            _send(seen, signal.SIGSTOP)
    return list(stopped.values())


def _send(seen: proc.Status, number: int) -> None:
    descriptor = proc.kill(seen, number)
    if descriptor is not None:
        os.close(descriptor)
