"""Allows one cluster of a name at a time, with a file lock that keeper and guard hold together.

The kernel frees the lock when both are gone. The file contains the name of the cluster and the
processes that hold it. So a process can be ended even if it was paused before it was registered or
after it was removed from the registry."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.hosts.places import open_lock, read_private
from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.hosts.identity import Identity

__all__ = ["ClusterLock", "lock_of", "note_holder"]

MOST_READ = 16384


class ClusterLock:
    """The lock for running the cluster with that identifier."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Takes the lock if it is free.

        A child that inherits the descriptor keeps the lock after our end.
        """
        if self._descriptor is not None:
            return True
        while True:
            descriptor = open_lock(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if self._is_current(descriptor):
                os.ftruncate(descriptor, 0)  # it described the last holders
                self._descriptor = descriptor
                return True
            os.close(
                descriptor
            )  # its last holder removed the file while we opened it, so this lock protects nothing

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    @property
    def descriptor(self) -> int:
        assert self._descriptor is not None, "the lock is not ours"
        return self._descriptor

    def let_go(self) -> None:
        """Closes our descriptor. A process that inherited it keeps the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Removes the file if the lock is free: its content is outdated."""
        if self.take():
            self.path.unlink(missing_ok=True)
            self.let_go()

    def note(self, project: Path, name: str) -> None:
        """Writes the name of the cluster into the file."""
        _append(self.descriptor, {"project": str(project), "name": name})

    def name_in(self, project: Path) -> str | None:
        """The name of the cluster, if it belongs to that project."""
        for line in self._lines():
            if line.get("project") == str(project):
                return str(line["name"])
        return None

    def holders(self) -> list[Identity]:
        """The living processes among keeper and guard.

        Processes of another container are not visible.
        """
        from clusterlib.hosts.identity import Identity
        from clusterlib.messages.codec import NotReadable, revive

        found = []
        for line in self._lines():
            with contextlib.suppress(NotReadable):
                found.append(revive(Identity, line))
        return [one for one in found if one.alive()]

    def _lines(self) -> Iterator[dict[str, Any]]:
        """An invalid line is being written, or its writer died while writing."""
        import json

        try:
            text = read_private(self.path, MOST_READ)
        except (OSError, ValueError):
            return
        for line in text.splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(line)
                if isinstance(record, dict):
                    yield record

    def is_free(self) -> bool:
        """Uses a shared lock, so that several checks at the same time do not see each other as
        holders.
        """
        try:
            descriptor = open_lock(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def wait_free(self, deadline: Deadline, holders: Collection[Identity] = ()) -> bool:
        """Waits until the lock is free, or until its holders are gone, since another process may
        have it already.
        """

        def gone() -> bool:
            return self.is_free() or (bool(holders) and not any(holder.alive() for holder in holders))

        return poll(gone, deadline, longest=0.02)


def note_holder(descriptor: int, holder: Identity | None) -> None:
    """Adds a process to the holders of the lock of this descriptor."""
    from clusterlib.messages.codec import plain

    if holder is not None:
        _append(descriptor, plain(holder))


def _append(descriptor: int, line: Mapping[str, Any]) -> None:
    import json

    with contextlib.suppress(OSError):  # the lock works on a full disk, too
        os.write(descriptor, json.dumps(line).encode() + b"\n")


def lock_of(project: Path, name: str) -> ClusterLock:
    """The lock of the cluster with this name."""
    from clusterlib.hosts.places import runtime_dir  # a keeper knows the path of its lock
    from clusterlib.rundir.folders import cluster_identifier

    return ClusterLock(runtime_dir() / f"{cluster_identifier(project, name)}.lock")
