"""The keeper process. Started by `client.start`, never by a user.

The order matters. The containment comes first, while the process is small, because its parent half
stays behind as the guard. Then come the imports of the nodes and the nursery that forks them, then
those of the keeper itself, while its starter makes the plan, and only then the event loop, which no
fork may inherit."""

from __future__ import annotations

import functools
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import ClusterError
from clusterlib.waiting import wait_readable

if TYPE_CHECKING:
    from clusterlib.messages.plan import StartOrder

__all__ = ["main"]

PLAN_HEADER = struct.Struct("!Q")
MOST_FILES = 65536
"""Above this, some systems take long to close all possible descriptors."""


def main(arguments: list[str]) -> int:
    """`arguments`: the descriptor of the starter's channel, that of the cluster's lock, the control
    socket's path, the rung."""
    from clusterlib.hosts.containment import enter
    from clusterlib.hosts.identity import Identity
    from clusterlib.rundir.lock import note_holder

    channel_number, lock_number, control, rung = (
        int(arguments[0]),
        int(arguments[1]),
        Path(arguments[2]),
        arguments[3],
    )
    marker = os.environ["CLUSTERLIB_MARKER"]
    note_holder(lock_number, Identity.current())  # its starter may end before it does so
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    try:
        containment = enter(
            rung,
            marker=marker,
            on_keeper_death=lambda: _clean_up(control, marker),
            keep_in_guard=(lock_number,),
        )

        note_holder(lock_number, containment.keeper())

        import asyncio  # before the fork, so that it is paid for once

        from clusterlib.drivers.registry import PRELOAD
        from clusterlib.hosts.nursery import Nursery

        nursery = Nursery.start(marker=marker, containment=containment, preload=PRELOAD)
    except (ClusterError, OSError) as error:
        from clusterlib.keeper.serving import refuse

        refuse(socket.socket(fileno=channel_number), error)
        return 1
    from clusterlib.keeper.serving import serve

    _allow_many_files()
    channel = socket.socket(fileno=channel_number)
    order = _receive_order(channel)
    if order is None:
        return 0  # the starter gave up, or died, before anything was started
    ends = functools.partial(_tidy, control, marker)
    return asyncio.run(serve(channel, order, control, marker, containment, nursery, ends))


def _allow_many_files() -> None:
    """The keeper needs half a dozen descriptors for each node.

    Nodes come from the nursery, and keep the user's limit."""
    import resource

    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if usual != resource.RLIM_INFINITY and usual < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _receive_order(channel: socket.socket) -> StartOrder | None:
    import json

    from clusterlib.messages.codec import revive
    from clusterlib.messages.plan import StartOrder

    header = _read_exactly(channel, PLAN_HEADER.size)
    if header is None:
        return None
    body = _read_exactly(channel, PLAN_HEADER.unpack(header)[0])
    if body is None:
        return None
    return revive(StartOrder, json.loads(body))


def _read_exactly(channel: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        try:
            wait_readable(channel.fileno())  # SIGTERM ends this wait
            chunk = channel.recv(count - len(data))
        except OSError:
            return None
        if not chunk:
            return None
        data += chunk
    return data


def _tidy(control: Path, marker: str) -> None:
    """Removes what a dead keeper would leave in the runtime folder.

    Done by its guard, or by the keeper if the guard is gone."""
    from clusterlib.hosts.places import remove_socket
    from clusterlib.hosts.registry import unregister

    remove_socket(control)
    unregister(marker)


def _clean_up(control: Path, marker: str) -> None:
    """The last action of the guard.

    It is the last holder of the cluster's lock, so it may remove the lock, too."""
    _tidy(control, marker)
    control.with_suffix(".lock").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
