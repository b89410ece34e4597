"""Ports that cannot race: machine-wide claims that the kernel frees, round-robin through their range.

A claim is an abstract Unix socket (Linux): no file, no TMPDIR, the same for all users, and its scope is the
network namespace, which is exactly the scope of a port. Elsewhere it is a file lock at a fixed place. Either
is gone with its holder, however that ends. A port that was released is used again only when its whole range
has had its turn, so that what lingers of an old cluster cannot meet a new one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from clusterlib.errors import PortsExhausted, UsageError

__all__ = ["AddressBlock", "Claim", "FileLock", "Lock", "PortAllocator", "holder_of", "take_claim"]

BLOCKS = ipaddress.ip_network("127.64.0.0/10")
BLOCK_COUNT = 1 << (24 - BLOCKS.prefixlen)
LOCK_FOLDER = Path("/tmp/clusterlib-locks")  # noqa: S108 - shared by all users on purpose, and sticky
MOST_HOLDERS_SHOWN = 3


class Lock(Protocol):
    def close(self) -> None: ...


class FileLock:
    """A claim where there are no abstract sockets."""

    def __init__(self, name: str, folder: Path = LOCK_FOLDER) -> None:
        if not folder.exists():
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                folder.chmod(0o1777)
        path = folder / name.replace("/", "_")
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def take_claim(name: str) -> Lock | None:
    """The machine-wide claim of that name, unless somebody has it."""
    try:
        if sys.platform != "linux":
            return FileLock(name)
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0clusterlib/{name}")
        except OSError:
            lock.close()
            raise
        return lock
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EAGAIN, errno.EACCES}:
            return None
        raise


class Claim:
    """A port that is ours on this machine until we close the claim or die."""

    def __init__(self, address: str, port: int, lock: Lock) -> None:
        self.address = address
        self.port = port
        self._lock = lock

    def listen(self, backlog: int = 512) -> socket.socket:
        """The port as a listening socket, for a node to inherit: nobody can come in between."""
        listener = _tcp(self.address)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.address, self.port))
            listener.listen(backlog)
        except OSError:
            listener.close()
            raise
        return listener

    def close(self) -> None:
        self._lock.close()

    def __repr__(self) -> str:
        return f"Claim({self.address}:{self.port})"


class AddressBlock:
    """A /24 of loopback addresses that is ours on this machine until we close it or die."""

    def __init__(self, number: int, lock: Lock) -> None:
        self._network = BLOCKS.network_address + (number << 8)
        self._lock = lock

    def address(self, index: int) -> str:
        """The address of the node of that index, counted from 1."""
        if not 1 <= index <= 254:
            raise UsageError(
                f"there is no address for node {index}",
                cause="the address mode per-node has room for 254 nodes",
                remedies=["set the address mode to shared"],
            )
        return str(self._network + index)

    def close(self) -> None:
        self._lock.close()

    def __repr__(self) -> str:
        return f"AddressBlock({self._network}/24)"


class PortAllocator:
    """Hands out claims. `state_dir` is where this user's turns are remembered, `proc` the /proc users are
    seen in."""

    def __init__(self, state_dir: Path, *, proc: str = "/proc") -> None:
        self._state = state_dir
        self._proc = proc

    def claim(self, address: str, first: int, last: int, avoid: Collection[int] = ()) -> Claim:
        """The next free port of the range. Raises PortsExhausted, which tells who has them."""
        if not 0 < first <= last <= 65535:
            raise UsageError(
                f"{first}-{last} is not a range of ports.", remedies=["use ports from 1024 to 65535"]
            )
        taken: list[int] = []
        claimed = 0
        with self._turns(f"ports-{first}-{last}", last - first + 1) as turns:
            for offset in turns:
                port = first + offset
                if port in avoid:
                    continue
                lock = take_claim(f"port/{address}/{port}")
                if lock is None:
                    claimed += 1
                elif _bindable(address, port):
                    return Claim(address, port, lock)
                else:
                    lock.close()
                    taken.append(port)
        raise self._exhausted(address, first, last, taken, claimed)

    def claim_exactly(self, address: str, port: int) -> Claim | None:
        """This very port, for one that follows from another; None where somebody has it."""
        if not 0 < port <= 65535:
            return None
        lock = take_claim(f"port/{address}/{port}")
        if lock is None:
            return None
        if _bindable(address, port):
            return Claim(address, port, lock)
        lock.close()
        return None

    def claim_block(self) -> AddressBlock:
        """A block of loopback addresses for the address mode per-node."""
        with self._turns("blocks", BLOCK_COUNT) as turns:
            for number in turns:
                lock = take_claim(f"block/{number}")
                if lock is None:
                    continue
                block = AddressBlock(number, lock)
                if _bindable(block.address(1), 0):
                    return block
                block.close()
                raise PortsExhausted(
                    f"{block.address(1)} cannot be bound on this machine",
                    cause="only Linux has all of 127.0.0.0/8 on its loopback interface by itself",
                    remedies=[
                        "set the address mode to shared",
                        f"sudo ifconfig lo0 alias {block.address(1)}",
                    ],
                )
        raise PortsExhausted(
            "All blocks of loopback addresses are claimed.", remedies=["invoke cluster.status"]
        )

    @contextlib.contextmanager
    def _turns(self, name: str, count: int) -> Iterator[Iterator[int]]:
        """0..count-1, starting behind the one that had its turn last. One process of this user at a time."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._state / f"{name}.turn", flags, 0o600)
        reached = start = 0

        def turns() -> Iterator[int]:
            nonlocal reached
            for step in range(count):
                reached = (start + step) % count
                yield reached

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            text = os.pread(descriptor, 16, 0)
            start = int(text) % count if text.strip().isdigit() else 0
            yield turns()
            os.pwrite(descriptor, f"{(reached + 1) % count:<15d}".encode(), 0)
        finally:
            os.close(descriptor)

    def _exhausted(
        self, address: str, first: int, last: int, taken: list[int], claimed: int
    ) -> PortsExhausted:
        evidence = []
        for port in taken[:MOST_HOLDERS_SHOWN]:
            holder = holder_of(address, port, proc=self._proc)
            evidence.append(f"port {port}: {holder or 'in use, or cooling down after use'}")
        if len(taken) > MOST_HOLDERS_SHOWN:
            evidence.append(f"and {len(taken) - MOST_HOLDERS_SHOWN} more in use")
        if claimed:
            evidence.append(f"{claimed} claimed by running clusters")
        return PortsExhausted(
            f"no free port on {address} from {first} to {last}",
            cause=f"{len(taken)} are in use, {claimed} are claimed by running clusters",
            evidence=evidence,
            remedies=[
                "widen the range in the profile, under [ports]",
                f"ss -ltnp 'sport >= :{first} and sport <= :{last}'",
            ],
        )


def _bindable(address: str, port: int) -> bool:
    """Whether the port is really free, for TCP and for UDP, and not cooling down: so without SO_REUSEADDR."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _tcp(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)


def holder_of(address: str, port: int, *, proc: str = "/proc") -> str | None:
    """Who holds the port: `pid 123 (redis-server), user x`. None if nobody does, or we may not know."""
    import psutil

    everyone = {address, "0.0.0.0", "::", f"::ffff:{address}"}  # noqa: S104 - compared, not bound
    usual, psutil.PROCFS_PATH = psutil.PROCFS_PATH, proc
    try:
        held = False
        for seen in psutil.net_connections("inet"):
            if not seen.laddr or seen.laddr.port != port or seen.laddr.ip not in everyone:
                continue
            if seen.pid:
                process = psutil.Process(seen.pid)
                return f"pid {seen.pid} ({process.name()}), user {process.username()}"
            held = held or seen.status in {psutil.CONN_LISTEN, psutil.CONN_NONE}
    except (psutil.Error, OSError):
        return None
    finally:
        psutil.PROCFS_PATH = usual
    return "a process that may not be looked at from here" if held else None
