"""The health matrix of nodes that their keeper asks. Each driver asks in its way; this module
combines the findings.

A server program, as described in its profile:

    connectivity  answering
    application   started, health (the profile's own question), log (no line of a crash)
    cluster       formed
    performance   memory, cpu

An Erlang node: see `drivers/beam/health`. The driver names its columns; `started` comes after those
of connectivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clusterlib.health.matrix import NodeHealth, Subject, measure, unfit
from clusterlib.messages.findings import Finding, failed, ok, skipped
from clusterlib.messages.measurements import Examined
from clusterlib.messages.states import NodeState
from clusterlib.remedies import Remedy, do

__all__ = ["judge"]

STARTED = ("application", "started")
UNDONE_BY = {NodeState.PAUSED: "cluster.resume", NodeState.STOPPED: "cluster.start"}
MEASURED = (("performance", "memory"), ("performance", "cpu"))


def judge(
    role: str, subjects: Sequence[Subject], examined: Examined, cluster: str
) -> tuple[tuple[tuple[str, str], ...], list[NodeHealth]]:
    """The columns of a role, and the row of each of its nodes.

    `examined` is the keeper's answer; a node that is missing in it did not answer in time."""
    asked = examined.columns[role]
    resumes = {
        do("cluster.restart", one.name): do(UNDONE_BY[one.state], one.name)
        for one in subjects
        if one.state in UNDONE_BY
    }
    found = [_row(subject, asked, examined.nodes.get(subject.name), cluster, resumes) for subject in subjects]
    before = sum(group == "connectivity" for group, _ in asked)
    return (*asked[:before], STARTED, *asked[before:], *MEASURED), found


def _row(
    node: Subject,
    asked: Sequence[tuple[str, str]],
    examined: Mapping[str, Finding] | None,
    cluster: str,
    resumes: Mapping[Remedy, Remedy],
) -> NodeHealth:
    """`resumes` replaces a restart among the driver's remedies if a node is only paused."""
    look = do("cluster.logs", node.name).of_cluster(cluster)
    why = unfit(node, cluster)
    checks = {"started": why or ok("started", node.state)}
    for position, (_, name) in enumerate(asked):
        if examined is not None:
            found = examined.get(name) or skipped(name, "not examined by its driver")
            checks[name] = _finding(found, cluster, resumes)
        elif why is None and position == 0:
            checks[name] = failed(name, "no answer in time", look)
        else:
            checks[name] = skipped(name, f"{node.name} is {node.state}" if why else "not reachable")
    usage = node.usage() if node.pid is not None else None
    if usage is not None:
        checks |= measure(usage, node.expected, look)
        if usage.stopped and node.state is not NodeState.PAUSED and why is None:
            stopped = "its process was stopped by a signal from outside"
            checks["started"] = failed("started", stopped, f"kill -CONT {node.pid}")
    for _, name in MEASURED:
        checks.setdefault(name, skipped(name, "not measured"))
    return NodeHealth(node.name, node.state, checks)


def _finding(finding: Finding, cluster: str, resumes: Mapping[Remedy, Remedy]) -> Finding:
    remedies = tuple(resumes.get(remedy, remedy).of_cluster(cluster) for remedy in finding.remedies)
    return Finding(finding.name, finding.outcome, finding.evidence, remedies)
