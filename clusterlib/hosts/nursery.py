"""A warm process that the keeper forks before it has an event loop, and that forks all nodes.

An order is sent over a Unix socket, with the descriptors for the new process. The new process is
forked twice, so that its parent is the keeper (which adopts orphans) and sees its end at once. The
result is sent over the report pipe of the order: the PID on a line, then nothing, or an error as
JSON. The nursery itself never answers."""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from typing import NoReturn

from clusterlib.errors import StartError
from clusterlib.frozen import frozen
from clusterlib.hosts import kernel
from clusterlib.hosts.birth import Newborn, become
from clusterlib.hosts.containment import Containment
from clusterlib.messages.codec import plain

__all__ = ["HEADER", "MOST_DESCRIPTORS", "Nursery", "pack"]

HEADER = struct.Struct("!I")
MOST_DESCRIPTORS = 250
"""The kernel passes at most 253 at once; two are ours."""
BATCH = 8
"""Orders that share the process between the nursery and their own: nearly half the forks, and
little waiting."""

_Received = tuple[Newborn, list[int]]


@frozen
class Nursery:
    """The keeper's side of its nursery."""

    pid: int
    channel: socket.socket
    marker: str

    @classmethod
    def start(cls, *, marker: str, containment: Containment, preload: Iterable[str] = ()) -> Nursery:
        """Forks the nursery. Call it in the keeper before there is a thread or an event loop.

        Every fork has what is imported now. `preload` are modules that are imported in the nursery
        only.
        """
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        keeper = os.getpid()
        pid = os.fork()
        if pid == 0:
            _serve(theirs, keeper, containment, tuple(preload))
        theirs.close()
        ours.setblocking(False)
        return cls(pid, ours, marker)


def pack(order: Newborn) -> bytes:
    """The order as it is sent. The descriptors go with its first byte."""
    body = json.dumps(plain(order)).encode()
    return HEADER.pack(len(body)) + body


# The rest runs in the nursery.


def _serve(
    channel: socket.socket, keeper: int, containment: Containment, preload: tuple[str, ...]
) -> NoReturn:
    try:
        if hasattr(signal, "pidfd_send_signal"):
            kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it ends when the keeper closes the channel, not before
        kernel.close_all_but(channel.fileno())
        kernel.name_process(f"clusterlib nursery of {containment.keeper_pid}")
        for module in preload:
            with contextlib.suppress(Exception):  # code that needs it will import it again, and get the error
                import_module(module)
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection here would unshare the memory of every fork
        while orders := _receive_some(channel):
            _bear(orders)
            for _, descriptors in orders:
                for descriptor in descriptors:
                    os.close(descriptor)
    except BaseException:  # noqa: BLE001 - the keeper sees the end; why must be in its log
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _receive_some(channel: socket.socket) -> list[_Received]:
    """Waits for an order, and takes all others that are already there.

    Empty if the keeper has closed the channel."""
    orders: list[_Received] = []
    while len(orders) < BATCH and (not orders or select.select([channel], [], [], 0)[0]):
        received = _receive(channel)
        if received is None:
            break
        orders.append(received)
    return orders


def _receive(channel: socket.socket) -> _Received | None:
    numbers = array.array("i")
    room = socket.CMSG_SPACE((MOST_DESCRIPTORS + 2) * numbers.itemsize)
    header, ancillary, _, _ = channel.recvmsg(HEADER.size, room, socket.MSG_WAITALL | _cloexec())
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    if len(header) < HEADER.size:
        return None
    size = HEADER.unpack(header)[0]
    body = bytearray()
    while len(body) < size:
        piece = channel.recv(size - len(body))
        if not piece:
            return None
        body += piece
    return Newborn(**json.loads(body)), list(numbers)


def _cloexec() -> int:
    return getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def _bear(orders: list[_Received]) -> None:
    """Forks a process between us and the new ones.

    It ends at once, and they become the keeper's children."""
    go, held = os.pipe()
    try:
        between = os.fork()
        if between == 0:
            for order, descriptors in orders:
                _fork_one(order, descriptors, go, held)
            os._exit(0)
        os.waitpid(between, 0)
    except OSError as error:
        for order, descriptors in orders:
            _report_failure(order, descriptors[0], error)
    finally:
        os.close(held)  # the new processes wait for this
        os.close(go)


def _fork_one(order: Newborn, descriptors: list[int], go: int, held: int) -> None:
    report, output, *inherited = descriptors
    try:
        if os.fork() == 0:
            os.close(held)
            become(order, go, report, output, inherited)
    except OSError as error:
        _report_failure(order, report, error)


def _report_failure(order: Newborn, report: int, error: OSError) -> None:
    failure = StartError(
        f"{order.name} could not be forked",
        cause=error.strerror,
        remedies=["ulimit -u  # processes allowed", "free -m  # memory left"],
    )
    with contextlib.suppress(OSError):
        os.write(report, json.dumps(failure.to_dict()).encode())
