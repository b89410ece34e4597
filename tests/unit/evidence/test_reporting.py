"""An artifacts folder can be made again from its records at any time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from clusterlib.evidence.evidence import named_runs
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.recorder import Recorder, read_records
from clusterlib.evidence.records import (
    ClusterObtained,
    PreflightRecorded,
    RunStarted,
    ScheduleRecorded,
    TestEnded,
    TestStarted,
)
from clusterlib.evidence.reporting import Artifacts, finish
from clusterlib.keeper.event_log import EventLog
from clusterlib.messages.events import FaultKill, NodeMoved
from clusterlib.messages.states import NodeState
from tests.unit.evidence.stage import read
from tests.unit.evidence.stage import record as written

MADE = ["cluster.xml", "environment.json", "plan.json", "report.html", "summary.json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that failed, with a run folder of its cluster. Its recorder was killed."""
    run = tmp_path / ".clusterlib" / "pytest" / "run1"
    (run / "nodes").mkdir(parents=True)
    (run / "cookie").write_text("c00k1ec00k1e")
    events = EventLog(run / "events.jsonl")
    for state in (NodeState.STARTING, NodeState.READY):
        events.tell(NodeMoved("node1", state))
    record = Recorder(tmp_path / "artifacts", environ={})
    record(RunStarted(("pytest",), str(tmp_path)))
    record(ScheduleRecorded())
    record(ClusterObtained("pytest", str(run), "dev", 1, 0.1))
    record(TestStarted("pytest", str(run), "t::a"))
    events.tell(FaultKill("node1"))
    (run / "nodes" / "node1.log").write_text(
        f"{record(PreflightRecorded()).time} the cookie is c00k1ec00k1e, the token tok-123456\n"
    )
    record(TestEnded("pytest", str(run), "t::a", outcome=Outcome.FAILED, message="refused"))
    record.close()
    events.close()
    return tmp_path / "artifacts"


def test_everything_is_made_from_the_records(folder: Path) -> None:
    story = finish(folder, {"SHOP_TOKEN": "tok-123456", "CI": "true", "CLUSTERLIB_PROFILE": "dev"})

    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == MADE
    assert story.failures[0].did.startswith("the test killed node1")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["tests"] == {"total": 1, "failed": 1}
    assert summary["killed"] is True
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["variables"] == {"CI": "true", "CLUSTERLIB_PROFILE": "dev"}


def test_no_secret_is_in_the_folder(folder: Path) -> None:
    finish(folder, {"SHOP_TOKEN": "tok-123456", "GITHUB_TOKEN": "abc"})

    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "c00k1ec00k1e" not in text, path
            assert "tok-123456" not in text, path
    assert '"GITHUB_TOKEN": "[redacted]"' in (folder / "environment.json").read_text()


def test_making_it_again_changes_nothing(folder: Path) -> None:
    finish(folder, {})
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    finish(folder, {})

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_it_is_made_from_the_folder_alone_when_the_runs_are_gone(folder: Path, tmp_path: Path) -> None:
    finish(folder, {})
    before = (folder / "report.html").read_bytes()
    (tmp_path / ".clusterlib").rename(tmp_path / "gone")
    moved = tmp_path / "downloaded"
    folder.rename(moved)

    finish(moved, {})

    assert (moved / "report.html").read_bytes() == before


def test_the_environment_is_that_of_the_run_not_of_who_reports_on_it_later(folder: Path) -> None:
    finish(folder, {"CI": "true"})

    finish(folder, {"CI": "no"})

    assert json.loads((folder / "environment.json").read_text())["variables"] == {"CI": "true"}


def test_files_are_private(folder: Path) -> None:
    finish(folder, {})

    assert {oct(path.stat().st_mode & 0o077) for path in folder.rglob("*") if path.is_file()} == {"0o0"}


def test_reports_after_failing_tests_do_not_slow_the_run_down(folder: Path) -> None:
    artifacts = Artifacts(folder, {})

    assert artifacts.refresh() is not None
    assert artifacts.refresh() is None, "it was made a moment ago"
    assert artifacts.finish() is not None


def test_an_empty_folder_gets_a_report_that_says_so(tmp_path: Path) -> None:
    finish(tmp_path / "nothing", {})

    assert "Nothing is known of this run." in (tmp_path / "nothing" / "report.html").read_text()


def test_runs_are_named_once_with_their_cluster(folder: Path, tmp_path: Path) -> None:
    assert list(named_runs(read_records(folder)).items()) == [
        (tmp_path / ".clusterlib" / "pytest" / "run1", "pytest")
    ]
    runs: list[Any] = ["/x/.clusterlib/other/run9", 7, "", None]
    assert named_runs(read(written(1, "cluster.ended", run=run) for run in runs)) == {
        Path("/x/.clusterlib/other/run9"): "other"
    }


@pytest.mark.skipif(os.getuid() == 0 and not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_report_that_cannot_be_written_is_an_error_of_the_system(folder: Path) -> None:
    """The caller decides what that means; nothing half-written is left."""
    (folder / "report.html").mkdir()

    with pytest.raises(OSError, match=r"report\.html"):
        finish(folder, {})

    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
