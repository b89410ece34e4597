"""One cluster of a name at a time: a file lock that keeper and guard hold together; the kernel frees it when both are gone.

The file says which cluster it is, and which processes hold it: one that is paused before it is known otherwise, or after
it is forgotten, can still be ended."""

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

__all__ = ["ClusterLock", "note_holder"]

MOST_READ = 16384


class ClusterLock:
    """The right to run the cluster of that identifier."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Takes the lock if it is free. A descriptor inherited by a child keeps it taken when we are gone."""
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
                os.ftruncate(descriptor, 0)  # it told of the last holders
                self._descriptor = descriptor
                return True
            os.close(
                descriptor
            )  # its last holder removed the file while we opened it: this lock protects nothing

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
        """Closes our descriptor; whoever inherited it holds on."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Removes the file where the lock is free: it only says what is over."""
        if self.take():
            self.path.unlink(missing_ok=True)
            self.let_go()

    def note(self, project: Path, name: str) -> None:
        """Says which cluster it is."""
        _append(self.descriptor, {"project": str(project), "name": name})

    def name_in(self, project: Path) -> str | None:
        """The name of the cluster, where it is one of that project."""
        for line in self._lines():
            if line.get("project") == str(project):
                return str(line["name"])
        return None

    def holders(self) -> list[Identity]:
        """Keeper and guard, those that live. Processes of another container cannot be seen from here."""
        from clusterlib.hosts.identity import Identity

        found = []
        for line in self._lines():
            with contextlib.suppress(KeyError, ValueError, TypeError, OverflowError):
                found.append(Identity.from_dict(line))
        return [one for one in found if one.alive()]

    def _lines(self) -> Iterator[dict[str, Any]]:
        """A line that makes no sense is one that is being written, or was when its writer died."""
        import json

        try:
            text = read_private(self.path, MOST_READ)
        except (OSError, ValueError):
            return
        for line in text.splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                told = json.loads(line)
                if isinstance(told, dict):
                    yield told

    def is_free(self) -> bool:
        """Asked with a shared lock, so that those who ask are not taken for one who holds it."""
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
        """Waits until the lock is free; or until those who held it are gone, as the next may have it already."""

        def gone() -> bool:
            return self.is_free() or (bool(holders) and not any(holder.alive() for holder in holders))

        return poll(gone, deadline, longest=0.02)


def note_holder(descriptor: int, holder: Identity | None) -> None:
    """Adds a process to those that hold the lock of this descriptor."""
    if holder is not None:
        _append(descriptor, holder.to_dict())


def _append(descriptor: int, line: Mapping[str, Any]) -> None:
    import json

    with contextlib.suppress(OSError):  # on a full disk the lock still locks
        os.write(descriptor, json.dumps(line).encode() + b"\n")
