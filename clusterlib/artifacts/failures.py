"""What failed, with all that may tell why: what happened to the cluster, and what its nodes said meanwhile."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

from clusterlib.artifacts.evidence import Run
from clusterlib.artifacts.facts import natural
from clusterlib.artifacts.story import Failure, Lane, Mark, Said, Tested

__all__ = ["find_failures"]

BEFORE = 5.0
"""Seconds before a test in which what happened may still be why it failed."""
NOTICED = 0.1
"""The keeper may learn a moment after the test of what a node said or did during it."""
MOST_TOLD = 40
LINES = 30
FEW_LINES = 6
MANY_NODES = 8
_REMEDY = re.compile(r"^\s*(?:E\s+)?try: (.+)$", re.MULTILINE)


def find_failures(
    runs: Sequence[Run], tests: Sequence[Tested], marks: Sequence[Mark], lanes: Sequence[Lane]
) -> tuple[Failure, ...]:
    return _Finder(runs, tests, marks, lanes).find()


class _Finder:
    def __init__(
        self, runs: Sequence[Run], tests: Sequence[Tested], marks: Sequence[Mark], lanes: Sequence[Lane]
    ) -> None:
        self._tests = tests
        self._runs = {(run.cluster, run.name): run for run in runs}
        self._latest = {run.cluster: run for run in runs}
        self._marks: dict[str, list[Mark]] = {}
        for mark in marks:
            self._marks.setdefault(mark.cluster, []).append(mark)
        self._begins: dict[str, list[float]] = {}
        for test in tests:
            self._begins.setdefault(test.cluster, []).append(test.begin)
        self._ready = {
            (lane.cluster, lane.node): [span.begin for span in lane.spans if span.state == "ready"]
            for lane in lanes
        }

    def find(self) -> tuple[Failure, ...]:
        found: list[Failure] = []
        for test in self._tests:
            if test.outcome.bad:
                near = self._near(test)
                bad = [mark for mark in near if mark.bad and not self._healed(mark, test)]
                said = self._said(test) if len(found) < MOST_TOLD else ()
                remedies = tuple(dict.fromkeys(_REMEDY.findall(test.message)))
                found.append(Failure(test, said, tuple(near), bad[-1] if bad else None, remedies))
        return tuple(found)

    def _until(self, test: Tested) -> float:
        """A little longer than the test took, but never into the next one."""
        begins = self._begins[test.cluster]
        place = bisect.bisect_left(begins, max(test.end, test.begin + 1e-6))
        following = begins[place] if place < len(begins) else test.end + NOTICED
        return max(test.end, min(test.end + NOTICED, following))

    def _near(self, test: Tested) -> list[Mark]:
        marks = self._marks.get(test.cluster, [])
        first = bisect.bisect_left(marks, test.begin - BEFORE, key=lambda mark: mark.time)
        last = bisect.bisect_right(marks, self._until(test), key=lambda mark: mark.time)
        return marks[first:last][-12:]

    def _healed(self, mark: Mark, test: Tested) -> bool:
        """Whether the node was well again when the test began."""
        begins = self._ready.get((mark.cluster, mark.node), ())
        return any(mark.time < begin <= test.begin for begin in begins)

    def _said(self, test: Tested) -> tuple[Said, ...]:
        run = self._runs.get((test.cluster, test.run))
        if run is None and not test.run:
            run = self._latest.get(test.cluster)
        if run is None:
            return ()
        nodes = sorted(run.logs, key=natural)
        most = LINES if len(nodes) <= MANY_NODES else FEW_LINES
        found = []
        for node in nodes:
            part = run.said(node, test.begin, self._until(test), most)
            if part.lines:
                found.append(Said(node, part.lines, part.left_out, f"{run.folder}/logs/{node}.log"))
        return tuple(found)
