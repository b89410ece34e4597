"""Finds what holds a port: a process, the cluster that claimed it, or connections that the kernel
still remembers."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from clusterlib.frozen import frozen
from clusterlib.remedies import do

__all__ = ["UNKNOWN", "Holder", "of_claims", "of_port", "of_ports"]


@frozen
class Holder:
    """What holds a port, in words, and the process to examine if one is visible."""

    what: str
    pid: int | None = None
    end: str | None = None
    """The command that ends the holder, if it is one of our clusters."""

    def __str__(self) -> str:
        return self.what


UNKNOWN: Final = Holder("a process that may not be looked at from here")
CLOSED: Final = frozenset({"TIME_WAIT", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK", "CLOSE"})


def of_port(address: str, port: int, *, proc: str = "/proc") -> str | None:
    """What holds the port: `pid 123 (redis-server), user x`. None if nothing does."""
    holder = of_ports(address, [port], proc=proc).get(port)
    return holder.what if holder else None


def of_ports(address: str, ports: Collection[int], *, proc: str = "/proc") -> dict[int, Holder]:
    """The holders of these ports. Ports without a holder are left out."""
    import psutil

    everyone = {address, "0.0.0.0", "::", f"::ffff:{address}"}  # noqa: S104 - compared, not bound
    processes: dict[int, Holder] = {}
    states: dict[int, list[str]] = {}
    with _looking_at(proc):
        for seen in psutil.net_connections("inet") if ports else []:
            if not seen.laddr or seen.laddr.ip not in everyone or seen.laddr.port not in ports:
                continue
            if seen.pid:
                processes.setdefault(seen.laddr.port, _process(seen.pid))
            else:
                states.setdefault(seen.laddr.port, []).append(seen.status)
    return {port: _without_process(found) for port, found in states.items()} | processes


def of_claims(names: Mapping[int, str], *, proc: str = "/proc") -> dict[int, Holder]:
    """The cluster, or else the process, that claimed each of these ports, by the names of their
    claims."""
    import psutil

    from clusterlib.hosts.registry import Registry

    wanted = {f"@{name}": port for port, name in names.items()}
    found: dict[int, Holder] = {}
    with _looking_at(proc):
        clusters = {entry.keeper.pid: entry for entry in Registry().entries()} if wanted else {}
        for seen in psutil.net_connections("unix") if wanted else []:
            port = wanted.get(str(seen.laddr))
            if port is None or not seen.pid:
                continue
            entry = clusters.get(seen.pid)
            if entry is not None:
                end = do("cluster.down", name=entry.name) + f"  # in {entry.project}"
                found[port] = Holder(f"cluster {entry.name} of {entry.project}", seen.pid, end)
            else:
                found.setdefault(port, _process(seen.pid))
    return found


def _process(pid: int) -> Holder:
    """The name and the user of a process.

    Not its command line, which may contain a password: evidence may be shown to others."""
    import psutil

    try:
        process = psutil.Process(pid)
        return Holder(f"pid {pid} ({process.name()}), user {process.username()}", pid)
    except psutil.Error:
        return Holder(f"pid {pid}", pid)


def _without_process(states: list[str]) -> Holder:
    if not CLOSED.issuperset(states):
        return UNKNOWN
    connections = "a closed connection" if len(states) == 1 else f"{len(states)} closed connections"
    return Holder(f"{connections} of a program that did not set SO_REUSEADDR; gone within a minute")


@contextlib.contextmanager
def _looking_at(proc: str) -> Iterator[None]:
    """Makes psutil read that /proc. Unreadable parts are left out of the answer."""
    import psutil

    usual, psutil.PROCFS_PATH = psutil.PROCFS_PATH, proc
    try:
        with contextlib.suppress(psutil.Error, OSError):
            yield
    finally:
        psutil.PROCFS_PATH = usual
