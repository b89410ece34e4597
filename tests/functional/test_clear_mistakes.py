"""Mistakes in Python and at `up` are told with what is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import clusterlib
from clusterlib.errors import ClusterConflict, UsageError, WrongType

Up = Callable[..., clusterlib.Cluster]


def test_a_conflict_names_the_settings_that_differ_and_the_way_to_scale(up: Up) -> None:
    up("ci-small")

    with pytest.raises(ClusterConflict) as caught:
        clusterlib.up("ci-small", nodes=3)
    assert "nodes.count: 2 run, 3 are asked for" in caught.value.evidence
    assert caught.value.remedies[0] == "invoke cluster.scale 3"

    with pytest.raises(ClusterConflict) as caught:
        clusterlib.up("ci-small", nodes=3, overrides={"timeouts.detect": 9.5})
    assert any("timeouts.detect: " in line and "9.5 is asked for" in line for line in caught.value.evidence)
    assert not any("cluster.scale" in remedy for remedy in caught.value.remedies)


def test_arguments_of_a_wrong_type_are_told_so(up: Up) -> None:
    cluster = up("ci-small")
    wrong: Any = len
    word: Any = "x"

    for mistake in (lambda: cluster["node1"].call(wrong), lambda: cluster.scale(word)):
        with pytest.raises(WrongType) as caught:
            mistake()
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, UsageError)
        assert caught.value.remedies
