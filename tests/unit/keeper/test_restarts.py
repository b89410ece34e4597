from __future__ import annotations

import pytest

from clusterlib.keeper.restarts import Restarts
from tests.plans import restart_policy


@pytest.mark.parametrize(
    ("policy", "clean", "wanted"),
    [
        ("never", False, False),
        ("on-failure", False, True),
        ("on-failure", True, False),
        ("always", True, True),
    ],
)
def test_the_policy_decides_by_the_way_a_node_ended(policy: str, clean: bool, wanted: bool) -> None:
    assert Restarts(restart_policy(policy)).wanted(clean=clean) is wanted


def test_pauses_grow_until_it_is_enough_and_each_node_has_its_own() -> None:
    restarts = Restarts(restart_policy("always", attempts=3, first=1, factor=2), clock=lambda: 0.0)

    assert [restarts.next_pause("node1") for _ in range(4)] == [1, 2, 4, None]
    assert restarts.next_pause("node2") == 1


def test_crashes_are_forgotten_after_the_window() -> None:
    now = [0.0]
    restarts = Restarts(restart_policy("always", attempts=1, window=60, first=1), clock=lambda: now[0])

    assert [restarts.next_pause("node1"), restarts.next_pause("node1")] == [1, None]
    now[0] = 61
    assert restarts.next_pause("node1") == 1
