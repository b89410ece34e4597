"""The life of the clusters as JUnit: pre-flight, each node's start, health, clean-up. The only user of junit_xml.

A failure here is one of a cluster. What a test did on purpose is none, and neither is a start that was tried again and
succeeded: CI would show a good run as a bad one. Such cases are skipped, and say why.

What Jenkins' xUnit plugin accepts is the narrowest of what is out there, so it is what is written."""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from clusterlib.evidence.damage import WHOLE, damage_at
from clusterlib.evidence.evidence import Evidence, Run
from clusterlib.evidence.facts import base_name, mappings, real, texts
from clusterlib.evidence.recorder import Record
from clusterlib.evidence.story import moment
from clusterlib.frozen import frozen
from clusterlib.hosts.places import write_private
from clusterlib.messages.events import FaultKill, NodeMoved
from clusterlib.messages.states import NodeState

__all__ = ["Case", "Suite", "suites_of", "to_xml", "write_junit"]

TRIED_AGAIN = frozenset({"retry", "smaller", "simulate"})
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
    told: str = ""


@frozen
class Suite:
    name: str
    cases: tuple[Case, ...]
    time: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def write_junit(path: Path, evidence: Evidence) -> None:
    write_private(path, to_xml(suites_of(evidence)))


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
    root = ET.fromstring(text)  # noqa: S314 - it is what we have just written
    for element in root.iter():
        element.attrib.pop("disabled", None)  # an attribute that Jenkins' schema does not know
        if element.tag in {"testsuites", "testsuite", "testcase"} and "time" in element.attrib:
            element.set("time", f"{float(element.get('time', 0)):.6f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def clean(text: str) -> str:
    """Without what XML cannot hold: colours, control characters, halves of characters."""
    return _UNPRINTABLE.sub("", re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", text))


# -- what becomes a suite


def _preflights(evidence: Evidence) -> list[Suite]:
    latest = {str(record.get("profile")): record for record in evidence.of("preflight")}
    found = []
    for profile, record in latest.items():
        name = f"pre-flight {profile}"
        cases = [_finding(finding, name) for finding in mappings(record.get("findings"))]
        found.append(Suite(name, tuple(cases), record["time"], {"profile": profile}))
    return found


def _finding(finding: Mapping[str, Any], group: str) -> Case:
    name, outcome = str(finding.get("name", "")), str(finding.get("outcome", ""))
    told = str(finding.get("detail") or finding.get("evidence") or "")
    remedies = [f"try: {remedy}" for remedy in texts(finding.get("remedies"))]
    body = "\n".join([told, *remedies])
    if outcome == "failed":
        return Case(name, group, failure=(name, told or name, body))
    if outcome == "skipped":
        return Case(name, group, skipped=told or "skipped")
    return Case(name, group, told=f"{outcome}: {body}" if outcome == "warning" else told)


def _failed_starts(evidence: Evidence) -> list[Suite]:
    """Each attempt is a case: what passes at the second one is worth knowing, too."""
    started = {str(record.get("profile")): record["time"] for record in evidence.of("cluster.started")}
    grouped: dict[str, list[Record]] = {}
    for record in evidence.of("cluster.failed"):
        name = str(record.get("cluster") or f"of profile {record.get('profile')}")
        grouped.setdefault(name, []).append(record)
    found = []
    for cluster, records in grouped.items():
        group = f"start {cluster}"
        cases = tuple(
            _attempt(record, number, group, started.get(str(record.get("profile")), ""))
            for number, record in enumerate(records, 1)
        )
        told = {"profile": str(records[0].get("profile")), "then": str(records[-1].get("next"))}
        found.append(Suite(group, cases, records[0]["time"], told))
    return found


def _attempt(record: Record, number: int, group: str, started: str) -> Case:
    """`started`: when a cluster of this profile was last started."""
    failure = _failure(record.get("error"))
    if record.get("next") in TRIED_AGAIN and record["time"] < started:
        _, problem, _ = failure
        return Case(
            f"attempt {number}", group, skipped=f"it was tried again, and a cluster started: {problem}"
        )
    return Case(f"attempt {number}", group, failure=failure)


def _failure(error: Any) -> tuple[str, str, str]:
    if not isinstance(error, Mapping):
        return "cluster-error", str(error or "it failed"), ""
    lines = [f"cause: {error['cause']}"] if error.get("cause") else []
    lines += texts(error.get("evidence"))
    lines += [f"try: {remedy}" for remedy in texts(error.get("remedies"))]
    return (
        str(error.get("code") or "cluster-error"),
        str(error.get("problem") or "it failed"),
        "\n".join(lines),
    )


def _starts(evidence: Evidence) -> list[Suite]:
    failed = {base_name(record.get("run")) for record in evidence.of("cluster.failed")}
    return [_start(run) for run in evidence.runs if run.events and run.name not in failed]


def _start(run: Run) -> Suite:
    """The first start of each node in this run; later ones are part of its life."""
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
    simulated = "true" if run.plan.get("simulated") else "false"
    properties = {"profile": str(run.plan.get("profile", "")), "run": run.name, "simulated": simulated}
    return Suite(group, (*reached.values(), *missing), run.events[0].time, properties)


def _reached(move: NodeMoved, group: str, seconds: float, killed: set[str]) -> Case:
    """How the first start of a node ended. `killed`: those that were killed on purpose."""
    node = move.node
    if move.state is NodeState.READY:
        return Case(node, group, seconds)
    if node in killed:
        return Case(node, group, seconds, skipped=f"{node} was killed on purpose before it was ready")
    reason = move.reason or move.exit or "it ended before it was ready"
    return Case(node, group, seconds, ("node-exited", f"{node}: {reason}", reason))


def _healths(evidence: Evidence) -> list[Suite]:
    diaries = {run.name: run.events for run in evidence.runs}
    found = []
    latest = {(str(r.get("cluster")), str(r.get("run"))): r for r in evidence.of("health")}
    for (cluster, run), record in latest.items():
        group = f"health {cluster}"
        damage = damage_at(moment(record["time"]) or 0.0, diaries.get(base_name(run), ()))
        context = _Context(_groups(record), damage, _fallen(record), _nodes(record))
        cases = [
            _check(check, str(row.get("node")), group, context)
            for row in mappings(record.get("nodes"))
            for check in mappings(row.get("checks"))
        ]
        found.append(Suite(group, tuple(cases), record["time"]))
    return found


@frozen
class _Context:
    """What else is known of a cluster whose health was examined."""

    groups: Mapping[str, str]
    """The group of each check."""
    damage: Mapping[str, str]
    """What was done on purpose, by node."""
    fallen: Mapping[str, str]
    """What was found of each node that is not up."""
    nodes: frozenset[str]

    def excuse(self, node: str, check: str, finding: str) -> str:
        """Why a check that failed is no failure of its own; nothing where it is one."""
        group = self.groups.get(check)
        is_own = check == "started" or group == "connectivity"
        if self.damage and not (is_own and not self.damage.keys() & {node, WHOLE}):
            return f"on purpose: {', '.join(self.damage.values())}"
        missed = {other for other in self.nodes if re.search(rf"\b{re.escape(other)}\b", finding)}
        fallen = self.fallen.keys() - {node}
        if group == "cluster" and fallen and missed - {node} <= fallen:
            return f"it follows from another failure: {', '.join(self.fallen.values())}"
        return ""


def _check(check: Mapping[str, Any], node: str, group: str, context: _Context) -> Case:
    """One event is one failure at most: what a node lacks because another one is not there is skipped."""
    name = str(check.get("name"))
    case = _finding({**check, "name": f"{node}: {name}"}, group)
    if case.failure is None:
        return case
    _, finding, _ = case.failure
    excuse = context.excuse(node, name, finding)
    return Case(case.name, group, skipped=f"{excuse}; found: {finding}") if excuse else case


def _fallen(health: Record) -> dict[str, str]:
    return {
        str(row.get("node")): str(check.get("evidence") or f"{row.get('node')} is not up")
        for row in mappings(health.get("nodes"))
        for check in mappings(row.get("checks"))
        if check.get("name") == "started" and check.get("outcome") == "failed"
    }


def _nodes(health: Record) -> frozenset[str]:
    return frozenset(str(row.get("node")) for row in mappings(health.get("nodes")))


def _groups(health: Record) -> dict[str, str]:
    """The group of each check."""
    columns = health.get("columns")
    pairs = [texts(pair) for pair in columns] if isinstance(columns, list | tuple) else []
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _clean_ups(evidence: Evidence) -> list[Suite]:
    """It fails if something is left. The reason why the cluster could not go on is shown, and fails nothing."""
    found = []
    for record in evidence.of("cluster.ended"):
        cluster = str(record.get("cluster"))
        group = f"clean-up {cluster}"
        error, because = record.get("error"), record.get("because")
        case = Case(
            "nothing is left",
            group,
            real(record.get("seconds")) or 0.0,
            _failure(error) if error else None,
            told=_ended_because(because) if because else "",
        )
        found.append(Suite(group, (case,), record["time"]))
    return found


def _ended_because(error: Any) -> str:
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
        clean(case.name), clean(case.group), case.seconds or None, stdout=clean(case.told) or None
    )
    if case.failure is not None:
        kind, message, body = case.failure
        made.add_failure_info(clean(message) or "it failed", clean(body) or None, clean(kind) or None)
    elif case.skipped:
        made.add_skipped_info(clean(case.skipped))
    return made
