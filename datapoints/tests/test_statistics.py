"""Bucketing, filling and moving averages, held against brute force in exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datapoints.interface import BucketSums
from datapoints.statistics import Aggregate, Buckets, Fill, Timeline, aggregate_points, aggregate_sums
from datapoints.tests import oracle
from timeseries_project.core.rounding_kernels import add_to_sum

ordinary = st.floats(-1e6, 1e6)
values = st.one_of(ordinary, st.floats(-1e150, 1e150), st.sampled_from([1.0, 0.1, 1e16, -1e16, 1e150, -1e150, 5e-324]))
#: A few buckets near each other, now and then far away from the rest.
numbers = st.one_of(st.integers(0, 30), st.integers(0, 10**9))
series = st.dictionaries(st.integers(0, 40), st.lists(values, min_size=1, max_size=4), min_size=1, max_size=20)


def timeline(buckets: dict[int, list[float]], fill: Fill) -> Timeline:
    known = sorted(buckets)
    averages = [math.fsum(buckets[n]) / len(buckets[n]) for n in known]
    columns = Buckets(np.array(known), np.array([len(buckets[n]) for n in known]), np.array(averages))
    return Timeline(columns, known[0], fill)


def largest(buckets: dict[int, list[float]]) -> float:
    return max(abs(value) for group in buckets.values() for value in group)


@pytest.mark.parametrize("fill", [fill for fill in Fill if fill is not Fill.NONE])
@given(buckets=series, trailing=st.integers(0, 20))
def test_values_of_all_buckets(fill: Fill, buckets: dict[int, list[float]], trailing: int) -> None:
    last = max(buckets) + trailing
    expected = oracle.filled(oracle.averages(buckets), last, fill)
    answers, counts = timeline(buckets, fill).values(min(buckets), last + 1)
    assert len(answers) == len(expected)
    for (number, exact), answer, count in zip(expected, answers, counts, strict=True):
        assert oracle.is_close(answer, exact, largest(buckets)), number
        assert count == len(buckets.get(number, []))


@pytest.mark.parametrize("fill", [fill for fill in Fill if fill is not Fill.NONE])
@given(
    buckets=series,
    trailing=st.integers(0, 20),
    size=st.one_of(st.integers(1, 12), st.just(2**31 - 1)),
    share=st.floats(0, 1),
)
@example({0: [1e16], 1: [1.0], 2: [1.0], 3: [1.0]}, 0, 2, 1.0)
@example({0: [1e150], 5: [5e-324], 9: [1.0]}, 3, 2, 0.0)
def test_moving_averages_of_all_buckets(
    fill: Fill, buckets: dict[int, list[float]], trailing: int, size: int, share: float
) -> None:
    min_periods = max(1, round(share * size))
    last = max(buckets) + trailing
    rows = oracle.filled(oracle.averages(buckets), last, fill)
    expected = oracle.moving(rows, size, min_periods)
    answers = timeline(buckets, fill).moving_average(size, min_periods)(min(buckets), last + 1)
    for i, ((number, exact), answer) in enumerate(zip(expected, answers, strict=True)):
        # The largest value that the window's buckets, or the ends of a slope within it, were made of.
        reach = [n for n, _ in rows[max(0, i - size + 1) : i + 1]]
        near = {n for n in buckets if n in reach}
        if fill in (Fill.PREVIOUS, Fill.LINEAR):
            near.add(max(n for n in buckets if n <= reach[0]))
        if fill is Fill.LINEAR:
            near.add(min((n for n in buckets if n >= reach[-1]), default=reach[0]))
        peak = max((abs(v) for n in near for v in buckets.get(n, [])), default=0.0)
        assert oracle.is_close(answer, exact, peak), number


@given(buckets=series, size=st.integers(1, 6), min_periods=st.integers(1, 6))
def test_without_empty_buckets_windows_run_over_the_remaining_ones(
    buckets: dict[int, list[float]], size: int, min_periods: int
) -> None:
    min_periods = min(size, min_periods)
    rows: list[tuple[int, oracle.Exact]] = sorted(oracle.averages(buckets).items())
    lined = timeline(buckets, Fill.NONE)
    answers = lined.moving_average(size, min_periods)(0, len(rows))
    assert lined.numbers.tolist() == sorted(buckets)
    for (number, exact), answer in zip(oracle.moving(rows, size, min_periods), answers, strict=True):
        assert oracle.is_close(answer, exact, largest(buckets)), number


@pytest.mark.parametrize("fill", [fill for fill in Fill if fill is not Fill.NONE])
@given(buckets=series, size=st.integers(1, 50), cut=st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_a_slice_of_a_timeline_is_the_slice_of_all_of_it(
    fill: Fill, buckets: dict[int, list[float]], size: int, cut: tuple[int, int]
) -> None:
    lined = timeline(buckets, fill)
    first, stop = min(buckets), max(buckets) + 10
    a, b = sorted(min(first + c, stop) for c in cut)
    whole, counts = lined.values(first, stop)
    part, part_counts = lined.values(a, b)
    np.testing.assert_array_equal(part, whole[a - first : b - first])
    np.testing.assert_array_equal(part_counts, counts[a - first : b - first])
    averages = lined.moving_average(size, 1)
    np.testing.assert_array_equal(averages(a, b), averages(first, stop)[a - first : b - first])


@pytest.mark.parametrize("fill", [Fill.NULL, Fill.ZERO, Fill.PREVIOUS, Fill.LINEAR])
def test_a_billion_empty_buckets_cost_nothing(fill: Fill) -> None:
    lined = timeline({0: [1e16], 10**9: [3.0], 2 * 10**9: [5.0]}, fill)
    averages = lined.moving_average(2**31 - 1, 1)(2 * 10**9, 2 * 10**9 + 1)
    exact = {
        Fill.NULL: (Fraction(10**16) + 8) / 3,
        Fill.ZERO: (Fraction(10**16) + 8) / (2 * 10**9 + 1),
        Fill.PREVIOUS: (Fraction(10**16) * 10**9 + 3 * 10**9 + 5) / (2 * 10**9 + 1),
        Fill.LINEAR: (
            (Fraction(10**16) * (10**9 + 1) + 3 * (10**9 - 1)) / 2 + Fraction(3 * (10**9 + 1) + 5 * (10**9 - 1), 2) + 5
        )
        / (2 * 10**9 + 1),
    }
    assert oracle.is_close(averages[0], exact[fill], 0.0)


@given(st.lists(st.tuples(st.integers(0, 200), values), min_size=1, max_size=60), st.integers(1, 50))
def test_aggregates_of_points(points: list[tuple[int, float]], width: int) -> None:
    groups: dict[int, list[float]] = {}
    for time, value in sorted(points, key=lambda point: point[0]):
        groups.setdefault(time // width, []).append(value)
    columns = np.array([t for t, _ in points]), np.array([v for _, v in points])
    for aggregate in Aggregate:
        buckets = aggregate_points(*columns, width, aggregate)
        assert buckets.numbers.tolist() == sorted(groups)
        for number, count, answer in zip(*buckets, strict=True):
            group = groups[int(number)]
            assert count == len(group)
            check_aggregate(aggregate, float(answer), group)


def check_aggregate(aggregate: Aggregate, answer: float, group: list[float]) -> None:
    peak = max(map(abs, group))
    total = sum(map(Fraction, group))
    match aggregate:
        case Aggregate.AVG:
            assert oracle.is_close(answer, total / len(group), peak)
        case Aggregate.SUM:
            assert answer == math.fsum(group)
        case Aggregate.COUNT:
            assert answer == len(group)
        case Aggregate.MIN:
            assert answer == min(group)
        case Aggregate.MAX:
            assert answer == max(group)
        case Aggregate.FIRST:
            assert answer == group[0]
        case Aggregate.LAST:
            assert answer == group[-1]
        case Aggregate.STDDEV:
            mean = total / len(group)
            variance = sum((Fraction(v) - mean) ** 2 for v in group) / len(group)
            spread = max(abs(Fraction(v) - mean) for v in group)
            assert answer >= 0
            # One that is half of the smallest double has none that is closer than that.
            smallest = Fraction(math.ulp(0.0))
            assert (
                abs(Fraction(answer) ** 2 - variance)
                <= variance / 10**9 + spread**2 / 10**12 + Fraction(peak) ** 2 / Fraction(2) ** 98 + smallest**2
            )
        case _:
            percentile = {Aggregate.MEDIAN: 50, Aggregate.P95: 95, Aggregate.P99: 99}[aggregate]
            assert answer == np.percentile(group, percentile)


@pytest.mark.parametrize("group", [[7.7] * 3, [1e150, -1e150], [1e-200, 3e-200], [1e16 + 2, 1e16 + 4]])
def test_standard_deviation_neither_overflows_nor_vanishes(group: list[float]) -> None:
    buckets = aggregate_points(np.arange(len(group)), np.array(group), 100, Aggregate.STDDEV)
    mean = sum(map(Fraction, group)) / len(group)
    variance = sum((Fraction(v) - mean) ** 2 for v in group) / len(group)
    assert math.isclose(float(buckets.values[0]) / max(group), math.sqrt(variance / Fraction(max(group)) ** 2))


@given(
    st.dictionaries(
        st.integers(0, 100),
        st.lists(st.lists(values, min_size=1, max_size=5), min_size=1, max_size=3),
        min_size=1,
    ),
    st.integers(1, 8),
)
def test_wider_buckets_are_built_from_the_sums_of_narrower_ones(
    quarters: dict[int, list[list[float]]], factor: int
) -> None:
    rows = [
        (number, len(group), *reduce(lambda total, value: add_to_sum(*total, value), group, (0.0, 0.0, 0.0)))
        for number, groups in quarters.items()
        for group in groups
    ]
    sums = BucketSums(*(np.array(column) for column in zip(*rows, strict=True)))
    wide: dict[int, list[float]] = {}
    for number, groups in quarters.items():
        wide.setdefault(number // factor, []).extend(v for group in groups for v in group)
    averages = aggregate_sums(sums, factor, Aggregate.AVG)
    totals = aggregate_sums(sums, factor, Aggregate.SUM)
    assert averages.numbers.tolist() == sorted(wide)
    for number, count, average, total in zip(*averages, totals.values, strict=True):
        group = wide[int(number)]
        exact = sum(map(Fraction, group))
        assert count == len(group)
        assert oracle.is_close(average, exact / len(group), max(map(abs, group)))
        assert oracle.is_close(total, exact, max(map(abs, group)))
