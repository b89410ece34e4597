"""What went wrong outside of tests: failed starts, unexpected ends of nodes, failed ends.

Each is listed once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from clusterlib.evidence.evidence import ClusterRun, Evidence
from clusterlib.evidence.marks import MarkKind
from clusterlib.evidence.names import base_name
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.records import ClusterEnded, ClusterRefused, PreflightRecorded
from clusterlib.evidence.story import Mark, Tested, Trouble, moment
from clusterlib.messages.events import NodeMoved
from clusterlib.messages.findings import CheckOutcome
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.states import NodeState
from clusterlib.remedies import do

__all__ = ["find_troubles"]

LAST_WORDS = 8
BEFORE_A_CRASH = 30.0
MOST_CRASHES = 20


def find_troubles(evidence: Evidence, tests: Sequence[Tested], marks: Sequence[Mark]) -> tuple[Trouble, ...]:
    found = [
        *_starts(evidence, tests),
        *_endings(evidence),
        *_findings(evidence),
        *_crashes(evidence, tests, marks),
    ]
    return tuple(sorted(found, key=lambda trouble: trouble.time))


def _starts(evidence: Evidence, tests: Sequence[Tested]) -> list[Trouble]:
    """One trouble for a start, however often it was tried and however many tests wanted it."""
    found: dict[tuple[str, str, str], Trouble] = {}
    for record in evidence.refusals:
        where = _where(record.what)
        trouble = _trouble(record.time, record.what.error, where, then=record.what.next or "")
        key = (where, trouble.code, trouble.problem)
        before = found.get(key)
        if before is not None:
            trouble = dataclasses.replace(trouble, time=before.time, attempts=before.attempts + 1)
        found[key] = trouble
    return [_with_cost(trouble, tests) for trouble in found.values()]


def _with_cost(trouble: Trouble, tests: Sequence[Tested]) -> Trouble:
    hit = sum(
        trouble.problem in test.message and bool(trouble.problem)
        for test in tests
        if test.outcome in {Outcome.SKIPPED, Outcome.ERROR, Outcome.FAILED}
    )
    return dataclasses.replace(trouble, tests=max(trouble.tests, hit))


def _endings(evidence: Evidence) -> list[Trouble]:
    """Why a cluster could not go on, and what was left after its end."""
    return [
        _trouble(record.time, error, f"cluster {record.what.cluster}")
        for record in evidence.of(ClusterEnded)
        for error in (record.what.because, record.what.error)
        if error is not None
    ]


def _findings(evidence: Evidence) -> list[Trouble]:
    """The pre-flight checks that failed. The same finding of two profiles is listed once."""
    found: dict[tuple[str, str], Trouble] = {}
    for record in evidence.of(PreflightRecorded):
        for finding in record.what.findings:
            if finding.outcome is CheckOutcome.FAILED:
                name, why = finding.name, finding.evidence
                time = moment(record.time) or 0.0
                where = f"pre-flight of profile {record.what.profile}"
                trouble = Trouble(time, where, name, why or name, "", (), finding.remedies)
                found.setdefault((name, why), trouble)
    return list(found.values())


def _crashes(evidence: Evidence, tests: Sequence[Tested], marks: Sequence[Mark]) -> list[Trouble]:
    """Nodes that ended although this was not requested, with the last lines they printed."""
    runs = {(run.cluster, run.name): run for run in evidence.runs}
    crashes = [mark for mark in marks if mark.kind is MarkKind.CRASH]
    failed_starts = {base_name(record.what.run) for record in evidence.of(ClusterRefused)}
    return [
        Trouble(
            mark.time,
            f"cluster {mark.cluster}",
            "node-exited",
            f"{mark.label}: {mark.detail}" if mark.detail else mark.label,
            "",
            _last_words(runs.get((mark.cluster, mark.run)), mark, tests),
            (do("cluster.logs", mark.node, name=mark.cluster),),
        )
        for mark in crashes[:MOST_CRASHES]
        if mark.run not in failed_starts  # the error of the start says more
    ]


def _last_words(run: ClusterRun | None, mark: Mark, tests: Sequence[Tested]) -> tuple[str, ...]:
    """What the node printed before it ended, since its last start and since the test began.

    Earlier lines belong to other tests."""
    if run is None:
        return ()
    began = max(_last_start(run, mark), _tests_began(tests, mark), mark.time - BEFORE_A_CRASH)
    said = run.said(mark.node, began, mark.time + 0.05, LAST_WORDS)
    return tuple(line.text for line in said.lines)


def _last_start(run: ClusterRun, mark: Mark) -> float:
    starts = (
        moment(event.time) or 0.0
        for event in run.events
        if isinstance(event.what, NodeMoved)
        and event.what.node == mark.node
        and event.what.state is NodeState.STARTING
    )
    return max((time for time in starts if time <= mark.time), default=0.0)


def _tests_began(tests: Sequence[Tested], mark: Mark) -> float:
    """When the first test began that used the cluster then. If none did, the last one before."""
    there = [
        test
        for test in tests
        if (test.cluster, test.run) == (mark.cluster, mark.run) and test.begin <= mark.time
    ]
    running = [test.begin for test in there if mark.time <= test.end]
    return min(running) if running else max((test.begin for test in there), default=0.0)


def _trouble(time: str, error: RecordedError, where: str, *, then: str = "") -> Trouble:
    return Trouble(
        time=moment(time) or 0.0,
        where=where,
        code=error.code,
        problem=error.problem,
        cause=error.cause or "",
        evidence=error.evidence,
        remedies=error.remedies,
        then=then,
    )


def _where(refused: ClusterRefused) -> str:
    nodes = f", {refused.nodes} nodes" if refused.nodes else ""
    if refused.cluster:
        return f"cluster {refused.cluster} (profile {refused.profile}{nodes})"
    return f"a cluster of profile {refused.profile}{nodes}"
