"""What is left of clusters: processes, claimed ports, sockets, entries in the registry."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterlib.hosts.places import runtime_dir
from clusterlib.hosts.proc import MARKER
from clusterlib.hosts.registry import Registry
from tests.chaos.processes import MARK, Seen, everyone_with, look, socket_holders

__all__ = ["Finding", "around", "debris", "running_clusters", "survivors"]

CLAIM = "@clusterlib/port/"
LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that should not be there."""

    kind: str
    what: str
    process: Seen | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


# What a round can be blamed for.


def survivors(mark: str, folder: Path) -> list[Finding]:
    """Processes that the round started, or that work in its folder, except the runners."""
    return [Finding("process", str(seen), seen) for seen in everyone_with(MARK, mark, below=folder)]


def debris(mark: str, identifiers: Iterable[str], folder: Path, ports: range) -> list[Finding]:
    """What outlives processes: files in the runtime folder and in the registry, and claimed
    ports."""
    found = [*_dead_files(set(identifiers)), *_dead_entries(folder)]
    holders = socket_holders()
    for kind, what, inode in (*_claims(ports), *_listeners(ports)):
        who = [seen for seen in map(look, holders.get(inode, [])) if seen is not None]
        if who and not any(_is_of(seen, mark, folder) for seen in who):
            continue  # somebody else's: another run on the same machine
        if not who and not _still_there(kind, ports, inode):
            continue  # it went while we looked
        found.append(Finding(kind, f"{what}, held by {', '.join(map(str, who)) or 'nobody we can see'}"))
    return found


def _is_of(seen: Seen, mark: str, folder: Path) -> bool:
    return any(seen.pid == other.pid for other in everyone_with(MARK, mark, below=folder))


def _still_there(kind: str, ports: range, inode: int) -> bool:
    now = _claims(ports) if kind == "claim" else _listeners(ports)
    if not any(seen == inode for _, _, seen in now):
        return False
    return inode not in socket_holders()


def _dead_files(identifiers: set[str]) -> Iterator[Finding]:
    """Control sockets of these clusters; whoever asks knows that none of them runs."""
    for path in runtime_dir().glob("*.sock"):
        if path.stem in identifiers:
            yield Finding("socket file", str(path))


def _dead_entries(folder: Path) -> Iterator[Finding]:
    for entry in Registry().entries():
        if Path(entry.project).is_relative_to(folder):
            yield Finding(
                "registry entry", f"cluster {entry.name!r} of {entry.project}, keeper {entry.keeper.pid}"
            )


# What anybody can be blamed for: `--look`.


def around() -> list[Finding]:
    """Everything of ours on this machine that belongs to no running cluster."""
    living = {entry.marker for entry in Registry().entries() if not entry.dead()}
    found = [
        Finding("process", str(seen), seen) for seen in everyone_with(MARKER) if seen.marker not in living
    ]
    found += [
        Finding("registry entry", f"cluster {entry.name!r} of {entry.project}, its keeper is dead")
        for entry in Registry().entries()
        if entry.dead()
    ]
    found += [
        Finding("socket file", f"{path}, nobody listens")
        for path in runtime_dir().glob("*.sock")
        if not _answers(path)
    ]
    found += [
        Finding("boot log", f"{path}, of a keeper that is gone")
        for path in runtime_dir().glob("*.boot")
        if not everyone_with(MARKER, path.stem)
    ]
    return found


def running_clusters() -> list[str]:
    return [
        f"cluster {entry.name!r} of {entry.project} (keeper {entry.keeper.pid})"
        for entry in Registry().entries()
        if not entry.dead()
    ]


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


# What the kernel knows.


def _claims(ports: range) -> Iterator[tuple[str, str, int]]:
    """Abstract sockets that claim a port of the range."""
    for line in _lines("/proc/net/unix"):
        fields = line.split()
        if len(fields) < 8 or not fields[7].startswith(CLAIM):
            continue
        with contextlib.suppress(ValueError):
            if int(fields[7].rpartition("/")[2]) in ports:
                yield "claim", fields[7], int(fields[6])


def _listeners(ports: range) -> Iterator[tuple[str, str, int]]:
    for line in (*_lines("/proc/net/tcp"), *_lines("/proc/net/tcp6")):
        fields = line.split()
        if len(fields) < 10 or fields[3] != LISTENING:
            continue
        port = int(fields[1].rpartition(":")[2], 16)
        if port in ports:
            yield "listener", f"port {port}", int(fields[9])


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except OSError:
        return []
