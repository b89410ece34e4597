"""What failed and what may explain it: events of the cluster and output of its nodes."""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Sequence

from clusterlib.evidence.artifacts import LOGS
from clusterlib.evidence.evidence import ClusterRun
from clusterlib.evidence.marks import SpanState
from clusterlib.evidence.names import natural
from clusterlib.evidence.story import Failure, Lane, Mark, PrintedLines, Tested

__all__ = ["find_failures"]

NOTICED = 0.1
"""Seconds. The keeper may hear of what a node did during a test a moment after the test."""
MOST_WITH_OUTPUT = 40
MOST_MARKS = 12
AWAY = frozenset({SpanState.PAUSED, SpanState.DEAD, SpanState.UNHEALTHY, SpanState.RESTARTING})
"""States in which a node is of no use to a test that begins."""
LINES = 30
FEW_LINES = 6
NO_CLUSTER = ("", "")
MANY_NODES = 8
_REMEDY = re.compile(r"^\s*(?:E\s+)?try: (.+)$", re.MULTILINE)


def find_failures(
    runs: Sequence[ClusterRun], tests: Sequence[Tested], marks: Sequence[Mark], lanes: Sequence[Lane]
) -> tuple[Failure, ...]:
    return _FailureFinder(runs, tests, marks, lanes).find()


class _FailureFinder:
    def __init__(
        self,
        runs: Sequence[ClusterRun],
        tests: Sequence[Tested],
        marks: Sequence[Mark],
        lanes: Sequence[Lane],
    ) -> None:
        self._tests = tests
        self._runs = {(run.cluster, run.name): run for run in runs}
        self._latest = {run.cluster: run for run in runs}
        self._marks: dict[str, list[Mark]] = {}
        for mark in marks:
            self._marks.setdefault(mark.cluster, []).append(mark)
        self._begins: dict[str, list[float]] = {}
        for test in tests:
            for cluster, _ in test.clusters or (NO_CLUSTER,):
                self._begins.setdefault(cluster, []).append(test.begin)
        self._lanes: dict[str, list[Lane]] = {}
        for lane in lanes:
            self._lanes.setdefault(lane.cluster, []).append(lane)

    def find(self) -> tuple[Failure, ...]:
        found: list[Failure] = []
        for test in self._tests:
            if test.outcome.bad:
                during = self._during(test)
                deeds = [mark for mark in during if _did(test, mark)]
                others = [mark for mark in during if _hurts(mark) and not _did(test, mark)]
                culprits = others or self._left_broken(test)
                said = self._said(test) if len(found) < MOST_WITH_OUTPUT else ()
                remedies = tuple(dict.fromkeys(_REMEDY.findall(test.message)))
                found.append(
                    Failure(
                        test,
                        said,
                        tuple(during[-MOST_MARKS:]),
                        culprit=culprits[-1] if culprits else None,
                        deed=deeds[-1] if deeds else None,
                        remedies=remedies,
                    )
                )
        return tuple(found)

    def _until(self, test: Tested) -> float:
        """A little longer than the test took, but never into the next one."""
        following = test.end + NOTICED
        for cluster, _ in test.clusters or (NO_CLUSTER,):
            begins = self._begins[cluster]
            place = bisect.bisect_left(begins, max(test.end, test.begin + 1e-6))
            following = min([following, *begins[place : place + 1]])
        return max(test.end, following)

    def _during(self, test: Tested) -> list[Mark]:
        found: list[Mark] = []
        for cluster in dict.fromkeys(cluster for cluster, _ in test.clusters):
            marks = self._marks.get(cluster, [])
            first = bisect.bisect_left(marks, test.begin, key=lambda mark: mark.time)
            last = bisect.bisect_right(marks, self._until(test), key=lambda mark: mark.time)
            found += marks[first:last]
        return sorted(found, key=lambda mark: mark.time)

    def _left_broken(self, test: Tested) -> list[Mark]:
        """What was done to nodes that were not back when the test began."""
        found: list[Mark] = []
        for cluster in dict.fromkeys(cluster for cluster, _ in test.clusters):
            away = {
                lane.node
                for lane in self._lanes.get(cluster, ())
                for span in lane.spans
                if span.begin < test.begin < span.end and span.state in AWAY
            }
            marks = self._marks.get(cluster, [])
            before = marks[: bisect.bisect_left(marks, test.begin, key=lambda mark: mark.time)]
            found += [mark for mark in before if mark.node in away and _hurts(mark)]
        return sorted(found, key=lambda mark: mark.time)

    def _said(self, test: Tested) -> tuple[PrintedLines, ...]:
        several = len(test.clusters) > 1
        return tuple(
            dataclasses.replace(said, node=f"{cluster}: {said.node}") if several else said
            for cluster, run in test.clusters
            for said in self._said_in(test, cluster, run)
        )

    def _said_in(self, test: Tested, cluster: str, name: str) -> list[PrintedLines]:
        run = self._runs.get((cluster, name)) or (self._latest.get(cluster) if not name else None)
        if run is None:
            return []
        nodes = sorted(run.logs, key=natural)
        most = LINES if len(nodes) <= MANY_NODES else FEW_LINES
        found = []
        for node in nodes:
            part = run.said(node, test.begin, self._until(test), most)
            if part.lines:
                file = f"{run.folder}/{LOGS.label}{node}.log"
                found.append(PrintedLines(node, part.lines, part.left_out, file))
        return found


def _hurts(mark: Mark) -> bool:
    """Whether it made a node unavailable. Trouble of the whole cluster does not explain a test."""
    return mark.bad and bool(mark.node)


def _did(test: Tested, mark: Mark) -> bool:
    """Whether the test did this itself. If the keeper recorded no name, it was the test, because
    the test has the cluster for itself."""
    return bool(mark.deed) and mark.by in {"", test.test, f"{test.test} [{test.worker}]"}
