from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.load.histogram import Histogram
from clusterlib.messages.codec import plain, revive

DURATIONS = st.lists(st.integers(min_value=0, max_value=3_600 * 10**9), min_size=1, max_size=200)
PRECISION = 1 / 128


def of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def exact(values: list[int], percent: float) -> int:
    ordered = sorted(values)
    return ordered[max(1, int(-(-len(ordered) * percent // 100))) - 1]


@settings(deadline=None)
@given(DURATIONS, st.sampled_from([1.0, 50.0, 90.0, 99.0, 99.9, 100.0]))
def test_a_percentile_is_right_to_a_hundredth(values: list[int], percent: float) -> None:
    right = exact(values, percent)

    assert abs(of(values).percentile(percent) - right) <= max(1, right * PRECISION)


@settings(deadline=None)
@given(DURATIONS, DURATIONS)
def test_merging_histograms_is_the_same_as_recording_all_values_in_one(
    one: list[int], two: list[int]
) -> None:
    merged = of(one)
    merged.merge(of(two).data())

    assert merged.data() == of(one + two).data()
    assert merged.count == len(one) + len(two)


@settings(deadline=None)
@given(DURATIONS)
def test_a_histogram_survives_as_json(values: list[int]) -> None:
    data = of(values).data()

    assert revive(type(data), plain(data)) == data


def test_count_sum_and_largest_value_are_exact() -> None:
    histogram = of([1_000_001, 2_000_003, 999])

    assert (histogram.count, histogram.total, histogram.most) == (3, 3_001_003, 2_000_003)
    assert histogram.percentile(100) == 2_000_003


def test_an_empty_histogram_has_no_values() -> None:
    assert Histogram().percentile(99) == 0
    assert Histogram().mean == 0
    assert Histogram().bars(10) == []


def test_the_correction_adds_the_requests_that_a_waiting_client_did_not_send() -> None:
    """A second of silence, where each request usually takes a millisecond."""
    stall = 10**9
    histogram = of([10**6] * 99 + [stall])

    corrected = histogram.corrected(10**6)

    left_out = [stall - number * 10**6 for number in range(1, 1000)]
    right = of([10**6] * 99 + [stall, *left_out])
    assert abs(corrected.count - right.count) <= 1000 * PRECISION + 1
    for percent in (50, 90, 99):
        assert abs(corrected.percentile(percent) - right.percentile(percent)) <= stall * 2 * PRECISION
    assert histogram.percentile(98) < 2 * 10**6, "what was measured is left as it is"


@settings(deadline=None)
@given(DURATIONS, st.integers(min_value=1, max_value=10**9))
def test_the_correction_never_loses_a_value_and_never_exceeds_the_largest(
    values: list[int], interval: int
) -> None:
    histogram = of(values)

    corrected = histogram.corrected(max(interval, max(values) // 1000))

    assert corrected.count >= histogram.count
    assert corrected.most == histogram.most


@settings(deadline=None)
@given(DURATIONS, st.integers(min_value=1, max_value=20))
def test_bars_are_few_and_have_all_values(values: list[int], most: int) -> None:
    bars = of(values).bars(most)

    assert len(bars) <= most
    assert sum(count for *_, count in bars) == len(values)
    assert all(one[1] == two[0] for one, two in pairwise(bars))
