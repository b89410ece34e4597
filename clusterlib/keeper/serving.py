"""What the process of a keeper does once it can start nodes: it makes the keeper of its plan, opens
the control socket, and runs until the cluster has ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import shlex
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from clusterlib.drivers.registry import driver_of
from clusterlib.errors import ClusterError, DriverUnusable, StartError
from clusterlib.hosts.api import Host
from clusterlib.hosts.containment import Containment
from clusterlib.hosts.local import LocalHost
from clusterlib.hosts.nursery import Nursery
from clusterlib.hosts.places import runtime_dir, write_private
from clusterlib.hosts.registry import register
from clusterlib.keeper.control import ControlServer
from clusterlib.keeper.keeper import Keeper
from clusterlib.messages.events import DriverFailed
from clusterlib.messages.plan import StartOrder
from clusterlib.messages.status import KeeperFacts, KeeperPlace
from clusterlib.network.ports import PortAllocator
from clusterlib.remedies import do
from clusterlib.rundir.folders import RunFolder

__all__ = ["refuse", "serve"]


async def serve(
    channel: socket.socket,
    order: StartOrder,
    control: Path,
    marker: str,
    containment: Containment,
    nursery: Nursery,
    tidy: Callable[[], None],
) -> int:
    """Keeps a cluster until it ends, and returns the exit code.

    `tidy` removes what would be left in the runtime folder; it is called if no guard does so."""
    try:
        keeper = _keeper(order, control, marker, containment, nursery)
        server = ControlServer(keeper, control)
        await server.open()
    except (ClusterError, OSError) as error:
        refuse(channel, error)
        return 1
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, keeper.shut_down, "it was asked to terminate")
    loop.add_reader(containment.guard_gone, _once, loop, containment.guard_gone, keeper.shut_down)
    await server.adopt(channel, order.holder)
    problem = await keeper.finished
    await server.close()
    if _gone(containment.guard_gone):
        tidy()  # otherwise the guard does it after us: while it holds the lock, the registry must name it
    keeper.events.close()
    return 0 if problem is None else 1


def _keeper(
    order: StartOrder, control: Path, marker: str, containment: Containment, nursery: Nursery
) -> Keeper:
    """The keeper of this plan. It is in the registry before it starts anything."""
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


def refuse(channel: socket.socket, error: ClusterError | OSError) -> None:
    """Sends the starter the reason why there will be no keeper, in the format of the control
    socket."""
    from clusterlib.hosts.command_groups import SCARCE  # with subprocess, which no keeper needs before this

    if not isinstance(error, ClusterError):
        where = shlex.quote(str(Path(error.filename).parent)) if error.filename else "."
        error = StartError(
            "the keeper cannot begin",
            cause=f"{error.strerror}: {error.filename}" if error.filename else str(error),
            remedies=SCARCE.get(error.errno or 0, [f"df -h {where} /tmp", do("cluster.doctor")]),
        )
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps({"id": None, "error": error.to_dict()}).encode() + b"\n")


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
