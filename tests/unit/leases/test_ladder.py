from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlib.errors import (
    ApplicationFailed,
    BuildFailed,
    ClusterError,
    CommandFailed,
    KeeperLost,
    NodeExited,
    PortsExhausted,
    ProgramMissing,
    StartError,
    TemplateError,
)
from clusterlib.evidence.records import Recorded
from clusterlib.leases.ladder import Climb, Step, Stranded
from clusterlib.leases.naming import reserve_name
from clusterlib.leases.terms import Terms, read_terms
from clusterlib.messages.codec import plain

Records = list[dict[str, Any]]
MakeTerms = Callable[..., Terms]
ALL = ["retry", "smaller", "simulate", "skip"]


@pytest.fixture
def terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTerms:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    monkeypatch.setenv("CI", "false")

    def make(*fallbacks: str, **more: object) -> Terms:
        overrides = {"retry.attempts": 2, "retry.first": 0.001, "tests.fallbacks": list(fallbacks), **more}
        return read_terms("dev", tmp_path, overrides)

    return make


def climb(
    terms: Terms, error: ClusterError, nodes: int = 5, least: int = 2
) -> tuple[list[Step], Records, Stranded]:
    """Every start fails with that error. Gives the steps, the records, and the end."""
    steps: list[Step] = []
    records: Records = []

    def begin(step: Step) -> Any:
        steps.append(step)
        raise error

    def record(what: Recorded) -> None:
        records.append(json.loads(json.dumps(plain(what))))

    end = Climb(terms, record).start(begin, nodes, least)
    assert isinstance(end, Stranded)
    return steps, records, end


def told(steps: list[Step]) -> list[tuple[str, int, bool | None]]:
    return [(step.fallback or "first", step.nodes, step.simulate) for step in steps]


def test_the_fallbacks_are_tried_in_their_order(terms: MakeTerms) -> None:
    steps, records, end = climb(terms(*ALL), NodeExited("node1 ended"))

    assert told(steps) == [
        ("first", 5, None),
        ("retry", 5, None),
        ("retry", 5, None),
        ("smaller", 2, None),
        ("simulate", 2, True),
    ]
    assert [record["next"] for record in records] == ["retry", "retry", "smaller", "simulate", "skip"]
    assert [record["attempt"] for record in records] == [1, 2, 3, 4, 5]
    assert (end.nodes, end.attempts, end.may_skip) == (2, 5, True)


def test_another_order_is_another_ladder(terms: MakeTerms) -> None:
    steps, _, _ = climb(terms("simulate", "retry"), PortsExhausted("no port is free"))

    assert told(steps) == [
        ("first", 5, None),
        ("simulate", 5, True),
        ("retry", 5, True),
        ("retry", 5, True),
    ]


def test_without_fallbacks_the_first_error_is_the_last(terms: MakeTerms) -> None:
    steps, records, end = climb(terms(), KeeperLost("the keeper was lost"))

    assert told(steps) == [("first", 5, None)]
    assert records[0]["next"] == "fail"
    assert not end.may_skip


def test_where_no_fewer_nodes_would_do_no_smaller_cluster_is_tried(terms: MakeTerms) -> None:
    steps, _, _ = climb(terms("smaller", "skip"), StartError("did not start"), nodes=3, least=3)

    assert told(steps) == [("first", 3, None)]


def test_a_missing_program_does_not_appear_by_waiting_but_a_simulation_needs_none(terms: MakeTerms) -> None:
    steps, _, end = climb(terms(*ALL), ProgramMissing("erl is not on PATH"))

    assert told(steps) == [("first", 5, None), ("simulate", 5, True)]
    assert end.nodes == 1, "a smaller cluster needs it, too"


@pytest.mark.parametrize("kind", [TemplateError, ApplicationFailed, BuildFailed])
def test_a_mistake_and_an_application_that_fails_are_never_tried_again_and_never_skipped(
    terms: MakeTerms, kind: type[ClusterError]
) -> None:
    steps, records, end = climb(terms(*ALL), kind("it is wrong"))

    assert told(steps) == [("first", 5, None)]
    assert records[0]["next"] == "fail"
    assert not end.may_skip
    assert end.nodes == 1


def test_a_command_that_keeps_failing_is_tried_again_but_nothing_is_skipped_for_it(terms: MakeTerms) -> None:
    steps, _, end = climb(terms("retry", "skip"), CommandFailed("the cluster could not be formed"))

    assert [step.fallback or "first" for step in steps] == ["first", "retry", "retry"]
    assert not end.may_skip


def test_what_takes_as_long_as_a_start_may_is_not_tried_again(terms: MakeTerms) -> None:
    steps, _, _ = climb(terms("retry", "skip", **{"timeouts.start": 1e-9}), NodeExited("node1 ended"))

    assert told(steps) == [("first", 5, None)]


def test_a_simulated_profile_has_nothing_to_simulate(terms: MakeTerms) -> None:
    steps, _, _ = climb(terms("simulate", simulate=True), StartError("did not start"))

    assert told(steps) == [("first", 5, None)]


def test_a_name_that_one_run_has_reserved_is_not_taken_by_another(tmp_path: Path) -> None:
    first, second = reserve_name(tmp_path), reserve_name(tmp_path)
    assert (first.name, second.name) == ("pytest-shared", "pytest-shared-2")

    first.close()
    third = reserve_name(tmp_path)

    assert third.name == "pytest-shared"
    second.close()
    third.close()


def test_nodes_that_cannot_be_simulated_are_not(terms: MakeTerms) -> None:
    servers = terms(
        "simulate",
        "skip",
        **{"driver": "command", "command.program": "sh", "ports.client": "28000-28099", "templates": {}},
    )

    steps, _, end = climb(servers, NodeExited("node1 ended"))

    assert told(steps) == [("first", 5, None)]
    assert isinstance(end.error, NodeExited)
