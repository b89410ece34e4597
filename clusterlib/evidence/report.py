"""Renders report.html, the story as one page. Scripts are optional: a browser may forbid them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from clusterlib.evidence.artifacts import (
    EVENTS,
    JUNIT,
    LOGS,
    OF_THE_RUN,
    PLAN,
    RECORDS,
    REPORT,
    SUMMARY,
)
from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.explained import Explained, shortened
from clusterlib.evidence.journal import JournalEntry, write_journals
from clusterlib.evidence.machine import Environment
from clusterlib.evidence.marks import MarkKind
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.picture import draw
from clusterlib.evidence.records import ScheduleRecorded
from clusterlib.evidence.story import Failure, NodeUsage, Story, Tested, clock, duration
from clusterlib.evidence.verdict import judge
from clusterlib.frozen import frozen
from clusterlib.rendering import render_page

__all__ = ["make_report", "write_report"]

TEMPLATE = Path(__file__).parent / "page" / "report.html.j2"
BESIDE = tuple(artifact for artifact in OF_THE_RUN if artifact is not REPORT and not artifact.is_internal)
"""The files that the page links."""
FILES = {
    "events": EVENTS.label,
    "junit": JUNIT.label,
    "logs": LOGS.label,
    "plan": PLAN.label,
    "records": RECORDS.label,
    "summary": SUMMARY.label,
}
"""Names that the page mentions."""
CLUSTER_OPTIONS = {
    "--profile": "--cluster-profile",
    "--cluster-profile": "--cluster-profile",
    "--cluster-size": "--cluster-size",
}
MOST_TESTS = 1000
MOST_FAILURES = 60
MOST_CURVES = 60
MOST_SAID = 90
MOST_SAID_IN_ALL = 900
MOST_OF_TRACEBACKS = 250_000
"""The total number of characters."""
LONGEST_MESSAGE = 6000
LONGEST_LINE = 400
POINTS = 100
CURVE_WIDTH, CURVE_HEIGHT = 200.0, 36.0


@frozen
class Curve:
    """What a node used over time, as a polyline in a box of fixed size, and in words."""

    points: str
    label: str


def write_report(folder: Path, story: Story, evidence: Evidence, environment: Environment) -> None:
    beside = tuple(artifact.label for artifact in BESIDE if artifact.in_(folder).exists())
    REPORT.write(folder, make_report(story, evidence, environment, beside))


def make_report(
    story: Story, evidence: Evidence, environment: Environment, beside: Sequence[str] = ()
) -> str:
    """`beside` are the files in the same folder, which are linked."""
    tests = _shown(story.tests)
    failures = story.failures[:MOST_FAILURES]
    journals = write_journals(story, evidence.runs)
    plans = {run.cluster: run.plan_text for run in evidence.runs if run.plan_text}
    schedule = next((record.what for record in evidence.of(ScheduleRecorded)), None)
    values = {
        "story": story,
        "verdict": judge(story),
        "failures": failures,
        "failures_left_out": len(story.failures) - len(failures),
        "detailed": {failure.tested.number for failure in failures},
        "picture": draw(story),
        "journals": journals,
        "anchors": {entry.anchor for journal in journals for entry in journal.entries},
        "said": _said(failures),
        "tracebacks": _tracebacks(failures),
        "tests": tests,
        "tests_left_out": len(story.tests) - len(tests),
        "curves": [(usage, _memory(usage), _processor(usage)) for usage in story.usage[:MOST_CURVES]],
        "curves_left_out": max(0, len(story.usage) - MOST_CURVES),
        "shares": _shares(story),
        "schedule": schedule,
        "plans": dict(list(plans.items())[:12]),
        "environment": environment,
        "beside": beside,
        "files": FILES,
        "after": lambda time: _offset(time - story.began),
    }
    return render_page(
        TEMPLATE,
        values,
        bytes=_bytes,
        cut=_cut,
        date=_date,
        duration=duration,
        alone=_alone,
        clock=clock,
        pieces=_pieces,
        typed=_typed,
        sentence=_sentence,
        short=_short,
        sign=_sign,
        tied=_tied,
    )


def _shown(tests: Sequence[Tested]) -> list[Tested]:
    """All tests that did not pass, and as many of the others as a page can show."""
    if len(tests) <= MOST_TESTS:
        return list(tests)
    bad = [test for test in tests if test.outcome is not Outcome.PASSED][:MOST_TESTS]
    passed = [test for test in tests if test.outcome is Outcome.PASSED][: MOST_TESTS - len(bad)]
    return sorted([*bad, *passed], key=lambda test: test.number)


def _shares(story: Story) -> list[tuple[str, int, float, float]]:
    """Outcome, count, and place and width in the bar, in percent."""
    total, place = len(story.tests), 0.0
    found = []
    for outcome in Outcome:
        count = story.count(outcome)
        if count:
            width = 100 * count / total
            found.append((str(outcome), count, place, width))
            place += width
    return found


# -- curves


def _memory(usage: NodeUsage) -> Curve:
    label = f"memory of {usage.node}: {_bytes(min(usage.memory))} to {_bytes(usage.peak)}"
    return Curve(_points(usage.times, usage.memory), label)


def _processor(usage: NodeUsage) -> Curve:
    label = f"processor time of {usage.node}: up to {100 * max(usage.cpu):.0f} %"
    return Curve(_points(usage.times, usage.cpu), label)


def _points(times: Sequence[float], values: Sequence[float]) -> str:
    step = max(1, len(times) // POINTS)
    chosen = [(times[i], max(values[i : i + step])) for i in range(0, len(times), step)]
    begin, length = times[0], max(times[-1] - times[0], 1e-3)
    most = max(*values, 1e-9)
    chosen.append((begin + length, values[-1]))
    return " ".join(
        f"{(time - begin) / length * CURVE_WIDTH:.1f},{CURVE_HEIGHT - 2 - value / most * (CURVE_HEIGHT - 4):.1f}"
        for time, value in chosen
    )


# -- what the template says things with


def _alone(test: str, command: Sequence[str]) -> str:
    """The command that runs this test alone."""
    return shlex.join(["pytest", "--distributed", *_what_clusters(command), test])


def _what_clusters(command: Sequence[str]) -> Iterator[str]:
    """The options that select the cluster. Without them, a repeated test gets another cluster."""
    for word, following in pairwise([*command, ""]):
        name, _, value = word.partition("=")
        if name in CLUSTER_OPTIONS and (value or following):
            yield f"{CLUSTER_OPTIONS[name]}={value or following}"


def _said(failures: Sequence[Failure]) -> dict[int, list[JournalEntry]]:
    """By number of the test: what the nodes printed and what happened to them, in order of time."""
    found: dict[int, list[JournalEntry]] = {}
    left = MOST_SAID_IN_ALL
    for failure in failures:
        entries = _said_during(failure, min(MOST_SAID, left))
        found[failure.tested.number] = entries
        left = max(0, left - len(entries))
    return found


def _tracebacks(failures: Sequence[Failure]) -> dict[int, Explained]:
    """The tracebacks of the tests, by number, as far as they fit.

    A traceback that only repeats the message is left out."""
    found: dict[int, Explained] = {}
    left = MOST_OF_TRACEBACKS
    for failure in failures:
        explained = failure.tested.explained
        traceback = "" if explained.traceback in failure.tested.message else explained.traceback
        size = len(traceback) + sum(len(remote.traceback) for remote in explained.remotes)
        size += sum(len(stacks.text) for stacks in explained.stacks)
        if size <= left:
            left -= size
            found[failure.tested.number] = Explained((), explained.remotes, traceback, explained.stacks)
    return found


def _said_during(failure: Failure, most: int) -> list[JournalEntry]:
    test = failure.tested
    entries = [
        JournalEntry(line.time, "log", line.node, line.text) for said in failure.said for line in said.lines
    ]
    entries.sort(key=lambda entry: entry.time)
    entries = entries[-most:] if most else []
    for mark in failure.marks:
        if test.begin <= mark.time <= test.end:
            kind = "bad" if mark.bad or mark.kind is MarkKind.DIRTY else "event"
            text = f"{mark.label}: {mark.detail}" if mark.detail else mark.label
            entries.append(JournalEntry(mark.time, kind, mark.node, text, href=f"#m{mark.number}"))
    return sorted(entries, key=lambda entry: entry.time)


def _bytes(amount: float) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if amount >= size:
            return f"{amount / size:.1f} {unit}"
    return f"{amount:.0f} bytes"


def _cut(text: str, longest: int = LONGEST_LINE) -> str:
    return text if len(text) <= longest else f"{text[:longest]} ..."


def _short(text: str) -> str:
    return shortened(text, LONGEST_MESSAGE)


def _pieces(text: str) -> list[str]:
    """Lets a name wrap after a sign, so that a narrow screen does not break it inside a word."""
    return re.split(r"(?<=[_/.:,=\[\]-])(?=[^_/.:,=\[\]-])", text)


def _typed(command: Sequence[str]) -> str:
    """The command as a person would type it, without pytest's path on this machine."""
    program, *arguments = command
    name = program.rpartition("/")[2]
    return shlex.join([*(["python", "-m", "pytest"] if name == "__main__.py" else [name]), *arguments])


def _date(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%d %B %Y, %H:%M:%S UTC").lstrip("0")


def _offset(seconds: float) -> str:
    sign = "-" if seconds < 0 else "+"
    seconds = abs(seconds)
    if seconds < 60:
        return f"{sign}{seconds:.3f} s"
    minutes, rest = divmod(seconds, 60)
    return f"{sign}{minutes:.0f}:{rest:06.3f}"


def _sign(kind: str) -> str:
    """A symbol for each kind, so that colour is not the only difference."""
    return {
        "passed": "✓", "failed": "✕", "error": "!", "skipped": "↷", "running": "…", "cut": "✂", "rerun": "↻",
        "good": "✓", "bad": "✕", "open": "…",
    }.get(kind, "•")  # fmt: skip


def _sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def _tied(text: str) -> str:
    """Keeps a number and its unit on one line."""
    return re.sub(r"(\d) (ms|s|min|h)\b", "\\1\u00a0\\2", text)
