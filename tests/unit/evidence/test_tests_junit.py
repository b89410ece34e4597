from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from clusterlib.evidence.building import build_story
from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.recorder import Recorder
from clusterlib.evidence.records import RunStarted, TestEnded, TestStarted
from clusterlib.evidence.reporting import finish
from clusterlib.evidence.tests_junit import write_missing_junit
from tests.schemas.junit import schema
from tests.unit.evidence.stage import ToldRun, ran, read


def ended(record: Recorder, test: str, outcome: str, message: str = "") -> None:
    record(TestStarted("pytest", "/nowhere/1", test))
    record(
        TestEnded(
            "pytest",
            "/nowhere/1",
            test,
            outcome=Outcome(outcome),
            seconds=0.5,
            message=message,
            began="2026-01-31T12:00:00.000000Z",
        )
    )


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """What a run leaves that was killed in the middle of a test."""
    record = Recorder(tmp_path)
    record(RunStarted(("pytest",)))
    ended(record, "tests/test_shop.py::TestCart::test_total[a::b]", "passed")
    ended(record, "tests/test_shop.py::test_wrong", "failed", "assert 1 == 2\nand more")
    ended(record, "test_top.py::test_left_out", "skipped", "no cluster")
    record(TestStarted("pytest", "/nowhere/1", "test_top.py::test_cut"))
    record.close()
    return tmp_path


def cases(folder: Path) -> dict[tuple[str, str], str]:
    found = ET.parse(folder / "junit.xml").getroot().iter("testcase")
    return {
        (str(case.get("classname")), str(case.get("name"))): " ".join(child.tag for child in case)
        for case in found
    }


def test_a_run_without_junit_gets_one_from_its_records(killed: Path) -> None:
    write_missing_junit(killed, finish(killed))

    assert cases(killed) == {
        ("tests.test_shop.TestCart", "test_total[a::b]"): "",
        ("tests.test_shop", "test_wrong"): "failure",
        ("test_top", "test_left_out"): "skipped",
        ("test_top", "test_cut"): "failure",
    }


def test_a_failed_test_has_its_traceback_and_what_its_nodes_said(tmp_path: Path) -> None:
    lines = [(1.5, "node1", "the last words"), (1.6, "node2", "oh")]
    failing = ran(
        1, 2, "t.py::test_a", "failed", message="KeyError: 'a'", explained={"traceback": "the whole"}
    )
    told = build_story(Evidence(read(failing), [ToldRun(lines=lines)]))

    write_missing_junit(tmp_path, told)

    (case,) = ET.parse(tmp_path / "junit.xml").getroot().iter("testcase")
    (failure,) = case.iter("failure")
    assert (failure.get("message"), failure.text) == ("KeyError: 'a'", "the whole")
    assert case.findtext("system-out") == (
        "node1, during this test\n08:00:01.500 the last words\n\nnode2, during this test\n08:00:01.600 oh"
    )


def test_it_is_what_jenkins_and_gitlab_accept(killed: Path) -> None:
    write_missing_junit(killed, finish(killed))

    schema().validate(killed / "junit.xml")


def test_what_pytest_wrote_stays_and_what_was_recorded_is_brought_up_to_date(killed: Path) -> None:
    write_missing_junit(killed, finish(killed))
    with_more = Recorder(killed)
    ended(with_more, "test_top.py::test_more", "passed")
    with_more.close()
    write_missing_junit(killed, finish(killed))
    assert ("test_top", "test_more") in cases(killed)

    (killed / "junit.xml").write_text("<testsuites/>")
    write_missing_junit(killed, finish(killed))
    assert (killed / "junit.xml").read_text() == "<testsuites/>"


def test_a_run_that_ended_before_its_first_test_has_no_junit(tmp_path: Path) -> None:
    Recorder(tmp_path)(RunStarted(("pytest",)))

    write_missing_junit(tmp_path, finish(tmp_path))

    assert not (tmp_path / "junit.xml").exists()
