"""One node as the keeper manages it, from its plan through start and readiness to its end."""

from __future__ import annotations

import asyncio
import functools
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlib.drivers.api import Driver, Link, Member, NodeSpec
from clusterlib.errors import ClusterError, LeftBehind, NodeExited, PortTaken
from clusterlib.frozen import replace
from clusterlib.health.probes import Answer, Never, NotYet, Probe, Rung, climb
from clusterlib.hosts.api import Exit, Host, Process
from clusterlib.hosts.logs import LogWriter
from clusterlib.keeper.event_log import Tell
from clusterlib.keeper.output import Output
from clusterlib.messages.event import now
from clusterlib.messages.events import NodeComplained, NodeKilled, NodeMoved, NodeReached, NodeStarted
from clusterlib.messages.findings import Finding
from clusterlib.messages.states import LIVING, NodeState
from clusterlib.messages.status import NodeStatus
from clusterlib.network.ports import Claim
from clusterlib.waiting import Deadline

if TYPE_CHECKING:
    from clusterlib.keeper.early_ends import EarlyEnd
    from clusterlib.messages.measurements import Sample

__all__ = ["AFTER_KILL", "ManagedNode"]

AFTER_KILL = 5.0
SHARE_TO_TERMINATE = 1 / 3
MOST_TO_TERMINATE = 2.0
"""Of the time to stop: reserved for SIGTERM if another request has no effect."""
TAIL = 20


class ManagedNode:
    """The keeper's side of one node: starts, follows and ends it. The keeper reacts to its end."""

    def __init__(
        self,
        spec: NodeSpec,
        claims: Mapping[str, Claim],
        driver: Driver,
        host: Host,
        log: Path,
        tell: Tell,
        ended: Callable[[ManagedNode, Exit], None],
    ) -> None:
        self.spec = spec
        self.claims = claims
        self.state = NodeState.PLANNED
        self.reason = ""
        self.by: str | None = None
        """Who has killed or paused it; None if it was neither."""
        self.exit: Exit | None = None
        self.starts = 0
        self.progress = 0.0
        """The part of the ladder of readiness that this start has climbed, from 0 to 1."""
        self._step = 0.0
        self.ready_seconds: float | None = None
        self.log = LogWriter(log)
        self._driver = driver
        self._host = host
        self._tell = tell
        self._ended = ended
        self._process: Process | None = None
        self._link: Link | None = None
        self._output = Output(self._heard)
        self._news = asyncio.Event()
        self._begun = 0.0
        self._since = datetime.now(UTC)
        self._changed = now()

    # -- what it is now

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def living(self) -> bool:
        return self.state in LIVING

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.exit is None else None

    @property
    def view(self) -> frozenset[str]:
        return self._link.view if self._link is not None and self.living else frozenset()

    @property
    def _remark(self) -> str:
        return self._link.remark if self._link is not None and self.state is NodeState.READY else ""

    def usage(self) -> Sample | None:
        """What its process uses now; None if there is none."""
        return self._process.usage() if self._process is not None and self.exit is None else None

    def status(self) -> NodeStatus:
        spec = self.spec
        return NodeStatus(
            **spec.place(),
            state=self.state,
            reason=self.reason or self._remark,
            since=self._changed,
            by=self.by,
            pid=self.pid,
            starts=self.starts,
            view=tuple(sorted(self.view)),
            uptime=round(time.monotonic() - self._begun, 3) if self.living else None,
            ready_seconds=self.ready_seconds,
            log=str(self.log.path),
            shell=self._driver.shell(spec),
            facts=self._driver.facts(spec),
        )

    # -- starting

    async def launch(self, deadline: Deadline) -> None:
        """Starts the process. Afterwards it is alive, but not ready."""
        self.exit = self.by = self.ready_seconds = None
        self.reason = ""
        self.starts += 1
        self.progress = 0.0
        self._begun = time.monotonic()
        self._since = datetime.now(UTC)
        self._news = asyncio.Event()
        self._process = self._link = None  # from its previous start: it must not be mistaken for this one
        self._move(NodeState.STARTING)
        try:
            await self._prepare(deadline)
            order, link = self._driver.order(self.spec, self.claims)
        except OSError as error:
            from clusterlib.keeper.early_ends import not_given

            raise self._failed(not_given(self.spec, error)) from error
        except ClusterError as error:
            raise self._failed(error) from error
        try:
            async with asyncio.timeout(deadline.left):
                process = await self._host.spawn(order)
        except TimeoutError:
            from clusterlib.keeper.lateness import not_spawned

            link.close()
            raise self._failed(not_spawned(self.name, deadline)) from None
        except ClusterError as error:
            link.close()
            raise self._failed(error) from error
        except BaseException:
            link.close()
            raise
        self._process, self._link = process, link
        self._output.follow(process.output)
        process.exit.add_done_callback(self._note_exit)
        self._tell(NodeStarted(self.name, process.pid))
        try:
            link.begin(process, self._news)
        except ClusterError as error:
            raise self._failed(error) from error

    async def _prepare(self, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(deadline.left):
                await self._driver.prepare(self.spec, self._hear)
        except TimeoutError:
            from clusterlib.keeper.lateness import not_prepared

            raise not_prepared(self.name, deadline, self.last_words()) from None

    async def climb(self, expected: Callable[[], frozenset[str]], deadline: Deadline) -> None:
        """Waits until the node is ready. The nodes that it must see are determined each time."""
        ended = self._process.exit if self._process is not None else None
        rung, answer = await climb(self._ladder(expected), deadline, self._news, self._reached, ended)
        if isinstance(answer, Never):
            raise self._failed(self._diagnose())
        if isinstance(answer, NotYet):
            from clusterlib.keeper.lateness import not_ready

            why = f"it lives, but {answer.why} (waiting for: {rung})"
            raise self._failed(not_ready(self.name, deadline, why, self.last_words()))
        if self.state is NodeState.STARTING:
            self.ready_seconds = round(time.monotonic() - self._begun, 4)
            self._move(NodeState.READY, seconds=self.ready_seconds)

    def ports_were_stolen(self) -> bool:
        return self._driver.ports_stolen(self.last_words())

    def last_words(self) -> list[str]:
        """The last lines since this start: earlier output is not evidence."""
        return self.log.tail(TAIL, self._since) + self._driver.last_words(self.spec)

    async def examine(self, ready: frozenset[str], within: float) -> Mapping[str, Finding]:
        """What its driver finds out about its health in so many seconds; `ready` are ready."""
        return await self._link.examine(ready, within) if self._link is not None and self.living else {}

    async def stale_files(self, within: float) -> Sequence[str] | None:
        """The files that it has loaded and that have changed on disk; None if it does not answer in
        time."""
        limit = within if self.state is NodeState.READY else 0.0  # a paused one is not waited for
        return await self._link.stale_files(limit) if self._link is not None else None

    def look_again(self) -> None:
        """The state of another node has changed, which this one may wait for."""
        self._news.set()

    def expect(self, members: Sequence[Member]) -> None:
        if self._link is not None and self.living:
            self._link.expect(members)

    def _ladder(self, expected: Callable[[], frozenset[str]]) -> list[Rung]:
        link = self._link
        assert link is not None

        async def current(number: int) -> Answer:
            return await link.ladder(expected())[number].probe()

        ladder = link.ladder(expected())
        self._step = 1 / max(1, len(ladder))
        return [
            replace(rung, probe=self._unless_ended(functools.partial(current, number)))
            for number, rung in enumerate(ladder)
        ]

    def _reached(self, rung: str) -> None:
        self.progress += self._step
        self._tell(NodeReached(self.name, rung))

    def _unless_ended(self, probe: Probe) -> Probe:
        async def guarded() -> Answer:
            return Never(str(self.exit)) if self.exit is not None else await probe()

        return guarded

    def _diagnose(self) -> ClusterError:
        failure = self._link.failure if self._link is not None else None
        if failure is not None:
            return self._early_end().explained(failure)
        return self.ended_early("ended before it was ready")

    def ended_early(self, how: str) -> NodeExited | PortTaken:
        return self._early_end().error(how)

    def _early_end(self) -> EarlyEnd:
        from clusterlib.keeper.early_ends import EarlyEnd, stranger_at_port

        words = self.last_words()
        stolen = self._driver.ports_stolen(words)
        taken = stranger_at_port(self.spec, self._process) if stolen and self._process is not None else None
        return EarlyEnd(self.name, self.exit, words, stolen, taken)

    def _failed(self, error: ClusterError) -> ClusterError:
        self.reason = error.problem
        if self.pid is None:
            self._move(NodeState.DEAD)
        return error

    # -- living

    def signal(self, number: int) -> None:
        if self._process is not None and self.exit is None:
            self._process.signal(number)

    def pause(self, by: str = "") -> None:
        self.by = by or None
        self.signal(signal.SIGSTOP)
        self._move(NodeState.PAUSED)

    def resume(self) -> None:
        self.by = None
        self.signal(signal.SIGCONT)
        self._move(NodeState.READY)

    async def kill(self, by: str = "") -> None:
        """Sends SIGKILL, like a crash; returns once the process is gone."""
        self.by = by or None
        self.signal(signal.SIGKILL)
        if not await self._exits_within(AFTER_KILL):
            raise self._survived()

    # -- ending

    async def give_up(self, seconds: float) -> None:
        """Ends a node that cannot be used, and remembers the reason."""
        why = self.reason
        if self.pid is not None:
            await self.stop(seconds)
        self.reason = why
        self._move(NodeState.DEAD)

    async def stop(self, seconds: float) -> None:
        """Asks, waits, terminates, kills, reaps: bounded steps, each only if the previous one
        failed."""
        if self.pid is None:
            has_run = self._process is not None or self.state is NodeState.WAITING
            self._move(NodeState.STOPPED if has_run else NodeState.PLANNED)  # it never ran
            return
        deadline = Deadline(seconds)
        self._move(NodeState.STOPPING)
        if self._process is not None:
            self._process.end_in_order()
        self.signal(signal.SIGCONT)  # a paused node does not receive other signals
        reserve = min(seconds * SHARE_TO_TERMINATE, MOST_TO_TERMINATE)
        # A node that was never ready may have missed the signal: Python loses a SIGINT that arrives
        # during its start.
        patience = reserve if self.ready_seconds is None else seconds - reserve
        if await self._is_asked_to_stop(seconds - reserve):
            await self._exits_within(min(patience, deadline.left - reserve))
        if self.exit is None:
            self.signal(signal.SIGTERM)
            await self._exits_within(deadline.left)
        if self.exit is None:
            why = f"did not stop within {seconds:g} s"
            self._tell(NodeKilled(self.name, why))
            self.signal(signal.SIGKILL)
            if not await self._exits_within(AFTER_KILL):
                raise self._survived()
            self.reason = f"{why} and was killed"

    async def _is_asked_to_stop(self, seconds: float) -> bool:
        """This may take a while if a command does it."""
        if self._link is None:
            return False
        try:
            async with asyncio.timeout(seconds):
                return await self._link.ask_to_stop()
        except TimeoutError:
            return False

    def close(self) -> None:
        """Releases everything except the content of the log file."""
        try:
            if self._link is not None:
                self._link.close()
        finally:
            self._output.release()
            self.log.close()
            for claim in self.claims.values():
                claim.close()

    def _survived(self) -> LeftBehind:
        return LeftBehind(
            f"{self.name} (pid {self.pid}) survived SIGKILL",
            cause="the kernel has not ended it; it may be waiting for a device",
            remedies=[f"cat /proc/{self.pid}/stack", f"ps -o pid,stat,wchan:30,cmd -p {self.pid}"],
        )

    async def _exits_within(self, seconds: float) -> bool:
        if self._process is not None and self.exit is None:
            await asyncio.wait([self._process.exit], timeout=max(seconds, 0.0))
        return self.exit is not None

    def _note_exit(self, future: asyncio.Future[Exit]) -> None:
        self.exit = future.result()
        try:
            self._output.read_last_words()
            if self._link is not None:
                self._link.close()
        finally:  # the node is gone, also if its driver cannot cope with that
            expected = self.state is NodeState.STOPPING
            self.reason = "" if expected else str(self.exit)
            self._move(NodeState.STOPPED if expected else NodeState.DEAD, exit=str(self.exit))
            self._news.set()
            self._ended(self, self.exit)

    def _move(self, state: NodeState, *, seconds: float | None = None, exit: str | None = None) -> None:  # noqa: A002
        if state is not self.state:
            self.state = state
            self._changed = now()
            self._tell(NodeMoved(self.name, state, self.reason or None, seconds, exit))

    # -- its output

    def flush_log(self) -> None:
        """Writes what is in the pipe now to the log file, including an incomplete line."""
        self._output.drain()
        self.log.flush()

    def _hear(self, data: bytes) -> None:
        self.log.feed(data)
        link = self._link
        if link is not None:
            before = link.complaint
            link.hear(data)
            if link.complaint != before:
                self._tell(NodeComplained(self.name, link.complaint or ""))

    def _heard(self, data: bytes) -> None:
        self._hear(data)
        if self._link is None or self._link.matters:
            self._news.set()
