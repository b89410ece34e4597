"""The catalogue of records: what their lines look like, and how lines of other versions are
read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import clusterlib
from clusterlib.errors import PortsExhausted
from clusterlib.evidence.explained import Explained, Remote
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.recorder import Recorder, read_records
from clusterlib.evidence.records import (
    ClusterEnded,
    ClusterObtained,
    ClusterRefused,
    HealthRecorded,
    PlannedGroup,
    PreflightRecorded,
    Record,
    Recorded,
    RefusalCaught,
    ScheduleRecorded,
    TestEnded,
    TestStarted,
    UnknownRecord,
    UsedCluster,
)
from clusterlib.messages.findings import failed
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import AfterRefusal

EVERY = [
    ScheduleRecorded(2, 1, (PlannedGroup("dev", 3, tests=("a", "b")),)),
    PreflightRecorded("dev", (failed("ports", "none is free", "ss -ltnp"),)),
    ClusterObtained("pytest", "/r/1", "dev", 3, 0.1),
    ClusterRefused(profile="dev", error=RecordedError.of(PortsExhausted("no port")), next=AfterRefusal.RETRY),
    RefusalCaught("test_a", "2026-01-01T00:00:00.000000Z", RecordedError.of(PortsExhausted("no port"))),
    ClusterEnded("pytest", "/r/1", 0.2, error=RecordedError(problem="a process is left")),
    HealthRecorded("pytest", "/r/1", columns=(("connectivity", "ping"),)),
    TestStarted("pytest", "/r/1", "test_a", also=(UsedCluster("other", "/r/2"),)),
    TestEnded(
        test="test_a", outcome=Outcome.FAILED, explained=Explained(remotes=(Remote("node1", "KeyError"),))
    ),
]


@pytest.mark.parametrize("what", EVERY, ids=lambda what: str(what.kind))
def test_what_is_written_is_read_as_it_was(tmp_path: Path, what: Recorded) -> None:
    Recorder(tmp_path)(what)

    assert [record.what for record in read_records(tmp_path)] == [what]


def test_the_names_in_the_files_are_those_that_scripts_read(tmp_path: Path) -> None:
    Recorder(tmp_path)(ClusterObtained("pytest", "/r/1", "dev", 3, 0.1))
    Recorder(tmp_path)(TestEnded("pytest", "/r/1", "test_a"))

    started, ended = (
        json.loads(line) for line in (tmp_path / "records" / "main.jsonl").read_text().splitlines()
    )
    assert {"time", "kind", "worker", "cluster", "run", "profile", "nodes", "seconds", "how"} <= set(started)
    assert (started["kind"], started["worker"], started["simulated"]) == ("cluster.started", "main", False)
    assert {"test", "outcome", "seconds", "message", "explained", "file", "line", "also"} <= set(ended)
    assert {"began", "served", "plain"} <= set(ended)


def test_a_line_of_an_older_version_has_defaults_for_what_it_lacks() -> None:
    record = Record.of({"time": "t", "kind": "test.ended", "test": "test_a", "outcome": "passed"}, "gw1")

    assert record == Record("t", "gw1", TestEnded(test="test_a", outcome=Outcome.PASSED))


def test_what_cannot_be_read_of_a_line_costs_nothing_else_of_it() -> None:
    line = {
        "time": "t",
        "kind": "schedule",
        "tests": "many",
        "groups": [{"profile": "dev", "nodes": None}, 3],
        "private": ["a", 7],
        "later": True,
    }

    record = Record.of(line)

    assert record is not None
    assert record.what == ScheduleRecorded(groups=(PlannedGroup("dev"),), private=("a",))
    assert record.to_dict()["later"] is True


def test_a_kind_that_only_another_version_knows_still_names_its_cluster() -> None:
    record = Record.of({"time": "t", "kind": "cluster.moved", "cluster": "pytest", "run": "/r/1"})

    assert record is not None
    assert isinstance(record.what, UnknownRecord)
    assert record.what.used() == (UsedCluster("pytest", "/r/1"),)


def test_the_name_of_a_kind_is_written_in_one_place_only() -> None:
    package = Path(clusterlib.__file__).parent
    found = {
        f"{path.relative_to(package)}: {kind}"
        for path in package.rglob("*.py")
        if path.name != "records.py"
        for kind in Recorded.known
        if "." in kind and f'"{kind}"' in path.read_text()
    }

    assert found == set()
