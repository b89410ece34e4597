from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clusterlib.errors import ClusterNotRunning, NodeUnknown, UsageError
from clusterlib.operations.logs import LogView, moment

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the logs of one run, which has ended."""
    for variable in ("CLUSTERLIB_NAME", "CLUSTERLIB_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    nodes = tmp_path / ".clusterlib" / "default" / "20260131-110000.000000-abcd" / "nodes"
    nodes.mkdir(parents=True)
    lines = {
        "node1": ["12:00:00.000001 ready", "12:00:02.000000 order 17 failed"],
        "node2": ["12:00:01.000000 ready", "12:00:03.000000 bye"],
        "node10": ["12:00:01.500000 order 18 done"],
    }
    for name, said in lines.items():
        text = "".join(f"2026-01-31T{line[:15]}Z{line[15:]}\n" for line in said)
        (nodes / f"{name}.log").write_text(text)
    return tmp_path


def texts(view: LogView) -> list[str]:
    return [f"{line.node}: {line.text}" for line in view.read().lines]


def test_lines_of_all_nodes_come_in_the_order_of_their_time(project: Path) -> None:
    assert texts(LogView(project=project)) == [
        "node1: ready",
        "node2: ready",
        "node10: order 18 done",
        "node1: order 17 failed",
        "node2: bye",
    ]


def test_nodes_are_ordered_as_people_count(project: Path) -> None:
    assert LogView(project=project).nodes == ["node1", "node2", "node10"]


def test_one_node_can_be_asked_for(project: Path) -> None:
    assert texts(LogView("node2", project=project)) == ["node2: ready", "node2: bye"]


def test_lines_are_chosen_by_expression_time_and_number(project: Path) -> None:
    assert texts(LogView(grep="order 1[78]", project=project)) == [
        "node10: order 18 done",
        "node1: order 17 failed",
    ]
    assert texts(LogView(since="2026-01-31T12:00:02Z", project=project)) == [
        "node1: order 17 failed",
        "node2: bye",
    ]
    assert texts(LogView(lines=1, project=project)) == ["node2: bye"]


def test_following_a_run_that_has_ended_gives_what_there_is_and_ends(project: Path) -> None:
    assert [line.text for line in LogView("node2", project=project).follow()] == ["ready", "bye"]
    assert [line.text for line in LogView(lines=1, project=project).follow()] == ["bye"]


def test_an_unknown_node_is_bad_input(project: Path) -> None:
    with pytest.raises(NodeUnknown) as caught:
        LogView("node7", project=project)

    assert caught.value.exit_code == 2
    assert "node1, node2, node10" in caught.value.evidence[0]


def test_a_cluster_that_never_was_has_no_logs(project: Path) -> None:
    with pytest.raises(ClusterNotRunning):
        LogView(name="other", project=project)


def test_an_expression_that_is_none_is_bad_input(project: Path) -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        LogView(grep="(", project=project)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", "2026-01-31T11:59:30+00:00"),
        ("5m", "2026-01-31T11:55:00+00:00"),
        ("2h", "2026-01-31T10:00:00+00:00"),
        ("1d", "2026-01-30T12:00:00+00:00"),
        ("2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00+00:00"),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time(text: str, expected: str) -> None:
    assert moment(text, lambda: NOON).isoformat() == expected


@pytest.mark.parametrize("text", ["yesterday", "5", "-5m", "999999999d", ""])
def test_what_is_no_moment_says_what_would_be_one(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        moment(text, lambda: NOON)

    assert "5m" in str(caught.value.cause)
