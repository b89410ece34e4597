"""Finds the owner of a listening TCP port, from the kernel's table of sockets and the open files of
processes.

Linux only. On other systems, and if the files of a process may not be read, the owner is unknown.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Sequence
from enum import Enum

from clusterlib.errors import PortTaken
from clusterlib.frozen import frozen
from clusterlib.hosts import proc
from clusterlib.remedies import do

__all__ = ["Listener", "Owner", "listener_of", "port_taken"]

LISTENING = b"0A"
WORD = 4
MAPPED = b"\0" * 10 + b"\xff" * 2
"""The prefix of IPv4 addresses in IPv6: servers that use both write their addresses like this."""


class Owner(Enum):
    NONE = "nothing listens"
    NODE = "a process of the node"
    STRANGER = "another process"
    UNKNOWN = "not verified"


@frozen
class Listener:
    owner: Owner
    who: str = ""
    """The other process, as far as it is visible."""


def listener_of(address: str, port: int, pids: Sequence[int], everybody: str = "/proc") -> Listener:
    """Whether one of these processes accepts connections on this port.

    Another process is searched in the /proc `everybody`."""
    if not proc.LINUX:
        return Listener(Owner.UNKNOWN)
    sockets = _listening(address, port)
    if not sockets:
        return Listener(Owner.NONE)
    readable = True
    for pid in pids:
        opened = _sockets_of(pid, sockets)
        if opened is None:
            readable = False
        else:
            sockets -= opened
        if not sockets:
            return Listener(Owner.NODE)
    if not readable:
        return Listener(Owner.UNKNOWN)
    return Listener(Owner.STRANGER, _describe(sockets, everybody))


def port_taken(node: str, address: str, port: int, stranger: Listener) -> PortTaken:
    """The message for the user of a node whose port another process has."""
    process = f" ({stranger.who})" if stranger.who else ""
    return PortTaken(
        f"{node} cannot have its port",
        cause=f"a process that is not of {node} listens on {address}:{port}{process}",
        remedies=[
            f"ss -ltnp  # who listens at {address}",
            "end that process, or "
            + do("cluster.down")
            + " and "
            + do("cluster.up")
            + ", which takes other ports",
        ],
    )


def _listening(address: str, port: int) -> set[int]:
    """The sockets (inodes) that accept connections to this address.

    The kernel prefers one on this address to one on all addresses."""
    ipv6 = ":" in address
    packed = socket.inet_pton(socket.AF_INET6 if ipv6 else socket.AF_INET, address)
    tables = [("tcp6", packed), ("tcp6", bytes(16))]
    if not ipv6:
        tables = [("tcp", packed), ("tcp6", MAPPED + packed), ("tcp", bytes(4)), ("tcp6", bytes(16))]
    found: dict[tuple[str, bytes], set[int]] = {}
    for table in dict.fromkeys(name for name, _ in tables):
        for at, number, inode in _entries(table):
            if number == port:
                found.setdefault((table, at), set()).add(inode)
    exact = [found.get(key, set()) for key in tables if any(key[1])]
    everywhere = [found.get(key, set()) for key in tables if not any(key[1])]
    return set().union(*exact) or next(filter(None, everywhere), set())


def _entries(table: str) -> Iterable[tuple[bytes, int, int]]:
    """Address, port and inode of each listening socket.

    They come first in the table, so the rest is not read."""
    try:
        with open(f"/proc/net/{table}", "rb") as lines:  # noqa: PTH123 - read while a node starts
            next(lines, None)
            for line in lines:
                fields = line.split(maxsplit=10)
                if fields[3] != LISTENING:
                    return
                address, _, port = fields[1].partition(b":")
                yield _in_order(address), int(port, 16), int(fields[9])
    except OSError:
        return


def _in_order(address: bytes) -> bytes:
    """The kernel writes each word in the byte order of the machine."""
    words = [int(address[start : start + 2 * WORD], 16) for start in range(0, len(address), 2 * WORD)]
    return b"".join(word.to_bytes(WORD, sys.byteorder) for word in words)


def _sockets_of(pid: int, wanted: set[int], path: str = "/proc") -> set[int] | None:
    """Those of these sockets that the process has open; None if we may not read this."""
    whole = f"{path}/{pid}"
    found = _open_in(whole, wanted)
    if not found and (folder := proc.folder_of(pid, path)) != whole:
        return _open_in(folder, wanted)
    return found


def _open_in(folder: str, wanted: set[int]) -> set[int] | None:
    """Those of these sockets that are open in this folder of a process or thread."""
    names = {f"socket:[{inode}]": inode for inode in wanted}
    found = set()
    try:
        for descriptor in os.listdir(f"{folder}/fd"):  # noqa: PTH208 - while a node starts
            try:
                target = os.readlink(f"{folder}/fd/{descriptor}")  # noqa: PTH115
            except FileNotFoundError:
                continue
            if target in names:
                found.add(names[target])
    except FileNotFoundError:
        return found
    except OSError:
        return None
    return found


def _describe(sockets: set[int], path: str) -> str:
    """The processes among all visible ones that have these sockets open."""
    owners = [pid for pid in proc.processes(path) if _sockets_of(pid, sockets, path)]
    return ", ".join(f"pid {pid}: {proc.command_line(pid, path)[:120]}" for pid in owners[:3])
