"""What was done to a cluster on purpose is no failure of the cluster."""

from __future__ import annotations

from clusterlib.evidence.damage import WHOLE, damage_at
from clusterlib.messages.event import Event
from clusterlib.messages.events import ClusterDirty, ClusterHealed, OperationEnded
from clusterlib.messages.happening import Happening

LATER = 2e9


def diary(*happenings: Happening) -> list[Event]:
    return [
        Event(number, f"2026-01-01T00:00:{number:02}.000000Z", what)
        for number, what in enumerate(happenings, 1)
    ]


def test_an_operation_that_leaves_the_cluster_dirty_is_damage_on_purpose() -> None:
    done = OperationEnded("shop.burn", 0.1, taints=True)

    found = damage_at(LATER, diary(done, ClusterDirty("shop.burn was carried out")))

    assert found == {WHOLE: "shop.burn was carried out"}


def test_damage_that_was_healed_is_none() -> None:
    assert damage_at(LATER, diary(OperationEnded("shop.burn", 0.1, taints=True), ClusterHealed(0.1))) == {}


def test_an_operation_that_leaves_nothing_is_no_damage() -> None:
    assert damage_at(LATER, diary(OperationEnded("shop.open", 0.1))) == {}
