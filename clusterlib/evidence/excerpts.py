"""Reads a period of time from a log of any size, without reading the rest."""

from __future__ import annotations

import mmap
from pathlib import Path

from clusterlib.evidence.story import PrintedLine, moment, stamp
from clusterlib.frozen import frozen
from clusterlib.hosts.logs import STAMP_LENGTH

__all__ = ["Excerpt", "excerpt"]

LONGEST_LINE = 2000


@frozen
class Excerpt:
    lines: tuple[PrintedLine, ...]
    left_out: int
    """How many lines of that period precede these."""


def excerpt(path: Path, node: str, begin: float, end: float, most: int) -> Excerpt:
    """The last lines between two times, both included."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as log:
            first = _first_at(log, stamp(begin).encode())
            last = _first_at(log, stamp(end + 1e-6).encode())
            left_out = 0
            start = last
            for _ in range(most):
                if start <= first:
                    break
                start = max(first, log.rfind(b"\n", 0, start - 1) + 1)
            if start > first:
                left_out = log[first:start].count(b"\n")
            pieces = log[start:last].splitlines()
    except (OSError, ValueError, OverflowError):
        return Excerpt((), 0)  # missing or empty
    lines = (_line(piece, node) for piece in pieces)
    return Excerpt(tuple(line for line in lines if line is not None), left_out)


def _first_at(log: mmap.mmap, when: bytes) -> int:
    """The offset of the first line that is not older than this. Lines are in order of time."""
    low, high = 0, len(log)
    while low < high:
        middle = (low + high) // 2
        start = log.rfind(b"\n", 0, middle) + 1
        if log[start : start + STAMP_LENGTH] < when:
            ending = log.find(b"\n", middle)
            low = len(log) if ending < 0 else ending + 1
        else:
            high = start
    return low


def _line(data: bytes, node: str) -> PrintedLine | None:
    text = data.decode(errors="replace")
    time = moment(text[:STAMP_LENGTH])
    if time is None:
        return None
    said = text[STAMP_LENGTH + 1 :]
    return PrintedLine(time, node, said if len(said) <= LONGEST_LINE else f"{said[:LONGEST_LINE]} ...")
