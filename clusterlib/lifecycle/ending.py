"""How a cluster ends when its keeper may not be able to: asked first, then ended by its identity, and verified."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path

from clusterlib.errors import KeeperLost, LeftBehind
from clusterlib.frozen import frozen
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.places import socket_path
from clusterlib.hosts.registry import Entry, Registry, sweep_leftovers
from clusterlib.lifecycle.client import KILLING_SECONDS, KeeperClient
from clusterlib.lifecycle.folders import cluster_identifier
from clusterlib.lifecycle.lock import ClusterLock
from clusterlib.lifecycle.start import cluster_name, lock_of, project_folder
from clusterlib.waiting import Deadline, poll

__all__ = ["Ending", "take_down"]

ANSWER_SECONDS = 5.0
BOOT_SECONDS = 10.0
GUARD_SECONDS = 7.0
DEATH_SECONDS = 10.0


@frozen
class Ending:
    """How it went: whether there was a cluster at all, and whether its keeper had to be forced."""

    name: str
    was_running: bool
    forced: str | None = None
    """Why the keeper could not end it itself; None where it did."""


def take_down(name: str | None = None, *, project: Path | str | None = None) -> Ending:
    """Ends the cluster of that name, whatever state it is in. Returns when its processes are really gone."""
    folder, called = project_folder(project), cluster_name(name)
    lock = lock_of(folder, called)
    if lock.is_free():
        sweep_leftovers()
        return Ending(called, was_running=False)
    identifier = cluster_identifier(folder, called)
    control = socket_path(identifier)
    _await_boot(identifier, control, lock)
    doomed = _entries(
        identifier
    )  # these and no others: the name may have its next cluster before we are done
    forced = None
    try:
        if not lock.is_free():
            _ask(called, control, doomed)
    except KeeperLost as error:
        forced = error.cause or error.problem
        _kill(entry.keeper for entry in doomed)  # its containment takes all along, and its guard tidies up
    if not _guard_lets_go(doomed, lock):
        forced = forced or "the keeper ended, but its guard did not; it may be paused"
        _kill(one for entry in doomed for one in (entry.keeper, entry.guard))
    if not lock.wait_free(Deadline(DEATH_SECONDS), _holders(doomed)):
        raise LeftBehind(
            f"cluster '{called}' was told to end, but its keeper is still there",
            cause=forced,
            remedies=["invoke cluster.status", "invoke cluster.clean"],
        )
    sweep_leftovers()
    return Ending(called, was_running=True, forced=forced)


def _await_boot(identifier: str, control: Path, lock: ClusterLock) -> None:
    """A keeper that boots has the lock already, and registers and listens a moment later. There it is told at once."""
    poll(lambda: control.exists() or lock.is_free() or bool(_entries(identifier)), Deadline(BOOT_SECONDS))


def _ask(name: str, control: Path, doomed: list[Entry]) -> None:
    if any(entry.keeper.stopped for entry in doomed):
        raise KeeperLost(f"the keeper of cluster '{name}' does not answer", cause="it is paused")
    poll(lambda: control.exists() or any(entry.dead() for entry in doomed), Deadline(ANSWER_SECONDS))
    client = KeeperClient.connect(control, name)
    try:
        status = client.request("status", seconds=ANSWER_SECONDS)
        client.request("down", seconds=float(status["timeouts"]["stop"]) + KILLING_SECONDS)
    finally:
        client.close()


def _guard_lets_go(doomed: list[Entry], lock: ClusterLock) -> bool:
    """Whether the guard has buried the keeper. It takes a moment to do so; one that is paused never will."""
    holders = _holders(doomed)

    def settled() -> bool:
        return lock.wait_free(Deadline(0), holders) or any(entry.guard.stopped for entry in doomed)

    poll(settled, Deadline(GUARD_SECONDS))
    return lock.wait_free(Deadline(0), holders)


def _kill(processes: Iterable[Identity]) -> None:
    for process in processes:
        process.kill(signal.SIGKILL)


def _holders(doomed: list[Entry]) -> list[Identity]:
    """Who holds the lock, as far as we can see them."""
    return [one for entry in doomed for one in (entry.keeper, entry.guard) if not one.foreign]


def _entries(identifier: str) -> list[Entry]:
    return [entry for entry in Registry().entries() if entry.identifier == identifier]
