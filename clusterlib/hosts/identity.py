"""The identity of a process.

A PID alone is never trusted: the start time and the boot belong to it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from clusterlib.frozen import frozen
from clusterlib.hosts import proc

__all__ = ["Identity", "pid_namespace"]


@frozen
class Identity:
    """One process. No other process at any time has the same identity."""

    pid: int
    started: float
    boot: str
    namespace: str = ""
    """The PID namespace of this PID; empty on systems without namespaces."""

    @classmethod
    def current(cls) -> Identity:
        found = cls.of(os.getpid())
        assert found is not None, "a process sees itself"
        return found

    @classmethod
    def of(cls, pid: int, *, proc_path: str = "/proc", namespace: str | None = None) -> Identity | None:
        """The process that has this PID now; None if there is none."""
        seen = proc.status(pid, proc_path)
        if seen is None or not seen.alive:
            return None
        return cls(pid, seen.started, boot_id(), pid_namespace() if namespace is None else namespace)

    @property
    def foreign(self) -> bool:
        """Whether it lives outside of our view: in another container that shares our files."""
        return self.boot == boot_id() and self.namespace != pid_namespace()

    def alive(self) -> bool:
        """Whether exactly this process lives; a zombie does not.

        A foreign process is not visible, so it counts as dead.
        """
        return not self.foreign and Identity.of(self.pid) == self

    @property
    def stopped(self) -> bool:
        """Whether exactly this process is paused, so that it is useless to wait for it."""
        seen = proc.status(self.pid)
        return seen is not None and seen.state in {"T", "t"} and self.alive()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Signals exactly this process, or none. Returns whether it existed."""
        if not self.alive():
            return False
        seen = proc.ProcessStatus(self.pid, "", "R", 0, self.started)
        descriptor = proc.kill(seen, number)
        if descriptor is not None:
            os.close(descriptor)
        return True


def boot_id() -> str:
    """Identifies a boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except FileNotFoundError:
        import psutil

        return str(psutil.boot_time())


def pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
