"""For clients: starts keepers that stay, and runs commands that must not."""

from __future__ import annotations

import contextlib
import io
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Self

from clusterlib.hosts.command_groups import TIMED_OUT, signal_group, spawn_into, start_error, warden
from clusterlib.waiting import Deadline, poll, wait_readable

__all__ = [
    "CHANNEL",
    "FedCommand",
    "reap",
    "run_aside",
    "run_command",
    "start_detached",
    "start_error",
    "warden",
]

CHANNEL = "{channel}"
"""In the arguments of `start_detached`, this word is replaced by the number of the channel's
descriptor."""
GRACE_SECONDS = 5.0
REAP_SECONDS = 1.0


def start_detached(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: str | Path,
    log: str | Path | int,
    fds: Sequence[int] = (),
    begun: Callable[[int], object] = lambda _: None,
) -> socket.socket:
    """Starts a process in its own session, and returns our end of a socket to it. `begun` gets its
    PID at once.

    Of our descriptors it has `fds`, with their numbers, and its end of the socket, whose number
    replaces `{channel}` in the arguments. Its output goes to `log`, a path or a descriptor."""
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        raise start_error(argv[0], error) from error
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        output = os.dup(log) if isinstance(log, int) else os.open(log, flags, 0o600)
        try:
            process = subprocess.Popen(
                [str(theirs.fileno()) if word == CHANNEL else word for word in argv],
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(*fds, theirs.fileno()),
                start_new_session=True,
            )
        finally:
            os.close(output)
        _leave(process)
        begun(process.pid)
    except OSError as error:
        ours.close()
        raise start_error(argv[0], error) from error
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours


def run_command(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    directory: str | Path | None = None,
    timeout: float | None = None,
    grace: float = GRACE_SECONDS,
) -> int:
    """Runs a command with our standard streams and returns its exit code: 128+n for signal n, 124
    for the timeout.

    The command has its own process group, which is the terminal's foreground while it runs, so it
    gets Ctrl-C. Signals to us are passed on to it. At the timeout the whole group is asked to end,
    then killed. If we are killed, even by SIGKILL, so is the whole group."""
    with (
        warden() as group,
        _foreground(group) as terminal,
        _Attendant(group, terminal) as attendant,
    ):
        command = spawn_into(argv, group, environment=environment, directory=directory)
        attendant.attend(command)
        return _result(command, group, timeout, grace)


def run_aside(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None,
    directory: str | Path | None,
    output: Path,
    timeout: float | None = None,
    grace: float = GRACE_SECONDS,
) -> int:
    """Runs a command without interaction; its output goes to a file. Exit codes as with
    `run_command`.

    If we are interrupted or killed, so is its whole group."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    log = os.open(output, flags, 0o600)
    try:
        with warden() as group:
            command = spawn_into(argv, group, environment=environment, directory=directory, output=log)
            try:
                return _result(command, group, timeout, grace)
            except BaseException:
                signal_group(group, signal.SIGKILL)
                command.wait()
                raise
    finally:
        os.close(log)


class FedCommand:
    """A command that reads what we write to `stream`. Its output is ours.

    As in a shell, Ctrl-C is for the command once everything is written."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(list(self._argv), stdin=subprocess.PIPE)
        except OSError as error:
            raise start_error(self._argv[0], error) from error
        assert self._process.stdin is not None
        self.stream = io.TextIOWrapper(self._process.stdin, encoding="utf-8")
        return self

    def finish(self) -> int:
        """Waits for the end of the command, and returns its exit code."""
        with contextlib.suppress(BrokenPipeError):
            self.stream.close()
        main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
        try:
            code = self._process.wait()
        finally:
            if main:
                signal.signal(signal.SIGINT, before)
        return code if code >= 0 else 128 - code

    def __exit__(self, *_: object) -> None:
        self.finish()


def _result(command: subprocess.Popen[bytes], group: int, timeout: float | None, grace: float) -> int:
    if _wait(command, timeout):
        code = command.wait()
        return code if code >= 0 else 128 - code
    signal_group(group, signal.SIGTERM)
    signal_group(group, signal.SIGCONT)  # a stopped process would not get it
    _wait(command, grace)
    signal_group(group, signal.SIGKILL)  # also what the command leaves behind
    command.wait()
    return TIMED_OUT


def _wait(command: subprocess.Popen[bytes], seconds: float | None) -> bool:
    """Whether the command ended within that time."""
    if sys.platform != "linux":
        patience = Deadline(math.inf if seconds is None else seconds)
        return bool(poll(lambda: command.poll() is not None, patience))
    try:
        descriptor = os.pidfd_open(command.pid)
    except ProcessLookupError:
        return True
    try:
        return wait_readable(descriptor, seconds)
    finally:
        os.close(descriptor)


class _Attendant:
    """Passes our SIGINT, SIGTERM and SIGHUP on to the command. If it is stopped from the terminal,
    we stop as well.

    It is installed before the command starts, so that no signal is lost meanwhile. Only the main
    thread can have handlers; in another thread this does nothing."""

    def __init__(self, group: int, terminal: int | None) -> None:
        self._group = group
        self._terminal = terminal
        self._command: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._usual: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._usual[number] = signal.signal(number, self._hand_on)
            self._usual[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._stop_along)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def attend(self, command: subprocess.Popen[bytes]) -> None:
        self._command = command
        for number in self._early:
            signal_group(self._group, number)
        if self._usual:
            self._stop_along(signal.SIGCHLD, None)

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        if self._command is None:
            self._early.append(number)
        else:
            signal_group(self._group, number)

    def _stop_along(self, _number: int, _frame: FrameType | None) -> None:
        if self._command is None or self._terminal is None:
            return
        with contextlib.suppress(ChildProcessError):
            if os.waitid(os.P_PID, self._command.pid, os.WSTOPPED | os.WNOHANG):
                _give_terminal(self._terminal, os.getpgrp())
                os.kill(os.getpid(), signal.SIGSTOP)
                if os.tcgetpgrp(self._terminal) == os.getpgrp():  # brought back to the foreground
                    _give_terminal(self._terminal, self._group)
                signal_group(self._group, signal.SIGCONT)


@contextlib.contextmanager
def _foreground(group: int) -> Iterator[int | None]:
    """Makes the group the foreground of our terminal, if we are the foreground now.

    Returns the terminal's descriptor."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            yield None
            return
        _give_terminal(terminal, group)
        try:
            yield terminal
        finally:
            _give_terminal(terminal, os.getpgrp())
    finally:
        os.close(terminal)


def _give_terminal(terminal: int, group: int) -> None:
    """Without this, a background process would be stopped."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, group)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


_left: list[int] = []
"""Keepers that are still our children.

They are reaped when they have ended, so that a long run does not collect zombies."""


def _leave(process: subprocess.Popen[bytes]) -> None:
    """We neither wait for this process nor end it, about which Popen would warn."""
    process.returncode = 0
    _left[:] = [process.pid, *(pid for pid in _left if not _reaped(pid))]


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def reap(pid: int) -> None:
    """Waits for a detached process that is ending, if it is our child; otherwise does nothing."""
    with contextlib.suppress(ChildProcessError):
        poll(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, Deadline(REAP_SECONDS))
