"""Reads requests line by line in little memory: incomplete lines are limited in size."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

from clusterlib.waiting import Deadline

__all__ = ["LONGEST_LINE", "LONGEST_UNKNOWN", "LineTooLong", "Lines", "LongLines"]

LONGEST_UNKNOWN = 1 << 20
"""Of a request whose operation needs no more."""
LONGEST_LINE = 32 << 20
"""Of one that lists the code of a whole project."""
LONG_LINE_SECONDS = 10.0
"""For a long request to arrive once it is being read."""
STALLED_SECONDS = 1.0
"""A long request of which nothing arrives for so long makes room for another one that waits."""
CARRY_CODE = frozenset({b"load"})
PIECE = 1 << 16
BEGINNING = re.compile(rb'\s*\{\s*"id"\s*:\s*[0-9]+\s*,\s*"op"\s*:\s*"([a-z_]+)"')


class LineTooLong(Exception):
    """Why a line is not read to its end."""


class LongLines:
    """Allows one long line at a time, among all conversations of a keeper."""

    def __init__(self) -> None:
        self._room = asyncio.Lock()
        self._waiting = 0

    @property
    def are_awaited(self) -> bool:
        """Whether another long line waits until the present one is read."""
        return self._waiting > 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._room.release()


class Lines:
    """The lines of one connection.

    Up to a mebibyte of each is read at once. A longer one must first declare an operation that
    carries code, and waits until no other long line is being read."""

    def __init__(self, reader: asyncio.StreamReader, long_lines: LongLines) -> None:
        self._reader = reader
        self._long_lines = long_lines
        self._buffer = bytearray()
        self._searched = 0

    async def next(self) -> bytes:
        """The next line; empty at the end of the stream. Raises LineTooLong."""
        while len(self._buffer) <= LONGEST_UNKNOWN:
            if line := self._take_line():
                return line
            if not await self._read_piece():
                return b""
        if line := self._take_line():
            return line
        return await self._next_long()

    async def _next_long(self) -> bytes:
        begun = BEGINNING.match(self._buffer)
        if begun is None or begun[1] not in CARRY_CODE:
            raise LineTooLong(
                f"longer than {LONGEST_UNKNOWN >> 20} MiB, and it does not begin as one that may be"
            )
        async with self._long_lines.turn():
            deadline = Deadline(LONG_LINE_SECONDS)
            try:
                while len(self._buffer) <= LONGEST_LINE:
                    if not await self._read_in_turn(deadline):
                        return b""
                    if line := self._take_line():
                        return line
            except LineTooLong:
                self._buffer.clear()
                raise
        self._buffer.clear()
        raise LineTooLong(f"longer than {LONGEST_LINE >> 20} MiB")

    async def _read_in_turn(self, deadline: Deadline) -> bool:
        """Another line that waits need not wait for a client that sends nothing."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(STALLED_SECONDS, deadline.left)):
                    return await self._read_piece()
            if deadline.passed:
                raise LineTooLong(f"it did not arrive whole within {LONG_LINE_SECONDS:g} s")
            if self._long_lines.are_awaited:
                raise LineTooLong(
                    f"nothing of it arrived for {STALLED_SECONDS:g} s, while another long one waited"
                )

    async def _read_piece(self) -> bool:
        piece = await self._reader.read(PIECE)
        self._buffer += piece
        return bool(piece)

    def _take_line(self) -> bytes:
        end = self._buffer.find(b"\n", self._searched) + 1
        self._searched = 0 if end else len(self._buffer)
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line
