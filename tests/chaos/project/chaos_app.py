"""The application of the nodes in a chaos round. It leaves children behind."""

from __future__ import annotations

import os
import signal

__all__ = ["add", "begin", "strays"]

_strays: list[int] = []


def begin() -> None:
    """Starts two children in each node: a daemon, and one that ignores signals."""
    if os.environ.get("CLUSTERLIB_CHAOS_CHILDREN", "yes") == "yes":
        _strays.append(_daemonise())
        _strays.append(_deafen())


def add(left: int, right: int) -> int:
    return left + right


def strays() -> list[int]:
    """How many children this node has let loose, by their PIDs as the node sees them."""
    return list(_strays)


def _daemonise() -> int:
    """Double fork and setsid: no parent, no session, no terminal. The classic way to escape."""
    heard, told = os.pipe()
    between = os.fork()
    if between == 0:
        os.setsid()
        daemon = os.fork()
        if daemon:
            os.write(told, str(daemon).encode())
            os._exit(0)
        _wait_for_ever()
    os.waitpid(between, 0)
    os.close(told)
    with os.fdopen(heard, "rb") as file:
        return int(file.read())


def _deafen() -> int:
    """A child in a session of its own that ignores every polite signal."""
    child = os.fork()
    if child == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _wait_for_ever()
    return child


def _wait_for_ever() -> None:
    """Holds nothing of the node's, as a daemon does, and stays until it is killed."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    while True:
        signal.pause()
