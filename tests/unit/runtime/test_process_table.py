"""Supervision when several things happen at once, on a loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from clusterlib.errors import ProcessGone
from clusterlib.runtime.log import Log
from clusterlib.runtime.network import NodeNetwork
from clusterlib.runtime.processes import Mailbox, child, supervisor
from clusterlib.runtime.processes import table as tables
from clusterlib.runtime.processes.specification import Child

Made = Any


class Listener:
    """Counts what has started and not ended."""

    def __init__(self) -> None:
        self.living: set[str] = set()

    def began(self, member: Made) -> None:
        self.living.add(str(member.id))

    def over(self, process: Made, ended: Made) -> None:
        self.living.discard(str(process.id))

    def dissolved(self, supervisor: Made) -> None:
        self.living.discard(str(supervisor.id))


class Shop:
    """A table, and the processes of the tests."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.released = asyncio.Event()
        self.closing = asyncio.Event()
        network = NodeNetwork(asyncio.get_running_loop())
        self.table = tables.ProcessTable(
            "node1", 1, network, contextvars.copy_context(), Log(), self.listener
        )

    async def idle(self, box: Mailbox) -> None:
        async for message in box:
            raise ValueError(message)

    async def slow(self, box: Mailbox) -> None:
        """Ends when the test says so."""
        try:
            await box.take()
        finally:
            self.closing.set()
            while not self.released.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await self.released.wait()

    def tree(self) -> set[str]:
        """The ids of all members that the tree has."""
        found, rest = set[str](), list(self.table.root.slots)
        while rest:
            member = rest.pop().member
            if member is not None:
                found.add(str(member.id))
                rest += getattr(member, "slots", [])
        return found

    def agree(self) -> None:
        """What lives is what the tree has."""
        assert self.tree() == self.listener.living
        assert {str(one.id) for one in self.table} <= self.tree()

    def under(self, name: str) -> Made:
        return next(one for one in self.table.supervisors.values() if one.name == name)


Story = Callable[[Shop], Awaitable[None]]


@pytest.fixture
def play() -> Callable[[Story], None]:
    def run(story: Story) -> None:
        async def played() -> None:
            shop = Shop()
            try:
                async with asyncio.timeout(20):
                    await story(shop)
            finally:
                shop.released.set()
                shop.table.stop()

        asyncio.run(played())

    return run


async def begun(*calls: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """All have run until they wait for something."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await turns()
    return tasks


async def turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def named(shop: Shop, kind: str) -> Child:
    if kind == "process":
        return child(shop.slow, name="one")
    return supervisor(child(shop.slow), name="one")


@pytest.mark.parametrize("kind", ["process", "supervisor"])
def test_two_restarts_at_once_are_one(play: Callable[[Story], None], kind: str) -> None:
    async def story(shop: Shop) -> None:
        first = shop.table.start(named(shop, kind)).id
        await turns()
        again = await begun(shop.table.restart(first.number), shop.table.restart(first.number))
        shop.released.set()

        one, other = await asyncio.gather(*again)

        assert one is other
        assert one.id != first
        shop.agree()

    play(story)


@pytest.mark.parametrize("kind", ["process", "supervisor"])
@pytest.mark.parametrize("order", [("restart", "terminate"), ("terminate", "restart")])
def test_what_is_terminated_during_its_restart_stays_away(
    play: Callable[[Story], None], kind: str, order: tuple[str, str]
) -> None:
    async def story(shop: Shop) -> None:
        first = shop.table.start(named(shop, kind)).id
        await turns()
        calls = await begun(*(getattr(shop.table, verb)(first.number) for verb in order))
        ends = dict(zip(order, calls, strict=True))
        shop.released.set()

        await ends["terminate"]
        with pytest.raises(ProcessGone):
            await ends["restart"]

        assert shop.tree() == shop.listener.living == set()

    play(story)


def test_a_supervisor_gives_up_once_if_more_children_fail_while_it_ends(
    play: Callable[[Story], None],
) -> None:
    async def story(shop: Shop) -> None:
        staff = supervisor(
            child(shop.idle, name="a"),
            child(shop.idle, name="b"),
            child(shop.slow),
            name="staff",
            restarts=0,
            within=1000,
        )
        shop.table.start(supervisor(staff, name="shop", restarts=5, within=1000))
        first = shop.under("staff")
        await turns()
        a, b, _ = [slot.member for slot in shop.under("staff").slots]
        a.box.put("no")
        b.box.put("no")
        await shop.closing.wait()
        shop.released.set()

        await turns()

        assert shop.under("staff") is not first
        assert [slot.restarts for slot in shop.under("shop").slots] == [1]
        assert len(shop.table.supervisors) == 3  # the root, the shop, and one staff
        shop.agree()

    play(story)


@pytest.mark.parametrize("strategy", ["one-for-all", "rest-for-one"])
def test_nothing_is_restarted_under_a_supervisor_that_is_terminated(
    play: Callable[[Story], None], strategy: str
) -> None:
    async def story(shop: Shop) -> None:
        staff = supervisor(
            child(shop.idle), child(shop.slow), child(shop.slow), name="staff", strategy=strategy
        )
        number = shop.table.start(staff).id.number
        await turns()
        shop.under("staff").slots[0].member.box.put("no")
        await shop.closing.wait()
        (terminated,) = await begun(shop.table.terminate(number))
        shop.released.set()

        await terminated
        await turns()

        assert shop.tree() == shop.listener.living == set()

    play(story)


def test_a_supervisor_that_ends_starts_no_further_child(play: Callable[[Story], None]) -> None:
    async def story(shop: Shop) -> None:
        staff = shop.table.start(supervisor(child(shop.slow), name="staff"))
        await turns()
        (terminated,) = await begun(shop.table.terminate(staff.id.number))

        with pytest.raises(ProcessGone, match="staff ends"):
            shop.table.start(child(shop.idle), shop.under("staff"))

        shop.released.set()
        await terminated
        assert shop.tree() == shop.listener.living == set()

    play(story)


def test_a_child_that_ends_itself_while_its_siblings_are_ended_stays_in_the_tree_or_away(
    play: Callable[[Story], None],
) -> None:
    async def story(shop: Shop) -> None:
        staff = supervisor(
            child(shop.idle, restart="never"), child(shop.slow), child(shop.idle), name="staff",
            strategy="one-for-all",
        )  # fmt: skip
        shop.table.start(staff)
        await turns()
        never, _, fails = [slot.member for slot in shop.under("staff").slots]
        fails.box.put("no")
        await shop.closing.wait()
        never.box.put("no")
        await turns()
        shop.released.set()

        await turns()

        assert len(shop.under("staff").slots) == 2
        shop.agree()

    play(story)


def test_a_process_that_is_ended_many_times_is_cancelled_once(play: Callable[[Story], None]) -> None:
    """So that its clean-up is not interrupted by those who also want its end."""

    async def story(shop: Shop) -> None:
        cleaned = asyncio.Event()

        async def careful(box: Mailbox) -> None:
            try:
                await box.take()
            finally:
                await shop.released.wait()
                cleaned.set()

        member = shop.table.start(child(careful, restart="never"))
        await turns()
        process = shop.table.process(member.id)
        for reason in ("first", "second", "third"):
            shop.table.end(process, reason)
            await turns()
        shop.released.set()
        await process.gone

        assert cleaned.is_set()
        assert process.cancellations == 1
        shop.agree()

    play(story)
