"""The pieces of the pytest plugin that need no run: what is told, and what is made of the records of a dead worker."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterlib.doors.testing.controller import usage_of
from clusterlib.doors.testing.folder import ReportFolder
from clusterlib.doors.testing.sharing import read_name, reserve_for_all
from clusterlib.doors.testing.summary import Tally, plan_lines, tell
from clusterlib.errors import LeftBehind, NodeExited
from clusterlib.evidence.claiming import claim
from clusterlib.evidence.records import (
    ClusterObtained,
    ClusterRefused,
    ClusterRepaired,
    LargestNeed,
    PlannedGroup,
    RecordedError,
    ScheduleRecorded,
    TestStarted,
)
from clusterlib.leases.lease import Unserved
from clusterlib.leases.usage import ClusterUsage, FailureUsage, Usage


class Terminal:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_line(self, line: str, **markup: bool) -> None:
        self.lines.append(line)

    def write_sep(self, sep: str, title: str | None = None, **markup: bool) -> None:
        self.lines.append(f"{sep} {title}")


def told(tally: Tally) -> list[str]:
    terminal = Terminal()
    report: Any = SimpleNamespace(notes=[], annotations=[])
    tell(terminal, tally, report)
    return terminal.lines


def failure(tests: int, **more: Any) -> FailureUsage:
    error = NodeExited("node1 ended", evidence=["its last words"], remedies=["look"]).to_dict()
    return FailureUsage(
        **{
            "profile": "dev",
            "nodes": 3,
            "error": error,
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
        Usage(clusters=[ClusterUsage("pytest-shared", "/run", "dev", 3, "joined", tests=2, waited=0.5)])
    )
    tally.add(
        Usage(
            clusters=[
                ClusterUsage(
                    "pytest-shared", "/run", "dev", 3, "started", start_seconds=0.2, tests=3, reuses=2
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
        (Tally(left_behind=[LeftBehind("it lives").to_dict()]), 0, 1),
        (Tally(left_behind=[LeftBehind("it lives").to_dict()]), 2, 2),
        (Tally(forced=Unserved(NodeExited("no"), may_skip=True)), 0, 0),
        (Tally(forced=Unserved(NodeExited("no"), may_skip=False)), 0, 1),
    ],
)
def test_what_is_left_behind_fails_a_run_whose_tests_have_passed(
    tally: Tally, before: int, after: int
) -> None:
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode(before))

    tally.judge(session)

    assert session.exitstatus == after
    assert ("= cluster errors" in told(tally)) == bool(tally.left_behind or tally.forced)


def test_what_a_dead_worker_has_used_is_read_from_its_records() -> None:
    error = RecordedError.of(NodeExited("node1 ended"))
    usage = usage_of(
        [
            ClusterRefused(profile="dev", nodes=5, error=error, attempt=1, next="retry"),
            ClusterRefused(profile="dev", nodes=5, error=error, attempt=2, next="skip"),
            ClusterObtained("pytest", "/run", "dev", 3, 0.2),
            TestStarted("pytest", "/run", "a"),
            ClusterRepaired("pytest", "/run", "healed"),
            ClusterRepaired("pytest", "/run", "scaled"),
            ClusterRepaired("pytest", "/run", "replaced"),
            TestStarted("pytest", "/run", "b"),
            TestStarted(None, None, "c"),
        ]
    )

    (cluster,) = usage.clusters
    assert (cluster.tests, cluster.reuses, cluster.how) == (2, 1, "started")
    assert (cluster.heals, cluster.replacements, cluster.scalings) == (1, 1, 1)
    (failed,) = usage.failures
    assert (failed.nodes, failed.may_skip, failed.attempts) == (5, True, 2)


def test_a_long_plan_is_cut_and_a_short_one_is_a_line() -> None:
    tests = tuple(f"test_{number}" for number in range(30))
    group = PlannedGroup("dev", 5, tests=tests, largest=LargestNeed("test_7", 5))
    plan = ScheduleRecorded(starts=1, groups=(group,), total=40, distributed=30)

    assert plan_lines(plan, whole=False, quiet=False) == [
        "clusterlib: 30 of 40 tests are distributed; profile dev, 1 cluster start"
    ]
    assert plan_lines(plan, whole=False, quiet=True) == []
    whole = plan_lines(plan, whole=True, quiet=True)
    assert whole[1] == "  start dev with 5 nodes, as test_7 asks for: 30 tests"
    assert whole[-1] == "    and 10 more"


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    wanted = tmp_path / "artifacts"

    assert ReportFolder.claim(wanted) == wanted
    assert ReportFolder.claim(wanted) == tmp_path / "artifacts-2"


def test_workers_do_not_read_the_name_that_an_earlier_run_has_reserved(tmp_path: Path) -> None:
    """Another run may have it by now: its cluster would be taken for that of this one."""
    earlier = claim(tmp_path / "artifacts")
    assert earlier is not None
    reservation = reserve_for_all(tmp_path, tmp_path / "artifacts")
    assert read_name(tmp_path / "artifacts") == reservation.name
    reservation.close()
    earlier.close()

    assert claim(tmp_path / "artifacts") is not None

    assert read_name(tmp_path / "artifacts") == ""


def test_of_the_reports_of_a_project_only_ours_go(tmp_path: Path) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(cluster_artifacts=None))
    names = [f"20260101-00000{number}-7" for number in range(7)]
    for name in [*names, "0-my-own"]:
        (tmp_path / "reports" / name).mkdir(parents=True)

    ReportFolder(tmp_path / "reports" / names[-1], config).keep()

    left = {path.name for path in (tmp_path / "reports").iterdir()}
    assert left == {*names[2:], "0-my-own", "latest"}


def test_reports_that_are_too_large_together_go_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusterlib.doors.testing.folder.KEPT_BYTES", 250_000)
    config: Any = SimpleNamespace(option=SimpleNamespace(cluster_artifacts=None))
    names = [f"20260101-00000{number}-7" for number in range(4)]
    for name in names:
        (tmp_path / "reports" / name).mkdir(parents=True)
        (tmp_path / "reports" / name / "node1.log").write_bytes(b"x" * 100_000)

    ReportFolder(tmp_path / "reports" / names[-1], config).keep()

    assert {path.name for path in (tmp_path / "reports").iterdir()} == {*names[2:], "latest"}
