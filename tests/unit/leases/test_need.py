from __future__ import annotations

from typing import Any

import pytest

from clusterlib.errors import NeedImpossible
from clusterlib.leases.need import Need, need_of


def test_a_need_is_a_plain_value() -> None:
    need = need_of(profile="dev", size=3, exact=True, exclusive=True, dirty=False)

    assert need == Need("dev", 3, exact=True, exclusive=True, dirty=False)
    assert len({need, need_of(profile="dev", size=3, exact=True, exclusive=True, dirty=False)}) == 1


def test_a_need_tells_itself_in_words() -> None:
    assert str(Need(size=1)) == "at least 1 node of the default profile"
    assert str(Need("shop", 3, exact=True)) == "exactly 3 nodes of profile shop"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"size": 0}, "at least one node, not 0"),
        ({"size": -2}, "at least one node, not -2"),
        ({"size": True}, "a whole number, not True"),
        ({"size": 2.0}, "a whole number, not 2.0"),
        ({"size": "3"}, "a whole number, not '3'"),
        ({"exact": True}, "exact=True needs a size"),
        ({"exact": 1, "size": 2}, "exact is True or False, not 1"),
        ({"exclusive": "yes"}, "exclusive is True or False, not 'yes'"),
        ({"dirty": 0}, "dirty is True or False, not 0"),
        ({"profile": ""}, "the name of a profile, not ''"),
        ({"profile": 7}, "the name of a profile, not 7"),
    ],
)
def test_what_makes_no_sense_is_refused_and_taught(said: dict[str, Any], problem: str) -> None:
    with pytest.raises(NeedImpossible) as caught:
        need_of(**said)

    assert problem in caught.value.problem
    assert caught.value.remedies


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(NeedImpossible) as caught:
        need_of(size="two", exclusive=1, dirty="no")

    assert len(caught.value.evidence) == 3


def test_whoever_has_written_no_marker_is_taught_no_marker() -> None:
    with pytest.raises(NeedImpossible) as caught:
        need_of(size=0, remedies=["cluster_factory(size=3)"])

    assert caught.value.remedies == ("cluster_factory(size=3)",)
