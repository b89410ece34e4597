"""This machine as a host: processes are forked by the nursery and reaped here on the event loop.

No threads."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
from collections import deque

from clusterlib.errors import ClusterError, StartError, UsageError
from clusterlib.hosts import proc
from clusterlib.hosts.api import Exit, Program, Spawn, Survivor
from clusterlib.hosts.belonging import belonging
from clusterlib.hosts.birth import Newborn
from clusterlib.hosts.child import LocalProcess
from clusterlib.hosts.containment import Containment
from clusterlib.hosts.loss import cannot_start
from clusterlib.hosts.nursery import MOST_DESCRIPTORS, Nursery, pack
from clusterlib.hosts.tags import new_tag
from clusterlib.waiting import Deadline

__all__ = ["LocalHost"]

CLOSE_SECONDS = 10.0
REST_SECONDS = 10.0
"""The longest delay of the report of an end, if a process that belonged to it cannot be ended."""
AGAIN = 0.02
NURSERY_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN})


def _next_ended() -> os.waitid_result | None:
    """A child that has ended. It is not reaped by this."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None


class _Birth:
    """An order in progress: the part that is not sent yet, and what its report pipe has delivered
    so far."""

    def __init__(self, order: Spawn, report: int, output: int, unsent: bytes, descriptors: list[int]) -> None:
        self.order = order
        self.report = report
        self.output = output
        self.unsent = unsent
        self.descriptors = descriptors
        """They are sent with the first byte, and stay open here until then."""
        self.refusal: OSError | None = None
        self.text = b""
        self.process: LocalProcess | None = None
        self.reported: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def let_go(self) -> None:
        """Closes the descriptors of the new process, which is then the only one that has these
        ends.
        """
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []


class LocalHost:
    """Implements `Host` for the keeper. Create it inside the running loop, in the main thread.

    It reaps all children of this process, so nothing else may wait for a child."""

    def __init__(self, nursery: Nursery, containment: Containment) -> None:
        self._nursery = nursery
        self._containment = containment
        self._loop = asyncio.get_running_loop()
        self._children: dict[int, LocalProcess] = {}
        self._ending: dict[LocalProcess, tuple[Exit, Deadline]] = {}
        """Processes that have ended while something that belonged to them has not."""
        self._later: asyncio.TimerHandle | None = None
        self._tags: dict[str, int] = {}
        """The tags of nodes, by name."""
        self._births: set[_Birth] = set()
        self._outbox: deque[_Birth] = deque()
        self._nursery_ended: asyncio.Future[Exit] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._something_ended = asyncio.Event()
        self._closed = False
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)
        self._reap()  # children that ended before we listened

    # Spawning.

    async def spawn(self, order: Spawn) -> LocalProcess:
        if self._closed or self._nursery_ended.done():
            raise self._nursery_is_gone(order.name)
        if len(order.inherit) > MOST_DESCRIPTORS:
            raise UsageError(
                f"{order.name} inherits {len(order.inherit)} descriptors; {MOST_DESCRIPTORS} are possible"
            )
        birth = self._send(order)
        try:
            await birth.reported
        except asyncio.CancelledError:
            self._abandon(birth)
            raise
        return self._delivered(birth)

    def _send(self, order: Spawn) -> _Birth:
        packed = pack(self._newborn(order))
        opened: list[int] = []
        try:
            report, reporting = os.pipe()
            opened += [report, reporting]
            output, writing = os.pipe()
            opened += [output, writing]
            inherited = []
            for descriptor in order.inherit.values():
                inherited.append(os.dup(descriptor))
                opened.append(inherited[-1])
        except OSError as error:
            for descriptor in opened:
                os.close(descriptor)
            raise StartError(
                f"{order.name} could not be started",
                cause=f"a descriptor for it: {error.strerror}",
                remedies=["ulimit -n  # open files allowed"],
            ) from error
        os.set_blocking(report, False)
        os.set_blocking(output, False)
        birth = _Birth(order, report, output, packed, [reporting, writing, *inherited])
        self._births.add(birth)
        self._loop.add_reader(report, self._read_report, birth)
        self._outbox.append(birth)
        self._flush()
        return birth

    def _newborn(self, order: Spawn) -> Newborn:
        program = isinstance(order.run, Program)
        return Newborn(
            name=order.name,
            argv=list(order.run.argv) if isinstance(order.run, Program) else None,
            target="" if isinstance(order.run, Program) else order.run.target,
            argument={} if program else dict(order.run.argument),  # type: ignore[union-attr]
            directory=order.directory,
            environment=dict(order.environment),
            inherit=list(order.inherit),
            marker=self._nursery.marker,
            tag=self._tags.setdefault(order.name, new_tag(self._nursery.marker, len(self._tags))),
            keeper=os.getpid(),
            user=order.user,
        )

    def _flush(self) -> None:
        """Sends what the channel accepts now; the rest when it accepts more. The loop never waits
        here.

        An order that cannot be sent fails when its report pipe ends, which happens once our ends
        are closed.
        """
        channel = self._nursery.channel
        while self._outbox:
            birth = self._outbox[0]
            try:
                sent = (
                    socket.send_fds(channel, [birth.unsent], birth.descriptors)
                    if birth.descriptors
                    else channel.send(birth.unsent)
                )
            except BlockingIOError:
                self._loop.add_writer(channel, self._flush)
                return
            except OSError as error:
                if birth.descriptors and error.errno not in NURSERY_GONE:
                    birth.refusal = error  # nothing of it was sent, so the next order may follow
                sent = len(birth.unsent)
            birth.let_go()
            birth.unsent = birth.unsent[sent:]
            if not birth.unsent:
                self._outbox.popleft()
        self._loop.remove_writer(channel)

    def _read_report(self, birth: _Birth) -> None:
        if birth not in self._births:
            return
        met = birth.process is not None
        if self._is_read_to_the_end(birth):
            self._births.discard(birth)
            self._loop.remove_reader(birth.report)
            os.close(birth.report)
            if not birth.reported.done():
                birth.reported.set_result(None)
        if birth.reported.cancelled() and birth.process is not None and not met:
            # Last, because a signal searches for what belongs to the process, which reads the
            # reports of all births.
            birth.process.signal(signal.SIGKILL)

    def _is_read_to_the_end(self, birth: _Birth) -> bool:
        """Reads what is in the report pipe now. Returns whether the pipe has ended."""
        try:
            while data := os.read(birth.report, 65536):
                birth.text += data
        except BlockingIOError:
            self._meet(birth)
            return False
        self._meet(birth)
        return True

    def _meet(self, birth: _Birth) -> None:
        """From the moment the PID is known, we are responsible for reaping the process."""
        first, newline, rest = birth.text.partition(b"\n")
        if birth.process is None and newline and first.isdigit():
            birth.text = rest
            pid = int(first)
            outer = self._containment.outer_pid(pid)
            birth.process = LocalProcess(
                birth.order, pid, outer, birth.output, self._belonging, self._containment.proc
            )
            self._children[pid] = birth.process

    def _delivered(self, birth: _Birth) -> LocalProcess:
        if birth.text:
            os.close(birth.output)
            raise ClusterError.from_dict(json.loads(birth.text))
        if birth.refusal is not None:
            os.close(birth.output)
            raise _not_sent(birth.order.name, birth.refusal)
        if birth.process is None:
            os.close(birth.output)
            raise self._nursery_is_gone(birth.order.name)
        return birth.process

    def _abandon(self, birth: _Birth) -> None:
        """The process is not wanted any more: it is ended as soon as it is known."""
        os.close(birth.output)
        if birth.process is not None:
            birth.process.signal(signal.SIGKILL)

    def _nursery_is_gone(self, name: str) -> StartError:
        how = str(self._nursery_ended.result()) if self._nursery_ended.done() else "the host is closed"
        return cannot_start(name, how)

    # Reaping.

    def _reap(self) -> None:
        """Reaps every child that has ended: nodes, the nursery, and adopted orphans."""
        while True:
            ended = _next_ended()
            if ended is None:
                self._look_after_the_ending()
                return
            if ended.si_pid not in self._children:
                # It has sent its PID before it died, but we may not have read it yet.
                for birth in list(self._births):
                    self._read_report(birth)
            child = self._children.get(ended.si_pid)
            rest = child.end_rest() if child is not None else []
            _, wait_status = os.waitpid(ended.si_pid, 0)
            code = os.waitstatus_to_exitcode(wait_status)
            ended_by_force = child is not None and not child.orderly
            left = tuple(dict.fromkeys(seen.command for seen in rest if ended_by_force))
            how = Exit(code=code, left=left) if code >= 0 else Exit(signal=-code)
            self._something_ended.set()
            if child is not None:
                del self._children[ended.si_pid]
                self._has_ended(child, how, alone=not rest)
            elif ended.si_pid == self._nursery.pid and not self._nursery_ended.done():
                self._nursery_ended.set_result(how)
                if not self._closed:
                    self.lost.set_result(str(how))

    def _has_ended(self, child: LocalProcess, how: Exit, *, alone: bool) -> None:
        """Its end is reported when everything that belonged to it is gone, too, so that none of it
        answers any more.
        """
        child.reaped = True
        if alone:
            child.end(how)
            return
        self._ending[child] = how, Deadline(REST_SECONDS)
        self._look_later()

    def _look_later(self) -> None:
        if self._ending and self._later is None:
            self._later = self._loop.call_later(AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self._look_after_the_ending()

    def _look_after_the_ending(self) -> None:
        """The end of an orphan arrives as a signal.

        We also check regularly, because its own children may live on.
        """
        for child, (how, deadline) in list(self._ending.items()):
            rest = child.end_rest()
            if rest and child.orderly:
                self._ending[child] = (
                    how,
                    Deadline(REST_SECONDS),
                )  # its owner decides how long to wait for it
            elif not rest or deadline.passed:
                del self._ending[child]
                child.end(how)
        self._look_later()

    def _belonging(self, process: LocalProcess) -> list[proc.ProcessStatus]:
        tag = self._tags[process.name]
        leader = None if process.reaped else process.local_pid
        found = belonging(leader, tag, os.getpid(), {self._nursery.pid, *self._children})
        for birth in list(self._births):
            self._read_report(
                birth
            )  # a new process with the tag has sent its PID before, and is not an orphan
        return [seen for seen in found if seen.pid not in self._children]

    # Ending.

    def drain(self) -> None:
        """Does nothing: processes write to their pipes themselves."""

    async def sweep(self, seconds: float) -> list[Survivor]:
        deadline = Deadline(seconds)
        while True:
            self._something_ended.clear()
            remaining = self._remaining()
            if not remaining or deadline.passed:
                return [self._survivor(seen) for seen in remaining]
            for seen in remaining:
                descriptor = proc.kill(seen)
                if descriptor is not None:
                    os.close(descriptor)
            # Every end, even of an orphan, arrives as a signal, except of those whose parent lives.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(0.02, deadline.left)):
                    await self._something_ended.wait()

    def _remaining(self) -> list[proc.ProcessStatus]:
        ours = {os.getpid()} if self._nursery_ended.done() else {os.getpid(), self._nursery.pid}
        if self._containment.isolated:
            everyone = map(proc.status, proc.processes())
            return [seen for seen in everyone if seen and seen.alive and seen.pid not in ours]
        ours.add(self._containment.guard_pid)
        found = {seen.pid: seen for seen in proc.descendants(os.getpid())}
        found.update((seen.pid, seen) for seen in proc.marked(self._nursery.marker))
        return [seen for seen in found.values() if seen.pid not in ours]

    def _survivor(self, seen: proc.ProcessStatus) -> Survivor:
        outer = seen.pid
        with contextlib.suppress(OSError):
            outer = self._containment.outer_pid(seen.pid)
        return Survivor(outer, proc.command_line(seen.pid) or seen.command)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        deadline = Deadline(CLOSE_SECONDS)
        await self._end_nursery(deadline)
        await self.sweep(deadline.left)
        self._reap()
        for birth in list(self._births):
            self._read_report(birth)
        for child, (how, _) in self._ending.items():
            child.end(how)  # survivors were reported by the sweep
        self._ending.clear()
        self._loop.remove_signal_handler(signal.SIGCHLD)

    async def _end_nursery(self, deadline: Deadline) -> None:
        """Before the last sweep: as long as the nursery lives, it turns orders in its channel into
        processes.
        """
        self._loop.remove_writer(self._nursery.channel)
        self._nursery.channel.close()
        for birth in self._outbox:
            birth.let_go()
        self._outbox.clear()
        if self._nursery_ended.done():
            return
        os.kill(self._nursery.pid, signal.SIGKILL)  # our own child, not reaped yet
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline.left):
                await asyncio.shield(self._nursery_ended)


def _not_sent(name: str, error: OSError) -> StartError:
    if error.errno == errno.ETOOMANYREFS:
        return StartError(
            f"{name} could not be started: its descriptors could not be sent to the process that starts nodes",
            cause="this user has more descriptors on their way between processes than open files are allowed",
            remedies=["ulimit -n  # open files allowed, which limits these, too", "ulimit -n 65536"],
        )
    return StartError(
        f"{name} could not be started: the order for it could not be sent",
        cause=error.strerror or str(error),
        remedies=["free -m  # memory left", "ulimit -n  # open files allowed"],
    )
