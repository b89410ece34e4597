"""Makes the story from the evidence, without side effects. Gaps are left out, never guessed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.failures import find_failures
from clusterlib.evidence.lanes import RunHistory, read_history
from clusterlib.evidence.names import base_name, natural
from clusterlib.evidence.records import RunStarted, UsedCluster
from clusterlib.evidence.story import Lane, Mark, Story, moment
from clusterlib.evidence.tested import read_tests
from clusterlib.evidence.troubles import find_troubles
from clusterlib.evidence.usage import clusters_of, usage_of

__all__ = ["build_story"]


def build_story(evidence: Evidence) -> Story:
    records = evidence.records
    times = [time for record in records if (time := moment(record.time)) is not None]
    last = max(times, default=0.0)
    histories = _histories(evidence, last)
    started = evidence.start
    leader = started.worker if started else None
    over = [record for record in evidence.ends if record.worker == leader]
    going = not over and leader in evidence.alive
    what = started.what if started else RunStarted()
    tests = read_tests(evidence, last, histories)
    marks = _marks(histories)
    began = min([*times, *(history.begin for history in histories)], default=0.0)
    ended = max([last, *(test.end for test in tests), *(history.end for history in histories)], default=0.0)
    lanes = _joined(histories)
    failures = find_failures(evidence.runs, tests, marks, lanes)
    return Story(
        project=what.project,
        command=what.argv,
        began=began,
        ended=ended,
        going=going,
        killed=started is not None and not over and not going,
        interrupted=evidence.interrupted,
        exit_code=over[-1].what.exit_code if over else None,
        tests=tests,
        failures=failures,
        troubles=find_troubles(evidence, tests, marks),
        lanes=lanes,
        marks=marks,
        clusters=clusters_of(evidence, tests, histories),
        usage=usage_of(evidence.runs),
        counts=dict(Counter(str(test.outcome) for test in tests)),
    )


def _histories(evidence: Evidence, last: float) -> list[RunHistory]:
    """The histories of all runs.

    One without an end lasts as long as the test run. If that was killed, it lasts until the last
    sign of the run."""
    signs = _signs(evidence)
    found = []
    for run in evidence.runs:
        until = last if evidence.alive else signs.get((run.cluster, run.name))
        history = read_history(run.cluster, run.name, run.events, until)
        if history is not None:
            found.append(history)
    return sorted(found, key=lambda history: history.begin)


def _signs(evidence: Evidence) -> dict[tuple[str, str], float]:
    """When each run was last heard of."""
    found: dict[tuple[str, str], float] = {}
    for record in evidence.records:
        first = next(iter(record.what.used()), UsedCluster())
        key = (first.cluster, base_name(first.run))
        found[key] = max(found.get(key, 0.0), moment(record.time) or 0.0)
    for run in evidence.runs:
        for sample in run.samples[-1:]:
            key = (run.cluster, run.name)
            found[key] = max(found.get(key, 0.0), moment(sample.time) or 0.0)
    return found


def _marks(histories: Iterable[RunHistory]) -> tuple[Mark, ...]:
    marks = sorted((mark for history in histories for mark in history.marks), key=lambda mark: mark.time)
    return tuple(dataclasses.replace(mark, number=number) for number, mark in enumerate(marks, 1))


def _joined(histories: Iterable[RunHistory]) -> tuple[Lane, ...]:
    """One lane for each node, over all runs of its cluster, in order of cluster and node names."""
    lanes: dict[tuple[str, str], Lane] = {}
    for history in histories:
        for lane in history.lanes:
            key = (lane.cluster, lane.node)
            before = lanes[key].spans if key in lanes else ()
            lanes[key] = dataclasses.replace(lane, spans=before + lane.spans)
    return tuple(sorted(lanes.values(), key=lambda lane: (natural(lane.cluster), natural(lane.node))))
