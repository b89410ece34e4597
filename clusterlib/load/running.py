"""Runs a load: starts the processes of clients, collects their reports, and sums them up."""

from __future__ import annotations

import json
import math
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from clusterlib.client.cluster import Cluster
from clusterlib.client.environment import environment_of
from clusterlib.errors import RemoteError, UsageError
from clusterlib.frozen import frozen, replace
from clusterlib.hosts.crew import Crew
from clusterlib.hosts.launch import CHANNEL
from clusterlib.load.beside import UsageSampler, faults_of
from clusterlib.load.histogram import Histogram
from clusterlib.load.orders import (
    GO,
    STOP,
    ClientsOrder,
    ClientsReport,
    LoadedPlace,
    LoadRequest,
    NodeCounts,
)
from clusterlib.load.pace import OTHER_KINDS
from clusterlib.load.results import NANOSECONDS, Latency, LoadFault, LoadRow, LoadSecond
from clusterlib.messages.codec import plain, revive
from clusterlib.messages.status import NodeStatus
from clusterlib.rundir.event_files import read_events

__all__ = ["Collected", "LoadOrder", "run_load", "shares"]

TOTAL = "total"
MOST_KINDS = 20
READY_SECONDS = 60.0
"""Until the function of the user is imported."""
LAST_SECONDS = 5.0
"""After the end, until the last reports."""


@frozen
class LoadOrder:
    """What is asked of a load."""

    request: LoadRequest
    clients: int
    seconds: float
    rate: float | None
    processes: int
    nodes: tuple[NodeStatus, ...]


@frozen
class Collected:
    """What was measured."""

    total: LoadRow
    nodes: tuple[LoadRow, ...]
    series: tuple[LoadSecond, ...]
    seconds: float
    interrupted: bool
    unsent: int
    late: float
    """Seconds; 99 % of the idle clients began less late."""
    clients_cpu: tuple[float, ...]
    commands_cpu: float
    """Seconds of processor time of the commands that clients have run."""
    faults: tuple[LoadFault, ...]
    lost: int
    """Processes of clients that ended before they had reported everything."""


def run_load(cluster: Cluster, order: LoadOrder, on_second: Callable[[LoadSecond], None]) -> Collected:
    """Ctrl-C ends it; then this returns what was measured until then."""
    orders = list(shares(cluster, order))
    environment = {**os.environ, **environment_of(cluster)}
    command = [sys.executable, "-P", "-m", "clusterlib.load.worker", CHANNEL]
    with Crew() as crew:
        hired = [crew.hire(command, environment=environment, directory=cluster.project) for _ in orders]
        members = [_Member(channel) for channel in hired]
        for member, one in zip(members, orders, strict=True):
            member.send(json.dumps(plain(one)).encode() + b"\n")
        for member in members:
            member.await_ready(order.request.target)
        usage = UsageSampler(cluster)

        def passed(second: LoadSecond) -> None:
            usage.look()
            on_second(second)

        usage.look()
        begun = datetime.now(UTC)
        collecting = _Collecting(members, order, passed)
        interrupted = collecting.collect()
    found = collecting.summed(interrupted=interrupted)
    return replace(
        found,
        nodes=tuple(replace(row, usage=usage.of(row.node)) for row in found.nodes),
        faults=faults_of(read_events(cluster.run_folder.events), begun, found.seconds),
    )


def shares(cluster: Cluster, order: LoadOrder) -> Iterator[ClientsOrder]:
    """What each process is to do. Client i is one of node i, of i + the number of nodes, and so
    on; the clients of a node are divided among the processes."""
    names = [node.name for node in order.nodes]
    processes = min(order.processes, math.ceil(order.clients / len(names)))
    counts = [[0] * len(names) for _ in range(processes)]
    for client in range(order.clients):
        counts[client // len(names) % processes][client % len(names)] += 1
    interval = None if order.rate is None else NANOSECONDS * len(names) / order.rate
    for number, of_process in enumerate(counts):
        places = []
        for index, node in enumerate(order.nodes):
            if not of_process[index]:
                continue
            role = cluster.roles[node.role]
            sending = [some[index] for some in counts]
            places.append(
                LoadedPlace(
                    name=node.name,
                    driver=role.driver,
                    sources=role.sources,
                    status=node,
                    clients=of_process[index],
                    interval=None if interval is None else interval * sum(sending) / of_process[index],
                    phase=0.0
                    if interval is None
                    else interval * (index / len(names) + sum(1 for some in sending[:number] if some)),
                )
            )
        roots = [root for role in cluster.roles.values() for root in role.sources.roots]
        yield ClientsOrder(
            cluster=cluster.name,
            cookie_file=str(cluster.cookie_file),
            folders=tuple(dict.fromkeys((*roots, str(cluster.project)))),
            request=order.request,
            seconds=order.seconds,
            nodes=tuple(places),
            clients=order.clients,
        )


class _Member:
    """Our end of the conversation with a process of clients."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.reports: list[ClientsReport] = []
        self.ended = False
        self._text = b""

    def send(self, line: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # its end is noticed where we read
            self.channel.sendall(line)

    def receive(self) -> list[ClientsReport]:
        """The reports that have come. None come after its end."""
        try:
            data = self.channel.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        self.ended = not data
        *lines, self._text = (self._text + data).split(b"\n")
        return [revive(ClientsReport, json.loads(line)) for line in lines]

    def await_ready(self, target: str) -> None:
        self.channel.settimeout(READY_SECONDS)
        found: list[ClientsReport] = []
        try:
            while not found and not self.ended:
                found = self.receive()
        except TimeoutError:
            raise UsageError(
                f"{target} could not be prepared in {READY_SECONDS:g} s",
                cause="its module does not come to an end when it is imported",
            ) from None
        self.channel.settimeout(None)
        if not found:
            raise RemoteError(f"the process of clients ended while it prepared {target}")
        if found[0].problem:
            raise UsageError(found[0].problem, cause=found[0].cause, remedies=found[0].remedies)


class _Collecting:
    def __init__(
        self, members: Sequence[_Member], order: LoadOrder, on_second: Callable[[LoadSecond], None]
    ) -> None:
        self._members = members
        self._order = order
        self._on_second = on_second
        self._latest = time.monotonic() + order.seconds + LAST_SECONDS
        self.series: list[LoadSecond] = []

    def collect(self) -> bool:
        """Until all processes have sent their last reports. Returns whether it was interrupted."""
        for member in self._members:
            member.send(GO)
        try:
            self._read()
        except KeyboardInterrupt:
            for member in self._members:
                member.send(STOP)
            self._latest = time.monotonic() + LAST_SECONDS
            with suppress(KeyboardInterrupt):  # the second one does not wait
                self._read()
            return True
        return False

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for member in self._members:
                if not _is_done(member):
                    selector.register(member.channel, selectors.EVENT_READ, member)
            while selector.get_map() and time.monotonic() < self._latest:
                for key, _ in selector.select(max(0.0, self._latest - time.monotonic())):
                    member = key.data
                    member.reports += member.receive()
                    if _is_done(member):
                        selector.unregister(member.channel)
                    self._show_seconds()

    def _show_seconds(self) -> None:
        """Those of which all processes have reported."""
        complete = min(
            (len(member.reports) for member in self._members if not _is_done(member)),
            default=max(len(member.reports) for member in self._members),
        )
        while len(self.series) < complete:
            number = len(self.series)
            of_all = [member.reports[number] for member in self._members if number < len(member.reports)]
            counts = [one for report in of_all for one in report.nodes.values()]
            second = _second(number + 1, counts)
            self.series.append(second)
            self._on_second(second)

    def summed(self, *, interrupted: bool) -> Collected:
        reports = [report for member in self._members for report in member.reports]
        seconds = max((report.seconds for report in reports), default=0.0)
        late = Histogram()
        for report in reports:
            late.merge(report.late)
        clients = _clients_of(self._order)
        per_node = {
            node.name: [report.nodes[node.name] for report in reports if node.name in report.nodes]
            for node in self._order.nodes
        }
        closed = self._order.rate is None
        rows = tuple(
            _row(name, clients[name], counts, seconds, closed=closed) for name, counts in per_node.items()
        )
        every = [one for counts in per_node.values() for one in counts]
        return Collected(
            total=_row(TOTAL, self._order.clients, every, seconds, closed=closed),
            nodes=rows,
            series=tuple(self.series),
            seconds=round(seconds, 3),
            interrupted=interrupted,
            unsent=sum(report.unsent for report in reports),
            late=late.percentile(99) / NANOSECONDS,
            clients_cpu=tuple(_cpu(member) for member in self._members),
            commands_cpu=sum(member.reports[-1].commands_cpu for member in self._members if member.reports),
            faults=(),
            lost=sum(not (member.reports and member.reports[-1].last) for member in self._members),
        )


def _is_done(member: _Member) -> bool:
    return member.ended or bool(member.reports and member.reports[-1].last)


def _cpu(member: _Member) -> float:
    if not member.reports or not member.reports[-1].seconds:
        return 0.0
    return round(member.reports[-1].cpu / member.reports[-1].seconds, 3)


def _clients_of(order: LoadOrder) -> Mapping[str, int]:
    every, more = divmod(order.clients, len(order.nodes))
    return {node.name: every + (index < more) for index, node in enumerate(order.nodes)}


def _second(number: int, counts: Sequence[NodeCounts]) -> LoadSecond:
    latency = _merged(counts)
    return LoadSecond(
        second=number,
        requests=latency.count,
        errors=sum(sum(one.errors.values()) for one in counts),
        p50=round(latency.percentile(50) / NANOSECONDS, 9),
        p99=round(latency.percentile(99) / NANOSECONDS, 9),
    )


def _row(name: str, clients: int, counts: Sequence[NodeCounts], seconds: float, *, closed: bool) -> LoadRow:
    latency = _merged(counts)
    errors: dict[str, int] = {}
    for one in counts:
        for kind, count in one.errors.items():
            errors[kind] = errors.get(kind, 0) + count
    usual = round(latency.percentile(50))
    return LoadRow(
        node=name,
        clients=clients,
        requests=latency.count,
        errors=_fewer(errors),
        throughput=round(latency.count / seconds, 1) if seconds else 0.0,
        latency=Latency.of(latency),
        corrected=Latency.of(latency.corrected(usual)) if closed else None,
        histogram=latency.data(),
    )


def _fewer(errors: Mapping[str, int]) -> dict[str, int]:
    """A target may name each of its errors differently."""
    if len(errors) > MOST_KINDS:
        kept = sorted(errors, key=lambda kind: errors[kind], reverse=True)[: MOST_KINDS - 1]
        others = sum(errors.values()) - sum(errors[kind] for kind in kept)
        errors = {**{kind: errors[kind] for kind in kept}, OTHER_KINDS: others}
    return dict(sorted(errors.items()))


def _merged(counts: Sequence[NodeCounts]) -> Histogram:
    histogram = Histogram()
    for one in counts:
        histogram.merge(one.latency)
    return histogram
