"""Ends a cluster even if its keeper cannot: the keeper is asked first, then ended by its identity,
and this is verified."""

from __future__ import annotations

from pathlib import Path

from clusterlib.client.caller import caller_name
from clusterlib.client.connection import KILLING_SECONDS, KeeperClient
from clusterlib.client.start import cluster_name, lock_of, project_folder
from clusterlib.errors import ClusterError, KeeperLost, LeftBehind
from clusterlib.frozen import frozen
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.places import socket_path
from clusterlib.hosts.registry import RegisteredCluster, Registry, end_family, sweep_leftovers
from clusterlib.messages.requests import Down, StatusRequest
from clusterlib.remedies import do
from clusterlib.rundir.folders import cluster_identifier
from clusterlib.rundir.lock import ClusterLock
from clusterlib.waiting import Deadline, poll

__all__ = ["Ending", "take_down"]

ANSWER_SECONDS = 5.0
STOP_SECONDS = 60.0
"""The time for nodes to stop if their profile is not known."""
BOOT_SECONDS = 10.0
GUARD_SECONDS = 7.0
DEATH_SECONDS = 10.0


@frozen
class Ending:
    """The result: whether there was a cluster, and whether its keeper had to be killed."""

    name: str
    was_running: bool
    forced: str | None = None
    """Why the keeper could not end the cluster itself; None if it did."""


def take_down(name: str | None = None, *, project: Path | str | None = None) -> Ending:
    """Ends the cluster of that name, in any state. Returns when its processes are gone."""
    folder, called = project_folder(project), cluster_name(name)
    lock = lock_of(folder, called)
    if lock.is_free():
        sweep_leftovers()
        return Ending(called, was_running=False)
    identifier = cluster_identifier(folder, called)
    control = socket_path(identifier)
    _await_boot(identifier, control, lock)
    # Only these: the name may have its next cluster before we are done.
    doomed = _Doomed(tuple(_entries(identifier)), tuple(lock.holders()))
    forced = None
    try:
        if not lock.is_free():
            _ask(called, control, doomed)
    except KeeperLost as error:
        forced = error.cause or error.problem
        doomed.force()
    if not _guard_lets_go(doomed, lock):
        forced = forced or "the keeper ended, but its guard did not; it may be paused"
        doomed.end()
    if not lock.wait_free(Deadline(DEATH_SECONDS), doomed.processes):
        raise LeftBehind(
            f"cluster '{called}' was asked to end, but its keeper still runs",
            cause=forced,
            remedies=[do("cluster.status"), do("cluster.clean")],
        ).of_cluster(called)
    sweep_leftovers()
    return Ending(called, was_running=True, forced=forced)


@frozen
class _Doomed:
    """A cluster that is to be ended: its registry entries, and the holders of its lock.

    A cluster has its lock before and after it is registered."""

    entries: tuple[RegisteredCluster, ...]
    holders: tuple[Identity, ...]

    @property
    def processes(self) -> list[Identity]:
        """Keeper and guard, as far as they are visible."""
        registered = [one for entry in self.entries for one in (entry.keeper, entry.guard)]
        return [one for one in dict.fromkeys((*registered, *self.holders)) if not one.foreign]

    @property
    def guard_paused(self) -> bool:
        """In that case nothing cleans up.

        Among processes that are not registered, the guard is unknown.
        """
        guards = [entry.guard for entry in self.entries] or self.processes
        return any(guard.stopped for guard in guards)

    @property
    def guard_can_tidy(self) -> bool:
        guards = [entry.guard for entry in self.entries]
        return bool(guards) and all(guard.alive() and not guard.stopped for guard in guards)

    def force(self) -> None:
        """Ends the keeper and what it has adopted. Its guard cleans up, if there is one that can.

        Processes below the keeper are not left to the guard, which may die at the same moment.
        """
        if self.guard_can_tidy:
            end_family(entry.keeper for entry in self.entries)
        else:
            self.end()

    def end(self) -> None:
        end_family(self.processes)
        for entry in self.entries:
            if not entry.keeper.foreign:
                end_family((), entry.marker)


def _await_boot(identifier: str, control: Path, lock: ClusterLock) -> None:
    """A keeper that boots has the lock already, and registers and listens a moment later.

    Then it is asked at once."""

    def met() -> bool:
        known = control.exists() or lock.is_free() or bool(_entries(identifier))
        return known or any(holder.stopped for holder in lock.holders())

    poll(met, Deadline(BOOT_SECONDS))


def _ask(name: str, control: Path, doomed: _Doomed) -> None:
    problem = f"the keeper of cluster '{name}' does not answer"
    if any(entry.keeper.stopped for entry in doomed.entries) or (not doomed.entries and doomed.guard_paused):
        raise KeeperLost(problem, cause="it is paused")
    if not doomed.entries and not control.exists():
        raise KeeperLost(problem, cause=f"it began, but was not ready to listen within {BOOT_SECONDS:g} s")
    poll(lambda: control.exists() or any(entry.dead() for entry in doomed.entries), Deadline(ANSWER_SECONDS))
    client = KeeperClient.connect(control, name)
    try:
        client.ask(Down(f"asked to, by {caller_name()}"), seconds=_stop_seconds(client) + KILLING_SECONDS)
    finally:
        client.close()


def _stop_seconds(client: KeeperClient) -> float:
    """A keeper of another version understands this request, even if it understands no other. One
    that cannot tell its status, because a driver fails, can end all the same."""
    try:
        return client.ask(StatusRequest(), seconds=ANSWER_SECONDS).timeouts.stop
    except KeeperLost:
        raise
    except ClusterError:
        return STOP_SECONDS


def _guard_lets_go(doomed: _Doomed, lock: ClusterLock) -> bool:
    """Whether the guard has finished the keeper's clean-up.

    This takes a moment; a paused guard never finishes."""

    def settled() -> bool:
        return lock.wait_free(Deadline(0), doomed.processes) or doomed.guard_paused

    poll(settled, Deadline(GUARD_SECONDS))
    return lock.wait_free(Deadline(0), doomed.processes)


def _entries(identifier: str) -> list[RegisteredCluster]:
    return [entry for entry in Registry().entries() if entry.identifier == identifier]
