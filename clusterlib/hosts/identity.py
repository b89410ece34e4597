"""Who a process is. A PID alone is never trusted: it goes with the start time and the boot."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlib.hosts import proc
from clusterlib.waiting import Deadline, poll

if TYPE_CHECKING:
    from clusterlib.hosts.places import Registry

__all__ = ["Identity", "Swept", "pid_namespace", "sweep_leftovers"]

SWEEP_SECONDS = 5.0
GUARD_SECONDS = 6.0
"""A guard whose keeper died is given this long to do the sweeping itself."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for ever: no other process at any time has the same."""

    pid: int
    started: float
    boot: str
    namespace: str = ""
    """The PID namespace in which the process has this PID; empty where there are none."""

    @classmethod
    def current(cls) -> Identity:
        found = cls.of(os.getpid())
        assert found is not None, "a process sees itself"
        return found

    @classmethod
    def of(cls, pid: int, *, proc_path: str = "/proc", namespace: str | None = None) -> Identity | None:
        """The process that has this PID now; None when there is none."""
        seen = proc.status(pid, proc_path)
        if seen is None or not seen.alive:
            return None
        return cls(pid, seen.started, boot_id(), pid_namespace() if namespace is None else namespace)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Identity:
        return cls(int(data["pid"]), float(data["started"]), str(data["boot"]), str(data["namespace"]))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def foreign(self) -> bool:
        """Whether it lives where we cannot look: in another container that shares our files."""
        return self.boot == boot_id() and self.namespace != pid_namespace()

    def alive(self) -> bool:
        """Whether that very process lives; a zombie does not. A foreign one cannot be seen, so: no."""
        return not self.foreign and Identity.of(self.pid) == self

    @property
    def stopped(self) -> bool:
        """Whether that very process is paused, so that there is no point in waiting for it."""
        seen = proc.status(self.pid)
        return seen is not None and seen.state in {"T", "t"} and self.alive()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Signals that very process, or nobody. Tells whether it was there."""
        if not self.alive():
            return False
        seen = proc.Status(self.pid, "", "R", 0, self.started)
        descriptor = proc.kill(seen, number)
        if descriptor is not None:
            os.close(descriptor)
        return True


def boot_id() -> str:
    """Tells one boot of the machine from another."""
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


# What a power cut, or the death of keeper and guard together, left behind.


@dataclass(frozen=True, slots=True)
class Swept:
    """A cluster whose keeper is dead, and what was found of it."""

    name: str
    project: str
    processes: tuple[proc.Status, ...]


def sweep_leftovers(registry: Registry | None = None) -> list[Swept]:
    """Ends what dead keepers left, and forgets them. What lives, and what lacks our marker, is never touched.

    Safe to call from many processes at once, and cheap when there is nothing to do."""
    from clusterlib.hosts import places

    registry = registry or places.Registry()
    swept = []
    for entry in registry.entries():
        if not entry.dead():
            continue
        poll(partial(_will_not_sweep, entry.guard), Deadline(GUARD_SECONDS))
        with registry.locked():
            if not registry.knows(entry):
                continue  # its guard, or another sweeper, was faster
            killed = () if entry.keeper.foreign else _end_marked(entry.marker)
            Path(entry.control).unlink(missing_ok=True)
            registry.remove(entry.marker)
        swept.append(Swept(entry.name, entry.project, tuple(killed)))
    return swept


def _will_not_sweep(guard: Identity) -> bool:
    return guard.stopped or not guard.alive()


def _end_marked(marker: str) -> list[proc.Status]:
    me = os.getpid()
    return proc.end_all(
        lambda: [seen for seen in proc.marked(marker) if seen.pid != me], Deadline(SWEEP_SECONDS)
    )
