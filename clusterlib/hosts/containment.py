"""Ensures that no process outlives its keeper. A keeper calls this first, before any event loop or
thread.

    as the guard sees it:  start -> guard --fork--> keeper -> nursery, nodes, their daemons
                                     |                |
                                     +- keeper gone: sweep, clean up, end with its code
                                                      +- guard gone: SIGTERM, and `guard_gone`

The process that calls `enter` stays behind as the guard; only its child, the keeper, returns. The
ladder:

- `namespace`: the keeper is the init of a PID namespace. When it dies, the kernel kills everything
  in it.
- `user-namespace`: the same for an ordinary user, inside a user namespace that maps only this user.
- `sweep`: if namespaces are forbidden. The keeper adopts orphans, and its children die with it by a
  parent-death signal. The guard adopts what the keeper leaves, and kills all that is below it and
  all that carries the marker."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from clusterlib.errors import StartError, UsageError
from clusterlib.frozen import frozen, replace
from clusterlib.hosts import identity, kernel, proc
from clusterlib.hosts.identity import Identity
from clusterlib.hosts.kernel import close_all_but
from clusterlib.messages.containing import ContainmentRung
from clusterlib.waiting import Deadline

__all__ = ["AUTO", "RUNGS", "Containment", "enter"]

AUTO = "auto"
"""The highest rung that works here."""
RUNGS = (AUTO, *ContainmentRung)
"""What can be asked for: `namespace` is either of the two, the others are only themselves."""
SWEEP_SECONDS = 5.0
CAP_SYS_ADMIN = 21


@frozen
class Containment:
    """The containment of this keeper's processes."""

    rung: ContainmentRung
    """The rung in use."""
    keeper_pid: int
    """The PID of this process that users see."""
    guard_pid: int
    guard_gone: int
    """A descriptor that becomes readable when the guard is gone.

    A SIGTERM is sent then, too, but a signal can be lost."""
    refusals: tuple[str, ...] = ()
    """Why the rungs above are not in use."""
    proc: str = "/proc"
    """A /proc with the PIDs that users see. Only this process can use the path."""
    outside: str = ""
    """The PID namespace of the PIDs that users see."""

    @property
    def isolated(self) -> bool:
        """Whether this keeper is the init of its own PID namespace."""
        return self.rung is not ContainmentRung.SWEEP

    def keeper(self) -> Identity | None:
        """The identity of this process outside of its namespace."""
        return self._of(self.keeper_pid)

    def guard(self) -> Identity | None:
        return self._of(self.guard_pid)

    def _of(self, pid: int) -> Identity | None:
        return Identity.of(pid, proc_path=self.proc, namespace=self.outside)

    def outer_pid(self, pid: int) -> int:
        """Translates a PID of this namespace to the one that users see in `ps`."""
        if not self.isolated or sys.platform != "linux":
            return pid
        descriptor = os.pidfd_open(pid)
        try:
            for line in Path(f"{self.proc}/self/fdinfo/{descriptor}").read_text().splitlines():
                if line.startswith("Pid:"):
                    return int(line[4:])
        finally:
            os.close(descriptor)
        return pid


def enter(
    rung: str, *, marker: str, on_keeper_death: Callable[[], None], keep_in_guard: Sequence[int] = ()
) -> Containment:
    """Contains everything that this process will start. Returns in the keeper, a child of the
    caller.

    Of the caller's descriptors, the guard keeps the standard ones and those of `keep_in_guard`.
    When the keeper and everything it started are gone, the guard runs `on_keeper_death` and ends
    with the keeper's exit code (128+n for signal n)."""
    if rung not in RUNGS:
        raise UsageError(f"there is no containment {rung!r}", remedies=[f"use one of: {', '.join(RUNGS)}"])
    # Signals that the caller ignores or blocks are inherited, and would hide the end of a child.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    sys.stdout.flush()
    sys.stderr.flush()
    guard_pid, outside = os.getpid(), identity.pid_namespace()
    if sys.platform == "linux":
        kernel.adopt_orphans()
    refused: dict[ContainmentRung, str] = {}
    keep = tuple(keep_in_guard)
    for kind in _ladder(rung, refused):
        lifeline, held = os.pipe()
        start = _start_plain if kind is ContainmentRung.SWEEP else _start_in_namespace
        started = start(kind, lifeline, held)
        if isinstance(started, Containment):  # we are the keeper
            refusals = tuple(f"{higher}: {why}" for higher, why in refused.items())
            return replace(started, guard_pid=guard_pid, refusals=refusals, outside=outside)
        os.close(lifeline)
        if isinstance(started, int):
            _guard(started, held, keep, marker, on_keeper_death)
        refused[kind] = started
        os.close(held)
    raise StartError(
        f"this system refuses the containment {rung!r}",
        evidence=[f"{higher}: {why}" for higher, why in refused.items()],
        remedies=["unset CLUSTERLIB_CONTAINMENT, or set it to auto"],
    )


def _ladder(asked: str, refused: dict[ContainmentRung, str]) -> list[ContainmentRung]:
    rung = None if asked == AUTO else ContainmentRung(asked)
    if sys.platform != "linux":
        refused[ContainmentRung.NAMESPACE] = f"{sys.platform} has no PID namespaces"
        return [ContainmentRung.SWEEP] if rung in {None, ContainmentRung.SWEEP} else []
    if rung in {ContainmentRung.SWEEP, ContainmentRung.USER_NAMESPACE}:
        return [rung]
    ladder = [ContainmentRung.NAMESPACE, ContainmentRung.USER_NAMESPACE]
    if rung is None:
        ladder.append(ContainmentRung.SWEEP)
    if not _may_administer():
        refused[ladder.pop(0)] = "needs root or CAP_SYS_ADMIN"
    return ladder


def _may_administer() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_ADMIN & 1)
    return False


# The rungs. Each returns a Containment in the keeper; in the guard, the keeper's PID or the
# reason for a refusal.


def _start_plain(kind: ContainmentRung, lifeline: int, held: int) -> Containment | int | str:
    keeper = os.fork()
    if keeper:
        os.write(held, b"!")
        return keeper
    os.close(held)
    if sys.platform == "linux":
        kernel.adopt_orphans()
    _become_keeper(lifeline)
    return Containment(kind, os.getpid(), 0, lifeline)


def _start_in_namespace(kind: ContainmentRung, lifeline: int, held: int) -> Containment | int | str:
    """Forks twice, so that the guard itself stays where it was and can try the next rung."""
    answer, report = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(answer)
        try:
            _leave_for_namespace(kind)
            if os.fork():
                os._exit(0)
            os.close(held)
            outer = os.readlink("/proc/self")  # noqa: PTH115 - still the /proc of outside
            outside = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
            _become_keeper(lifeline)
            kernel.mount_own_proc()
            if os.geteuid() != 0:
                kernel.drop_capabilities()
            os.write(report, f"ok {outer}".encode())
            os.close(report)
        except OSError as error:
            os.write(report, str(error.strerror).encode())
            os._exit(1)
        return Containment(kind, int(outer), 0, lifeline, proc=f"/proc/self/fd/{outside}")
    os.close(report)
    os.waitpid(middle, 0)  # from now on the keeper is our child
    os.write(held, b"!")
    with os.fdopen(answer, "rb") as file:
        verdict = file.read().decode()
    if verdict.startswith("ok "):
        return int(verdict[3:])
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return verdict or "the first process of the namespace died"


def _leave_for_namespace(kind: ContainmentRung) -> None:
    if kind is ContainmentRung.NAMESPACE:
        kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS)
        return
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWPID | kernel.CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _become_keeper(lifeline: int) -> None:
    """Connects this process to the guard, once the guard is its parent."""
    if os.read(lifeline, 1) != b"!":
        os._exit(1)
    # An init has no default actions, so a signal before the caller's own handlers exist would be
    # lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    if sys.platform == "linux":
        kernel.die_with_parent(signal.SIGTERM)
    if select.select([lifeline], [], [], 0)[0]:
        os._exit(1)  # the guard died before we could ask for the signal


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)


# The guard.


def _guard(
    keeper: int, held: int, kept: tuple[int, ...], marker: str, on_keeper_death: Callable[[], None]
) -> NoReturn:
    code = 1
    try:
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(ignored, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
        # The caller's descriptors are the keeper's: a channel must end with the keeper, not with
        # its guard.
        close_all_but(held, *kept)
        kernel.name_process(f"clusterlib guard of {keeper}")
        code = _wait_for(keeper)
        _sweep(marker)
        on_keeper_death()
    except BaseException:  # noqa: BLE001 - no caller is left that could see it
        traceback.print_exc()
    os._exit(code)


def _wait_for(keeper: int) -> int:
    """Waits until the keeper is gone. Passes SIGTERM on to it, and reaps what it leaves."""
    while True:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, ended = os.waitpid(-1, os.WNOHANG)
                if pid == keeper:
                    code = os.waitstatus_to_exitcode(ended)
                    return code if code >= 0 else 128 - code
                if pid == 0:
                    break
        if signal.sigwait({signal.SIGTERM, signal.SIGCHLD}) == signal.SIGTERM:
            os.kill(keeper, signal.SIGTERM)  # not reaped yet, so this PID is still the keeper's


def _sweep(marker: str) -> None:
    """Ends what the keeper left: everything below us, as we adopt it, and everything that carries
    the marker."""
    me = os.getpid()
    deadline = Deadline(SWEEP_SECONDS)
    proc.end_all(lambda: proc.descendants(me), deadline)
    proc.end_all(lambda: [seen for seen in proc.marked(marker) if seen.pid != me], deadline)
