from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clusterlib.doors.commands.answering import answer
from clusterlib.health.matrix import COLUMNS
from clusterlib.messages.findings import Finding, failed, ok, skipped
from clusterlib.messages.states import ClusterState, NodeState
from clusterlib.messages.status import TurnStatus
from clusterlib.operations.doctor import Diagnosis
from clusterlib.operations.down import Stopped
from clusterlib.operations.health import Health, Row
from clusterlib.operations.run import Ran
from clusterlib.operations.status import Status
from clusterlib.operations.views import ClusterView
from tests.statuses import cluster_status, node_status

Make = Callable[..., Any]
MEASURED = {"ping": "0.22 ms", "formed": "3/3", "reach": "0.10 ms", "memory": "9 MiB", "cpu": "0.3 %"}


def row(name: str, **changed: Finding) -> Row:
    checks = [changed.get(check, ok(check, MEASURED.get(check, "ok"))) for _, check in COLUMNS]
    return Row(name, "node", NodeState.READY, not changed, tuple(checks))


def matrix(*rows: Row) -> Health:
    healthy = all(one.healthy for one in rows)
    return Health("default", "dev", False, ClusterState.READY, healthy, COLUMNS, rows, 0.05)


def test_a_wide_matrix_has_a_column_for_every_check(seen: Make) -> None:
    it = seen()

    answer(it.console, matrix(row("node1")))

    titles = it.out.getvalue().splitlines()[1].split()
    assert titles == ["node", "state", *(name for _, name in COLUMNS)]


def test_a_narrow_terminal_gets_a_column_for_every_group(seen: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    it = seen(terminal=True, NO_COLOR="1")

    answer(it.console, matrix(row("node1"), row("node2", rpc=failed("rpc", "silence"))))

    lines = it.out.getvalue().splitlines()
    assert lines[1].split() == ["node", "state", "connectivity", "application", "cluster", "performance"]
    assert lines[2] == "node1  ready  0.22 ms       ok           3/3 0.10 ms  9 MiB 0.3 %"
    assert lines[3].split()[2] == "FAILED"
    assert max(map(len, lines)) <= 80


def test_what_several_nodes_complain_about_is_told_once(seen: Make) -> None:
    it = seen()
    lost = failed("formed", "2/3: it does not see node3", "invoke cluster.restart node3")

    answer(it.console, matrix(row("node1", formed=lost), row("node2", formed=lost)))

    assert it.out.getvalue().splitlines()[-2:] == [
        "node1, node2: formed: 2/3: it does not see node3",
        "  try: invoke cluster.restart node3",
    ]


def test_long_evidence_is_folded_beside_its_name(seen: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    it = seen(terminal=True, NO_COLOR="1")
    findings = (ok("ports", "many words " * 10), skipped("templates", "none"))

    answer(it.console, Diagnosis("dev", "/p", True, findings, 0.1))

    lines = it.out.getvalue().splitlines()
    assert lines[0].startswith("ok      ports      many words")
    assert lines[1].startswith(" " * 19 + "words many")
    assert max(map(len, lines)) <= 60


def test_a_failed_run_shows_the_last_words_of_each_node_and_where_the_rest_is(seen: Make) -> None:
    it = seen()
    ran = Ran(
        ("pytest", "a b"),
        1,
        False,
        False,
        "default",
        "dev",
        False,
        "/run",
        {"node1": ("bang",), "node2": (), "node3": ()},
        1.0,
    )

    answer(it.console, ran)

    said = it.err.getvalue()
    assert "failed with exit code 1: pytest 'a b'" in said
    assert "  | bang" in said
    assert "node2, node3 printed nothing" in said
    assert "/run" in said
    assert it.out.getvalue() == ""


@pytest.mark.parametrize(
    ("stopped", "asked", "expected"),
    [
        ((), ("default",), "cluster default was not running"),
        ((), (), "no cluster of this project was running"),
        (("a", "b"), ("a", "b"), "stopped a, b in 0.10 s; nothing is left"),
    ],
)
def test_an_end_is_told_whatever_there_was(
    seen: Make, stopped: tuple[str, ...], asked: tuple[str, ...], expected: str
) -> None:
    it = seen()

    answer(it.console, Stopped(stopped, asked, (), 0.1))

    assert it.out.getvalue().strip() == expected


def test_a_keeper_that_had_to_be_killed_is_mentioned(seen: Make) -> None:
    it = seen()

    answer(it.console, Stopped(("a",), ("a",), ("a: no answer",), 7.0))

    assert "had to be killed" in it.err.getvalue()


def test_an_interrupted_run_is_not_called_a_failure(seen: Make) -> None:
    it = seen()

    answer(it.console, Ran(("pytest",), 130, False, False, "default", "dev", False, "/run", {}, 1.0))

    assert it.err.getvalue().startswith("interrupted: pytest")


def test_the_status_says_who_uses_the_cluster_and_why_it_is_dirty(seen: Make) -> None:
    it = seen()
    told = cluster_status(
        leased=True,
        turns=(TurnStatus("test_one", False, "t"),),
        waiting=1,
        dirty=("n was killed", "test_zero left a mess"),
        nodes=(node_status(pid=None, uptime=None, ready_seconds=None, ports={}, view=()),),
    )

    answer(it.console, Status("/p", (ClusterView.of(told),)))

    lines = it.out.getvalue().splitlines()
    assert "  used by test_one (shared); 1 waits" in lines
    assert "  dirty: n was killed; test_zero left a mess" in lines


def status_of_a_long_node(**changed: Any) -> Status:
    node = {
        "name": "orders-node1",
        "ports": {"cluster": 20000, "http": 24000},
        "pid": 4194304,
        "uptime": 3700.0,
        "view": ("orders-node1",),
    }
    cluster = cluster_status(nodes=(node_status(**{**node, **changed}),))
    return Status("/p", (ClusterView.of(cluster),))


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(120, ""), (80, "up"), (70, "up, pid"), (64, "up, pid, sees"), (40, "up, pid, sees, http")],
)
def test_a_narrow_status_leaves_out_columns_and_keeps_names_and_addresses_whole(
    seen: Make, monkeypatch: pytest.MonkeyPatch, width: int, left_out: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    it = seen(terminal=True, NO_COLOR="1")

    answer(it.console, status_of_a_long_node())

    lines = it.out.getvalue().splitlines()
    gone = [line for line in lines if line.startswith("left out")]
    assert gone == ([f"left out: {left_out} (see --json, or a wider terminal)"] if left_out else [])
    assert not set(left_out.split(", ")) & set(lines[1].split())
    assert lines[2].split()[0] == "orders-node1"
    assert "127.0.0.1:20000" in lines[2].split()
    assert ("http://127.0.0.1:24000" in lines[2].split()) == ("http" not in left_out)
    assert max(map(len, lines[1:3])) <= width


def test_on_a_narrow_terminal_the_reason_is_folded_and_the_address_is_not(
    seen: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    it = seen(terminal=True, NO_COLOR="1")

    answer(it.console, status_of_a_long_node(state="dead", reason="it was killed by signal 9 " * 3))

    text = it.out.getvalue()
    assert "left out: up, pid, sees, http" in text
    assert "127.0.0.1:20000" in text
    assert text.count("killed") == 3
    assert max(map(len, text.splitlines()[1:-2])) <= 60


def test_an_address_stays_whole_where_even_it_is_too_long(
    seen: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    it = seen(terminal=True, NO_COLOR="1")

    answer(it.console, status_of_a_long_node())

    assert "127.0.0.1:20000" in it.out.getvalue()


def test_a_status_in_a_pipe_leaves_nothing_out(seen: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    it = seen()

    answer(it.console, status_of_a_long_node())

    titles = it.out.getvalue().splitlines()[1].split()
    assert titles == ["node", "state", "pid", "cluster", "http", "sees", "up"]
    assert "left out" not in it.out.getvalue()


def test_a_node_sees_the_nodes_of_its_own_role(seen: Make) -> None:
    it = seen()
    nodes = (
        node_status(name="web1", role="web", view=("web1", "web2")),
        node_status(name="web2", role="web", view=("web1", "web2")),
        node_status(name="store1", role="store", view=("store1",)),
    )

    answer(it.console, Status("/p", (ClusterView.of(cluster_status(nodes=nodes)),)))

    rows = it.out.getvalue().splitlines()[2:5]
    assert ["2/2" in row or "1/1" in row for row in rows] == [True, True, True]
