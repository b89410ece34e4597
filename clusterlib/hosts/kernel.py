"""System calls that Python does not provide. Linux only, unless stated otherwise."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

__all__ = [
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "adopt_orphans",
    "become_user",
    "close_all_but",
    "die_with_parent",
    "drop_capabilities",
    "mount_own_proc",
    "name_process",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_KEEPCAPS = 8
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REC = 0x4000
MS_SLAVE = 0x80000

CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent(number: int) -> None:
    """Requests a signal when the parent ends.

    The parent is the *thread* that forked: call it in children of a thread that lives as long as
    its process. Afterwards the caller checks that the parent still exists."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(int(number)), 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def adopt_orphans() -> None:
    """From now on, everything that a descendant leaves behind becomes a child of this process."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")


def unshare(flags: int) -> None:
    names = {CLONE_NEWUSER: "user", CLONE_NEWPID: "pid", CLONE_NEWNS: "mount"}
    wanted = "+".join(name for flag, name in names.items() if flags & flag)
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare({wanted} namespace)")


def mount_own_proc() -> None:
    """Gives this mount namespace a /proc of this process's PID namespace.

    The mounts become slaves, not private: later mounts of the machine (a home that is mounted on
    demand) still appear here, while our /proc never appears there."""
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_SLAVE), None), "mount(make slave)")
    flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _check(_libc.mount(b"proc", b"/proc", b"proc", flags, None), "mount(/proc)")


def drop_capabilities() -> None:
    """Drops the capabilities that a new user namespace grants, so that permissions work as for an
    ordinary process."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)), "capset")


def become_user(user: int, group: int, groups: list[int]) -> None:
    """Changes from root to another user permanently, also across exec. The right to enter root's
    folders is kept.

    On systems other than Linux this right is lost, and the folders must be open to all."""
    kept = sys.platform == "linux"
    if kept:
        _check(_libc.prctl(PR_SET_KEEPCAPS, ctypes.c_ulong(1), 0, 0, 0), "prctl(PR_SET_KEEPCAPS)")
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(user)
    if not kept:
        return
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(sets)), "capset")
    raised = _libc.prctl(
        PR_CAP_AMBIENT, ctypes.c_ulong(PR_CAP_AMBIENT_RAISE), ctypes.c_ulong(CAP_DAC_OVERRIDE), 0, 0
    )
    _check(raised, "prctl(PR_CAP_AMBIENT)")


def close_all_but(*kept: int) -> None:
    """Closes every descriptor except the standard ones and these. Works everywhere."""
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def name_process(title: str) -> None:
    """Sets the name of a forked process in `ps` and `top`. Best effort."""
    if not hasattr(signal, "pidfd_send_signal"):
        return
    text = title.encode(errors="replace")
    _libc.prctl(PR_SET_NAME, ctypes.c_char_p(text[:15]), 0, 0, 0)
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # where the kernel keeps our arguments
        if 0 < start < end:
            ctypes.memmove(start, text[: end - start - 1].ljust(end - start, b"\0"), end - start)
