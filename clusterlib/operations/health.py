"""The health matrix of a running cluster."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable
from pathlib import Path

from clusterlib.client.cluster import Cluster, Node
from clusterlib.drivers.registry import calls_of
from clusterlib.evidence.records import HealthRecorded, NodeRecorded
from clusterlib.frozen import frozen
from clusterlib.health.expectation import Expected
from clusterlib.health.matrix import (
    COLUMNS,
    LEAST,
    SPARE,
    NodeHealth,
    ProcessUsage,
    Subject,
    aside,
    examine,
)
from clusterlib.health.servers import judge
from clusterlib.hosts import proc
from clusterlib.messages.findings import Finding, skipped
from clusterlib.messages.measurements import Examined, Sample
from clusterlib.messages.requests import Examine, Measure
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.messages.status import NodeStatus
from clusterlib.operations.expecting import expected_of
from clusterlib.operations.reach import reached
from clusterlib.operations.result import Result

__all__ = ["Health", "Row", "examine_health"]


@frozen
class Row(Result):
    node: str
    role: str
    state: NodeState
    healthy: bool
    checks: tuple[Finding, ...]
    """In the order of `columns`."""


@frozen
class Health(Result):
    cluster: str
    profile: str
    simulated: bool
    state: ClusterState
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
        used = cluster.keeper.ask(Measure()).nodes
        expected = expected_of(status)
        subjects = [
            _subject(cluster[node.name], node, used.get(node.name), expected[node.role])
            for node in status.nodes
        ]
        left = status.timeouts.health - (time.monotonic() - began)
        examined = _examined(cluster, subjects, left)
    columns = _side_by_side(list(examined.values()))
    rows = tuple(
        _row(one, role, of_role, columns) for role, of_role in examined.items() for one in of_role.found
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


@frozen
class _ExaminedRole:
    columns: tuple[tuple[str, str], ...]
    found: list[NodeHealth]


def _examined(cluster: Cluster, subjects: list[Subject], seconds: float) -> dict[str, _ExaminedRole]:
    """By role. Some kinds of nodes are asked by us, others by their keeper; both at the same
    time."""
    kinds = {name: calls_of(role.driver, role.sources.roots) for name, role in cluster.roles.items()}
    direct = [one for one in subjects if kinds[one.role].examined_directly]
    within = max(LEAST, seconds - SPARE)
    answer = _asked_aside(cluster, within) if direct and len(direct) < len(subjects) else None
    found = examine(direct, seconds, cluster.name)
    answers = Examined({}, {})
    if answer is not None:
        answers = answer()
    elif not direct:
        answers = cluster.keeper.ask(Examine(within))
    examined = {}
    for role, kind in kinds.items():
        of_role = [one for one in subjects if one.role == role]
        if kind.examined_directly:
            names = {one.name for one in of_role}
            examined[role] = _ExaminedRole(COLUMNS, [one for one in found if one.name in names])
        else:
            examined[role] = _ExaminedRole(*judge(role, of_role, answers, cluster.name))
    return examined


def _asked_aside(cluster: Cluster, within: float) -> Callable[[], Examined]:
    """Has the keeper examine its nodes. It is asked over another connection: ours serves the nodes
    that we ask meanwhile."""
    answers: queue.SimpleQueue[Examined | BaseException] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with reached(cluster.name, project=cluster.project) as other:
                answers.put(other.keeper.ask(Examine(within)))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            answers.put(error)

    def answer() -> Examined:
        got = answers.get()
        if isinstance(got, BaseException):
            raise got
        return got

    aside(ask)
    return answer


def _side_by_side(examined: list[_ExaminedRole]) -> tuple[tuple[str, str], ...]:
    """The columns of all roles, group by group."""
    columns = list(dict.fromkeys(column for one in examined for column in one.columns))
    groups = list(dict.fromkeys(group for group, _ in columns))
    return tuple(sorted(columns, key=lambda column: groups.index(column[0])))


def _row(one: NodeHealth, role: str, of_role: _ExaminedRole, columns: tuple[tuple[str, str], ...]) -> Row:
    checks = tuple(
        one.checks[column[1]]
        if column in of_role.columns
        else skipped(column[1], f"not a check of role {role}")
        for column in columns
    )
    return Row(one.name, role, one.state, one.healthy, checks)


def _subject(talk: Node, node: NodeStatus, used: Sample | None, expected: Expected | None) -> Subject:
    return Subject(
        name=node.name,
        role=node.role,
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
        page = json.loads(text)
    except ValueError:
        return False
    return isinstance(page, dict) and page.get("state") == "running"


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
