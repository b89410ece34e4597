"""Counts of durations with a fixed relative precision.

A bucket is at most 1/128 as wide as the values in it, so each value is known to 0.4 %, whether it
is a microsecond or a minute. Histograms of several processes and nodes are merged without loss.
This is what HdrHistogram does with two digits; its Python package compiles C for the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from clusterlib.frozen import frozen

__all__ = ["Counts", "Histogram"]

HALF_BITS = 7
HALF = 1 << HALF_BITS
"""Buckets for each doubling of the value."""


@frozen
class Counts:
    """A histogram as data."""

    buckets: Mapping[str, int] = field(default_factory=dict)
    """How many values each bucket has, by its lowest value in nanoseconds."""
    total: int = 0
    """The sum of all values, in nanoseconds."""
    most: int = 0
    """The largest value, in nanoseconds."""


class Histogram:
    """Durations, in nanoseconds."""

    __slots__ = ("_counts", "count", "most", "total")

    def __init__(self, counts: Counts | None = None) -> None:
        self._counts: dict[int, int] = {}
        self.count = self.total = self.most = 0
        if counts is not None:
            self.merge(counts)

    def record(self, value: int) -> None:
        value = max(value, 0)
        bucket = _bucket(value)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.count += 1
        self.total += value
        self.most = max(self.most, value)

    def merge(self, counts: Counts) -> None:
        for lowest, count in counts.buckets.items():
            bucket = _bucket(int(lowest))
            self._counts[bucket] = self._counts.get(bucket, 0) + count
            self.count += count
        self.total += counts.total
        self.most = max(self.most, counts.most)

    def data(self) -> Counts:
        buckets = {str(_lowest(one)): count for one, count in sorted(self._counts.items())}
        return Counts(buckets, self.total, self.most)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """A value that so many percent of the values do not exceed. 0 if there are none."""
        wanted = max(1, -(-self.count * percent // 100))
        seen = 0
        for bucket, count in sorted(self._counts.items()):
            seen += count
            if seen >= wanted:
                return min(_middle(bucket), float(self.most))
        return 0.0

    def corrected(self, interval: int) -> Histogram:
        """As if a request had begun every `interval` while a slow one was waited for.

        A client that waits for its answer sends nothing meanwhile, so a stall of a second is one
        bad value instead of a thousand. For each value above the interval this adds those of the
        requests that were not sent: `value - interval`, `value - 2 * interval`, and so on."""
        made = Histogram(self.data())
        if interval <= 0:
            return made
        for bucket, count in self._counts.items():
            value = min(int(_middle(bucket)), self.most)
            left_out = value // interval - 1
            if left_out > 0:
                made._add_left_out(value, count, interval, left_out)
        return made

    def _add_left_out(self, value: int, count: int, interval: int, left_out: int) -> None:
        """Adds `value - n * interval` for each n from 1 to `left_out`, by buckets: there may be
        many."""
        for bucket in range(_bucket(value - left_out * interval), _bucket(value - interval) + 1):
            lowest, highest = _lowest(bucket), _lowest(bucket + 1) - 1
            first = max(1, -((highest - value) // interval))
            last = min(left_out, (value - lowest) // interval)
            if last >= first:
                more = (last - first + 1) * count
                self._counts[bucket] = self._counts.get(bucket, 0) + more
                self.count += more
        self.total += count * (left_out * value - interval * left_out * (left_out + 1) // 2)

    def bars(self, most: int) -> list[tuple[float, float, int]]:
        """From, to and number of values, in at most so many classes. Each is as wide as the one
        before it, or twice as wide."""
        if not self.count:
            return []
        doublings: dict[int, int] = {}
        width = HALF // 2
        while True:
            doublings.clear()
            for bucket, count in self._counts.items():
                doublings[bucket // width] = doublings.get(bucket // width, 0) + count
            first, last = min(doublings), max(doublings)
            if last - first < most:
                break
            width *= 2
        return [
            (float(_lowest(one * width)), float(_lowest((one + 1) * width)), doublings.get(one, 0))
            for one in range(first, last + 1)
        ]


def _bucket(value: int) -> int:
    shift = value.bit_length() - HALF_BITS - 1
    return value if shift <= 0 else shift * HALF + (value >> shift)


def _lowest(bucket: int) -> int:
    if bucket < 2 * HALF:
        return bucket
    shift = bucket // HALF - 1
    return (bucket - shift * HALF) << shift


def _middle(bucket: int) -> float:
    return (_lowest(bucket) + _lowest(bucket + 1) - 1) / 2
