"""Which cluster serves a test, decided from values: no cluster runs here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.errors import ClusterNotRunning, PortsExhausted, UsageError
from clusterlib.leases.choosing import Absent, Borrow, Choice, LookAround, Refuse, Reuse, StartNew, choose
from clusterlib.leases.need import Need
from clusterlib.leases.situation import FailedStart, PooledFacts, Running, ToCome, Wanted

FAILED = FailedStart(4, PortsExhausted("no port is free"), may_skip=True)
OWN = PooledFacts("pytest", nodes=3, base=3, left=3)
LOAN = PooledFacts("default", nodes=3, base=3, left=3, borrowed=True)
NONE = Running()


def wanted(
    size: int | None = None,
    *,
    exact: bool = False,
    auto: bool = True,
    least: int = 3,
    to_come: ToCome | None = None,
) -> Wanted:
    need = Need(size=size, exact=exact)
    return Wanted(
        need,
        "dev",
        count=3,
        least=size if size is not None else least,
        auto=auto,
        may_skip=True,
        to_come=to_come,
    )


@pytest.mark.parametrize(
    ("test", "pooled", "running", "choice"),
    [
        # the pool has one
        (wanted(), [OWN], None, Reuse(OWN)),
        (wanted(5), [OWN], None, Reuse(OWN)),  # it grows
        (wanted(1, exact=True), [OWN], None, Reuse(OWN)),  # it shrinks
        (wanted(), [LOAN], None, Reuse(LOAN)),
        (wanted(2), [LOAN, OWN], None, Reuse(LOAN)),
        # the borrowed one does not fit
        (wanted(5), [LOAN, OWN], None, Reuse(OWN, "cluster default runs with 3 nodes, tests ask for 5")),
        (
            wanted(2, exact=True),
            [LOAN],
            None,
            StartNew(2, 2, 3, "cluster default runs with 3 nodes, tests ask for exactly 2"),
        ),
        # the pool has none
        (wanted(), [], None, LookAround()),
        (wanted(), [], Running(nodes=3), Borrow()),
        (wanted(2), [], Running(nodes=3), Borrow()),
        (wanted(3, exact=True), [], Running(nodes=3), Borrow()),
        (wanted(), [], Running(nodes=1, any_size=True), Borrow()),
        (
            wanted(),
            [],
            Running(nodes=1),
            StartNew(3, 3, beside="cluster default runs with 1 node, tests ask for 3"),
        ),
        (
            wanted(),
            [],
            Running("shop", 3, "is simulated"),
            StartNew(3, 3, beside="cluster shop is simulated"),
        ),
        (wanted(), [], Running(unlike="is old"), StartNew(3, 3, beside="cluster default is old")),
        # a new one
        (wanted(), [], NONE, StartNew(3, 3)),
        (wanted(least=1), [], NONE, StartNew(3, 1)),
        (wanted(5), [], NONE, StartNew(5, 5)),
        (wanted(2), [], NONE, StartNew(3, 2)),
        (wanted(2, exact=True), [], NONE, StartNew(2, 2, 3)),
        (wanted(2, to_come=ToCome(7, 4)), [], NONE, StartNew(7, 4)),
        (wanted(2, to_come=ToCome(7, 4, exact=True)), [], NONE, StartNew(3, 2)),
        (wanted(2, exact=True, to_come=ToCome(7)), [], NONE, StartNew(2, 2, 3)),
    ],
)
def test_a_choice(test: Wanted, pooled: list[PooledFacts], running: Running | None, choice: Choice) -> None:
    assert choose(test, pooled, (), running) == choice


@pytest.mark.parametrize(
    ("test", "pooled", "choice"),
    [
        (wanted(5), [], Refuse(FAILED.error, may_skip=True, because=FAILED)),
        (wanted(4, exact=True), [], Refuse(FAILED.error, may_skip=True, because=FAILED)),
        (wanted(5), [OWN], Refuse(FAILED.error, may_skip=True, because=FAILED)),  # it would have to grow
        (wanted(2), [OWN], Reuse(OWN)),
        (wanted(), [], StartNew(3, 3)),
        (wanted(2, to_come=ToCome(7, 4)), [], StartNew(2, 2)),  # what the others need has failed
    ],
)
def test_a_start_that_failed_is_not_tried_again(
    test: Wanted, pooled: list[PooledFacts], choice: Choice
) -> None:
    assert choose(test, pooled, [FAILED], NONE) == choice


def test_of_several_failures_the_largest_that_is_not_larger_is_the_reason() -> None:
    larger = FailedStart(6, PortsExhausted("none at all"), may_skip=False)

    for size, reason in ((5, FAILED), (6, larger), (9, larger)):
        choice = choose(wanted(size), [], [FAILED, larger], NONE)
        assert isinstance(choice, Refuse)
        assert choice.because is reason


def test_a_test_that_holds_a_cluster_is_refused_a_second_turn_on_it() -> None:
    held = PooledFacts("pytest", nodes=3, base=3, left=3, in_use=True)

    choice = choose(wanted(), [held])

    assert isinstance(choice, Refuse)
    assert isinstance(choice.error, UsageError)
    assert not choice.may_skip
    assert choice.because is None


@pytest.mark.parametrize(
    ("test", "running", "problem", "remedy", "because"),
    [
        (
            wanted(2, auto=False, to_come=ToCome(5)),
            NONE,
            "no cluster of profile dev runs",
            "invoke cluster.up --profile dev --nodes 5",
            Absent(5, None),
        ),
        (
            wanted(5, auto=False),
            Running("shop", 3),
            "no running cluster serves 5 nodes of profile dev",
            "invoke cluster.down --name shop && invoke cluster.up --profile dev --nodes 5 --name shop",
            Absent(5, Need(size=5)),
        ),
    ],
)
def test_where_nothing_may_be_started_the_refusal_says_what_to_start(
    test: Wanted, running: Running, problem: str, remedy: str, because: Absent
) -> None:
    choice = choose(test, [], (), running)

    assert isinstance(choice, Refuse)
    assert isinstance(choice.error, ClusterNotRunning)
    assert choice.error.problem == problem
    assert choice.error.remedies[0] == remedy
    assert choice.may_skip
    assert choice.because == because


SIZES = st.integers(1, 9)
FAILURES = st.lists(st.builds(FailedStart, SIZES, st.just(FAILED.error), st.booleans()), max_size=3)
TO_COME = st.none() | st.builds(ToCome, SIZES, SIZES, st.booleans())


@st.composite
def any_test(draw: st.DrawFn) -> Wanted:
    size = draw(st.none() | SIZES)
    count = draw(SIZES)
    return Wanted(
        Need(size=size, exact=size is not None and draw(st.booleans())),
        "dev",
        count=count,
        least=size if size is not None else draw(st.integers(1, count)),
        auto=draw(st.booleans()),
        shared=draw(st.booleans()),
        fixed=draw(st.booleans()),
        to_come=draw(TO_COME),
    )


@st.composite
def kept_clusters(draw: st.DrawFn, *, borrowed: bool) -> PooledFacts:
    return PooledFacts(
        "default" if borrowed else "pytest",
        draw(SIZES),
        draw(SIZES),
        draw(SIZES),
        borrowed=borrowed,
        any_size=borrowed and draw(st.booleans()),
        in_use=draw(st.booleans()),
    )


KEPT = st.tuples(st.none() | kept_clusters(borrowed=True), st.none() | kept_clusters(borrowed=False)).map(
    lambda pair: [one for one in pair if one is not None]
)
RUNNING = st.builds(
    Running, st.just("default"), st.integers(0, 9), st.none() | st.just("is old"), st.booleans()
)


@given(any_test(), KEPT, FAILURES, RUNNING)
def test_every_choice_keeps_the_promises(
    test: Wanted, pooled: list[PooledFacts], failed: list[FailedStart], running: Running
) -> None:
    match choose(test, pooled, failed, running):
        case LookAround():
            pytest.fail("it has been looked at")
        case Reuse(cluster=one):
            assert one in pooled
            assert not one.in_use
        case Borrow():
            assert running.unlike is None
            assert running.nodes >= (test.need.size or 1)
            assert not test.need.exact or running.nodes == test.need.size
            assert not any(one.borrowed for one in pooled)
        case StartNew(nodes=nodes, least=least):
            assert test.auto
            assert not [one for one in pooled if not one.borrowed]
            assert nodes >= least or test.to_come is not None
            assert least >= test.least
            assert all(one.nodes > nodes for one in failed), "what failed is not tried again"
            assert not test.need.exact or nodes == least == test.need.size
        case Refuse(error=error, because=because):
            assert error.problem
            assert not isinstance(because, Absent) or not test.auto


@given(any_test(), FAILURES, st.data())
def test_a_test_whose_starts_all_fail_is_refused_after_two_of_them(
    test: Wanted, failed: list[FailedStart], data: st.DataObject
) -> None:
    starts = 0
    while isinstance(choice := choose(test, [], failed, NONE), StartNew):
        starts += 1
        assert starts <= 2
        fewest = data.draw(st.integers(1, choice.nodes))
        failed = [*failed, FailedStart(fewest, FAILED.error, may_skip=True)]

    assert isinstance(choice, Refuse)
