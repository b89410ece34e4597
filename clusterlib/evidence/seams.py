"""Long strings in several pieces: `pprint`, and so pytest, splits 'a long text' into 'a long ' and
'text' on the next line."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable

__all__ = ["Seams"]

_BREAK = rb"(?:\n|\\n)"
_SEAM = re.compile(
    rb"\\?[\"'][ \t\r]{0,3}" + _BREAK + rb"(?:[ \t\rE>+?^|-]|" + _BREAK + rb"){0,400}?b?\\?[\"']"
)
"""Quotation marks, and between them nothing but what begins a line: also in a difference that
pytest shows."""


class Seams:
    """The places in some data where a string is split between two lines."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._seams = [found.span() for found in _SEAM.finditer(data)]

    def __bool__(self) -> bool:
        return bool(self._seams)

    def replace(self, shapes: Iterable[bytes], mark: bytes) -> bytes:
        """The data with the mark for each shape that goes over a seam."""
        whole, places = self._without_seams()
        found = sorted(
            (begin, begin + len(shape))
            for shape in shapes
            for begin in _occurrences(shape, whole)
            if bisect.bisect_right(places, begin) != bisect.bisect_left(places, begin + len(shape))
        )
        pieces: list[bytes] = []
        done = 0
        for begin, end in found:
            first, last = self._original(begin, places), self._original(end - 1, places) + 1
            if first >= done:
                pieces += [self._data[done:first], mark]
            done = max(done, last)
        return b"".join([*pieces, self._data[done:]])

    def _without_seams(self) -> tuple[bytes, list[int]]:
        """The data in one piece, and where in it the seams were."""
        pieces: list[bytes] = []
        places: list[int] = []
        place = length = 0
        for begin, end in self._seams:
            pieces.append(self._data[place:begin])
            length += begin - place
            places.append(length)
            place = end
        return b"".join([*pieces, self._data[place:]]), places

    def _original(self, place: int, places: list[int]) -> int:
        """The place in the data of a position in the joined string."""
        before = self._seams[: bisect.bisect_right(places, place)]
        return place + sum(end - begin for begin, end in before)


def _occurrences(shape: bytes, data: bytes) -> Iterable[int]:
    place = data.find(shape)
    while place >= 0:
        yield place
        place = data.find(shape, place + 1)
