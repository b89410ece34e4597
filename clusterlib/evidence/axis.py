"""The time axis of the picture: proportional from left to right, except that long idle periods are
folded and labelled."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from clusterlib.evidence.story import duration
from clusterlib.frozen import frozen

__all__ = ["Axis", "Fold", "make_axis"]

WIDTH_OF_A_FOLD = 3.0
MOST_FOR_FOLDS = 30.0
SHORTEST_FOLD = 1.0
SHARE_OF_A_FOLD = 0.12
"""Idle time is folded if it would take more than this share of the picture."""
EDGE = 1.2
STEPS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1800,
    3600,
)
MOST_TICKS = 12
NEAREST_TICKS = 5.0


@frozen
class Fold:
    """Idle time, drawn narrower than it was."""

    x: float
    width: float
    label: str


@frozen
class Axis:
    """Places in percent of the picture's width."""

    times: tuple[float, ...]
    places: tuple[float, ...]
    folds: tuple[Fold, ...]
    ticks: tuple[tuple[float, str], ...]

    def at(self, time: float) -> float:
        times, places = self.times, self.places
        if time <= times[0]:
            return places[0]
        if time >= times[-1]:
            return places[-1]
        right = bisect.bisect_right(times, time)
        begin, end = times[right - 1], times[right]
        share = (time - begin) / (end - begin) if end > begin else 0.0
        return places[right - 1] + share * (places[right] - places[right - 1])


def make_axis(begin: float, end: float, busy: Iterable[tuple[float, float]]) -> Axis:
    """`busy`: stretches in which something happened."""
    end = max(end, begin + 1e-3)
    idle = _idle(begin, end, sorted(busy))
    idle = _worth_folding(idle, end - begin)
    folded = sum(last - first for first, last in idle)
    width = min(WIDTH_OF_A_FOLD, MOST_FOR_FOLDS / len(idle)) if idle else 0.0
    scale = (100 - 2 * EDGE - width * len(idle)) / (end - begin - folded)
    times, places, folds = [begin], [EDGE], []
    for first, last in idle:
        x = places[-1] + (first - times[-1]) * scale
        times += [first, last]
        places += [x, x + width]
        folds.append(Fold(x, width, duration(last - first)))
    times.append(end)
    places.append(100 - EDGE)
    axis = Axis(tuple(times), tuple(places), tuple(folds), ())
    return Axis(axis.times, axis.places, axis.folds, tuple(_ticks(axis, end - begin - folded, idle)))


def _idle(begin: float, end: float, busy: list[tuple[float, float]]) -> list[tuple[float, float]]:
    found, reached = [], begin
    for first, last in ((max(first, begin), min(last, end)) for first, last in busy):
        if last < first:
            continue
        if first > reached:
            found.append((reached, first))
        reached = max(reached, last)
    if reached < end:
        found.append((reached, end))
    return found


def _worth_folding(idle: list[tuple[float, float]], total: float) -> list[tuple[float, float]]:
    """The longest first: a picture that is mostly idle becomes one that is mostly busy."""
    chosen: list[tuple[float, float]] = []
    for first, last in sorted(idle, key=lambda stretch: stretch[0] - stretch[1])[:12]:
        length = last - first
        if length < SHORTEST_FOLD or length < SHARE_OF_A_FOLD * total:
            break
        margin = min(length / 10, 0.05 * total, 0.5)
        chosen.append((first + margin, last - margin))
        total -= length - 2 * margin
    return sorted(chosen)


def _ticks(axis: Axis, shown: float, idle: list[tuple[float, float]]) -> Iterable[tuple[float, str]]:
    begin, end = axis.times[0], axis.times[-1]
    step = next((step for step in STEPS if shown / step <= MOST_TICKS), STEPS[-1] * 24)
    last = -NEAREST_TICKS
    number = 0
    while begin + number * step <= end:
        time = begin + number * step
        inside = next((stretch for stretch in idle if stretch[0] < time < stretch[1]), None)
        if inside is not None:
            number = max(number, int((inside[1] - begin) / step)) + 1  # always forward, despite rounding
            continue
        place = axis.at(time)
        crowded = any(abs(place - fold.x - fold.width / 2) < NEAREST_TICKS for fold in axis.folds)
        if place - last >= NEAREST_TICKS and not crowded:
            yield place, _label(number * step, step)
            last = place
        number += 1


def _label(offset: float, step: float) -> str:
    if offset == 0:
        return "0 s"
    if step >= 60:
        return f"{offset / 60:g} min"
    if offset >= 120:
        return f"{int(offset // 60)}:{offset % 60:02.0f} min"
    if step < 0.01:
        return f"{offset * 1000:.0f} ms"
    return f"{offset:.2f}".rstrip("0").rstrip(".") + " s"
