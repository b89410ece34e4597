"""The keeper process. Started by `client.start`, never by a user.

The order matters. The containment comes first, while the process is small, because its parent half
stays behind as the guard. Then come the imports and the nursery that forks nodes with them, and
only then the event loop, which no fork may inherit."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.errors import ClusterError, StartError
from clusterlib.remedies import do
from clusterlib.waiting import wait_readable

if TYPE_CHECKING:
    import asyncio

    from clusterlib.errors import DriverUnusable
    from clusterlib.hosts.containment import Containment
    from clusterlib.hosts.nursery import Nursery
    from clusterlib.keeper.keeper import Keeper
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
            rung, marker=marker, on_keeper_death=lambda: _bury(control, marker), keep_in_guard=(lock_number,)
        )

        note_holder(lock_number, containment.keeper())

        import asyncio  # before the fork, so that it is paid for once

        from clusterlib.drivers.registry import PRELOAD
        from clusterlib.hosts.nursery import Nursery

        nursery = Nursery.start(marker=marker, containment=containment, preload=PRELOAD)
    except (ClusterError, OSError) as error:
        _refuse(socket.socket(fileno=channel_number), error)
        return 1
    _allow_many_files()

    channel = socket.socket(fileno=channel_number)
    order = _receive_order(channel)
    if order is None:
        return 0  # the starter gave up, or died, before anything was started
    return asyncio.run(_serve(channel, order, control, marker, containment, nursery))


async def _serve(
    channel: socket.socket,
    order: StartOrder,
    control: Path,
    marker: str,
    containment: Containment,
    nursery: Nursery,
) -> int:
    import asyncio

    from clusterlib.keeper.control import ControlServer

    try:
        keeper = _keeper(order, control, marker, containment, nursery)
        server = ControlServer(keeper, control)
        await server.open()
    except (ClusterError, OSError) as error:
        _refuse(channel, error)
        return 1
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, keeper.shut_down, "it was asked to terminate")
    loop.add_reader(containment.guard_gone, _once, loop, containment.guard_gone, keeper.shut_down)
    await server.adopt(channel, order.holder)
    problem = await keeper.finished
    await server.close()
    if _gone(containment.guard_gone):
        _tidy(
            control, marker
        )  # otherwise the guard does it after us: while it holds the lock, the registry must name it
    keeper.events.close()
    return 0 if problem is None else 1


def _keeper(
    order: StartOrder, control: Path, marker: str, containment: Containment, nursery: Nursery
) -> Keeper:
    """The keeper of this plan. It is in the registry before it starts anything."""
    from clusterlib.drivers.registry import driver_of
    from clusterlib.hosts.api import Host
    from clusterlib.hosts.local import LocalHost
    from clusterlib.hosts.places import runtime_dir, write_private
    from clusterlib.hosts.registry import register
    from clusterlib.keeper.keeper import Keeper
    from clusterlib.messages.events import DriverFailed
    from clusterlib.messages.status import KeeperFacts, KeeperPlace
    from clusterlib.network.ports import PortAllocator
    from clusterlib.rundir.folders import RunFolder

    plan, run = order.plan, RunFolder(Path(order.run))
    run.hold()  # as long as this process lives
    write_private(run.plan, plan.to_json())
    _log_to(run.keeper_log)
    register(
        marker,
        identifier=plan.identifier,
        name=plan.name,
        project=plan.project,
        control=control,
        run=run.path,
        containment=containment,
    )
    host: Host = LocalHost(nursery, containment)
    if plan.simulated:
        from clusterlib.hosts.simulated import SimulatedHost

        host = SimulatedHost(host)
    sys.path += [root for role in plan.roles for root in role.sources.roots if root not in sys.path]

    def report(error: DriverUnusable) -> None:
        traceback.print_exception(error)  # into the keeper's log
        keeper.events.tell(DriverFailed(error.problem, error.cause or ""))

    drivers = {role.name: driver_of(role, host, report) for role in plan.roles}
    facts = KeeperFacts(
        pid=containment.keeper_pid,
        guard=containment.guard_pid,
        containment=containment.rung,
        refusals=tuple(containment.refusals),
    )
    place = KeeperPlace(facts, str(control), marker)
    allocator = PortAllocator(runtime_dir(), proc=containment.proc)
    keeper = Keeper(plan, run, drivers, host, allocator, place)
    return keeper


def _refuse(channel: socket.socket, error: ClusterError | OSError) -> None:
    """Sends the starter the reason why there will be no keeper, in the format of the control
    socket."""
    import contextlib
    import json
    import shlex

    from clusterlib.hosts.launch import SCARCE

    if not isinstance(error, ClusterError):
        where = shlex.quote(str(Path(error.filename).parent)) if error.filename else "."
        error = StartError(
            "the keeper cannot begin",
            cause=f"{error.strerror}: {error.filename}" if error.filename else str(error),
            remedies=SCARCE.get(error.errno or 0, [f"df -h {where} /tmp", do("cluster.doctor")]),
        )
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps({"id": None, "error": error.to_dict()}).encode() + b"\n")


def _allow_many_files() -> None:
    """The keeper needs half a dozen descriptors for each node.

    Nodes come from the nursery, and keep the user's limit."""
    import resource

    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if usual != resource.RLIM_INFINITY and usual < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _log_to(path: Path) -> None:
    """Redirects the output of this process, tracebacks above all, to the run folder."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _once(loop: asyncio.AbstractEventLoop, descriptor: int, shut_down: Callable[[str], object]) -> None:
    loop.remove_reader(descriptor)
    shut_down("its guard is gone")


def _gone(guard: int) -> bool:
    return bool(select.select([guard], [], [], 0)[0])


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


def _bury(control: Path, marker: str) -> None:
    """The last action of the guard.

    It is the last holder of the cluster's lock, so it may remove the lock, too."""
    _tidy(control, marker)
    control.with_suffix(".lock").unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
