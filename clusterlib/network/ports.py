"""Machine-wide claims of ports, which the kernel frees. They are taken round-robin through a range.

A claim is an abstract Unix socket (Linux). It needs no file and no TMPDIR and is the same for all
users, and its scope is the network namespace, like that of a port. On other systems it is a file
lock at a fixed place. Both are freed when their holder ends, for any reason.

A port is free when a server could listen on it. Closed connections that the kernel remembers
(TIME_WAIT) do not count, because a server with SO_REUSEADDR can listen beside them. To keep late
packets of an old cluster away from a new one, the port that was released last is used last."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from clusterlib.errors import PortsExhausted, StartError, UsageError
from clusterlib.hosts.places import lock_for_us, open_lock
from clusterlib.remedies import do

__all__ = ["AddressBlock", "Claim", "FileLock", "Lock", "PortAllocator", "is_free", "take_claim"]

BLOCKS = ipaddress.ip_network("127.64.0.0/10")
BLOCK_COUNT = 1 << (24 - BLOCKS.prefixlen)
LOCK_FOLDER = Path("/tmp/clusterlib-locks")  # noqa: S108 - shared by all users on purpose, and sticky
CLAIM_PREFIX = "clusterlib/"
MOST_HOLDERS_SHOWN = 3


class Lock(Protocol):
    def close(self) -> None: ...


class FileLock:
    """A claim on systems without abstract sockets."""

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
    """Takes the machine-wide claim of that name. None if another process has it."""
    try:
        if sys.platform != "linux":
            return FileLock(name)
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            lock.bind(f"\0{CLAIM_PREFIX}{name}")
        except OSError:
            lock.close()
            raise
        return lock
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EAGAIN, errno.EACCES}:
            return None
        raise


class Claim:
    """A port that is reserved for us on this machine until we close the claim or die."""

    def __init__(self, address: str, port: int, lock: Lock) -> None:
        self.address = address
        self.port = port
        self._lock = lock

    def listen(self, backlog: int = 512) -> socket.socket:
        """The port as a listening socket, for a node to inherit.

        So no other process can take it in between.
        """
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
    """A /24 of loopback addresses that is reserved for us on this machine until we close it
    or die."""

    def __init__(self, number: int, lock: Lock) -> None:
        self._network = BLOCKS.network_address + (number << 8)
        self._lock = lock

    def address(self, index: int) -> str:
        """The address of the node with that index, which counts from 1."""
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
    """Makes claims.

    `state_dir` remembers the last port of this user; `proc` is the /proc in which the users of
    ports are found."""

    def __init__(self, state_dir: Path, *, proc: str = "/proc") -> None:
        self._state = state_dir
        self._proc = proc

    def claim(
        self, address: str, first: int, last: int, avoid: Collection[int] = (), *, in_order: bool = False
    ) -> Claim:
        """Claims the next free port of the range, or with `in_order` the lowest.

        Raises PortsExhausted with the holders of the ports.
        """
        if not 0 < first <= last <= 65535:
            raise UsageError(
                f"{first}-{last} is not a range of ports.", remedies=["use ports from 1024 to 65535"]
            )
        taken: list[int] = []
        claimed: list[int] = []
        with self._turns(f"ports-{first}-{last}", last - first + 1) as turns:
            for offset in sorted(turns) if in_order else turns:
                port = first + offset
                if port in avoid:
                    continue
                lock = take_claim(_claim_name(address, port))
                if lock is None:
                    claimed.append(port)
                    continue
                obstacle = _obstacle(address, port)
                if obstacle is None:
                    return Claim(address, port, lock)
                lock.close()
                if obstacle.errno != errno.EADDRINUSE:
                    raise _no_such_address(address, obstacle)
                taken.append(port)
        raise self._exhausted(address, first, last, taken, claimed)

    def claim_exactly(self, address: str, port: int) -> Claim | None:
        """Claims exactly this port, which depends on another one.

        None if another process has it.
        """
        if not 0 < port <= 65535:
            return None
        lock = take_claim(_claim_name(address, port))
        if lock is None:
            return None
        if is_free(address, port):
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
                if is_free(block.address(1), 0):
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
            "All blocks of loopback addresses are claimed.", remedies=[do("cluster.down", all=True)]
        )

    @contextlib.contextmanager
    def _turns(self, name: str, count: int) -> Iterator[Iterator[int]]:
        """0..count-1, starting after the last one that was used.

        One process of this user at a time.
        """
        path = self._state / f"{name}.turn"
        descriptor = open_lock(path)
        reached = start = 0

        def turns() -> Iterator[int]:
            nonlocal reached
            for step in range(count):
                reached = (start + step) % count
                yield reached

        try:
            lock_for_us(descriptor, path)
            text = os.pread(descriptor, 16, 0)
            start = int(text) % count if text.strip().isdigit() else 0
            yield turns()
            os.pwrite(descriptor, f"{(reached + 1) % count:<15d}".encode(), 0)
        finally:
            os.close(descriptor)

    def _exhausted(
        self, address: str, first: int, last: int, taken: Sequence[int], claimed: Sequence[int]
    ) -> PortsExhausted:
        from clusterlib.hosts import holders

        shown, named = taken[:MOST_HOLDERS_SHOWN], claimed[:MOST_HOLDERS_SHOWN]
        held = holders.of_ports(address, shown, proc=self._proc)
        claimers = holders.of_claims(
            {port: f"{CLAIM_PREFIX}{_claim_name(address, port)}" for port in named}, proc=self._proc
        )
        evidence = [f"port {port}: {held.get(port, holders.UNKNOWN)}" for port in shown]
        if len(taken) > len(shown):
            evidence.append(f"and {len(taken) - len(shown)} more in use")
        evidence += [f"port {port}: claimed by {claimers.get(port, holders.UNKNOWN)}" for port in named]
        if len(claimed) > len(named):
            evidence.append(f"and {len(claimed) - len(named)} more claimed by running clusters")
        everyone = [*claimers.values(), *held.values()]
        ours = dict.fromkeys(one.end for one in everyone if one.end)
        pids = {str(one.pid) for one in everyone if one.pid and not one.end}
        return PortsExhausted(
            f"no free port on {address} from {first} to {last}",
            cause=f"{len(taken)} are in use, {len(claimed)} are claimed by running clusters",
            evidence=evidence,
            remedies=[
                *ours,
                *([f"ps -fp {','.join(sorted(pids))}  # what they are"] if pids else []),
                f"ss -antup 'sport >= :{first} and sport <= :{last}'  # every socket there",
                "widen the range in the profile, under [ports]",
            ],
        )


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen on the port, for TCP and for UDP."""
    return _obstacle(address, port) is None


def _obstacle(address: str, port: int) -> OSError | None:
    """What prevents a server from listening on the port.

    The TCP probe sets SO_REUSEADDR, as servers do. So it fails beside a listener, but not beside
    connections of an ended server in TIME_WAIT. For UDP, this option would let two servers share a
    port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as probe:
            try:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
            except OSError as error:
                return error
    return None


def _no_such_address(address: str, error: OSError) -> StartError:
    return StartError(
        f"no port on {address} can be bound on this machine",
        cause=error.strerror or str(error),
        evidence=["the ports are not in use: the address itself is missing, or forbidden"],
        remedies=["ip address show lo", "sudo ip link set lo up", do("cluster.doctor")],
    )


def _claim_name(address: str, port: int) -> str:
    return f"port/{address}/{port}"


def _tcp(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
