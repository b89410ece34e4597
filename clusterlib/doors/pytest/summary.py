"""The lines that a run prints: the plan before the first test; after the last one the clusters,
their costs and errors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import Protocol

from clusterlib.evidence.records import ScheduleRecorded
from clusterlib.evidence.redaction import redactor_for
from clusterlib.frozen import replace
from clusterlib.leases.usage import ClusterUsage, FailureUsage
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import Obtained
from clusterlib.testing.shown import RunPlan, RunSummary
from clusterlib.testing.tally import Tally

__all__ = ["plan_lines", "show_plan", "show_summary"]

MOST_TESTS = 20
MOST_EVIDENCE = 30
SEVERAL = 2


class Reporter(Protocol):
    """What this needs of pytest's terminal."""

    def ensure_newline(self) -> None: ...
    def write_line(self, line: str, **markup: bool) -> None: ...
    def write_sep(self, sep: str, title: str | None = None, **markup: bool) -> None: ...


# -- before the first test


def show_plan(reporter: Reporter, shown: RunPlan, *, quiet: bool) -> None:
    for line in plan_lines(shown, quiet=quiet):
        reporter.ensure_newline()
        reporter.write_line(line)


def plan_lines(shown: RunPlan, *, quiet: bool) -> list[str]:
    """The plan in one line, or all of it; then the notes."""
    return [*_plan_lines(shown.schedule, shown, quiet=quiet), *shown.notes]


def _plan_lines(plan: ScheduleRecorded, shown: RunPlan, *, quiet: bool) -> list[str]:
    private, impossible = plan.private, plan.impossible
    if not plan.distributed:
        return ["clusterlib: no test that is left needs a cluster"] if shown.whole else []
    if quiet and not shown.whole:
        return []
    profiles = list(dict.fromkeys(group.profile for group in plan.groups))
    words = [
        f"clusterlib: {plan.distributed} of {_counted(plan.total, 'test')} {_are(plan.distributed)} distributed"
    ]
    if profiles:
        words.append(
            f"{'profile' if len(profiles) == 1 else 'profiles'} {', '.join(profiles)}, "
            f"{_counted(plan.starts, 'cluster start')}{' a worker' if shown.each_worker else ''}"
        )
    if private:
        words.append(f"{len(private)} {'starts its' if len(private) == 1 else 'start their'} own")
    if impossible:
        words.append(f"{len(impossible)} can never be served")
    lines = ["; ".join(words)]
    return [*lines, *_whole(plan)] if shown.whole else lines


def _whole(plan: ScheduleRecorded) -> Iterator[str]:
    for group in plan.groups:
        verb = "start" if group.starts else "then as"
        size = f"{'exactly ' if group.exact else ''}{_counted(group.nodes, 'node')}"
        if group.largest.size == group.nodes and not group.exact:
            size += f", as {group.largest.test} asks for"
        yield f"  {verb} {group.profile} with {size}: {_counted(len(group.tests), 'test')}"
        yield from _listed(group.tests)
    if plan.private:
        yield f"  clusters that tests start for themselves: {_counted(len(plan.private), 'test')}"
        yield from _listed(plan.private)
    if plan.impossible:
        yield "  can never be served:"
    for one in plan.impossible:
        problem = one.error.problem
        yield f"    {problem}" if one.test in problem else f"    {one.test}: {problem}"


def _listed(tests: Sequence[str]) -> Iterator[str]:
    for test in tests[:MOST_TESTS]:
        yield f"    {test}"
    if len(tests) > MOST_TESTS:
        yield f"    and {len(tests) - MOST_TESTS} more"


# -- after the last test


def show_summary(reporter: Reporter, summary: RunSummary) -> None:
    tally = summary.tally
    errors = list(_errors(tally))
    if errors:
        reporter.write_sep("=", "cluster errors", red=True, bold=True)
        for error, what in errors:
            _tell_error(reporter, error, what)
    if tally.clusters:
        reporter.write_sep("=", "clusters")
        for line in _table(tally.clusters):
            reporter.write_line(line)
    for note in [*tally.notes, *(note for one in tally.clusters for note in _noted(one))]:
        reporter.write_line(f"clusterlib: {note}")
    if tally.crashed:
        workers = ", ".join(tally.crashed)
        reporter.write_line(f"clusterlib: {workers} crashed; the clusters of a crashed worker end with it")
    for note in summary.notes:
        reporter.write_line(f"clusterlib: {note}")
    for annotation in summary.annotations:
        reporter.write_line(annotation)


def _noted(one: ClusterUsage) -> list[str]:
    return [f"{one.name}: {note}" for note in one.notes]


def _errors(tally: Tally) -> Iterator[tuple[RecordedError, str]]:
    for failure in tally.failures:
        tried = f" after {failure.attempts} attempts" if failure.attempts >= SEVERAL else ""
        size = (
            f", {failure.nodes} nodes" if failure.nodes > 1 else ""
        )  # even one was too many: no matter of size
        yield failure.error, f"profile {failure.profile}{size}{tried}: {_cost(failure, tally)}"
    if tally.forced is not None and not tally.failures:
        yield tally.forced.error, "--force-cluster could not be obeyed"
    for error in tally.left_behind:
        yield error, "when the clusters were ended"


def _cost(failure: FailureUsage, tally: Tally) -> str:
    if failure.tests or tally.forced is None:
        return f"{_counted(failure.tests, 'test')} {'skipped' if failure.may_skip else 'failed'}"
    return "--force-cluster could not be obeyed"


def _tell_error(reporter: Reporter, error: RecordedError, what: str) -> None:
    shown = replace(error, evidence=error.evidence[-MOST_EVIDENCE:]).restored()
    first, *rest = (
        redactor_for((), os.environ).text(str(shown)).split("\n")
    )  # a terminal is read by many in CI
    reporter.write_line(f"{first} ({what})", red=True)
    for line in rest:
        reporter.write_line(line)


TITLES = (
    "cluster",
    "profile",
    "nodes",
    "how",
    "start",
    "tests",
    "reused",
    "healed",
    "replaced",
    "waited",
    "memory",
    "cpu",
)


def _table(clusters: Sequence[ClusterUsage]) -> Iterator[str]:
    rows = [TITLES, *(_row(one) for one in clusters)]
    keep = [column for column in range(len(TITLES)) if column not in _idle(clusters)]
    widths = {column: max(len(row[column]) for row in rows) for column in keep}
    fits = sum(widths.values()) + 2 * (len(widths) - 1) <= shutil.get_terminal_size().columns
    gap = "  " if fits else " "
    for row in rows:
        cells = [
            row[column].ljust(widths[column])
            if TITLES[column] in ("cluster", "profile", "how")
            else row[column].rjust(widths[column])
            for column in keep
        ]
        yield gap.join(cells).rstrip()


def _idle(clusters: Sequence[ClusterUsage]) -> set[int]:
    """Columns that say nothing."""
    said = {
        "healed": any(one.heals for one in clusters),
        "replaced": any(one.replacements for one in clusters),
        "waited": any(_waited(one) for one in clusters),
    }
    return {TITLES.index(title) for title, useful in said.items() if not useful}


def _row(one: ClusterUsage) -> tuple[str, ...]:
    how = ["private" if one.private else one.how, *(["SIMULATED"] if one.simulated else [])]
    return (
        one.name,
        one.profile,
        str(one.nodes),
        ", ".join(how),
        f"{one.start_seconds:.2f} s" if one.how is Obtained.STARTED else "-",
        str(one.tests),
        str(one.reuses),
        str(one.heals),
        str(one.replacements),
        _waited(one) or "-",
        f"{one.peak_memory / 2**20:.0f} MiB" if one.peak_memory else "-",
        f"{one.cpu_seconds:.2f} s" if one.cpu_seconds else "-",
    )


def _waited(one: ClusterUsage) -> str:
    return f"{one.waited:.1f} s" if one.waited >= 0.05 else ""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
