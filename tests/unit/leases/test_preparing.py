"""What is done to a cluster before a test uses it, decided from values: no cluster runs here."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.errors import ApplicationFailed, ClusterNotRunning, NodeExited
from clusterlib.leases.choosing import Refuse
from clusterlib.leases.need import Need
from clusterlib.leases.preparing import (
    Broken,
    Change,
    Ended,
    Enter,
    Parting,
    Preparation,
    Repair,
    SetAside,
    TakeAlone,
    Trouble,
    part,
    prepare,
)
from clusterlib.leases.situation import ClusterSeen, PooledFacts, Wanted

OWN = PooledFacts("pytest", nodes=3, base=3, left=3)
LOAN = PooledFacts("default", nodes=3, base=3, left=3, borrowed=True)


def wanted(
    size: int | None = None, *, exact: bool = False, shared: bool = False, fixed: bool = False
) -> Wanted:
    need = Need(size=size, exact=exact)
    least = 3 if size is None else size
    return Wanted(need, "dev", count=3, least=least, shared=shared, fixed=fixed, may_skip=True)


@pytest.mark.parametrize(
    ("test", "pooled", "seen", "preparation"),
    [
        (wanted(), OWN, ClusterSeen(3), Enter()),
        (wanted(2), OWN, ClusterSeen(3), Enter()),
        # its nodes
        (wanted(), OWN, ClusterSeen(3, unwell=True), Change(Repair.HEAL)),
        (wanted(), OWN, ClusterSeen(3, unwell=True, damaged=True), Change(Repair.HEAL, fresh=True)),
        (wanted(), OWN, ClusterSeen(3, afresh=True), Change(Repair.HEAL, fresh=True)),
        (wanted(), OWN, ClusterSeen(3, stale=True), Change(Repair.RESTART)),
        (
            wanted(),
            OWN,
            ClusterSeen(3, stale=True, unwell=True, damaged=True),
            Change(Repair.RESTART, fresh=True),
        ),
        (wanted(), LOAN, ClusterSeen(3, unwell=True), Change(Repair.HEAL)),
        # its size
        (wanted(5), OWN, ClusterSeen(3), Change(nodes=5)),
        (wanted(5), OWN, ClusterSeen(3, unwell=True), Change(Repair.HEAL, nodes=5)),
        (wanted(1, exact=True), OWN, ClusterSeen(3), Change(nodes=1)),
        (wanted(), OWN, ClusterSeen(4), Change(nodes=3)),  # a test has scaled it
        (wanted(), OWN, ClusterSeen(2), Change(nodes=3)),
        (wanted(shared=True), OWN, ClusterSeen(4), Enter()),  # another worker has scaled it
        (wanted(4), LOAN, ClusterSeen(3), SetAside()),
        (wanted(2, exact=True), LOAN, ClusterSeen(3), SetAside()),
        (wanted(2), LOAN, ClusterSeen(4), Enter()),
        (wanted(5, fixed=True), OWN, ClusterSeen(3), SetAside(for_all=True)),
        (wanted(1, exact=True, fixed=True), OWN, ClusterSeen(3, unwell=True), SetAside(for_all=True)),
    ],
)
def test_a_preparation(
    test: Wanted, pooled: PooledFacts, seen: ClusterSeen, preparation: Preparation
) -> None:
    assert prepare(test, pooled, seen, alone=True) == preparation
    beside_others = TakeAlone() if isinstance(preparation, Change) else preparation
    assert prepare(test, pooled, seen, alone=False) == beside_others


LOST = NodeExited("node1 ended")
OF_THE_TESTS = ApplicationFailed("the application ended")


@pytest.mark.parametrize(
    ("pooled", "trouble", "parting"),
    [
        (
            LOAN,
            SetAside(),
            Parting(note="cluster default has another size now: another one serves beside it"),
        ),
        (OWN, SetAside(for_all=True), Parting(for_all=True)),
        (OWN, Broken(LOST), Parting(because=LOST, lost=LOST)),
        (LOAN, Broken(LOST), Refuse(LOST, may_skip=True)),
        (LOAN, Broken(OF_THE_TESTS), Refuse(OF_THE_TESTS)),
        (OWN, Ended(LOST, on_purpose=False), Parting(because=LOST, lost=LOST)),
        (OWN, Ended(LOST, on_purpose=True), Parting(lost=LOST)),
        (
            LOAN,
            Ended(LOST, on_purpose=True),
            Parting(lost=LOST, note="cluster default, which was borrowed, ended while the tests ran"),
        ),
    ],
)
def test_a_parting(pooled: PooledFacts, trouble: Trouble, parting: Parting | Refuse) -> None:
    assert part(wanted(), pooled, trouble) == parting


def test_a_borrowed_cluster_is_never_ended_for_all() -> None:
    for trouble in (SetAside(), Broken(LOST), Ended(ClusterNotRunning("gone"), on_purpose=False)):
        parting = part(wanted(), LOAN, trouble)
        assert isinstance(parting, Refuse) or not parting.for_all


SIZES = st.integers(1, 9)


@st.composite
def any_test(draw: st.DrawFn) -> Wanted:
    size, count = draw(st.none() | SIZES), draw(SIZES)
    return Wanted(
        Need(size=size, exact=size is not None and draw(st.booleans())),
        "dev",
        count=count,
        least=size if size is not None else draw(st.integers(1, count)),
        shared=draw(st.booleans()),
        fixed=draw(st.booleans()),
    )


KEPT = st.builds(
    PooledFacts, st.just("c"), SIZES, SIZES, SIZES, borrowed=st.booleans(), any_size=st.booleans()
)
SEEN = st.builds(ClusterSeen, SIZES, st.booleans(), st.booleans(), st.booleans(), st.booleans())


@given(any_test(), KEPT, SEEN, st.booleans())
def test_every_preparation_keeps_the_promises(
    test: Wanted, pooled: PooledFacts, seen: ClusterSeen, alone: bool
) -> None:
    decision = prepare(test, pooled, seen, alone=alone)
    match decision:
        case Enter():
            assert seen == ClusterSeen(seen.nodes, damaged=seen.damaged)
            assert seen.nodes >= pooled.fewest(test) or test.need.exact
            assert not test.need.exact or seen.nodes == test.need.size
        case TakeAlone():
            assert not alone
            assert isinstance(prepare(test, pooled, seen, alone=True), Change)
        case Change(nodes=nodes):
            assert alone
            assert nodes is None or (nodes != seen.nodes and not pooled.borrowed and not test.fixed)
        case SetAside(for_all=for_all):
            assert for_all is not pooled.borrowed


@given(any_test(), KEPT, SEEN)
def test_after_a_change_nothing_is_left_to_change(
    test: Wanted, pooled: PooledFacts, seen: ClusterSeen
) -> None:
    decision = prepare(test, pooled, seen, alone=True)
    if isinstance(decision, Change):
        after = ClusterSeen(decision.nodes or seen.nodes)

        assert prepare(test, replace(pooled, nodes=after.nodes), after, alone=False) == Enter()
