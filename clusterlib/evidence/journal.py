"""What a cluster's nodes printed and what happened to them, merged by time. A short journal is
complete; a long one is limited to the important parts."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable, Sequence

from clusterlib.evidence.artifacts import LOGS
from clusterlib.evidence.evidence import ClusterRun
from clusterlib.evidence.marks import MarkKind
from clusterlib.evidence.story import Story, Tested, duration, moment
from clusterlib.frozen import frozen
from clusterlib.messages.event import Event
from clusterlib.messages.events import ClusterReady, ClusterStarting, ClusterStopping, NodeMoved
from clusterlib.messages.states import NodeState

__all__ = ["Journal", "JournalEntry", "write_journals"]

SMALL = 48 * 1024
"""Bytes of logs that are shown whole."""
MOST_LINES = 1600
MOST_OF_A_RUN = 600
LONGEST = 320
MOST_TESTS = 500
"""Above this many tests, only those that failed or whose nodes printed something are shown."""
MOST_STATES = 120
"""Above this many changes of state, starts are left to the lanes of the timeline."""
ALWAYS = (0.0, 32503680000.0)
"""From 1970 to 3000: the times that a log can have and that Python can format."""
AROUND_A_TEST = 0.15
AROUND_A_MARK = 0.5
AT_THE_END = 0.3
SHOWN_STATES = frozenset(
    {NodeState.STARTING, NodeState.READY, NodeState.PAUSED, NodeState.DEAD, NodeState.STOPPED}
)


@frozen
class JournalEntry:
    time: float
    kind: str
    """log, event, bad, good, test or gap."""
    who: str
    text: str
    anchor: str = ""
    href: str = ""


@frozen
class Journal:
    """One run of one cluster."""

    cluster: str
    run: str
    folder: str
    entries: tuple[JournalEntry, ...]
    logs: tuple[tuple[str, int], ...]
    """The whole logs: name and size."""
    whole: bool


def write_journals(story: Story, runs: Sequence[ClusterRun]) -> tuple[Journal, ...]:
    left = MOST_LINES
    found = []
    important = {used for failure in story.failures for used in failure.tested.clusters}
    important |= {(mark.cluster, mark.run) for mark in story.marks if mark.bad}
    for run in sorted(runs, key=lambda run: (run.cluster, run.name) not in important):
        most = min(left, MOST_OF_A_RUN)
        journal = _journal(story, run, most)
        left = max(0, left - len(journal.entries))
        found.append(journal)
    order = {(run.cluster, run.name): number for number, run in enumerate(runs)}
    return tuple(sorted(found, key=lambda journal: order[journal.cluster, journal.run]))


def _journal(story: Story, run: ClusterRun, most: int) -> Journal:
    total = sum(run.logs.values())
    names = {(run.cluster, run.name), (run.cluster, "")}
    tests = [test for test in story.tests if not names.isdisjoint(test.clusters)]
    windows = [ALWAYS] if total <= SMALL else _windows(story, run, tests)
    lines, left_out = _lines(run, windows, most)
    all_tests = total <= SMALL and len(tests) <= MOST_TESTS
    entries = [*_happened(story, run), *_tests(tests, None if all_tests else lines), *lines]
    entries.sort(key=lambda entry: entry.time)
    whole = total <= SMALL and not left_out
    return Journal(run.cluster, run.name, run.folder, tuple(entries), tuple(run.logs.items()), whole)


def _windows(story: Story, run: ClusterRun, tests: Iterable[Tested]) -> list[tuple[float, float]]:
    found = [(test.begin - AROUND_A_TEST, test.end + AROUND_A_TEST) for test in tests if test.outcome.bad]
    found += [
        (mark.time - AROUND_A_MARK, mark.time + AROUND_A_MARK)
        for mark in story.marks
        if (mark.cluster, mark.run) == (run.cluster, run.name)
    ]
    last = max((moment(event.time) or 0.0 for event in run.events[-1:]), default=0.0)
    found.append((last - AT_THE_END, last + AT_THE_END))
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(found):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _lines(run: ClusterRun, windows: list[tuple[float, float]], most: int) -> tuple[list[JournalEntry], int]:
    """The lines of these windows, with a gap before each window that leaves some out."""
    found: list[JournalEntry] = []
    left_out = 0
    share = max(4, most // max(1, len(windows) * max(1, len(run.logs))))
    for begin, end in windows:
        if len(found) >= most:
            break
        said = [run.said(node, begin, end, share) for node in run.logs]
        lines = [line for part in said for line in part.lines]
        missing = sum(part.left_out for part in said)
        left_out += missing
        if missing and lines:
            text = (
                f"{missing} lines before this are left out; the whole logs are in {run.folder}/{LOGS.label}"
            )
            found.append(JournalEntry(min(line.time for line in lines), "gap", "", text))
        found += [JournalEntry(line.time, "log", line.node, _cut(line.text)) for line in lines]
    return found, left_out


def _happened(story: Story, run: ClusterRun) -> list[JournalEntry]:
    marks = {
        (mark.time, mark.kind): mark
        for mark in story.marks
        if (mark.cluster, mark.run) == (run.cluster, run.name)
    }
    found = []
    for mark in marks.values():
        kind = (
            "bad"
            if mark.bad or mark.kind is MarkKind.DIRTY
            else "good"
            if mark.kind is MarkKind.HEAL
            else "event"
        )
        text = f"{mark.label}: {mark.detail}" if mark.detail else mark.label
        found.append(JournalEntry(mark.time, kind, mark.node, text, f"m{mark.number}"))
    states = [_state(event) for event in run.events]
    shown = [entry for entry in states if entry is not None]
    many = [entry for entry in shown if entry.who]
    if len(many) > MOST_STATES:
        shown = [entry for entry in shown if not entry.who or entry.text.startswith("dead")]
    return found + shown


def _state(event: Event) -> JournalEntry | None:
    time = moment(event.time)
    if time is None:
        return None
    match event.what:
        case NodeMoved(state=state) as move if state in SHOWN_STATES:
            took = f" after {duration(move.seconds)}" if move.seconds is not None else ""
            reason = move.reason or move.exit
            return JournalEntry(
                time, "event", move.node, f"{state}{took}" + (f": {reason}" if reason else "")
            )
        case ClusterStarting() | ClusterReady() | ClusterStopping() as what:
            return JournalEntry(time, "event", "", what.sentence())
    return None


def _tests(tests: Iterable[Tested], lines: list[JournalEntry] | None) -> Iterable[JournalEntry]:
    """Where tests begin and end. `lines` are those shown, if not all are; then only tests that
    overlap them are marked."""
    times = sorted(entry.time for entry in lines or ())
    for test in tests:
        met = bisect.bisect_left(times, test.begin) < bisect.bisect_right(times, test.end)
        if lines is not None and not test.outcome.bad and not met:
            continue
        href = f"#f{test.number}" if test.outcome.bad else f"#t{test.number}"
        begun = JournalEntry(test.begin, "test", "test", f"{test.test} began", f"j{test.number}", href)
        yield begun
        if test.outcome.bad:
            text = f"{test.test} {test.outcome} after {duration(test.seconds)}"
            yield dataclasses.replace(begun, time=test.end, text=text, kind="bad", anchor="")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
