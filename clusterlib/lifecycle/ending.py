"""How a cluster ends when its keeper may not be able to: asked first, then ended by its identity, and verified."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from clusterlib.errors import KeeperLost, LeftBehind
from clusterlib.hosts.places import socket_path
from clusterlib.hosts.registry import Entry, Registry, sweep_leftovers
from clusterlib.lifecycle.client import KeeperClient
from clusterlib.lifecycle.folders import cluster_identifier
from clusterlib.lifecycle.lock import ClusterLock
from clusterlib.lifecycle.start import cluster_name, lock_of, project_folder
from clusterlib.waiting import Deadline, poll

__all__ = ["Ending", "take_down"]

ANSWER_SECONDS = 5.0
BOOT_SECONDS = 10.0
GUARD_SECONDS = 7.0
DEATH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
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
    forced = None
    try:
        _ask(folder, called, lock)
    except KeeperLost as error:
        forced = error.cause or error.problem
        _end_keepers(identifier)
    if not _guard_lets_go(identifier, lock):
        forced = forced or "the keeper ended, but its guard did not; it may be paused"
        _end_guards(identifier)
    if not lock.wait_free(Deadline(DEATH_SECONDS)):
        raise LeftBehind(
            f"cluster '{called}' was told to end, but its keeper is still there",
            cause=forced,
            remedies=["invoke cluster.status", "invoke cluster.clean"],
        )
    sweep_leftovers()
    return Ending(called, was_running=True, forced=forced)


def _ask(project: Path, name: str, lock: ClusterLock) -> None:
    identifier = cluster_identifier(project, name)
    control = socket_path(identifier)
    if any(entry.keeper.stopped for entry in _entries(identifier)):
        raise KeeperLost(f"the keeper of cluster '{name}' does not answer", cause="it is paused")
    # A keeper that boots has the lock already, and listens a moment later. There it is told at once.
    poll(
        lambda: control.exists() or lock.is_free() or any(one.dead() for one in _entries(identifier)),
        Deadline(BOOT_SECONDS),
    )
    if lock.is_free():
        return
    client = KeeperClient.connect(control, name)
    try:
        status = client.request("status", seconds=ANSWER_SECONDS)
        client.request("down", seconds=float(status["timeouts"]["stop"]) + 15.0)
    finally:
        client.close()


def _end_keepers(identifier: str) -> None:
    """SIGKILL to the keeper: its containment takes all it kept along, and its guard tidies up."""
    for entry in _entries(identifier):
        entry.keeper.kill(signal.SIGKILL)


def _guard_lets_go(identifier: str, lock: ClusterLock) -> bool:
    """Whether the guard has buried the keeper. It takes a moment to do so; one that is paused never will."""
    poll(
        lambda: lock.is_free() or any(entry.guard.stopped for entry in _entries(identifier)),
        Deadline(GUARD_SECONDS),
    )
    return lock.is_free()


def _end_guards(identifier: str) -> None:
    for entry in _entries(identifier):
        entry.keeper.kill(signal.SIGKILL)
        entry.guard.kill(signal.SIGKILL)


def _entries(identifier: str) -> list[Entry]:
    return [entry for entry in Registry().entries() if entry.identifier == identifier]
