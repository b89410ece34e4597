"""Collects the facts about this machine that `machine` judges."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from clusterlib.drivers.beam import epmd, machine
from clusterlib.drivers.beam.aio import AsyncConnection
from clusterlib.drivers.beam.epmd import Directory, NameServer
from clusterlib.drivers.beam.errors import EpmdUnavailable
from clusterlib.drivers.beam.machine import Epmd, Tried
from clusterlib.drivers.beam.starting import BeamBoot
from clusterlib.drivers.beam.terms import Atom, text
from clusterlib.errors import ClusterError, NodeUnavailable
from clusterlib.hosts import holders
from clusterlib.hosts.command_groups import TIMED_OUT
from clusterlib.hosts.launch import run_aside
from clusterlib.messages.findings import Finding
from clusterlib.waiting import Deadline, poll_async

__all__ = ["examine_erlang", "try_node"]

LOOPBACK: Final = "127.0.0.1"
NAME: Final = "clusterlib_doctor"
ANSWER_SECONDS: Final = 1.0
TRY_SECONDS: Final = 10.0
"""For a node to start; a quarter of a second is usual."""
SAID_LINES: Final = 3


def examine_erlang(program: Path | None) -> Iterator[Finding]:
    """`program`: the path of `erl`; None if it is missing, or does not start the nodes."""
    yield machine.check_epmd(_epmd())
    yield machine.check_localhost_is_loopback(_resolve)
    yield machine.check_host_name(socket.gethostname(), _resolve)
    yield machine.check_cookie(_cookie_files(), os.getuid())
    yield machine.check_distribution(try_node(program) if program is not None else None)


def _epmd() -> Epmd:
    port = epmd.usual_port()
    try:
        return Epmd(port, sorted(epmd.names(epmd_port=port, timeout=ANSWER_SECONDS)))
    except EpmdUnavailable as error:
        if isinstance(error.__cause__, ConnectionRefusedError):
            return Epmd(port)
        problem = error.problem if error.cause is None else error.cause
        return Epmd(port, problem=problem, holder=holders.of_port(LOOPBACK, port))


def _cookie_files() -> list[Path]:
    """Where a node searches its cookie, in order."""
    home = Path.home()
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [home / ".erlang.cookie", settings / "erlang" / ".erlang.cookie"]


def _resolve(host: str) -> list[str]:
    """A name server may be far away and silent, and cannot be hurried."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put([str(one[4][0]) for one in found])
        except OSError as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise OSError(f"no answer within {ANSWER_SECONDS:g} s") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def try_node(program: Path, seconds: float = TRY_SECONDS) -> Tried:
    """Starts a node as a cluster does, asks its name, and ends it.

    Nothing of it is left, however we end."""
    listener = socket.create_server((LOOPBACK, 0))
    with listener, tempfile.TemporaryDirectory(prefix="clusterlib-doctor-") as folder:
        home = Path(folder)
        boot = BeamBoot(f"{NAME}@{LOOPBACK}", epmd_port=listener.getsockname()[1], home=home)
        cookie = secrets.token_hex(16)
        boot.write_cookie(cookie)
        log = home / "log"
        began = time.monotonic()
        over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(lambda: asyncio.run(_ask(listener, boot.name, cookie, seconds, over)))
            try:
                code = run_aside(
                    boot.arguments(str(program)),
                    environment=boot.environment(),
                    directory=home,
                    output=log,
                    timeout=seconds,
                    grace=0.0,
                )
            except ClusterError as error:
                return Tried(str(program), problem=error.problem)
            finally:
                over.set()
        took = time.monotonic() - began
        refused = asked.exception()
        if refused is None and (release := asked.result()) is not None:
            return Tried(str(program), release, took)
        said = log.read_text(errors="replace").splitlines()[-SAID_LINES:] if log.exists() else []
        ended = (
            f"it ended with exit code {code}" if code != TIMED_OUT else f"it was not ready in {seconds:g} s"
        )
        return Tried(str(program), problem=f"{ended}; {refused}" if refused is not None else ended, said=said)


async def _ask(
    listener: socket.socket, name: str, cookie: str, seconds: float, over: threading.Event
) -> str | None:
    """The release of the node, which ends after this answer; None if it never registered."""
    directory = Directory()
    server = NameServer(directory)
    await server.start(listener)
    try:
        await poll_async(lambda: directory.ports or over.is_set(), Deadline(seconds))
        if NAME not in directory.ports:
            return None
        node = await AsyncConnection.open(name, cookie, directory.ports[NAME], timeout=seconds)
        release = text(await node.call("erlang", "system_info", [Atom("otp_release")], timeout=seconds))
        with contextlib.suppress(NodeUnavailable):  # it ends, as requested
            await node.call("erlang", "halt", [0], timeout=seconds)
        return release
    finally:
        server.close()
