"""The running clusters of this user, one file for each, and the clean-up of clusters whose keeper
and guard died."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import StartError
from clusterlib.frozen import frozen
from clusterlib.hosts import proc
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.places import (
    lock_for_us,
    open_lock,
    read_private,
    remove_socket,
    runtime_dir,
    write_private,
)
from clusterlib.messages.codec import plain, revive
from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.hosts.containment import Containment

__all__ = [
    "RegisteredCluster",
    "Registry",
    "Swept",
    "end_family",
    "register",
    "sweep_leftovers",
    "unregister",
]

SWEEP_SECONDS = 5.0
NONSENSE = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""Exceptions from reading a file that is not an entry of ours."""
LARGEST_ENTRY = 64 * 2**10
"""Bytes: names and two paths take much less."""
GUARD_SECONDS = 6.0
"""A guard whose keeper has died has this long for its own sweep."""


@frozen
class RegisteredCluster:
    """One running cluster of this user."""

    marker: str
    identifier: str
    name: str
    project: str
    control: str
    run: str
    keeper: Identity
    guard: Identity

    def dead(self) -> bool:
        """Whether its keeper is gone.

        If it is not visible (another container), its socket is tested.
        """
        if self.keeper.foreign:
            return not _answers(Path(self.control))
        return not self.keeper.alive()

    @classmethod
    def from_json(cls, text: str | bytes) -> RegisteredCluster:
        return revive(cls, json.loads(text))

    def to_json(self) -> str:
        return json.dumps(plain(self), indent=1)


class Registry:
    """One file for each running cluster of this user, written by its keeper, and removed by
    whichever process cleans up."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or runtime_dir()) / "clusters"

    def add(self, entry: RegisteredCluster) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_private(self._path(entry.marker), entry.to_json())

    def remove(self, marker: str) -> None:
        self._path(marker).unlink(missing_ok=True)

    def entries(self) -> list[RegisteredCluster]:
        """Everything registered, dead or alive. Invalid files are not ours, and are skipped."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(*NONSENSE):
                found.append(RegisteredCluster.from_json(read_private(path, LARGEST_ENTRY)))
        return found

    def knows(self, entry: RegisteredCluster) -> bool:
        return self._path(entry.marker).exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One sweeper at a time; the kernel frees the lock."""
        path = self._folder / "lock"
        descriptor = open_lock(path)
        try:
            lock_for_us(descriptor, path)
            yield
        finally:
            os.close(descriptor)

    def _path(self, marker: str) -> Path:
        return self._folder / f"{marker}.json"


def register(
    marker: str,
    *,
    identifier: str,
    name: str,
    project: str,
    control: Path,
    run: Path,
    containment: Containment,
) -> None:
    """Called by the keeper, before it starts anything."""
    keeper, guard = containment.keeper(), containment.guard()
    if keeper is None or guard is None:
        raise StartError("the guard of this keeper is gone", cause="it was killed while the keeper started")
    Registry().add(
        RegisteredCluster(marker, identifier, name, project, str(control), str(run), keeper, guard)
    )


def unregister(marker: str) -> None:
    Registry().remove(marker)


def _answers(control: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(control))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True  # busy, or we may not connect: no proof of death
        return True


# What a power cut, or the death of keeper and guard together, left behind.


@frozen
class Swept:
    """A cluster whose keeper is dead, and what was found of it."""

    name: str
    project: str
    processes: tuple[proc.ProcessStatus, ...]


def sweep_leftovers(registry: Registry | None = None) -> list[Swept]:
    """Ends what dead keepers left, and removes their entries. Living clusters, and processes
    without our marker, are never touched.

    Safe to call from many processes at once, and cheap if there is nothing to do."""
    registry = registry or Registry()
    swept = []
    for entry in registry.entries():
        if not entry.dead():
            continue
        poll(partial(_will_not_sweep, entry.guard), Deadline(GUARD_SECONDS))
        with registry.locked():
            if not registry.knows(entry):
                continue  # its guard, or another sweeper, was faster
            killed = () if entry.keeper.foreign else end_family([entry.guard], entry.marker)
            remove_socket(Path(entry.control))
            registry.remove(entry.marker)
        swept.append(Swept(entry.name, entry.project, tuple(killed)))
    return swept


def _will_not_sweep(guard: Identity) -> bool:
    return guard.stopped or not guard.alive()


def end_family(parents: Iterable[Identity], marker: str | None = None) -> list[proc.ProcessStatus]:
    """Ends keeper and guard, or what is left of them, and all that belongs to their cluster.
    Returns what was ended.

    First comes everything below them: they have adopted processes that have lost their parent. If
    they ended first, a process without a marker could not be identified any more. They are stopped
    meanwhile, so that they start nothing."""
    deadline = Deadline(SWEEP_SECONDS)
    killed: list[proc.ProcessStatus] = []
    for parent in parents:
        if parent.kill(signal.SIGSTOP):
            killed += proc.end_all(partial(proc.descendants, parent.pid), deadline)
            killed += proc.end_all(partial(_itself, parent), deadline)
    if marker is not None:
        killed += proc.end_all(partial(_marked_others, marker), deadline)
    return killed


def _itself(process: Identity) -> list[proc.ProcessStatus]:
    seen = proc.status(process.pid)
    return [seen] if seen is not None and process.alive() else []


def _marked_others(marker: str) -> list[proc.ProcessStatus]:
    me = os.getpid()
    return [seen for seen in proc.marked(marker) if seen.pid != me]
