"""The timeline: time from left to right, folded where nothing happened, whatever there is to be
drawn."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.evidence.axis import make_axis
from clusterlib.evidence.building import build_story
from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.marks import LEGEND_OF_BLOCKS, LEGEND_OF_MARKS, MarkKind, SpanState
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.picture import MOST_LANES, Timeline, draw
from tests.unit.evidence.stage import ToldRun, event, failed, ran, read, record

TIMES = st.floats(0, 1e6)


def picture(records: list[dict[str, Any]], *runs: ToldRun) -> Timeline:
    return draw(build_story(Evidence(sorted(read(records), key=lambda one: one.time), list(runs))))


def life(count: int, cluster: str = "pytest", at: float = 0.0) -> ToldRun:
    nodes = [f"node{number}" for number in range(1, count + 1)]
    events = [event(at, "node.state", node=node, state="starting") for node in nodes]
    events += [event(at + 0.1, "node.state", node=node, state="ready") for node in nodes]
    events += [event(at + 9, "cluster.stopped", clean=True)]
    return ToldRun(cluster=cluster, events=events)


@given(
    begin=TIMES,
    length=TIMES,
    busy=st.lists(st.tuples(TIMES, TIMES), max_size=20),
    moments=st.lists(TIMES, max_size=20),
)
def test_time_goes_from_left_to_right_whatever_happened_when(
    begin: float, length: float, busy: list[tuple[float, float]], moments: list[float]
) -> None:
    stretches = [(begin + first, begin + first + more) for first, more in busy]
    axis = make_axis(begin, begin + length, [(first, min(last, begin + length)) for first, last in stretches])

    places = [axis.at(begin + moment) for moment in sorted(moments)]

    assert all(0 <= place <= 100 for place in places)
    assert all(left <= right + 1e-6 for left, right in itertools.pairwise(places))
    assert all(fold.x >= 0 and fold.x + fold.width <= 100.001 for fold in axis.folds)
    assert all(0 <= place <= 100 for place, _ in axis.ticks)


def test_a_long_idle_stretch_is_folded_and_says_how_long_it_was() -> None:
    axis = make_axis(0, 602, [(0, 1), (601, 602)])

    (fold,) = axis.folds
    assert fold.label == "10 min"
    assert axis.at(1) > 30, "what happened gets the room"
    assert axis.at(601) < 70


def test_short_pauses_are_not_folded() -> None:
    assert make_axis(0, 10, [(0, 1), (1.5, 10)]).folds == ()


def test_ticks_do_not_crowd() -> None:
    axis = make_axis(0, 3, [(0, 3)])

    places = [place for place, _ in axis.ticks]
    assert [label for _, label in axis.ticks][:3] == ["0 s", "0.5 s", "1 s"]
    assert all(after - before >= 5 for before, after in itertools.pairwise(places))


def test_a_node_is_a_row_and_so_are_the_tests_of_each_worker() -> None:
    records = [*ran(1, 2, "t::a", worker="gw0"), *ran(1, 2, "t::b", worker="gw1")]

    rows = picture(records, life(2)).rows

    assert [(row.kind, row.label, row.note) for row in rows] == [
        ("heading", "pytest", "dev, 2 nodes"),
        ("tests", "tests", "gw0"),
        ("tests", "tests", "gw1"),
        ("node", "node1", ""),
        ("node", "node2", ""),
    ]
    assert [row.y for row in rows] == [26, 60, 88, 116, 136]


def test_a_test_leads_to_its_place_and_a_fault_to_its_line() -> None:
    run = life(2)
    run.events.insert(4, event(1.5, "fault.kill", node="node2"))
    records = [*ran(1, 2, "t::a", "failed"), *ran(2, 3, "t::b")]

    drawn = picture(records, run)

    assert [block.href for block in drawn.rows[1].blocks] == ["#f1", "#t2"]
    (sign,) = next(row for row in drawn.rows if row.label == "node2").signs
    assert (sign.kind, sign.href) == ("kill", "#m1")
    assert [(one.kind, one.label) for one in drawn.signs] == [("kill", "was killed")]


def test_a_test_that_took_no_time_is_seen() -> None:
    (block,) = picture(ran(1, 1), life(1)).rows[1].blocks

    assert block.width > 0


def test_tests_of_one_worker_that_overlap_get_rows_of_their_own() -> None:
    rows = picture([*ran(1, 3, "t::a"), *ran(2, 4, "t::b")], life(1)).rows

    assert [len(row.blocks) for row in rows if row.kind == "tests"] == [1, 1]


def test_tests_that_got_no_cluster_are_drawn_too() -> None:
    rows = picture([failed(1), *ran(2, 2, outcome="skipped", cluster=None, run=None)]).rows

    assert [(row.kind, row.label) for row in rows] == [("heading", "no cluster"), ("tests", "tests")]


def test_a_start_that_failed_is_a_sign_that_leads_to_its_error() -> None:
    (sign,) = picture([failed(1, cluster="pytest", run="/x/run1")], life(1)).rows[0].signs

    assert (sign.kind, sign.href) == ("error", "#e1")


def test_of_a_hundred_nodes_those_are_drawn_to_which_something_happened() -> None:
    run = life(100)
    run.events.insert(-1, event(2, "fault.kill", node="node77"))

    drawn = picture(ran(1, 2), run)

    nodes = [row.label for row in drawn.rows if row.kind == "node"]
    assert nodes == ["node77", "99 more nodes"]
    assert MOST_LANES < 100


def test_a_thousand_tests_make_a_picture_of_sensible_size() -> None:
    records = [
        entry for number in range(1000) for entry in ran(number * 0.01, number * 0.01 + 0.009, f"t::{number}")
    ]

    drawn = picture(records, life(3))

    assert sum(len(row.blocks) for row in drawn.rows) < 500
    assert drawn.least_width == 6000


def test_many_clusters_are_cut_with_a_word_about_it() -> None:
    runs = [life(5, f"c{number}", number) for number in range(60)]

    drawn = picture([], *runs)

    assert drawn.left_out == 60 * 6 - len(drawn.rows)
    assert drawn.left_out > 0


@pytest.mark.parametrize("records", [[], [record(1, "run.started")]])
def test_nothing_makes_an_empty_picture(records: list[dict[str, Any]]) -> None:
    assert picture(records).rows == ()


def test_each_kind_has_a_word_in_the_legend() -> None:
    assert LEGEND_OF_BLOCKS.keys() == {*Outcome, *SpanState}
    assert LEGEND_OF_MARKS.keys() == set(MarkKind)
