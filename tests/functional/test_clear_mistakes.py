"""Mistakes in Python and at `up` are told with what is right."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import clusterlib
from clusterlib.errors import ClusterConflict, ProfileError, ProgramMissing, UsageError, WrongType

Up = Callable[..., clusterlib.Cluster]


def test_a_conflict_names_the_settings_that_differ_and_the_way_to_scale(up: Up) -> None:
    up("ci-small")

    with pytest.raises(ClusterConflict) as caught:
        clusterlib.up("ci-small", nodes=3)
    assert "nodes.count: 2 run, 3 are requested" in caught.value.evidence
    assert caught.value.remedies[0] == "invoke cluster.scale 3"

    with pytest.raises(ClusterConflict) as caught:
        clusterlib.up("ci-small", nodes=3, overrides={"timeouts.detect": 9.5})
    assert any("timeouts.detect: " in line and "9.5 is requested" in line for line in caught.value.evidence)
    assert not any("cluster.scale" in remedy for remedy in caught.value.remedies)


def test_arguments_of_a_wrong_type_are_told_so(up: Up) -> None:
    cluster = up("ci-small")
    wrong: Any = len
    word: Any = "x"

    number: Any = 3
    node = cluster["node1"]
    for mistake in (
        lambda: node.call(wrong),
        lambda: node.call("os:getpid", timeout=word),
        lambda: node.run(len, "", timeout=word),
        lambda: node.members(timeout=word),
        lambda: cluster.scale(word),
        lambda: cluster.wait_ready(word),
        lambda: cluster.wait_until(number),
        lambda: cluster.wait_until(bool, word),
        lambda: cluster.take_turn("me", timeout=word),
        lambda: clusterlib.up(number),
        lambda: clusterlib.up(name=number),
        lambda: clusterlib.up(project=number),
        lambda: clusterlib.up(overrides=word),
        lambda: clusterlib.up(overrides={number: 3}),
        lambda: clusterlib.up(simulate=word),
        lambda: clusterlib.up(hold=word),
        lambda: clusterlib.up(join=word),
        lambda: clusterlib.attach(number),
        lambda: clusterlib.attach(sole=word),
        lambda: cluster[0:2],  # type: ignore[index]
        lambda: cluster[number],
        lambda: cluster.heal(fresh=word),
        lambda: cluster.restart(fresh=word),
        lambda: cluster.restart("node1", rolling=word),
        lambda: node.restart(fresh=word),
        lambda: cluster.take_turn("me", exclusive=word),
    ):
        with pytest.raises(WrongType) as caught:
            mistake()
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, UsageError)
        assert caught.value.remedies


def test_a_timeout_below_zero_and_a_call_without_a_name_are_mistakes(up: Up) -> None:
    cluster = up("ci-small")
    node = cluster["node1"]
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: node.call("os:getpid", timeout=-1), "from 0 on, not -1"),
        (lambda: node.call("os:getpid", timeout=float("nan")), "from 0 on, not nan"),
        (lambda: cluster.wait_until(bool, -1), "from 0 on, not -1"),
        (lambda: node.call(""), "has no name"),
    ]
    for mistake, words in mistakes:
        with pytest.raises(UsageError, match=words) as caught:
            mistake()
        assert caught.value.remedies
    assert node.call("os:getpid", timeout=5) == node.run(os.getpid)


def test_a_mistake_in_overrides_is_no_mistake_of_the_command_line_only() -> None:
    with pytest.raises(ProfileError) as caught:
        clusterlib.load_profile("dev", overrides={"nodes.cuont": 3})
    assert "overrides= in Python" in caught.value.remedies[0]


def test_up_says_of_a_cluster_that_runs_which_nodes_are_dead_and_what_starts_them(up: Up) -> None:
    cluster = up("ci-small")
    with clusterlib.up() as whole:
        assert not whole.notes[1:]

    cluster["node2"].kill()
    with clusterlib.up() as again:
        assert again.notes[1:] == ("node2 is dead: invoke cluster.start node2",)

    cluster["node2"].start()
    with clusterlib.up() as whole:
        assert not whole.notes[1:]


def test_a_program_with_a_path_that_does_not_exist_is_not_said_to_be_missing_on_path(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text(
        'driver = "command"\n[ports]\nclient = "14000-14999"\n[command]\nprogram = "v/bin/shop-server"\n'
    )
    with pytest.raises(ProgramMissing) as caught:
        clusterlib.up("mine", project=tmp_path)
    assert caught.value.evidence == (f"{tmp_path}/v/bin/shop-server does not exist",)
    assert caught.value.remedies == (
        "build v/bin/shop-server, or correct its path, which begins at the project",
    )
