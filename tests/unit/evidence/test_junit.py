"""cluster.xml: the life of the clusters, in the form that CI systems take."""

from __future__ import annotations

import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.junit import Case, Suite, suites_of, to_xml, write_junit
from clusterlib.messages.event import Event
from tests.schemas.junit import schema
from tests.unit.evidence.stage import ToldRun, event, failed, read, record

EVENTS = [
    event(0.1, "node.state", node="node1", state="starting"),
    event(0.1, "node.state", node="node2", state="starting"),
    event(0.35, "node.state", node="node1", state="ready"),
    event(0.4, "node.state", node="node2", state="dead", reason="exited with code 1"),
]


def suites(*records: dict[str, Any], runs: list[ToldRun] | None = None) -> dict[str, Suite]:
    return {suite.name: suite for suite in suites_of(Evidence(read(records), list(runs or [])))}


def test_a_failed_preflight_check_fails_and_a_warning_is_told() -> None:
    findings = [
        {"name": "memory", "outcome": "ok", "evidence": "plenty"},
        {"name": "files", "outcome": "warning", "evidence": "1024 are few", "remedies": ["ulimit -n 4096"]},
        {"name": "ports", "outcome": "failed", "evidence": "none is free", "remedies": ["ss -ltnp"]},
        {"name": "netns", "outcome": "skipped", "evidence": "not asked for"},
    ]

    ok, warning, bad, skipped = suites(record(1, "preflight", profile="dev", findings=findings))[
        "pre-flight dev"
    ].cases

    assert ok.failure is None
    assert (warning.failure, warning.output) == (None, "warning: 1024 are few\ntry: ulimit -n 4096")
    assert bad.failure == ("ports", "none is free", "none is free\ntry: ss -ltnp")
    assert skipped.skipped == "not asked for"


def test_each_node_is_a_case_of_the_start_with_its_time() -> None:
    first, second = suites(runs=[ToldRun(events=EVENTS)])["start pytest"].cases

    assert (first.name, first.failure, round(first.seconds, 3)) == ("node1", None, 0.25)
    assert second.failure == ("node-exited", "node2: exited with code 1", "exited with code 1")


def test_a_node_that_never_came_is_a_failure() -> None:
    (case,) = suites(runs=[ToldRun(events=EVENTS[:1])])["start pytest"].cases

    assert case.failure == ("node-not-ready", "node1 was never ready", "")


def test_a_failed_start_has_code_problem_and_all_that_helps() -> None:
    (case,) = suites(failed(1, cluster="pytest", run="/x/run1"), runs=[ToldRun(events=EVENTS)])[
        "start pytest"
    ].cases

    assert case.failure == (
        "ports-exhausted",
        "no port is free",
        "cause: all are taken\n20000 is held by pid 7 (nginx)\ntry: ss -ltnp",
    )


def test_each_check_of_each_node_is_a_case_of_health() -> None:
    nodes = [
        {
            "node": "node1",
            "checks": [
                {"name": "ping", "outcome": "ok"},
                {"name": "rpc", "outcome": "failed", "evidence": "late"},
            ],
        }
    ]

    ping, rpc = suites(record(1, "health", cluster="pytest", run="/r", nodes=nodes))["health pytest"].cases

    assert (ping.name, ping.failure) == ("node1: ping", None)
    assert rpc.failure == ("node1: rpc", "late", "late")


COLUMNS = [["connectivity", "ping"], ["application", "started"], ["cluster", "formed"]]
KILLED = [
    event(1, "fault.kill", node="node2"),
    event(1, "node.state", node="node2", state="dead", reason="killed by SIGKILL"),
]
BACK = [event(2, "node.state", node="node2", state="starting"), event(3, "cluster.healed", seconds=0.1)]


def health(*failing: tuple[str, str]) -> dict[str, Any]:
    """What was found of two nodes: these checks failed."""
    names = [name for _, name in COLUMNS]
    nodes = [
        {
            "node": node,
            "checks": [
                {"name": name, "outcome": "failed" if (node, name) in failing else "ok", "evidence": "no"}
                for name in names
            ],
        }
        for node in ("node1", "node2")
    ]
    return record(4, "health", cluster="pytest", run="/r/run1", columns=COLUMNS, nodes=nodes)


def failing(record: dict[str, Any], events: list[Event]) -> tuple[list[str], list[str]]:
    """The names of the cases that failed, and of those that were skipped."""
    cases = suites(record, runs=[ToldRun(events=events)])["health pytest"].cases
    return [case.name for case in cases if case.failure], [case.name for case in cases if case.skipped]


def test_damage_that_a_test_did_on_purpose_is_no_failure_of_the_cluster() -> None:
    found = health(("node1", "formed"), ("node2", "started"), ("node2", "ping"))

    assert failing(found, KILLED) == ([], ["node1: formed", "node2: ping", "node2: started"])
    (skipped, *_) = [
        case for case in suites(found, runs=[ToldRun(events=KILLED)])["health pytest"].cases if case.skipped
    ]
    assert skipped.skipped == "on purpose: node2 was killed; found: no"


def test_a_pause_and_a_cluster_that_a_test_has_spoilt_count_as_on_purpose_too() -> None:
    found = health(("node1", "formed"))
    paused = [event(1, "fault.pause", node="node2")]
    damaged = [event(1, "turn.ended", holder="t", dirty="damaged by t")]

    assert failing(found, paused) == ([], ["node1: formed"])
    assert failing(found, damaged) == ([], ["node1: formed"])
    assert failing(found, [*paused, event(2, "heal.resume", node="node2")]) == (["node1: formed"], [])


def test_what_was_healed_or_happened_by_itself_is_a_failure() -> None:
    found = health(("node2", "started"))
    crash = [event(1, "node.state", node="node2", state="dead", reason="exited with code 3")]

    assert failing(found, [*KILLED, *BACK]) == (["node2: started"], [])
    assert failing(found, crash) == (["node2: started"], [])
    later = [replace(entry, time=event(5, "").time) for entry in KILLED]
    assert failing(found, later) == (["node2: started"], [])


def test_that_the_others_miss_a_node_that_is_down_is_no_failure_of_its_own() -> None:
    found = health(("node1", "formed"), ("node2", "started"))
    crash = [event(1, "node.state", node="node2", state="dead", reason="exited with code 3")]

    assert failing(found, crash) == (["node2: started"], ["node1: formed"])
    (case,) = [one for one in suites(found)["health pytest"].cases if one.name == "node1: formed"]
    assert case.skipped == "it follows from another failure: no; found: no"


def test_that_a_node_misses_one_that_is_up_is_a_failure_beside_one_that_is_down() -> None:
    found = health(("node1", "formed"), ("node2", "started"))
    third = {"node": "node3", "checks": [{"name": "started", "outcome": "ok"}]}
    found["nodes"].append(third)
    formed = found["nodes"][0]["checks"][2]

    formed["evidence"] = "1/3: it does not see node2, node3"
    assert failing(found, []) == (["node1: formed", "node2: started"], [])
    formed["evidence"] = "2/3: it does not see node2"
    assert failing(found, []) == (["node2: started"], ["node1: formed"])


def test_a_node_that_crashed_beside_one_that_was_killed_is_a_failure() -> None:
    crash = event(1.5, "node.state", node="node1", state="dead", reason="exited with code 3")

    assert failing(health(("node1", "started"), ("node1", "formed")), [*KILLED, crash]) == (
        ["node1: started"],
        ["node1: formed"],
    )


def test_a_node_that_was_killed_on_purpose_before_it_was_ready_is_no_failed_start() -> None:
    killed = [EVENTS[1], event(0.2, "fault.kill", node="node2"), EVENTS[3]]

    (case,) = suites(runs=[ToldRun(events=killed)])["start pytest"].cases

    assert (case.failure, case.skipped) == (None, "node2 was killed on purpose before it was ready")


@pytest.mark.parametrize(("then", "bad"), [("retry", False), ("smaller", False), ("skip", True)])
def test_a_start_that_was_tried_again_and_succeeded_is_no_failure(then: str, bad: bool) -> None:
    started = record(2, "cluster.started", cluster="pytest", run="/x/run2", profile="dev")

    (case,) = suites(failed(1, cluster="pytest", run="/x/run1", next=then), started)["start pytest"].cases

    assert bool(case.failure) is bad
    assert ("no port is free" in case.skipped) is not bad


def test_what_was_left_behind_fails_the_clean_up() -> None:
    error = {"code": "left-behind", "problem": "2 processes survived"}
    good = record(1, "cluster.ended", cluster="a", run="/r", seconds=1.5, error=None)
    bad = record(2, "cluster.ended", cluster="b", run="/r", seconds=1, error=error)

    found = suites(good, bad)

    assert (found["clean-up a"].cases[0].failure, found["clean-up a"].cases[0].seconds) == (None, 1.5)
    assert found["clean-up b"].cases[0].failure == ("left-behind", "2 processes survived", "")


def test_a_cluster_that_could_not_go_on_and_left_nothing_is_a_good_clean_up() -> None:
    error = {
        "code": "cluster-failed",
        "problem": "node2 ended before it was ready",
        "cause": "address in use",
    }
    ended = record(1, "cluster.ended", cluster="a", run="/r", seconds=1.5, error=None, because=error)

    (case,) = suites(ended)["clean-up a"].cases

    assert case.failure is None
    assert case.output == "it could not go on: node2 ended before it was ready\ncause: address in use"


def test_what_is_written_is_valid(tmp_path: Path) -> None:
    records = [
        record(
            1,
            "preflight",
            profile="dev",
            findings=[{"name": "ports", "outcome": "failed", "evidence": "none"}],
        ),
        failed(2),
        record(3, "cluster.ended", cluster="pytest", run="/r", seconds=0.00001, error=None),
    ]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_junit(tmp_path, Evidence(read(records), [ToldRun(events=EVENTS)]))

    schema().validate(tmp_path / "cluster.xml")
    root = ET.parse(tmp_path / "cluster.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("5", "3")
    assert "e-" not in (root.get("time") or "")


def test_nothing_at_all_is_valid_too(tmp_path: Path) -> None:
    write_junit(tmp_path, Evidence([], []))

    schema().validate(tmp_path / "cluster.xml")


@given(texts=st.lists(st.text(), min_size=5, max_size=5), seconds=st.floats(0, 1e9))
def test_whatever_a_node_says_the_file_is_valid(texts: list[str], seconds: float) -> None:
    name, kind, message, body, told = texts
    case = Case(name, kind, seconds, (kind, message, body))
    suite = Suite(
        name, (case, Case(body, message, skipped=told, output=told)), "2026-01-01T00:00:00.5Z", {name: told}
    )

    text = to_xml([suite])

    schema().validate(text)


def test_colours_and_control_characters_are_taken_out() -> None:
    text = to_xml([Suite("a", (Case("b\x00\x1b[31mred\x1b[0m\ufffe", "g", output="\x07bell"),))])

    (case,) = ET.fromstring(text).iter("testcase")
    assert case.get("name") == "bred"
    assert case.findtext("system-out") == "bell"


PYTEST_FILE = """
import pytest
def test_a(): print("out")
def test_b(): assert 1 == 2
@pytest.mark.skip(reason="later")
def test_c(): pass
@pytest.fixture
def broken(): raise ValueError("no")
def test_d(broken): pass
@pytest.mark.xfail
def test_e(): assert False
"""


@pytest.mark.parametrize(("family", "valid"), [("xunit2", True), ("xunit1", False)])
def test_pytest_writes_what_jenkins_takes_unless_it_is_told_to_write_more(
    tmp_path: Path, family: str, valid: bool
) -> None:
    """xunit1 adds file and line to each case. GitLab reads them; the schema of Jenkins refuses
    them."""
    (tmp_path / "test_it.py").write_text(PYTEST_FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", f"junit_family={family}"]
    command += [
        "-p",
        "no:hypothesispytest",
        "-o",
        "junit_logging=all",
        "-c",
        "/dev/null",
        "--rootdir",
        str(tmp_path),
        f"--junitxml={tmp_path}/junit.xml",
    ]
    subprocess.run([*command, str(tmp_path)], cwd=tmp_path, check=False, capture_output=True, timeout=120)

    assert schema().is_valid(tmp_path / "junit.xml") is valid


WHOLE = (
    '<testsuites><testsuite name="a" tests="1" failures="0" errors="0">'
    '<testcase name="b" time="0.1"/></testsuite></testsuites>'
)


@pytest.mark.parametrize(
    ("good", "broken"),
    [
        ('name="b"', ""),
        ('tests="1"', ""),
        ('tests="1"', 'tests="one"'),
        ('failures="0"', 'failures="-1"'),
        ('time="0.1"', 'time="1e-05"'),
        ('time="0.1"', 'time="soon"'),
        ('errors="0"', 'errors="0" disabled="0"'),
        ('time="0.1"', 'time="0.1" file="a.py"'),
        ("<testcase", "<testcases/><testcase"),
        ("testsuites", "tests"),
    ],
)
def test_the_schema_refuses_what_is_broken(good: str, broken: str) -> None:
    assert schema().is_valid(WHOLE)
    assert not schema().is_valid(WHOLE.replace(good, broken))
