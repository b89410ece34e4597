"""The health matrix of a running cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from clusterlib.client.cluster import Node
from clusterlib.evidence.records import HealthRecorded, NodeRecorded
from clusterlib.frozen import frozen
from clusterlib.health.expectation import Expected
from clusterlib.health.matrix import COLUMNS, LEAST, SPARE, ProcessUsage, Subject, examine
from clusterlib.health.servers import judge
from clusterlib.hosts import proc
from clusterlib.messages.findings import Finding
from clusterlib.messages.measurements import Sample
from clusterlib.messages.requests import Examine, Measure
from clusterlib.messages.status import NodeStatus
from clusterlib.operations.expecting import expected_of
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result

__all__ = ["Health", "Row", "examine_health"]


@frozen
class Row(Result):
    node: str
    state: str
    healthy: bool
    checks: tuple[Finding, ...]
    """In the order of `columns`."""


@frozen
class Health(Result):
    cluster: str
    profile: str
    simulated: bool
    state: str
    healthy: bool
    columns: tuple[tuple[str, str], ...]
    """Group and name of each check."""
    nodes: tuple[Row, ...]
    seconds: float

    def recorded(self, run: str) -> HealthRecorded:
        """The record that a test run writes. `run` is the folder of the cluster's run."""
        rows = tuple(NodeRecorded(row.node, row.state, row.healthy, row.checks) for row in self.nodes)
        return HealthRecorded(
            self.cluster,
            run,
            self.profile,
            self.simulated,
            self.state,
            self.healthy,
            self.columns,
            rows,
            self.seconds,
        )

    @property
    def exit_status(self) -> int:
        return 0 if self.healthy else 1


def examine_health(name: str | None = None, *, project: Path | str | None = None) -> Health:
    """Asks every node every question. Takes at most the `[timeouts] health` of the profile."""
    began = time.monotonic()
    with reached(name, project=project) as cluster:
        status = cluster.status()
        option = "" if cluster.name == "default" else f" --name {cluster.name}"
        used = cluster.keeper.ask(Measure()).nodes
        expected = expected_of(status)
        subjects = [
            _subject(cluster[node.name], node, used.get(node.name), expected) for node in status.nodes
        ]
        left = status.timeouts.health - (time.monotonic() - began)
        if cluster.kind.examined_directly:
            columns, found = COLUMNS, examine(subjects, left, option)
        else:
            told = cluster.keeper.ask(Examine(max(LEAST, left - SPARE)))
            columns, found = judge(subjects, told, option)
    rows = tuple(
        Row(one.name, one.state, one.healthy, tuple(one.checks[column] for _, column in columns))
        for one in found
    )
    return Health(
        cluster=cluster.name,
        profile=cluster.profile,
        simulated=cluster.simulated,
        state=status.state,
        healthy=status.is_ready and all(row.healthy for row in rows),
        columns=columns,
        nodes=rows,
        seconds=round(time.monotonic() - began, 4),
    )


def _subject(talk: Node, node: NodeStatus, used: Sample | None, expected: Expected | None) -> Subject:
    return Subject(
        name=node.name,
        state=node.state,
        reason=node.reason,
        pid=node.pid,
        expected=expected,
        talk=talk,
        serving=_serving(node.address, node.ports.get("http")),
        usage=_usage(node.pid, node.uptime, used),
    )


def _serving(address: str, port: int | None) -> Callable[[float], str | None]:
    def ask(seconds: float) -> str | None:
        """A 503 because members are missing is an answer, too. Another check counts the members."""
        from http.client import HTTPConnection

        if port is None:
            return None
        connection = HTTPConnection(address, port, timeout=seconds)
        try:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            text = answer.read(2000).decode(errors="replace")
        finally:
            connection.close()
        return None if answer.status == 200 or _runs(text) else f"HTTP {answer.status}: {text.strip()}"

    return ask


def _runs(text: str) -> bool:
    try:
        told = json.loads(text)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("state") == "running"


def _usage(pid: int | None, uptime: float | None, used: Sample | None) -> Callable[[], ProcessUsage | None]:
    def measure() -> ProcessUsage | None:
        if used is None or pid is None:
            return None
        seen = proc.status(pid)
        return ProcessUsage(
            memory=used.pss,
            cpu_percent=100 * used.cpu_seconds / max(uptime or 0.0, 0.1),
            stopped=seen is not None and seen.state in "Tt",
        )

    return measure
