"""What GitHub shows on the lines of a change, and on the page of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clusterlib.evidence.building import build_story
from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.github import LARGEST_SUMMARY, job_summary, workflow_commands
from clusterlib.evidence.story import Story
from tests.unit.evidence.stage import failed, ran, read, record

STARTED = record(0, "run.started", argv=["pytest"], project="/repo/shop")
UP = record(
    0.5,
    "cluster.started",
    cluster="pytest",
    run="/r/run1",
    profile="dev",
    nodes=3,
    seconds=0.1,
    how="started",
)


def story(*records: dict[str, Any]) -> Story:
    return build_story(
        Evidence(
            sorted(
                read([STARTED, UP, *records, record(99, "run.ended", exit_code=1)]), key=lambda one: one.time
            )
        )
    )


def test_a_failing_test_is_annotated_on_its_line() -> None:
    told = story(
        *ran(
            1,
            2,
            "tests/test_a.py::test_b[1,2]",
            "failed",
            message="50% are\nmissing",
            file="tests/test_a.py",
            line=7,
        )
    )

    (command,) = workflow_commands(told)

    assert command == (
        "::error file=tests/test_a.py,line=7,title=tests/test_a.py%3A%3Atest_b[1%2C2]::50%25 are%0Amissing"
    )


def test_a_project_in_a_folder_of_the_repository_is_found_there() -> None:
    told = story(*ran(1, 2, outcome="failed", file="tests/test_a.py", line=7))

    assert "file=shop/tests/test_a.py," in next(workflow_commands(told, Path("/repo")))
    assert "file=tests/test_a.py," in next(workflow_commands(told, Path("/elsewhere")))


def test_a_command_is_one_line_whatever_the_message_holds() -> None:
    told = story(
        *ran(1, 2, outcome="failed", message="a\r\nb::set-output name=x::y\n::error::z", file="f", line=1)
    )

    (command,) = workflow_commands(told)

    assert command.count("\n") == command.count("\r") == 0


def test_a_start_that_failed_is_annotated_once() -> None:
    (command,) = workflow_commands(story(failed(1), failed(2)))

    assert command.startswith(
        "::error title=a cluster of profile dev%2C 3 nodes [ports-exhausted]::no port is free%0A"
    )
    assert "try: ss -ltnp" in command


def test_no_more_are_written_than_github_shows() -> None:
    records = [entry for number in range(30) for entry in ran(number, number + 1, f"t::{number}", "failed")]

    assert len(list(workflow_commands(story(*records, failed(50))))) == 10


def test_the_summary_has_verdict_cause_remedy_and_clusters() -> None:
    text = job_summary(
        story(*ran(1, 2, "t.py::test_a", "failed", message="1 != 2", file="t.py", line=3), failed(3))
    )

    assert "**1 of 1 tests failed" in text or "**The only test failed.**" in text
    assert "### `t.py::test_a`" in text
    assert "```\n1 != 2\n```" in text
    assert "```\nss -ltnp\n```" in text
    assert "| pytest | dev | 3 | 100 ms | 1 | 1 | 0 | - | - |" in text


def test_the_summary_shows_the_stacks_of_nodes_at_a_time_out() -> None:
    stacks = [{"title": "node2: its stacks at the time-out", "text": "in wait_for_stock"}]
    text = job_summary(story(*ran(1, 2, "t::a", "failed", message="Timeout", explained={"stacks": stacks})))

    assert "in wait_for_stock" in text.partition("node2: its stacks at the time-out")[2]


def test_what_nodes_say_cannot_break_the_summary() -> None:
    text = job_summary(
        story(
            *ran(1, 2, "t::a`b`", "failed", message="```\n# not a heading\n```` <img>"),
            failed(3, "a | b <script>"),
        )
    )

    assert "`````\n```\n# not a heading\n```` <img>\n`````" in text
    assert "### ``t::a`b` ``" in text or "### `` t::a`b` ``" in text
    assert "<script>" not in text.replace("\\<script\\>", "")


def test_the_summary_is_never_larger_than_github_takes() -> None:
    records = [entry for n in range(99) for entry in ran(n, n + 1, f"t::{n}", "failed", message="ä" * 40_000)]

    assert len(job_summary(story(*records)).encode()) <= LARGEST_SUMMARY
    small = job_summary(story(*records), largest=5000)
    assert len(small.encode()) <= 5000
    assert "| pytest | dev |" in small
    assert "More is in report.html" in small
