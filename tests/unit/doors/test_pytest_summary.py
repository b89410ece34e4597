"""What the plugin of pytest prints of a run: its plan, and its summary."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clusterlib.doors.pytest.summary import plan_lines, show_summary
from clusterlib.errors import LeftBehind, NodeExited
from clusterlib.evidence.records import LargestNeed, PlannedGroup, ScheduleRecorded
from clusterlib.leases.usage import ClusterUsage, FailureUsage, Usage
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import Obtained
from clusterlib.testing.shown import RunPlan, RunSummary
from clusterlib.testing.tally import ForcedFailure, Tally


class Terminal:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def ensure_newline(self) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None:
        self.lines.append(line)

    def write_sep(self, sep: str, title: str | None = None, **markup: bool) -> None:
        self.lines.append(f"{sep} {title}")


def told(tally: Tally) -> list[str]:
    terminal = Terminal()
    show_summary(terminal, RunSummary(tally))
    return terminal.lines


def failure(tests: int, **more: Any) -> FailureUsage:
    error = NodeExited("node1 ended", evidence=["its last words"], remedies=["look"])
    return FailureUsage(
        **{
            "profile": "dev",
            "nodes": 3,
            "error": RecordedError.of(error),
            "may_skip": True,
            "attempts": 2,
            "tests": tests,
            **more,
        }
    )


def test_a_failure_of_several_workers_is_told_once_with_all_its_tests() -> None:
    tally = Tally()
    tally.add(Usage(failures=[failure(2)]))
    tally.add(Usage(failures=[failure(3)]))

    assert told(tally) == [
        "= cluster errors",
        "node1 ended [node-exited] (profile dev, 3 nodes after 2 attempts: 5 tests skipped)",
        "  | its last words",
        "  try: look",
    ]


def test_a_cluster_that_several_workers_used_has_one_line() -> None:
    tally = Tally()
    tally.add(
        Usage(
            clusters=[ClusterUsage("pytest-shared", "/run", "dev", 3, Obtained.JOINED, tests=2, waited=0.5)]
        )
    )
    tally.add(
        Usage(
            clusters=[
                ClusterUsage(
                    "pytest-shared", "/run", "dev", 3, Obtained.STARTED, start_seconds=0.2, tests=3, reuses=2
                )
            ]
        )
    )

    title, head, row = told(tally)

    assert title == "= clusters"
    assert head.split() == [
        "cluster",
        "profile",
        "nodes",
        "how",
        "start",
        "tests",
        "reused",
        "waited",
        "memory",
        "cpu",
    ]
    assert row.split() == [
        "pytest-shared",
        "dev",
        "3",
        "started",
        "0.20",
        "s",
        "5",
        "2",
        "0.5",
        "s",
        "-",
        "-",
    ]


@pytest.mark.parametrize(
    ("tally", "before", "after"),
    [
        (Tally(), 0, 0),
        (Tally(left_behind=[RecordedError.of(LeftBehind("it lives"))]), 0, 1),
        (Tally(left_behind=[RecordedError.of(LeftBehind("it lives"))]), 2, 2),
        (Tally(forced=ForcedFailure(RecordedError.of(NodeExited("no")), may_skip=True)), 0, 0),
        (Tally(forced=ForcedFailure(RecordedError.of(NodeExited("no")), may_skip=False)), 0, 1),
    ],
)
def test_what_is_left_behind_fails_a_run_whose_tests_have_passed(
    tally: Tally, before: int, after: int
) -> None:
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode(before))

    tally.judge(session)

    assert session.exitstatus == after
    assert ("= cluster errors" in told(tally)) == bool(tally.left_behind or tally.forced)


def test_a_long_plan_is_cut_and_a_short_one_is_a_line() -> None:
    tests = tuple(f"test_{number}" for number in range(30))
    group = PlannedGroup("dev", 5, tests=tests, largest=LargestNeed("test_7", 5))
    plan = ScheduleRecorded(starts=1, groups=(group,), total=40, distributed=30)

    assert plan_lines(RunPlan(plan), quiet=False) == [
        "clusterlib: 30 of 40 tests are distributed; profile dev, 1 cluster start"
    ]
    assert plan_lines(RunPlan(plan), quiet=True) == []
    whole = plan_lines(RunPlan(plan, whole=True), quiet=True)
    assert whole[1] == "  start dev with 5 nodes, as test_7 asks for: 30 tests"
    assert whole[-1] == "    and 10 more"
