"""What a node knows of the others, and whom it believes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clusterlib.runtime.membership import Liveness, Membership, News

ROSTER = ["a", "b", "c"]


def member(name: str = "a", incarnation: int = 10) -> Membership:
    return Membership(name, ROSTER, incarnation)


def test_a_node_starts_out_knowing_only_itself() -> None:
    assert member().alive() == ("a",)
    assert not member().complete


def test_the_view_is_complete_when_all_who_are_expected_live() -> None:
    membership = member()
    membership.merge([News("b", 1, Liveness.ALIVE), News("c", 1, Liveness.SUSPECT)])
    assert membership.alive() == ("a", "b", "c")
    assert membership.complete


def test_the_version_counts_changes_of_the_view_and_nothing_else() -> None:
    membership = member()
    membership.merge([News("b", 1, Liveness.ALIVE)])
    before = membership.version
    membership.merge(
        [News("b", 1, Liveness.ALIVE), News("b", 1, Liveness.SUSPECT), News("b", 2, Liveness.ALIVE)]
    )
    assert membership.version == before
    membership.accuse("b", Liveness.DEAD)
    assert membership.version == before + 1


def test_within_an_incarnation_the_worse_news_wins_and_a_higher_one_beats_it() -> None:
    membership = member()
    membership.merge([News("b", 5, Liveness.DEAD), News("b", 5, Liveness.ALIVE)])
    assert not membership.lives("b")
    membership.merge([News("b", 6, Liveness.ALIVE)])
    assert membership.lives("b")
    membership.merge([News("b", 5, Liveness.LEFT)])
    assert membership.lives("b")


def test_a_node_contradicts_its_own_death() -> None:
    membership = member()
    membership.take_pending()
    membership.merge([News("a", 10, Liveness.SUSPECT)])
    assert membership.take_pending() == [News("a", 11, Liveness.ALIVE)]
    membership.merge([News("a", 40, Liveness.DEAD)])
    assert membership.take_pending() == [News("a", 41, Liveness.ALIVE)]


def test_a_restarted_node_outranks_news_of_its_former_life_even_if_clocks_went_back() -> None:
    membership = member(incarnation=5)
    membership.merge([News("a", 9, Liveness.ALIVE)])
    assert membership.incarnation == 10


def test_a_node_that_leaves_does_not_contradict() -> None:
    membership = member()
    membership.leave()
    membership.take_pending()
    membership.merge([News("a", 10, Liveness.LEFT), News("a", 99, Liveness.DEAD)])
    assert membership.take_pending() == []
    assert membership.alive() == ()


def test_an_accusation_needs_someone_known_and_is_made_once() -> None:
    membership = member()
    membership.take_pending()
    membership.accuse("b", Liveness.DEAD)
    assert membership.take_pending() == []
    membership.merge([News("b", 3, Liveness.ALIVE)])
    membership.accuse("b", Liveness.DEAD)
    membership.accuse("b", Liveness.SUSPECT)
    assert membership.take_pending() == [News("b", 3, Liveness.DEAD)]


def test_old_news_is_not_passed_on() -> None:
    membership = member()
    membership.merge([News("b", 3, Liveness.ALIVE)])
    membership.take_pending()
    membership.merge([News("b", 3, Liveness.ALIVE), News("b", 2, Liveness.DEAD)])
    assert membership.take_pending() == []


def test_who_leaves_the_roster_is_forgotten_and_comes_back_like_new() -> None:
    membership = member()
    membership.merge([News("b", 3, Liveness.DEAD), News("c", 3, Liveness.ALIVE)])
    membership.expect(["a", "c"])
    assert membership.complete
    assert membership.status("b") is None
    membership.expect(ROSTER)
    membership.merge([News("b", 1, Liveness.ALIVE)])
    assert membership.complete


def test_news_of_a_node_may_come_before_the_roster_that_names_it() -> None:
    membership = member()
    membership.merge([News("d", 1, Liveness.ALIVE)])
    assert membership.alive() == ("a",)
    membership.expect([*ROSTER, "d"])
    assert membership.alive() == ("a", "d")


def test_strangers_cannot_fill_the_memory() -> None:
    membership = member()
    membership.merge(News(f"stranger{number}", 1, Liveness.ALIVE) for number in range(20_000))
    assert len(membership.known()) < 5_000
    membership.merge([News("b", 1, Liveness.ALIVE)])


rumours = st.lists(
    st.builds(
        News,
        st.sampled_from(["b", "c"]),
        st.integers(0, 5),
        st.sampled_from([status.value for status in Liveness]),
    ),
    max_size=20,
)


@given(rumours, st.randoms(use_true_random=False))
def test_nodes_that_heard_the_same_agree_whatever_the_order(news: list[News], chance: object) -> None:
    one, other = member(), member()
    one.merge(news)
    shuffled = list(news)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    other.merge(shuffled + news)
    assert one.alive() == other.alive()
    assert sorted(one.known()) == sorted(other.known())
