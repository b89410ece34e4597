"""The life of the clusters as JUnit: pre-flight, start of each node, health, clean-up. Only this
module uses junit_xml.

A failure here is a failure of a cluster. What a test did on purpose is not a failure, and neither
is a start that succeeded when it was repeated: CI would show a good run as bad. Such cases are
skipped, with the reason.

The format is what Jenkins' xUnit plugin accepts, because it is the strictest reader."""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from clusterlib.evidence.artifacts import CLUSTER_XML
from clusterlib.evidence.damage import WHOLE, damage_at
from clusterlib.evidence.evidence import ClusterRun, Evidence
from clusterlib.evidence.names import base_name
from clusterlib.evidence.records import (
    ClusterEnded,
    ClusterObtained,
    ClusterRefused,
    HealthRecorded,
    PreflightRecorded,
    Record,
)
from clusterlib.evidence.story import moment
from clusterlib.frozen import frozen
from clusterlib.messages.events import FaultKill, NodeMoved
from clusterlib.messages.findings import CheckOutcome, Finding
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.states import NodeState

__all__ = ["Case", "Suite", "suites_of", "to_xml", "write_junit"]

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")


@frozen
class Case:
    name: str
    group: str
    """Where CI shows it: the class of a test."""
    seconds: float = 0.0
    failure: tuple[str, str, str] | None = None
    """Type, message and body."""
    skipped: str = ""
    output: str = ""


@frozen
class Suite:
    name: str
    cases: tuple[Case, ...]
    time: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def write_junit(folder: Path, evidence: Evidence) -> None:
    CLUSTER_XML.write(folder, to_xml(suites_of(evidence)))


def suites_of(evidence: Evidence) -> list[Suite]:
    return [
        *_preflights(evidence),
        *_failed_starts(evidence),
        *_starts(evidence),
        *_healths(evidence),
        *_clean_ups(evidence),
    ]


def to_xml(suites: Iterable[Suite]) -> str:
    from junit_xml import to_xml_report_string

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        text = to_xml_report_string([_suite(suite) for suite in suites], prettyprint=False)
    root = ET.fromstring(text)  # noqa: S314 - we have just written it
    for element in root.iter():
        element.attrib.pop("disabled", None)  # not in Jenkins' schema
        if element.tag in {"testsuites", "testsuite", "testcase"} and "time" in element.attrib:
            element.set("time", f"{float(element.get('time', 0)):.6f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def clean(text: str) -> str:
    """Removes what XML cannot contain: colours, control characters and lone surrogates."""
    return _UNPRINTABLE.sub("", re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", text))


# -- what becomes a suite


def _preflights(evidence: Evidence) -> list[Suite]:
    latest = {record.what.profile: record for record in evidence.of(PreflightRecorded)}
    found = []
    for profile, record in latest.items():
        name = f"pre-flight {profile}"
        cases = [_finding(finding, finding.name, name) for finding in record.what.findings]
        found.append(Suite(name, tuple(cases), record.time, {"profile": profile}))
    return found


def _finding(finding: Finding, name: str, group: str) -> Case:
    seen = finding.evidence
    body = "\n".join([seen, *(f"try: {remedy}" for remedy in finding.remedies)])
    match finding.outcome:
        case CheckOutcome.FAILED:
            return Case(name, group, failure=(name, seen or name, body))
        case CheckOutcome.SKIPPED:
            return Case(name, group, skipped=seen or "skipped")
        case CheckOutcome.WARNING:
            return Case(name, group, output=f"warning: {body}")
    return Case(name, group, output=seen)


def _failed_starts(evidence: Evidence) -> list[Suite]:
    """Each attempt is a case, because a check that passes only the second time is worth knowing."""
    started = {record.what.profile: record.time for record in evidence.of(ClusterObtained)}
    grouped: dict[str, list[Record[ClusterRefused]]] = {}
    for record in evidence.refusals:
        name = record.what.cluster or f"of profile {record.what.profile}"
        grouped.setdefault(name, []).append(record)
    found = []
    for cluster, records in grouped.items():
        group = f"start {cluster}"
        cases = tuple(
            _attempt(record, number, group, started.get(record.what.profile, ""))
            for number, record in enumerate(records, 1)
        )
        properties = {"profile": records[0].what.profile, "then": records[-1].what.next or ""}
        found.append(Suite(group, cases, records[0].time, properties))
    return found


def _attempt(record: Record[ClusterRefused], number: int, group: str, started: str) -> Case:
    """`started`: when a cluster of this profile was last started."""
    failure = _failure(record.what.error)
    if record.what.is_tried_again and record.time < started:
        _, problem, _ = failure
        return Case(
            f"attempt {number}", group, skipped=f"it was tried again, and a cluster started: {problem}"
        )
    return Case(f"attempt {number}", group, failure=failure)


def _failure(error: RecordedError) -> tuple[str, str, str]:
    lines = [f"cause: {error.cause}"] if error.cause else []
    lines += [*error.evidence, *(f"try: {remedy}" for remedy in error.remedies)]
    return error.code, error.problem, "\n".join(lines)


def _starts(evidence: Evidence) -> list[Suite]:
    failed = {base_name(record.what.run) for record in evidence.of(ClusterRefused)}
    return [_start(run) for run in evidence.runs if run.events and run.name not in failed]


def _start(run: ClusterRun) -> Suite:
    """The first start of each node in this run. Later starts are not part of this suite."""
    group = f"start {run.cluster}"
    reached: dict[str, Case] = {}
    begun: dict[str, float] = {}
    killed: set[str] = set()
    for event in run.events:
        time = moment(event.time) or 0.0
        match event.what:
            case FaultKill(node=node):
                killed.add(node)
            case NodeMoved(node=node, state=NodeState.STARTING):
                begun.setdefault(node, time)
            case NodeMoved(node=node, state=NodeState.READY | NodeState.DEAD | NodeState.STOPPED) as move:
                if node in begun and node not in reached:
                    reached[node] = _reached(move, group, max(0.0, time - begun[node]), killed)
    missing = [
        Case(node, group, failure=("node-not-ready", f"{node} was never ready", ""))
        for node in sorted(begun.keys() - reached.keys())
    ]
    simulated = "true" if run.plan.simulated else "false"
    properties = {"profile": run.plan.profile, "run": run.name, "simulated": simulated}
    return Suite(group, (*reached.values(), *missing), run.events[0].time, properties)


def _reached(move: NodeMoved, group: str, seconds: float, killed: set[str]) -> Case:
    """How the first start of a node ended. `killed` are the nodes that were killed on purpose."""
    node = move.node
    if move.state is NodeState.READY:
        return Case(node, group, seconds)
    if node in killed:
        return Case(node, group, seconds, skipped=f"{node} was killed on purpose before it was ready")
    reason = move.reason or move.exit or "it ended before it was ready"
    return Case(node, group, seconds, ("node-exited", f"{node}: {reason}", reason))


def _healths(evidence: Evidence) -> list[Suite]:
    events = {run.name: run.events for run in evidence.runs}
    found = []
    latest = {(record.what.cluster, record.what.run): record for record in evidence.of(HealthRecorded)}
    for (cluster, run), record in latest.items():
        group, health = f"health {cluster}", record.what
        damage = damage_at(moment(record.time) or 0.0, events.get(base_name(run), ()))
        groups = {name: group for group, name in health.columns}
        nodes = frozenset(row.node for row in health.nodes)
        context = _Context(groups, damage, _fallen(health), nodes)
        cases = [_check(check, row.node, group, context) for row in health.nodes for check in row.checks]
        found.append(Suite(group, tuple(cases), record.time))
    return found


@frozen
class _Context:
    """What else is known of a cluster whose health was examined."""

    groups: Mapping[str, str]
    """The group of each check."""
    damage: Mapping[str, str]
    """What was done on purpose, by node."""
    fallen: Mapping[str, str]
    """What was found for each node that is not up."""
    nodes: frozenset[str]

    def excuse(self, node: str, check: str, finding: str) -> str:
        """Why a failed check is not a failure of its own. Empty if it is one."""
        group = self.groups.get(check)
        is_own = check == "started" or group == "connectivity"
        if self.damage and not (is_own and not self.damage.keys() & {node, WHOLE}):
            return f"on purpose: {', '.join(self.damage.values())}"
        missed = {other for other in self.nodes if re.search(rf"\b{re.escape(other)}\b", finding)}
        fallen = self.fallen.keys() - {node}
        if group == "cluster" and fallen and missed - {node} <= fallen:
            return f"it follows from another failure: {', '.join(self.fallen.values())}"
        return ""


def _check(check: Finding, node: str, group: str, context: _Context) -> Case:
    """One event is at most one failure. Checks that fail only because a node is missing are
    skipped."""
    case = _finding(check, f"{node}: {check.name}", group)
    if case.failure is None:
        return case
    _, finding, _ = case.failure
    excuse = context.excuse(node, check.name, finding)
    return Case(case.name, group, skipped=f"{excuse}; found: {finding}") if excuse else case


def _fallen(health: HealthRecorded) -> dict[str, str]:
    return {
        row.node: check.evidence or f"{row.node} is not up"
        for row in health.nodes
        for check in row.checks
        if check.name == "started" and check.outcome is CheckOutcome.FAILED
    }


def _clean_ups(evidence: Evidence) -> list[Suite]:
    """A case fails if something is left. Why the cluster could not go on is only shown."""
    found = []
    for record in evidence.of(ClusterEnded):
        ended = record.what
        group = f"clean-up {ended.cluster}"
        case = Case(
            "nothing is left",
            group,
            ended.seconds,
            _failure(ended.error) if ended.error else None,
            output=_ended_because(ended.because) if ended.because else "",
        )
        found.append(Suite(group, (case,), record.time))
    return found


def _ended_because(error: RecordedError) -> str:
    _, problem, more = _failure(error)
    return f"it could not go on: {problem}\n{more}".strip()


# -- to junit_xml


def _suite(suite: Suite) -> Any:
    from junit_xml import TestSuite

    return TestSuite(
        clean(suite.name),
        [_case(case) for case in suite.cases],
        timestamp=clean(suite.time) or None,
        hostname="localhost",
        properties={clean(key): clean(value) for key, value in suite.properties.items()} or None,
    )


def _case(case: Case) -> Any:
    from junit_xml import TestCase

    made = TestCase(
        clean(case.name), clean(case.group), case.seconds or None, stdout=clean(case.output) or None
    )
    if case.failure is not None:
        kind, message, body = case.failure
        made.add_failure_info(clean(message) or "it failed", clean(body) or None, clean(kind) or None)
    elif case.skipped:
        made.add_skipped_info(clean(case.skipped))
    return made
