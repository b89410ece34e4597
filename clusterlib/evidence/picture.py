"""The geometry of the timeline: rows of blocks and signs, ready to draw. Horizontal positions are
percentages, heights are pixels."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from clusterlib.evidence.axis import Axis, Fold, make_axis
from clusterlib.evidence.marks import LEGEND_OF_BLOCKS, LEGEND_OF_MARKS, MarkKind, SpanState
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.story import Lane, Mark, Story, Tested, Trouble, clock, duration
from clusterlib.frozen import frozen

__all__ = ["Block", "Sign", "Timeline", "TimelineRow", "draw"]

HEADING, TESTS, NODE = 34, 28, 20
AXIS = 26
NARROWEST = 0.35
PIXELS_A_TEST = 16
WIDTHS = (720, 1080, 1600, 2400, 3400, 4600, 6000)
"""In pixels. The page has a class for each."""
A_LETTER = 6.6
MOST_LANES = 24
MOST_ROWS = 160
AROUND = 0.05
"""Seconds around a moment that count as busy."""


@frozen
class Block:
    """A period of time: a test, or a state of a node."""

    x: float
    width: float
    kind: Outcome | SpanState
    title: str
    href: str = ""
    label: str = ""


@frozen
class Sign:
    """A moment at which something was broken, repaired or changed."""

    x: float
    kind: MarkKind
    title: str
    href: str
    top: int = 0
    """How far up the line of a bad moment reaches: to the tests that it may have failed."""


@frozen
class LegendEntry:
    kind: str
    label: str
    is_test: bool
    """Whether it is a test, else a state of a node or a mark."""


@frozen
class TimelineRow:
    kind: str
    """heading, tests or node."""
    label: str
    note: str
    y: int
    height: int
    blocks: tuple[Block, ...] = ()
    signs: tuple[Sign, ...] = ()
    summary: str = ""
    """The content of the row, in words."""


@frozen
class Timeline:
    rows: tuple[TimelineRow, ...]
    height: int
    least_width: int
    ticks: tuple[tuple[float, str], ...]
    folds: tuple[Fold, ...]
    left_out: int
    """Rows that did not fit."""
    blocks: tuple[LegendEntry, ...]
    signs: tuple[LegendEntry, ...]
    """Every kind that occurs, for the legend."""

    @property
    def zoom(self) -> int:
        """The step of width, of those the page knows."""
        return bisect.bisect_left(WIDTHS, self.least_width)


def draw(story: Story) -> Timeline:
    axis = make_axis(story.began, story.ended, _busy(story))
    densest = max((len(tests) for tests in _by_row(story.tests).values()), default=0)
    wanted = min(WIDTHS[-1], max(WIDTHS[0], densest * PIXELS_A_TEST))
    least_width = next(width for width in WIDTHS if width >= wanted)
    drawer = _Drawer(story, axis, least_width)
    rows = drawer.rows()
    shown = rows[:MOST_ROWS]
    return Timeline(
        rows=tuple(shown),
        height=shown[-1].y + shown[-1].height + 8 if shown else AXIS,
        least_width=least_width,
        ticks=axis.ticks,
        folds=axis.folds,
        left_out=len(rows) - len(shown),
        blocks=_legend(LEGEND_OF_BLOCKS, (block.kind for row in shown for block in row.blocks)),
        signs=_legend(LEGEND_OF_MARKS, (sign.kind for row in shown for sign in row.signs)),
    )


def _legend(words: Mapping[Any, str], kinds: Iterable[StrEnum]) -> tuple[LegendEntry, ...]:
    known = set(kinds)
    return tuple(
        LegendEntry(kind, label, isinstance(kind, Outcome)) for kind, label in words.items() if kind in known
    )


class _Drawer:
    def __init__(self, story: Story, axis: Axis, pixels: int) -> None:
        self._story = story
        self._axis = axis
        self._pixels = pixels
        self._y = AXIS
        self._rows: list[TimelineRow] = []
        self._top = 0

    def rows(self) -> list[TimelineRow]:
        story = self._story
        tests = _by_row(story.tests)
        names = dict.fromkeys(
            [*(served.cluster for served in story.clusters), *(lane.cluster for lane in story.lanes)]
        )
        for name in names:
            self._cluster(
                name, {worker: found for (cluster, worker), found in tests.items() if cluster == name}
            )
        alone = {worker: found for (cluster, worker), found in tests.items() if cluster not in names}
        signs = [
            self._start_failed(number, trouble, "a cluster")
            for number, trouble in enumerate(story.troubles, 1)
            if trouble.where.startswith("a cluster of ")
        ]
        if alone or signs:
            self._add("heading", "no cluster", "tests not served", HEADING, signs=signs)
            self._tests(alone)
        return self._rows

    def _cluster(self, name: str, tests: dict[str, list[Tested]]) -> None:
        story = self._story
        served = next((served for served in story.clusters if served.cluster == name), None)
        lanes = [lane for lane in story.lanes if lane.cluster == name]
        marks = [mark for mark in story.marks if mark.cluster == name]
        nodes = {lane.node for lane in lanes}
        note = f"{len(lanes)} node{'s' if len(lanes) != 1 else ''}"
        if served is not None:
            note = f"{served.profile}, {note}" + (", SIMULATED" if served.simulated else "")
        self._top = 0
        signs = [self._sign(mark) for mark in marks if mark.node not in nodes]
        signs += [self._start_failed(number, trouble, name) for number, trouble in self._failed_starts(name)]
        self._add("heading", name, note, HEADING, signs=signs)
        self._top = self._y + 4 if tests else 0
        self._tests(tests)
        shown, folded = _chosen(lanes, marks)
        for lane in shown:
            self._lane(lane, [mark for mark in marks if mark.node == lane.node])
        if folded:
            label = f"{len(folded)} more nodes"
            summary = f"{folded[0].node} to {folded[-1].node}, uneventful; drawn as {folded[0].node}"
            blocks = [self._state(span.begin, span.end, span.state, label) for span in folded[0].spans]
            self._add("node", label, "", NODE, blocks=blocks, summary=summary)

    def _failed_starts(self, cluster: str) -> Iterable[tuple[int, Trouble]]:
        return (
            (number, trouble)
            for number, trouble in enumerate(self._story.troubles, 1)
            if trouble.where.startswith(f"cluster {cluster} (")
        )

    def _start_failed(self, number: int, trouble: Trouble, cluster: str) -> Sign:
        title = f"{cluster} did not start: {trouble.problem} [{trouble.code}]"
        return Sign(self._axis.at(trouble.time), MarkKind.ERROR, title, f"#e{number}")

    def _tests(self, tests: dict[str, list[Tested]]) -> None:
        for worker, found in sorted(tests.items()):
            for number, row in enumerate(_stacked(found)):
                several = len(tests) > 1 or worker != "main"
                label = "tests" if number == 0 else ""
                blocks = self._test_blocks(row)
                bad = sum(test.outcome.bad for test in row)
                summary = f"{len(row)} tests, {bad} failed" if bad else f"{len(row)} tests"
                self._add("tests", label, worker if several else "", TESTS, blocks=blocks, summary=summary)

    def _test_blocks(self, tests: Sequence[Tested]) -> list[Block]:
        """Draws passed tests that are too narrow to be distinguished as one."""
        found: list[Block] = []
        crowd: list[Tested] = []
        dense = len(tests) > 200
        for test in tests:
            block = self._test(test)
            if dense and test.outcome is Outcome.PASSED and block.width <= NARROWEST:
                if crowd and block.x - self._axis.at(crowd[0].begin) > 2 * NARROWEST:
                    found.append(self._crowd(crowd))
                    crowd = []
                crowd.append(test)
                continue
            if crowd:
                found.append(self._crowd(crowd))
                crowd = []
            found.append(block)
        return [*found, self._crowd(crowd)] if crowd else found

    def _crowd(self, tests: Sequence[Tested]) -> Block:
        if len(tests) == 1:
            return self._test(tests[0])
        x, width = self._stretch(tests[0].begin, tests[-1].end)
        return Block(x, width, Outcome.PASSED, f"{len(tests)} tests passed", f"#t{tests[0].number}")

    def _test(self, test: Tested) -> Block:
        x, width = self._stretch(test.begin, test.end)
        name = test.test.rpartition("::")[2]
        fits = len(name) * A_LETTER + 14 < width / 100 * self._pixels
        first = test.message.partition("\n")[0][:100]
        title = f"{test.test}\n{test.outcome}, {duration(test.seconds)}, began {clock(test.begin)}"
        title += f"\n{first}" if first else ""
        href = f"#f{test.number}" if test.outcome.bad else f"#t{test.number}"
        return Block(x, width, test.outcome, title, href, name if fits else "")

    def _lane(self, lane: Lane, marks: Sequence[Mark]) -> None:
        blocks = [self._state(s.begin, s.end, s.state, lane.node, s.reason) for s in lane.spans]
        summary = ", ".join(f"{s.state} for {duration(s.end - s.begin)}" for s in lane.spans[:12])
        self._add("node", lane.node, "", NODE, blocks, [self._sign(mark) for mark in marks], summary)

    def _state(self, begin: float, end: float, state: SpanState, node: str, reason: str = "") -> Block:
        x, width = self._stretch(begin, end, 0.12)
        title = f"{node}: {state} for {duration(end - begin)}" + (f"\n{reason}" if reason else "")
        return Block(x, width, state, title)

    def _sign(self, mark: Mark) -> Sign:
        after = duration(mark.time - self._story.began)
        title = f"{mark.label} at {clock(mark.time)}, {after} after the start"
        title += f"\n{mark.detail}" if mark.detail else ""
        return Sign(
            self._axis.at(mark.time), mark.kind, title, f"#m{mark.number}", self._top if mark.bad else 0
        )

    def _stretch(self, begin: float, end: float, narrowest: float = NARROWEST) -> tuple[float, float]:
        x = self._axis.at(begin)
        return x, max(narrowest, self._axis.at(end) - x)

    def _add(
        self,
        kind: str,
        label: str,
        note: str,
        height: int,
        blocks: Iterable[Block] = (),
        signs: Iterable[Sign] = (),
        summary: str = "",
    ) -> None:
        self._rows.append(
            TimelineRow(kind, label, note, self._y, height, tuple(blocks), tuple(signs), summary)
        )
        self._y += height


def _busy(story: Story) -> list[tuple[float, float]]:
    found = [(test.begin, test.end) for test in story.tests]
    found += [(mark.time - AROUND, mark.time + AROUND) for mark in story.marks]
    found += [(trouble.time - AROUND, trouble.time + AROUND) for trouble in story.troubles]
    for lane in story.lanes:
        for span in lane.spans:
            if span.state in {SpanState.STARTING, SpanState.RESTARTING, SpanState.STOPPING}:
                found.append((span.begin - AROUND, span.end + AROUND))
            else:
                found += [(span.begin, span.begin + AROUND), (span.end - AROUND, span.end)]
    return found


def _by_row(tests: Iterable[Tested]) -> dict[tuple[str, str], list[Tested]]:
    rows: dict[tuple[str, str], list[Tested]] = {}
    for test in tests:
        rows.setdefault((test.cluster, test.worker), []).append(test)
    return rows


def _stacked(tests: Iterable[Tested]) -> list[list[Tested]]:
    """Puts overlapping tests of one worker, such as tests with threads, in rows of their own."""
    rows: list[list[Tested]] = []
    for test in tests:
        free = next((row for row in rows if row[-1].end <= test.begin + 1e-4), None)
        if free is None and len(rows) < 4:
            rows.append(free := [])
        (rows[-1] if free is None else free).append(test)
    return rows


def _chosen(lanes: list[Lane], marks: Iterable[Mark]) -> tuple[list[Lane], list[Lane]]:
    """Of many nodes, those to which something happened. The others share a lane."""
    if len(lanes) <= MOST_LANES:
        return lanes, []
    marked = {mark.node for mark in marks}
    eventful = [lane for lane in lanes if lane.eventful or lane.node in marked][:MOST_LANES]
    names = {lane.node for lane in eventful}
    others = [lane for lane in lanes if lane.node not in names]
    return (eventful, others) if len(others) > 1 else (lanes, [])
