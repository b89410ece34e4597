"""What the real host cannot start, and what it leaves when it closes.

Run by a keeper of its own, so without pytest."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlib.errors import StartError
from clusterlib.hosts import kernel, proc
from clusterlib.hosts.api import Entry, Exit, Host, Program, Spawn
from clusterlib.hosts.nursery import Nursery
from clusterlib.waiting import Deadline, poll, poll_async
from tests.contract.host_cases import Case, order, output_until, refusal

HERE = "tests.unit.hosts.ending_cases"


def lose_the_main_thread(_argument: Mapping[str, Any]) -> None:
    """Goes on in another thread, as some servers do. The kernel shows such a process as a
    zombie."""
    threading.Thread(target=threading.Event().wait).start()
    print("its main thread ends", flush=True)  # noqa: T201
    ctypes.CDLL(None).pthread_exit(None)


async def closing_right_after_abandoned_spawns_leaves_nothing(host: Host) -> None:
    """Their orders lie in the nursery's channel at that moment. `keep` looks for what is left."""
    nursery: Nursery = host._nursery  # type: ignore[attr-defined]
    os.kill(nursery.pid, signal.SIGSTOP)  # it comes to its orders when the host has closed its end
    spawns = [asyncio.create_task(host.spawn(order("wait"))) for _ in range(10)]
    await asyncio.wait(spawns, timeout=0)
    for spawn in spawns:
        spawn.cancel()
    await asyncio.wait(spawns)
    closing = asyncio.create_task(host.close())
    await poll_async(lambda: nursery.channel.fileno() == -1, Deadline(10))
    with contextlib.suppress(ProcessLookupError):
        os.kill(nursery.pid, signal.SIGCONT)
    await closing


async def a_signal_that_comes_before_the_report_of_an_abandoned_spawn_is_sent(host: Host) -> None:
    """Sending a signal looks for what belongs to the process, reads that report, and ends the
    child."""
    process = await host.spawn(order("wait"))
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        program = Program(("sh", "-c", 'touch "$1"; exec sleep 60', "sh", str(runs)))
        spawn = asyncio.create_task(host.spawn(Spawn("node2", program, "/", {"PATH": os.defpath})))
        await asyncio.wait([spawn], timeout=0)
        spawn.cancel()
        await asyncio.wait([spawn])
        assert poll(runs.exists, Deadline(10))  # the loop stands still: nothing has read the report
    process.signal(signal.SIGKILL)
    assert await process.exit == Exit(signal=signal.SIGKILL)
    os.close(process.output)


async def closing_does_not_wait_for_a_paused_nursery(host: Host) -> None:
    os.kill(host._nursery.pid, signal.SIGSTOP)  # type: ignore[attr-defined]
    spawn = asyncio.create_task(host.spawn(order("wait")))
    await asyncio.wait([spawn], timeout=0)
    await host.close()
    try:
        await spawn
    except StartError as error:
        assert "gone" in error.problem  # noqa: PT017 - this module must not need pytest
    assert host._nursery_ended.result() == Exit(signal=signal.SIGKILL)  # type: ignore[attr-defined]


async def a_sweep_ends_a_process_whose_main_thread_has_ended(host: Host) -> None:
    process = await host.spawn(Spawn("node1", Entry(f"{HERE}:lose_the_main_thread"), "/"))
    await output_until(process, b"ends")
    outside = host._containment.proc  # type: ignore[attr-defined]
    assert await poll_async(lambda: _shown_as_zombie(process.pid, outside), Deadline(10))
    assert await host.sweep(10) == []
    assert await process.exit == Exit(signal=signal.SIGKILL)
    os.close(process.output)


def _shown_as_zombie(pid: int, folder: str) -> bool:
    seen = proc.status(pid, folder)
    return seen is not None and seen.state == "Z"


async def an_order_that_cannot_be_sent_says_why(host: Host) -> None:
    """The kernel counts the descriptors that are on their way between the processes of an ordinary
    user."""
    kernel.drop_capabilities()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        try:
            while True:
                socket.send_fds(ours, [b"x"], [0] * 20)
        except OSError as full:
            assert full.errno == errno.ETOOMANYREFS, full  # noqa: PT017 - this module must not need pytest
        error = await refusal(host, order("wait"))
    assert "on their way between processes" in str(error), error
    assert "ulimit -n  # open files allowed, which limits these, too" in error.remedies
    process = await host.spawn(order("exit_with", code=3))  # the channel is whole
    assert await process.exit == Exit(code=3)
    os.close(process.output)


ENDING_CASES: dict[str, Case] = {
    case.__name__: case
    for case in (
        closing_right_after_abandoned_spawns_leaves_nothing,
        a_signal_that_comes_before_the_report_of_an_abandoned_spawn_is_sent,
        closing_does_not_wait_for_a_paused_nursery,
        a_sweep_ends_a_process_whose_main_thread_has_ended,
        an_order_that_cannot_be_sent_says_why,
    )
}
