"""Requests are read line by line, and no client can keep others from being read."""

from __future__ import annotations

import asyncio

import pytest

from clusterlib.keeper import lines
from clusterlib.keeper.lines import LONGEST_UNKNOWN, Lines, LineTooLong, LongLines
from clusterlib.waiting import pause_async

BEGINNING = b'{"id": 1, "op": "load", "args": "'
MUCH = b"x" * (LONGEST_UNKNOWN * 2)


def reader(*sent: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    for data in sent:
        stream.feed_data(data)
    return stream


def test_a_long_line_that_stalls_makes_room_for_one_that_waits() -> None:
    async def story() -> None:
        places = LongLines()
        stalled = asyncio.create_task(Lines(reader(BEGINNING + MUCH), places).next())
        await pause_async(0)  # until the first one is being read
        honest = Lines(reader(BEGINNING + MUCH, b'"}\n'), places)

        assert (await honest.next()).endswith(b'"}\n')
        with pytest.raises(LineTooLong, match="while another long one waited"):
            await stalled

    asyncio.run(asyncio.wait_for(story(), lines.LONG_LINE_SECONDS / 2))


def test_a_slow_client_has_its_time_where_no_other_long_line_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "STALLED_SECONDS", 0.01)

    async def story() -> None:
        stream, places = reader(BEGINNING + MUCH), LongLines()
        slow = asyncio.create_task(Lines(stream, places).next())
        short = Lines(reader(b'{"id": 2, "op": "status"}\n'), places)
        await pause_async(5 * lines.STALLED_SECONDS)

        assert await short.next() == b'{"id": 2, "op": "status"}\n', "only long lines wait for each other"
        assert not slow.done()
        stream.feed_data(b'"}\n')
        assert (await slow).endswith(b'"}\n')

    asyncio.run(story())


def test_a_long_line_that_never_ends_is_refused_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONG_LINE_SECONDS", 0.05)

    async def story() -> None:
        with pytest.raises(LineTooLong, match="did not arrive whole"):
            await Lines(reader(BEGINNING + MUCH), LongLines()).next()

    asyncio.run(story())
