"""One cluster of a name at a time: a file lock that keeper and guard hold together; the kernel frees it when both are gone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.hosts.identity import Identity

__all__ = ["ClusterLock"]


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
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if self._is_current(descriptor):
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

    def is_free(self) -> bool:
        """Asked with a shared lock, so that those who ask are not taken for one who holds it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
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
