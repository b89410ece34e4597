from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.errors import ClusterError, NeedImpossible, ProfileError
from clusterlib.leases.need import Need
from clusterlib.leases.schedule import Asked, ClusterShape, Schedule, make_schedule
from clusterlib.messages.codec import plain

SHAPES = {
    "dev": ClusterShape(3, 100, "2 CPUs"),
    "shop": ClusterShape(2, 100, "2 CPUs"),
    "big": ClusterShape(5, 100, "2 CPUs"),
}


def shapes(profile: str) -> ClusterShape:
    if profile not in SHAPES:
        raise ProfileError(f"there is no profile {profile}", remedies=["invoke profile.list"])
    return SHAPES[profile]


def schedule(*needs: Need | None, default: str = "dev") -> Schedule:
    """One test for each need, called a, b, c, …"""
    asked = [Asked(chr(ord("a") + index), need) for index, need in enumerate(needs)]
    return make_schedule(asked, shapes, default=default)


def order(made: Schedule) -> str:
    return "".join(made.asked[place].test for place in made.order)


def groups(made: Schedule) -> list[tuple[str, int, str]]:
    return [(group.profile, group.nodes, "".join(group.tests)) for group in made.groups]


def is_reordered(made: Schedule) -> bool:
    return made.order != tuple(range(len(made.order)))


def test_tests_without_a_need_need_nothing() -> None:
    made = schedule(None, None)

    assert not made.groups
    assert made.starts == 0
    assert made.tests == 0
    assert not is_reordered(made)


def test_one_cluster_that_is_as_large_as_the_largest_serves_all() -> None:
    made = schedule(Need(size=2), Need(size=7), Need(), Need(size=1))

    assert groups(made) == [("dev", 7, "abcd")]
    assert made.groups[0].largest.test == "b"
    assert not is_reordered(made)


def test_a_cluster_is_never_smaller_than_its_profile_says() -> None:
    made = schedule(Need(size=2))

    assert groups(made) == [("dev", 3, "a")]
    assert made.groups[0].least == 2


def test_exact_sizes_come_after_the_others_and_fall() -> None:
    made = schedule(Need(size=1, exact=True), Need(size=4), Need(size=6, exact=True), Need(), Need(size=1))

    assert groups(made) == [("dev", 4, "bde"), ("dev", 6, "c"), ("dev", 1, "a")]
    assert order(made) == "bdeca"
    assert made.starts == 1


def test_an_exact_size_that_the_cluster_has_anyway_is_no_reason_to_move() -> None:
    made = schedule(Need(size=3, exact=True), Need(size=1), Need(size=3, exact=True))

    assert groups(made) == [("dev", 3, "abc")]
    assert not is_reordered(made)


def test_where_all_are_exact_the_largest_is_started() -> None:
    made = schedule(Need(size=1, exact=True), Need(size=2, exact=True))

    assert groups(made) == [("dev", 2, "b"), ("dev", 1, "a")]


def test_profiles_come_in_the_order_in_which_they_appear_and_tests_without_a_need_stay_where_they_are() -> (
    None
):
    made = schedule(Need("shop"), None, Need(), Need("shop"), None, Need(), Need("shop"))

    assert groups(made) == [("shop", 2, "adg"), ("dev", 3, "cf")]
    assert order(made) == "abdgecf"
    assert made.starts == 2


def test_a_profile_named_and_the_default_one_are_the_same() -> None:
    made = schedule(Need("dev"), Need())

    assert groups(made) == [("dev", 3, "ab")]


@pytest.mark.parametrize(
    ("need", "problem"),
    [
        (Need("nowhere"), "asks for the profile nowhere"),
        (Need(size=1001), "no cluster has more than 1000"),
        (Need(size=101), "this machine carries 100"),
        (Need(size=101, exact=True), "this machine carries 100"),
    ],
)
def test_what_can_never_be_served_is_told_up_front_and_leaves_the_others_alone(
    need: Need, problem: str
) -> None:
    made = schedule(Need(), need, Need())

    assert made.impossible
    (place,) = made.impossible
    assert place == 1
    assert problem in made.impossible[1].problem
    assert made.impossible[1].remedies
    assert groups(made) == [("dev", 3, "ac")]
    assert made.tests == 3


def test_a_fault_that_is_known_already_is_passed_on() -> None:
    fault = NeedImpossible("a cluster has at least one node, not 0")
    made = make_schedule([Asked("a", fault=fault), Asked("b", Need())], shapes, default="dev")

    assert made.impossible == {0: fault}
    assert groups(made) == [("dev", 3, "b")]


def test_the_capacity_stops_nobody_from_what_the_profile_itself_starts_with() -> None:
    made = make_schedule([Asked("a", Need(size=3))], lambda _: ClusterShape(3, capacity=1), default="dev")

    assert not made.impossible


def test_the_order_does_not_depend_on_how_much_memory_is_free() -> None:
    asked = [
        Asked("a", Need(size=5, exact=True)),
        Asked("b", Need()),
        Asked("c", Need(size=8)),
        Asked("d", Need(size=5, exact=True)),
        Asked("e", Need("shop")),
        Asked("f", Need()),
    ]
    plenty = make_schedule(asked, lambda _: ClusterShape(5, 100, steady=5), default="dev")
    scarce = make_schedule(asked, lambda _: ClusterShape(2, 6, "memory", steady=5), default="dev")

    assert plenty.order == scarce.order
    assert not plenty.impossible
    assert list(scarce.impossible or ()) == [2]
    assert [group.nodes for group in scarce.groups] == [2, 5, 2]


def test_a_schedule_can_be_written_down() -> None:
    made = schedule(Need(size=4), Need("nowhere"), None)

    told = json.loads(json.dumps(plain(made.recorded())))

    assert told["tests"] == 2
    assert told["starts"] == 1
    assert told["groups"] == [
        {
            "profile": "dev",
            "nodes": 4,
            "exact": False,
            "starts": True,
            "tests": ["a"],
            "largest": {"test": "a", "size": 4},
        }
    ]
    assert told["impossible"][0]["test"] == "b"
    assert ClusterError.from_dict(told["impossible"][0]["error"]).problem.startswith("b asks for the profile")


def needs() -> st.SearchStrategy[Need | None]:
    sized = st.builds(
        Need,
        profile=st.sampled_from([None, "dev", "shop", "big"]),
        size=st.integers(1, 9),
        exact=st.booleans(),
    )
    plain = st.builds(Need, profile=st.sampled_from([None, "dev", "shop", "big"]))
    return st.none() | sized | plain


@given(st.lists(needs(), max_size=20))
def test_any_schedule_is_a_permutation_that_starts_no_more_clusters_than_profiles(
    wanted: list[Need | None],
) -> None:
    made = schedule(*wanted)

    assert sorted(made.order) == list(range(len(wanted)))
    assert all(made.order[place] == place for place, need in enumerate(wanted) if need is None)
    assert made.starts == len({need.profile or "dev" for need in wanted if need is not None})
    served = [test for group in made.groups for test in group.tests]
    assert [made.asked[place].test for place in made.order if wanted[place] is not None] == (
        served if is_reordered(made) else sorted(served)
    )
    for group in made.groups:
        for test in group.tests:
            need = wanted[ord(test) - ord("a")]
            assert need is not None
            assert group.nodes == need.size if need.exact else group.nodes >= (need.size or 0)
        assert group.least <= group.nodes


@given(st.lists(needs(), max_size=12))
def test_the_same_tests_give_the_same_schedule_and_a_second_one_changes_nothing(
    wanted: list[Need | None],
) -> None:
    made = schedule(*wanted)
    again = schedule(*(wanted[place] for place in made.order))

    assert made == schedule(*wanted)
    assert not is_reordered(again)


def test_clusters_that_keep_their_size_are_started_for_each_of_them() -> None:
    fixed = {**SHAPES, "dev": ClusterShape(3, 100, "2 CPUs", fixed=True)}
    asked = [
        Asked(name, Need(profile, size, exact=exact))
        for name, profile, size, exact in (
            ("a", "dev", 5, False),
            ("b", "dev", 1, True),
            ("c", "shop", None, False),
            ("d", "shop", 1, True),
        )
    ]

    made = make_schedule(asked, fixed.__getitem__, default="dev")

    assert [(group.profile, group.nodes, group.starts) for group in made.groups] == [
        ("dev", 5, True),
        ("dev", 1, True),
        ("shop", 2, True),
        ("shop", 1, False),
    ]
    assert made.starts == 3
