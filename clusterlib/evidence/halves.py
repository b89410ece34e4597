"""Halves of secrets: pytest shortens long texts in the middle, and the rest of a secret beside the
dots reveals it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clusterlib.evidence.secret_forms import MARK

__all__ = ["Halves"]

DOTS = re.compile(rb"[ ]?\[?(?:\.{3}|\xe2\x80\xa6)\]?[ ]?")
SHORTEST, LONGEST = 4, 8
"""The length of a revealing part of a secret: half of it, within these limits."""


class Halves:
    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._begins: dict[bytes, list[bytes]] = {}
        """Beginnings of secrets, the longest first, by their last letters."""
        self._ends: dict[bytes, list[bytes]] = {}
        """Ends of secrets, the longest first, by their first letters."""
        for secret in secrets:
            least = max(SHORTEST, min(LONGEST, (len(secret) + 1) // 2))
            for length in range(len(secret) - 1, least - 1, -1):
                begin, end = secret[:length], secret[-length:]
                self._begins.setdefault(begin[-SHORTEST:], []).append(begin)
                self._ends.setdefault(end[:SHORTEST], []).append(end)
        for known in (*self._begins.values(), *self._ends.values()):
            known.sort(key=len, reverse=True)

    def hide(self, data: bytes) -> bytes:
        """Beside dots, before them and after them."""
        if not self._begins or (b"..." not in data and b"\xe2\x80\xa6" not in data):
            return data
        pieces: list[bytes] = []
        place = 0
        for dots in DOTS.finditer(data):
            before = self._without_begin(data[place : dots.start()], SHORTEST)
            pieces += [before, dots[0]]
            place = dots.end()
            if end := self._end(data, place):
                pieces.append(MARK.encode())
                place += len(end)
        return b"".join([*pieces, data[place:]])

    def hide_at_end(self, data: bytes) -> bytes:
        """For a text that was cut off without dots: a short piece may be any word."""
        return self._without_begin(data, LONGEST)

    def _without_begin(self, data: bytes, least: int) -> bytes:
        for begin in self._begins.get(data[-SHORTEST:], ()):
            if len(begin) >= least and data.endswith(begin):
                return data[: -len(begin)] + MARK.encode()
        return data

    def _end(self, data: bytes, place: int) -> bytes:
        for end in self._ends.get(data[place : place + SHORTEST], ()):
            if data.startswith(end, place):
                return end
        return b""
