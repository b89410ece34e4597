"""What a node knows when it starts: which nodes run already, and which ones start together with
it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import clusterlib
from tests.functional.conftest import Up

KNOWN = "{{ alive | join('+') }}/{{ starting | join('+') }}"
FIRST = "{{ not alive and node.name == starting[0] }}"


@pytest.fixture
def boxes(up: Up, write: Callable[..., None], project: Path) -> clusterlib.Cluster:
    """Each box writes what it knows into a file, and prints it, when it starts."""
    (project / "templates").mkdir()
    (project / "templates" / "known.j2").write_text(KNOWN)
    write('\n[templates]\nknown = "known.j2"\n', GREETING=f'"{KNOWN}, first: {FIRST}, answering"')
    return up("box")


def known(cluster: clusterlib.Cluster, name: str) -> str:
    return (cluster.run_folder.node(name) / "known").read_text()


def is_first(cluster: clusterlib.Cluster, name: str) -> bool:
    last = cluster[name].log().rsplit("listening, ", 1)[1]
    assert last.startswith(known(cluster, name)), "an argument and a template agree"
    return "first: True" in last


def first_ones(cluster: clusterlib.Cluster) -> list[str]:
    return [node.name for node in cluster if is_first(cluster, node.name)]


def test_nodes_that_start_together_see_none_that_runs_and_one_of_them_is_the_first(
    boxes: clusterlib.Cluster,
) -> None:
    assert {known(boxes, node.name) for node in boxes} == {"/box1+box2+box3"}
    assert first_ones(boxes) == ["box1"]

    boxes.restart()

    assert {known(boxes, node.name) for node in boxes} == {"/box1+box2+box3"}
    assert first_ones(boxes) == ["box1"]


def test_a_node_that_starts_again_sees_the_nodes_that_run_and_not_the_dead(
    boxes: clusterlib.Cluster,
) -> None:
    boxes["box1"].kill()
    boxes["box3"].kill()

    boxes["box1"].restart()
    boxes["box3"].restart()

    assert known(boxes, "box1") == "box2/box1"
    assert known(boxes, "box3") == "box1+box2/box3"
    assert first_ones(boxes) == []


def test_the_first_node_to_start_again_is_the_first_whichever_it_is(boxes: clusterlib.Cluster) -> None:
    for node in boxes:
        node.stop()

    for name in ("box2", "box3", "box1"):
        boxes[name].start()

    assert [known(boxes, name) for name in ("box2", "box3", "box1")] == [
        "/box2",
        "box2/box3",
        "box2+box3/box1",
    ]
    assert first_ones(boxes) == ["box2"]


def test_a_node_that_is_added_sees_the_nodes_that_run(boxes: clusterlib.Cluster) -> None:
    boxes.scale(4)

    assert known(boxes, "box4") == "box1+box2+box3/box4"
    assert first_ones(boxes) == ["box1"]


def test_other_texts_name_the_nodes_that_answer_now(up: Up, write: Callable[..., None]) -> None:
    write(shell='["echo", "{{ alive | join(\'+\') }}"]')
    cluster = up("box")

    cluster["box1"].kill()

    shells = {node.name: node.shell.command for node in cluster.status().nodes if node.shell}
    assert shells["box2"] == ("echo", "box2+box3")


def test_a_line_that_is_awaited_names_the_nodes_that_run_and_those_that_start(
    up: Up, write: Callable[..., None]
) -> None:
    write(
        '\n[formed]\nlog = "listening, {{ alive | length }} of us"\n',
        GREETING='"{{ alive | length + starting | length }} of us"',
    )
    cluster = up("box")
    cluster["box1"].kill()
    cluster["box3"].kill()

    cluster["box3"].restart()

    assert "listening, 2 of us" in cluster["box3"].log()
