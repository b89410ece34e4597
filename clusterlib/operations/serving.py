"""The server of a project: this process holds the socket that listens, and a child answers.

A child that dies is started again. Meanwhile connections wait in the queue of the socket, so no
client is refused. When this process dies, in any way, the child sees the end of its channel and
ends."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from clusterlib.client.start import project_folder
from clusterlib.errors import AlreadyServed, PortTaken, StartError, UsageError
from clusterlib.frozen import frozen
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.launch import reap, start_detached
from clusterlib.hosts.places import read_private, write_private
from clusterlib.messages.codec import NotReadable, plain, revive
from clusterlib.operations.result import Result
from clusterlib.operations.server_order import READY, ServerOrder, send_order
from clusterlib.remedies import do
from clusterlib.rundir.folders import server_folder
from clusterlib.rundir.lock import ClusterLock
from clusterlib.waiting import Deadline, backoff, pause, poll, wait_readable

__all__ = ["ProjectServer", "Serving"]

PROGRAM = "clusterlib.doors.web"
NEEDED = {"starlette": "starlette>=0.40", "uvicorn": "uvicorn>=0.30"}
BACKLOG = 1024
START_SECONDS = 30.0
END_SECONDS = 10.0
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 2.0
"""Between two starts of a child that does not get ready."""
MOST_READ = 1 << 16
TOKEN_BYTES = 32
SHOWN_LINES = 20


@frozen
class Serving(Result):
    """Where a server is."""

    url: str
    token_file: str
    """The file with the token that every request needs. Only its owner can read it."""
    project: str
    log: str
    allow_execute: bool
    pid: int
    """The process that holds the socket. SIGTERM ends the server."""


@frozen
class _Files:
    folder: Path

    @property
    def token(self) -> Path:
        return self.folder / "token"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def state(self) -> Path:
        return self.folder / "server.json"

    @property
    def lock(self) -> ClusterLock:
        return ClusterLock(self.folder / "lock")

    def last(self) -> Serving | None:
        """What the last server has written."""
        try:
            return revive(Serving, json.loads(read_private(self.state, MOST_READ)))
        except (OSError, ValueError, NotReadable):
            return None


class ProjectServer:
    """A server that runs.

    As a context manager it watches over its child in a thread, and ends at the end of the block.
    `run` does so in the thread of its caller, until SIGINT or SIGTERM."""

    def __init__(self, files: _Files, lock: ClusterLock, listener: socket.socket, serving: Serving) -> None:
        self.serving = serving
        self._files = files
        self._lock = lock
        self._listener = listener
        self._channel: socket.socket | None = None
        self._child: Identity | None = None
        self._ending = False
        self._thread: threading.Thread | None = None

    @staticmethod
    def start(
        project: Path | str | None = None,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        allow_execute: bool = False,
    ) -> ProjectServer:
        """Returns when the server takes requests. Raises AlreadyServed if the project has one."""
        _check_installed()
        address = _loopback(host)
        folder = project_folder(project)
        files = _Files(server_folder(folder))
        last, lock = files.last(), files.lock
        if not lock.take():
            raise _already_served(folder, last)
        try:
            listener = _listening(address, port, last)
        except BaseException:
            lock.let_go()
            raise
        taken = listener.getsockname()[1]
        shown = f"[{address}]" if ":" in address else address
        serving = Serving(
            url=f"http://{shown}:{taken}",
            token_file=str(files.token),
            project=str(folder),
            log=str(files.log),
            allow_execute=allow_execute,
            pid=os.getpid(),
        )
        server = ProjectServer(files, lock, listener, serving)
        try:
            write_private(files.token, secrets.token_urlsafe(TOKEN_BYTES) + "\n")
            write_private(files.log, "")
            write_private(files.state, json.dumps(plain(serving)))
            server._start_child()
        except BaseException:
            server.close()
            raise
        return server

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, name="clusterlib-serve", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def token(self) -> str:
        return self._files.token.read_text().strip()

    @property
    def child(self) -> int | None:
        """The process that answers now."""
        return self._child.pid if self._child is not None else None

    def run(self, announce: Callable[[], object] = lambda: None) -> None:
        """Watches over the child until SIGINT or SIGTERM, then ends the server. `announce` is
        called when these signals end it in order."""
        with self._ended_by_signals():
            try:
                announce()
                self._watch()
            finally:
                self.close()

    def close(self) -> None:
        """Ends the server. Requests that run have a moment to end. Idempotent."""
        self._stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(END_SECONDS)
        self._listener.close()
        self._end_child()
        self._files.token.unlink(missing_ok=True)
        self._lock.let_go()

    def _stop(self, *_: object) -> None:
        """Wakes those that wait for the child. Safe in a handler of a signal."""
        self._ending = True
        channel = self._channel
        if channel is not None:
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _ended_by_signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    # -- the child

    def _watch(self) -> None:
        """Starts the child again whenever it has ended."""
        pauses = backoff(FIRST_PAUSE, ceiling=LONGEST_PAUSE)
        while self._outlived_its_child():
            self._end_child()
            try:
                self._start_child()
                pauses = backoff(FIRST_PAUSE, ceiling=LONGEST_PAUSE)
            except StartError:
                pause(next(pauses))

    def _outlived_its_child(self) -> bool:
        """Waits until the child has ended. False if the server is to end."""
        channel = self._channel
        with contextlib.suppress(OSError, ValueError):
            while channel is not None and not self._ending:
                wait_readable(channel.fileno(), None)
                if not channel.recv(1024):
                    break
        return not self._ending

    def _start_child(self) -> None:
        listener = self._listener
        self._channel = start_detached(
            [sys.executable, "-P", "-m", PROGRAM, "{channel}"],
            environment={**os.environ, "CLUSTERLIB_PROJECT": self.serving.project},
            directory=self.serving.project,
            log=self._files.log,
            fds=(listener.fileno(),),
            begun=self._note,
        )
        address, port = listener.getsockname()[:2]
        order = ServerOrder(
            self.serving.project,
            listener.fileno(),
            address,
            port,
            str(self._files.token),
            self.serving.allow_execute,
        )
        try:
            send_order(self._channel, order)
            self._await_ready(self._channel)
        except OSError as error:
            self._end_child()
            raise self._not_started("it has ended") from error
        except BaseException:
            self._end_child()
            raise

    def _note(self, pid: int) -> None:
        self._child = Identity.of(pid)

    def _await_ready(self, channel: socket.socket) -> None:
        if not wait_readable(channel.fileno(), START_SECONDS):
            raise self._not_started(f"it was not ready within {START_SECONDS:g} s")
        if channel.recv(len(READY)) != READY and not self._ending:
            raise self._not_started("it has ended")

    def _end_child(self) -> None:
        """The end of its channel asks it to end."""
        if self._channel is None:
            return
        channel, child, self._channel, self._child = self._channel, self._child, None, None
        channel.close()
        if child is not None:
            poll(lambda: not child.alive(), Deadline(END_SECONDS))
            child.kill()
            reap(child.pid)

    def _not_started(self, cause: str) -> StartError:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self._files.log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        return StartError(
            "the server for REST did not start",
            cause=cause,
            evidence=lines,
            remedies=[f"cat {shlex.quote(str(self._files.log))}"],
        )


def _check_installed() -> None:
    missing = [wanted for name, wanted in NEEDED.items() if find_spec(name) is None]
    if missing:
        raise UsageError(
            "cluster.serve needs Starlette and uvicorn, which are not installed",
            cause="the extra `web` of clusterlib brings them",
            remedies=[f"python3 -m pip install {' '.join(map(shlex.quote, missing))}"],
        )


def _loopback(host: str) -> str:
    """Raises UsageError for an address that other machines can reach."""
    with contextlib.suppress(ValueError):
        known = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        if known.is_loopback:
            return str(known)
    raise UsageError(
        f"--host: {host!r} is no loopback address",
        cause="the server runs operations as you, so no other machine may reach it; "
        "from another one, forward the port: ssh -L PORT:127.0.0.1:PORT",
        remedies=[do("cluster.serve")],
    )


def _listening(address: str, port: int | None, last: Serving | None) -> socket.socket:
    """On that port, or else on the last one if it is free: clients find the server again."""
    if port is None and last is not None:
        with contextlib.suppress(OSError, ValueError):
            return _bound(address, int(last.url.rpartition(":")[2]))
    try:
        return _bound(address, port or 0)
    except OSError as error:
        if port is None:
            raise StartError(f"no socket can listen on {address}", cause=str(error)) from error
        raise PortTaken(
            f"port {port} of {address} cannot be used: {error.strerror}",
            cause="another process listens on it" if error.errno != 13 else "it needs privileges",
            remedies=[f"ss -tlnp 'sport = :{port}'", do("cluster.serve") + "  # on a free port"],
        ) from error


def _bound(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _already_served(folder: Path, first: Serving | None) -> AlreadyServed:
    if first is None:
        return AlreadyServed(f"{folder} is served already", cause="another process has just begun to")
    return AlreadyServed(
        f"{folder} is served already, at {first.url}",
        cause=f"process {first.pid} does it; there is one server for all clusters of a project",
        evidence=[f"token: {first.token_file}", f"log: {first.log}"],
        remedies=[f"kill {first.pid}  # ends that server"],
    )
