"""Turns are given in order: exclusive ones alone, shared ones together, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlib.errors import ClusterBusy, ClusterNotRunning
from clusterlib.keeper.turns import Turn, Turns
from clusterlib.messages.events import TurnEnded, TurnTaken
from clusterlib.messages.happening import Happening


def play(story: Callable[[Turns], Awaitable[None]]) -> list[Happening]:
    """Tells a story, and gives back the events."""
    told: list[Happening] = []

    async def go() -> None:
        await story(Turns(told.append))

    asyncio.run(go())
    return told


def holders(turns: Turns) -> list[str]:
    return [turn.holder for turn in turns.status()]


def test_an_exclusive_turn_is_alone_and_the_next_one_follows_it() -> None:
    async def story(turns: Turns) -> None:
        first, second = turns.ask("a", exclusive=True), turns.ask("b", exclusive=True)
        await turns.begin(first, None)
        assert (holders(turns), turns.waiting) == (["a"], 1)
        assert turns.status()[0].since == first.since
        turns.end(first)
        await turns.begin(second, None)
        assert (holders(turns), turns.waiting) == (["b"], 0)
        turns.end(second, "a mess")

    assert play(story) == [
        TurnTaken("a", True),
        TurnEnded("a", None),
        TurnTaken("b", True),
        TurnEnded("b", "a mess"),
    ]


def test_shared_turns_are_side_by_side_but_do_not_overtake_who_wants_it_alone() -> None:
    async def story(turns: Turns) -> None:
        one, two = turns.ask("one", exclusive=False), turns.ask("two", exclusive=False)
        alone = turns.ask("alone", exclusive=True)
        late = turns.ask("late", exclusive=False)
        assert holders(turns) == ["one", "two"]
        turns.end(one)
        assert holders(turns) == ["two"]
        turns.end(two)
        assert holders(turns) == ["alone"]
        turns.end(alone)
        assert holders(turns) == ["late"]
        turns.end(late)

    play(story)


def test_after_its_time_a_request_is_withdrawn_and_told_who_is_in_the_way() -> None:
    async def story(turns: Turns) -> None:
        has_it = turns.ask("tests/test_a.py::test_one", exclusive=True)
        first = turns.ask("first", exclusive=True)
        second = turns.ask("second", exclusive=False)
        with pytest.raises(ClusterBusy) as caught:
            await turns.begin(second, 0)
        assert caught.value.evidence == (
            f"tests/test_a.py::test_one (exclusive) has it since {has_it.since}",
            "first (exclusive) waits, too, and came first",
        )
        assert turns.waiting == 1
        turns.end(has_it)
        assert holders(turns) == ["first"]
        turns.end(first)

    play(story)


def test_a_turn_that_is_free_is_had_at_once_even_without_patience() -> None:
    async def story(turns: Turns) -> None:
        turn = turns.ask("a", exclusive=True)
        await turns.begin(turn, 0)
        assert holders(turns) == ["a"]

    play(story)


def test_whoever_stops_waiting_leaves_the_queue_and_those_behind_move_up() -> None:
    async def story(turns: Turns) -> None:
        shared = turns.ask("shared", exclusive=False)
        alone = turns.ask("alone", exclusive=True)
        behind = turns.ask("behind", exclusive=False)
        waiting = asyncio.ensure_future(turns.begin(alone, None))
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert holders(turns) == ["shared", "behind"]
        turns.end(shared)
        turns.end(behind)
        assert (holders(turns), turns.waiting) == ([], 0)

    play(story)


def test_a_turn_that_comes_as_its_waiter_is_cancelled_goes_to_the_next() -> None:
    async def story(turns: Turns) -> None:
        first, second = turns.ask("first", exclusive=True), turns.ask("second", exclusive=True)
        third = turns.ask("third", exclusive=True)
        waiting = asyncio.ensure_future(turns.begin(second, None))
        await asyncio.wait([waiting], timeout=0)
        turns.end(first)  # the second has it from here on, and is cancelled before it knows
        waiting.cancel()
        await asyncio.wait([waiting])
        assert holders(turns) == ["third"]
        turns.end(third)

    play(story)


def test_an_end_counts_once() -> None:
    async def story(turns: Turns) -> None:
        first = turns.ask("first", exclusive=True)
        turns.ask("second", exclusive=True)
        turns.end(first)
        turns.end(first)
        assert holders(turns) == ["second"]

    assert play(story).count(TurnEnded("first", None)) == 1


def test_a_request_that_is_ended_from_elsewhere_does_not_wait_on() -> None:
    async def story(turns: Turns) -> None:
        turns.ask("first", exclusive=True)
        second = turns.ask("second", exclusive=True)
        waiting = asyncio.ensure_future(turns.begin(second, None))
        await asyncio.wait([waiting], timeout=0)
        turns.end(second)
        async with asyncio.timeout(5):
            await asyncio.wait([waiting])
        assert waiting.cancelled()

    play(story)


def test_a_shutdown_refuses_all_that_wait() -> None:
    async def story(turns: Turns) -> None:
        first = turns.ask("first", exclusive=True)
        waiting = [
            asyncio.ensure_future(turns.begin(turns.ask(f"other {number}", exclusive=True), None))
            for number in range(3)
        ]
        await asyncio.wait(waiting, timeout=0)
        turns.refuse(ClusterNotRunning("it was stopped"))
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(outcome, ClusterNotRunning) for outcome in outcomes)
        assert (holders(turns), turns.waiting) == (["first"], 0)
        turns.end(first)

    play(story)


Step = tuple[str, bool, int]


@given(st.lists(st.tuples(st.sampled_from(["ask", "end"]), st.booleans(), st.integers(0, 30)), max_size=60))
def test_whatever_happens_nobody_meets_an_exclusive_turn_and_nobody_is_forgotten(steps: list[Step]) -> None:
    async def story(turns: Turns) -> None:
        known: list[Turn] = []
        begun: list[int] = []
        for what, exclusive, which in steps:
            if what == "ask":
                known.append(turns.ask(str(len(known)), exclusive=exclusive))
            elif known:
                turns.end(known[which % len(known)])
            taken = turns.status()
            assert len(taken) == 1 or not any(turn.exclusive for turn in taken)
            assert taken or not turns.waiting
            begun += [int(turn.holder) for turn in taken if int(turn.holder) not in begun]
        assert begun == sorted(begun), "they began in the order in which they asked"
        for turn in known:
            turns.end(turn)
        assert (turns.status(), turns.waiting) == ((), 0)

    play(story)
