from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest

from clusterlib import errors
from clusterlib.errors import ClusterError, every_error
from clusterlib.remedies import do


def one_of(kind: type[ClusterError]) -> ClusterError:
    return kind("it broke", cause="a stone", evidence=["line 1", "line 2"], remedies=["mend it"])


@pytest.mark.parametrize("kind", every_error().values(), ids=every_error())
def test_an_error_crosses_a_socket_whole(kind: type[ClusterError]) -> None:
    error = one_of(kind)

    revived = ClusterError.from_dict(json.loads(json.dumps(error.to_dict())))

    assert type(revived) is kind
    assert revived.to_dict() == error.to_dict()


@pytest.mark.parametrize("kind", every_error().values(), ids=every_error())
def test_an_error_survives_pickling(kind: type[ClusterError]) -> None:
    assert pickle.loads(pickle.dumps(one_of(kind))).to_dict() == one_of(kind).to_dict()


def test_an_error_of_a_newer_version_loses_nothing_but_its_class() -> None:
    revived = ClusterError.from_dict(
        {"code": "from-the-future", "problem": "p", "cause": "c", "remedies": ["r"]}
    )

    assert (revived.problem, revived.cause, revived.remedies) == ("p", "c", ("r",))


def test_an_error_shows_problem_code_cause_evidence_and_remedies() -> None:
    assert str(one_of(errors.NodeExited)).splitlines() == [
        "it broke [node-exited]",
        "  cause: a stone",
        "  | line 1",
        "  | line 2",
        "  try: mend it",
    ]


def test_the_tree_drawn_at_the_top_is_the_tree_there_is() -> None:
    drawn = set(re.findall(r"^    [│ ├└─]*(\w+)", errors.__doc__ or "", re.MULTILINE))

    assert drawn == {kind.__name__ for kind in every_error().values()}


def test_every_error_is_exported() -> None:
    assert {kind.__name__ for kind in every_error().values()} <= set(errors.__all__)


def test_every_code_has_its_paragraph_in_the_troubleshooting_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()

    missing = [code for code in every_error() if f"## `{code}`" not in guide]

    assert missing == []


def test_remedies_mean_the_cluster_and_the_profile_they_are_about() -> None:
    remedies = [do("cluster.logs", "node1"), do("cluster.down", all=True), do("cluster.doctor"), "df -h /"]

    other = ClusterError("it broke", remedies=remedies).of_cluster("pytest-2", "shop")
    usual = ClusterError("it broke", remedies=remedies).of_cluster("default")

    assert other.remedies == (
        "invoke cluster.logs node1 --name pytest-2",
        "invoke cluster.down --all",
        "invoke cluster.doctor --profile shop",
        "df -h /",
    )
    assert usual.remedies == tuple(remedies)


def test_evidence_and_remedies_are_texts_whatever_was_given() -> None:
    error = ClusterError("it broke", evidence=[ValueError("why"), Path("/x")], remedies=[Path("/y")])  # type: ignore[list-item]

    assert json.loads(json.dumps(error.to_dict()))["evidence"] == ["why", "/x"]
    assert error.remedies == ("/y",)
