"""The names of the folders with the evidence of runs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clusterlib.evidence.home import REPORTS, next_report, reports_of
from clusterlib.operations.report import make_report


def make(project: Path, *names: str) -> list[Path]:
    made = [project / REPORTS / name for name in names]
    for folder in made:
        (folder / "records").mkdir(parents=True)
    return made


def test_names_of_runs_show_their_order_also_when_the_clock_is_set_back(tmp_path: Path) -> None:
    [late] = make(tmp_path, "20991231-235959-77")

    first = next_report(tmp_path)
    make(tmp_path, first.name)
    second = next_report(tmp_path)
    make(tmp_path, second.name)

    assert first.name == f"21000101-000000-{os.getpid()}"
    assert reports_of(tmp_path) == [late, first, second]


def test_without_an_earlier_run_the_name_is_the_time(tmp_path: Path) -> None:
    before = time.strftime("%Y%m%d-%H%M%S", time.gmtime())

    assert before <= next_report(tmp_path).name <= time.strftime("%Y%m%d-%H%M%S-~", time.gmtime())


@pytest.mark.parametrize("name", ["99991231-235959-1", "20269999-999999-1"])
def test_a_name_that_no_time_can_follow_is_no_obstacle(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)

    assert next_report(tmp_path).name.startswith("2")


def test_what_a_user_puts_beside_the_reports_is_no_run(tmp_path: Path) -> None:
    [ours, *_] = make(tmp_path, "20260101-000000-77", "20260102-000000-77-copy", "zzz")
    (tmp_path / REPORTS / "20260103-000000-1").symlink_to(ours)

    assert reports_of(tmp_path) == [ours]


def test_a_report_is_made_of_the_last_run_whichever_was_written_last(tmp_path: Path) -> None:
    first, last = make(tmp_path, "20260101-000000-77", "20260102-000000-77")
    os.utime(last / "records", (1, 1))

    assert make_report(project=tmp_path).folder == str(last)
    assert not (first / "report.html").exists()
