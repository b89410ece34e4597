"""A process of clients: `python -m clusterlib.load.worker DESCRIPTOR`.

Its order comes over the socket, and its reports go there. It ends when the other end is closed."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from clusterlib.errors import ClusterError
from clusterlib.frozen import replace
from clusterlib.load.given import LoadNode
from clusterlib.load.histogram import Histogram
from clusterlib.load.orders import STOP, ClientsOrder, ClientsReport, LoadedPlace, NodeCounts
from clusterlib.load.pace import ClosedPace, LoadRecorder, OpenPace, drive, drive_async
from clusterlib.load.targets import open_target
from clusterlib.load.threads import check_threads
from clusterlib.messages.codec import plain, revive
from clusterlib.waiting import wait_readable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

SECOND = 1_000_000_000
LAST_ANSWERS = SECOND
"""For so long after the end, answers to requests that were sent before it are waited for."""
NOT_ANSWERED = "no answer by the end"
STACK_BYTES = 256 * 1024
"""Of each thread where there are many."""
MANY_THREADS = 100
OVER_POLL = 0.01


class _Clock:
    def __init__(self) -> None:
        self._stopped = threading.Event()
        self.on_stop: Callable[[], None] = lambda: None

    def now(self) -> int:
        return time.monotonic_ns()

    def wait_until(self, moment: int) -> bool:
        return not self._stopped.wait(max(0, moment - time.monotonic_ns()) / SECOND)

    def stop(self) -> None:
        self._stopped.set()
        self.on_stop()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()


class _LoopClock:
    """The same for coroutines. It is made in their event loop."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting = set[asyncio.Future[None]]()
        clock.on_stop = self._stop

    def now(self) -> int:
        return time.monotonic_ns()

    async def wait_until(self, moment: int) -> bool:
        waiter = self._loop.create_future()
        timer = self._loop.call_later(max(0, moment - time.monotonic_ns()) / SECOND, _wake, waiter)
        self._waiting.add(waiter)
        try:
            if not self._clock.stopped:  # otherwise _stop may have run before the waiter was there
                await waiter
        finally:
            timer.cancel()
            self._waiting.discard(waiter)
        return not self._clock.stopped

    def _stop(self) -> None:
        """Called in another thread."""
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        for waiter in self._waiting:
            _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class _Group:
    """The clients of one node."""

    def __init__(self, place: LoadedPlace, begun: int, end: int) -> None:
        self.name = place.name
        self.recorder = LoadRecorder()
        self.pace: ClosedPace | OpenPace = (
            ClosedPace(end) if place.interval is None else OpenPace(begun + place.phase, end, place.interval)
        )
        self.working = 0
        self.late = Histogram()
        self._lock = threading.Lock()

    @contextmanager
    def at_work(self) -> Iterator[Histogram]:
        """A client is at work. It is given a histogram for how late it begins its requests."""
        late = Histogram()
        try:
            yield late
        except BaseException as error:
            self.recorder.note(0, f"client ended by {type(error).__name__}")
            raise
        finally:
            with self._lock:
                self.late.merge(late.data())
                self.working -= 1

    def last_counts(self) -> NodeCounts:
        counts = self.recorder.take()
        if self.working <= 0:
            return counts
        return replace(counts, errors={**counts.errors, NOT_ANSWERED: self.working})

    def unsent(self, now: int) -> int:
        return self.pace.unsent(now) if isinstance(self.pace, OpenPace) else 0


class _Worker:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lines = channel.makefile("rb")
        self._clock = _Clock()
        self._groups: list[_Group] = []
        self._begun = self._end = 0

    def work(self) -> None:
        order = revive(ClientsOrder, json.loads(self._lines.readline()))
        sys.path[:0] = order.folders
        try:
            start = self._prepared(order)
        except Exception as error:  # noqa: BLE001 - the user's module may raise anything when it is imported
            self._send(_refusal(error, order.request.target))
            return
        self._send(ClientsReport(0))
        if not self._lines.readline():
            return
        self._begun = time.monotonic_ns()
        self._end = self._begun + int(order.seconds * SECOND)
        start()
        self._report()

    def _prepared(self, order: ClientsOrder) -> Callable[[], None]:
        """Makes all clients. Returns what starts them."""
        target = open_target(order.request)
        if not target.is_async:
            check_threads(order.request, order.clients)
        nodes = [
            (place, LoadNode(place, order.cluster, order.cookie_file, order.request.timeout))
            for place in order.nodes
        ]
        if target.is_async:
            coroutines = [
                (place, [target.client(node) for _ in range(place.clients)]) for place, node in nodes
            ]
            return partial(self._start_coroutines, coroutines)
        threads = [(place, [target.client(node) for _ in range(place.clients)]) for place, node in nodes]
        return partial(self._start_threads, threads)

    # -- the clients

    def _group(self, place: LoadedPlace) -> _Group:
        group = _Group(place, self._begun, self._end)
        group.working = place.clients
        self._groups.append(group)
        return group

    def _start_threads(self, clients: Sequence[tuple[LoadedPlace, list[Callable[[], str | None]]]]) -> None:
        if sum(len(attempts) for _, attempts in clients) > MANY_THREADS:
            threading.stack_size(STACK_BYTES)
        groups = [(self._group(place), attempts) for place, attempts in clients]
        for group, attempts in groups:
            for attempt in attempts:
                threading.Thread(target=self._drive, args=(group, attempt), daemon=True).start()

    def _drive(self, group: _Group, attempt: Callable[[], str | None]) -> None:
        with group.at_work() as late:
            drive(group.pace, self._clock, attempt, group.recorder, late)

    def _start_coroutines(
        self, clients: Sequence[tuple[LoadedPlace, list[Callable[[], Awaitable[str | None]]]]]
    ) -> None:
        async def drive_one(
            group: _Group, clock: _LoopClock, attempt: Callable[[], Awaitable[str | None]]
        ) -> None:
            with group.at_work() as late:
                await drive_async(group.pace, clock, attempt, group.recorder, late)

        async def drive_all() -> None:
            clock = _LoopClock(self._clock)
            await asyncio.gather(*(drive_one(group, clock, one) for group, some in groups for one in some))

        groups = [(self._group(place), attempts) for place, attempts in clients]
        threading.Thread(target=lambda: asyncio.run(drive_all()), daemon=True).start()

    @property
    def _working(self) -> bool:
        return any(group.working > 0 for group in self._groups)

    # -- its reports

    def _report(self) -> None:
        number, cpu, of_commands = 0, time.process_time(), _commands_cpu()
        while True:
            number += 1
            moment = self._begun + number * SECOND
            now = self._pause_until(moment if moment < self._end else self._end + LAST_ANSWERS)
            last = not self._working or now >= self._end + LAST_ANSWERS
            report = ClientsReport(
                number,
                nodes={
                    group.name: group.last_counts() if last else group.recorder.take()
                    for group in self._groups
                },
                cpu=time.process_time() - cpu,
                commands_cpu=_commands_cpu() - of_commands,
                seconds=(min(now, self._end) - self._begun) / SECOND,
                last=last,
            )
            if not last:
                self._send(report)
                continue
            late = Histogram()
            for group in self._groups:
                late.merge(group.late.data())
            unsent = sum(group.unsent(now) for group in self._groups)
            self._send(replace(report, late=late.data(), unsent=unsent))
            return

    def _pause_until(self, moment: int) -> int:
        """Until then, or until all clients have ended. Returns the time."""
        while True:
            now = time.monotonic_ns()
            over = now >= self._end
            if now >= moment or (over and not self._working):
                return now
            longest = OVER_POLL if over else (min(moment, self._end) - now) / SECOND
            if wait_readable(self._channel.fileno(), longest):
                if self._lines.readline() != STOP:
                    os._exit(1)  # the command has gone
                self._stop()

    def _stop(self) -> None:
        self._end = min(time.monotonic_ns(), self._end)
        for group in self._groups:
            group.pace.end = self._end
        self._clock.stop()

    def _send(self, report: ClientsReport) -> None:
        self._channel.sendall(json.dumps(plain(report)).encode() + b"\n")


def _commands_cpu() -> float:
    """Seconds of processor time of all commands that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def _refusal(error: Exception, target: str) -> ClientsReport:
    if isinstance(error, ClusterError):
        return ClientsReport(0, error.problem, error.cause, tuple(map(str, error.remedies)))
    return ClientsReport(0, f"{target} cannot be used", f"{type(error).__name__}: {error}")


def main() -> None:
    worker = _Worker(socket.socket(fileno=int(sys.argv[1])))
    with suppress(BrokenPipeError, ConnectionResetError):  # the command has gone
        worker.work()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread may still wait for an answer


if __name__ == "__main__":
    main()
