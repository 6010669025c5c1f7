"""Bucketing, filling and moving averages, held against brute force in exact arithmetic."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datapoints.divisions import Grid
from datapoints.interface import BucketSums
from datapoints.statistics import Aggregate, Buckets, Fill, LongBuckets, aggregate_points, aggregate_sums
from datapoints.tests import oracle
from datapoints.tests.points import values
from datapoints.timeline import Timeline
from timeseries_project.core.rounding_kernels import add_to_sum
from timeseries_project.tests.drawn import drawn

#: A few buckets near each other, now and then far away from the rest.
numbers = st.one_of(st.integers(0, 30), st.integers(0, 10**9))
series = st.dictionaries(st.integers(0, 40), st.lists(values, min_size=1, max_size=4), min_size=1, max_size=20)
FILLED = [fill for fill in Fill if fill is not Fill.NONE]


def timeline(buckets: dict[int, list[float]], fill: Fill) -> Timeline:
    known = sorted(buckets)
    averages = [float(oracle.average(buckets[n])) for n in known]
    columns = Buckets(np.array(known), np.array([len(buckets[n]) for n in known]), np.array(averages))
    return Timeline(columns, known[0], fill)


@pytest.mark.parametrize("fill", FILLED)
@given(buckets=series, trailing=st.integers(0, 20))
@drawn(150)
def test_values_of_all_buckets(fill: Fill, buckets: dict[int, list[float]], trailing: int) -> None:
    last = max(buckets) + trailing
    expected = oracle.filled(oracle.averages(buckets), last, fill)
    answers, counts = timeline(buckets, fill).values(min(buckets), last + 1)
    assert oracle.listed(answers) == [value for _, value in expected]
    assert counts.tolist() == [len(buckets.get(number, [])) for number, _ in expected]


@pytest.mark.parametrize("fill", FILLED)
@given(
    buckets=series,
    trailing=st.integers(0, 20),
    size=st.one_of(st.integers(1, 12), st.integers(1, 50), st.just(2**31 - 1)),
    share=st.floats(0, 1),
)
@drawn(300)
@example({0: [1e16], 1: [1.0], 2: [1.0], 3: [1.0]}, 0, 2, 1.0)
@example({0: [1e150], 5: [5e-324], 9: [1.0]}, 3, 2, 0.0)
@example({0: [1e60], 1: [1e30], 2: [1.0], 3: [-1e30], 4: [-1e60], 5: [2.0]}, 3, 5, 0.0)
def test_moving_averages_of_all_buckets(
    fill: Fill, buckets: dict[int, list[float]], trailing: int, size: int, share: float
) -> None:
    min_periods = max(1, round(share * size))
    last = max(buckets) + trailing
    rows = oracle.filled(oracle.averages(buckets), last, fill)
    expected = oracle.moving(rows, size, min_periods)
    answers = timeline(buckets, fill).moving_average(size, min_periods)(min(buckets), last + 1)
    assert oracle.listed(answers) == [value for _, value in expected]


@given(buckets=series, size=st.integers(1, 6), min_periods=st.integers(1, 6))
def test_without_empty_buckets_windows_run_over_the_remaining_ones(
    buckets: dict[int, list[float]], size: int, min_periods: int
) -> None:
    min_periods = min(size, min_periods)
    rows: list[tuple[int, oracle.Exact]] = sorted(oracle.averages(buckets).items())
    lined = timeline(buckets, Fill.NONE)
    answers = lined.moving_average(size, min_periods)(0, len(rows))
    assert list(lined.numbers) == sorted(buckets)
    assert oracle.listed(answers) == [value for _, value in oracle.moving(rows, size, min_periods)]


@pytest.mark.parametrize("fill", FILLED)
@given(
    buckets=series,
    size=st.integers(1, 50),
    cut=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    step=st.integers(1, 20),
)
def test_a_slice_of_a_timeline_is_the_slice_of_all_of_it(
    fill: Fill, buckets: dict[int, list[float]], size: int, cut: tuple[int, int], step: int
) -> None:
    lined = timeline(buckets, fill)
    first, stop = min(buckets), max(buckets) + 10
    a, b = sorted(min(first + c, stop) for c in cut)
    whole, counts = lined.values(first, stop)
    part, part_counts = lined.values(a, b)
    np.testing.assert_array_equal(part, whole[a - first : b - first])
    np.testing.assert_array_equal(part_counts, counts[a - first : b - first])
    averages = lined.moving_average(size, 1)
    all_averages = averages(first, stop)
    np.testing.assert_array_equal(averages(a, b), all_averages[a - first : b - first])
    slices = [averages(start, min(start + step, stop)) for start in range(first, stop, step)]
    np.testing.assert_array_equal(np.concatenate(slices), all_averages)


@pytest.mark.parametrize("fill", FILLED)
@pytest.mark.parametrize("size", [1, 4_095, 4_096, 4_097, 9_000, 20_000])
def test_long_windows_over_spikes_that_come_and_go(fill: Fill, size: int) -> None:
    """Windows longer than the sums that are kept one by one, over buckets of which some are empty."""
    random = Random(size)
    known = {n: random.choice([1e16, -1e16, 0.1, 3.3, 1e-300]) for n in range(30_000) if random.random() < 0.7}
    last = max(known)
    kept = np.array(sorted(known))
    lined = Timeline(Buckets(kept, np.ones(len(kept), dtype=np.int64), np.array([known[n] for n in kept])), 0, fill)
    values, _ = lined.values(0, last + 1)
    exact = [(Fraction(value), 1) if value == value else (Fraction(), 0) for value in values.tolist()]
    expected, total, periods = [], Fraction(), 0
    for number, (value, there) in enumerate(exact):
        gone, was_there = exact[number - size] if number >= size else (Fraction(), 0)
        total, periods = total + value - gone, periods + there - was_there
        expected.append(oracle.nearest(total / periods) if periods else None)
    averages = lined.moving_average(size, 1)
    slices = [averages(start, min(start + 8192, last + 1)) for start in range(0, last + 1, 8192)]
    assert oracle.listed(np.concatenate(slices)) == expected


def test_a_spike_that_has_left_leaves_no_trace_and_nothing_is_added_twice() -> None:
    values = np.ones(100_000)
    values[[10, 5_000, 70_000]] = 1e16, -1e150, 1e150
    lined = Timeline(Buckets(np.arange(100_000), np.ones(100_000, dtype=np.int64), values), 0, Fill.NULL)
    averages = lined.moving_average(1_000, 1_000)(0, 100_000)
    assert set(averages[6_000:70_000].tolist()) == {1.0}
    assert set(averages[71_000:].tolist()) == {1.0}


@pytest.mark.parametrize(
    ("a", "b", "length"),
    [
        (1.0, 1.0 + 2**-52, 2),
        (1.0 + 2**-52, 1.0, 2),
        (1e150, 5e-324, 4),
        (3e150 / 7, -5e-324, 4),
        (5e-324, 1e-323, 2),
        (-5e-324, 5e-324, 4),
        (2.0**-1022, 5e-324, 3),
        (0.1, 0.1, 7),
        (1e16, -1e-16, 10**6),
    ],
)
def test_a_value_on_a_line_is_the_nearest_double(a: float, b: float, length: int) -> None:
    lined = timeline({0: [a], length: [b]}, Fill.LINEAR)
    for number in {1, 2, length // 3, length // 2, length - 1} & set(range(1, length)):
        exact = Fraction(a) + (Fraction(b) - Fraction(a)) * Fraction(number, length)
        [answer] = lined.values(number, number + 1)[0].tolist()
        assert answer == float(exact)
        assert math.copysign(1.0, answer) == 1.0 or answer < 0.0


@pytest.mark.parametrize("fill", [Fill.NULL, Fill.ZERO, Fill.PREVIOUS])
def test_a_billion_empty_buckets_cost_nothing(fill: Fill) -> None:
    lined = timeline({0: [1e16], 10**9: [3.0], 2 * 10**9: [5.0]}, fill)
    averages = lined.moving_average(2**31 - 1, 1)(2 * 10**9, 2 * 10**9 + 1)
    exact = {
        Fill.NULL: (Fraction(10**16) + 8) / 3,
        Fill.ZERO: (Fraction(10**16) + 8) / (2 * 10**9 + 1),
        Fill.PREVIOUS: (Fraction(10**16) * 10**9 + 3 * 10**9 + 5) / (2 * 10**9 + 1),
    }
    assert averages.tolist() == [float(exact[fill])]


def test_a_billion_empty_buckets_on_lines_cost_what_a_window_reaches() -> None:
    lined = timeline({0: [1e16], 10**9: [3.0], 2 * 10**9: [5.0]}, Fill.LINEAR)
    averages = lined.moving_average(3, 1)(10**9 - 1, 10**9 + 2)
    near = [lined.values(n, n + 1)[0].item() for n in range(10**9 - 3, 10**9 + 2)]
    assert near[1] == float(3 + Fraction(2 * (10**16 - 3), 10**9))
    assert averages.tolist() == [oracle.average(near[i : i + 3]) for i in range(3)]


@st.composite
def grids(draw: st.DrawFn, stop: int) -> Grid:
    """Buckets of one width, also shifted; or of widths that differ, up to the time `stop` and beyond."""
    width = draw(st.integers(1, 50))
    edges = sorted(draw(st.sets(st.integers(1, stop + 50), max_size=20)) | {draw(st.integers(-50, 0)), stop + 60})
    return draw(
        st.one_of(
            st.just(Grid(width)),
            st.integers(0, width - 1).map(lambda phase: Grid(width, phase)),
            st.just(Grid(0, 0, np.array(edges))),
        )
    )


def bucket_in(grid: Grid, time: int) -> int:
    """The number of the bucket of a time, by looking at one after another."""
    number = 0
    while not grid.start(number) <= time < grid.start(number + 1):
        number += 1
    return number


@given(st.lists(st.tuples(st.integers(0, 200), values), min_size=1, max_size=60), grids(200))
def test_aggregates_of_points(points: list[tuple[int, float]], grid: Grid) -> None:
    groups: dict[int, list[float]] = {}
    for time, value in sorted(points, key=lambda point: point[0]):
        assert grid.number(time) == bucket_in(grid, time)
        groups.setdefault(bucket_in(grid, time), []).append(value)
    columns = np.array([t for t, _ in points]), np.array([v for _, v in points])
    for aggregate in Aggregate:
        buckets = aggregate_points(*columns, grid, aggregate)
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
            assert answer == oracle.average(group)
            assert min(group) <= answer <= max(group)
        case Aggregate.SUM:
            assert answer == oracle.total(group)
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
            # Near the smallest double the nearest one may be half of it away.
            smallest = Fraction(math.ulp(0.0))
            nearest = Fraction(answer) * smallest + smallest**2
            assert (
                abs(Fraction(answer) ** 2 - variance)
                <= variance / 10**9 + spread**2 / 10**12 + Fraction(peak) ** 2 / Fraction(2) ** 98 + nearest
            )
        case _:
            percentile = {Aggregate.MEDIAN: 50, Aggregate.P95: 95, Aggregate.P99: 99}[aggregate]
            assert answer == np.percentile(group, percentile)


@pytest.mark.parametrize("group", [[7.7] * 3, [1e150, -1e150], [1e-200, 3e-200], [1e16 + 2, 1e16 + 4]])
def test_standard_deviation_neither_overflows_nor_vanishes(group: list[float]) -> None:
    buckets = aggregate_points(np.arange(len(group)), np.array(group), Grid(100), Aggregate.STDDEV)
    mean = sum(map(Fraction, group)) / len(group)
    variance = sum((Fraction(v) - mean) ** 2 for v in group) / len(group)
    assert math.isclose(float(buckets.values[0]) / max(group), math.sqrt(variance / Fraction(max(group)) ** 2))


def sums_of(groups: list[list[float]]) -> tuple[int, float, float, float]:
    """Count, sum as a pair, and a bound of its error, as a store may keep them."""
    exact, high, low, error = Fraction(), 0.0, 0.0, 0.0
    for group in groups:
        exact += sum(map(Fraction, group))
        for value in group:
            high, low, error = add_to_sum(high, low, error, value)
    assert abs(exact - Fraction(high) - Fraction(low)) <= Fraction(error)
    return sum(map(len, groups)), high, low, error


def slowly_selected(count: int) -> list[int]:
    """An order in which the middle one of the first, middle and last is for 32 rounds the second smallest.

    Made by M. D. McIlroy's adversary, "A killer adversary for quicksort", Software: Practice and Experience 29 (1999).
    """
    order = [3 * count - i for i in range(count)]
    if count > 128:
        order[0:64:2] = range(0, 64, 2)
        order[count // 2 : count // 2 + 32] = range(1, 65, 2)
    return order


@pytest.mark.parametrize(
    "order",
    [
        lambda n: range(n),
        lambda n: range(n, 0, -1),
        lambda n: [5] * n,
        lambda n: [i % 3 for i in range(n)],
        lambda n: [*range(0, n, 2), *range(n - 1, 0, -2)],
        lambda n: Random(1).sample(range(n), n),
        slowly_selected,
    ],
)
@pytest.mark.parametrize("count", [1, 2, 3, 10, 999, 4_000])
def test_percentiles_of_values_in_any_order(order: Callable[[int], Iterable[int]], count: int) -> None:
    column = np.array([float(value) for value in order(count)])
    for aggregate, percentile in ((Aggregate.MEDIAN, 50), (Aggregate.P95, 95), (Aggregate.P99, 99)):
        buckets = aggregate_points(np.arange(len(column)), column, Grid(10_000), aggregate)
        assert buckets.values.tolist() == [np.percentile(column, percentile)]


@given(
    st.dictionaries(
        st.integers(0, 100),
        st.lists(st.lists(values, min_size=1, max_size=5), min_size=1, max_size=3),
        min_size=1,
    ),
    grids(100),
)
@drawn(300)
def test_wider_buckets_are_built_from_the_sums_of_narrower_ones(
    quarters: dict[int, list[list[float]]], grid: Grid
) -> None:
    rows = [(number, *sums_of([group])) for number, groups in quarters.items() for group in groups]
    sums = BucketSums(*(np.array(column) for column in zip(*rows, strict=True)))
    wide: dict[int, list[float]] = {}
    for number, groups in quarters.items():
        wide.setdefault(bucket_in(grid, number), []).extend(v for group in groups for v in group)
    averages = aggregate_sums(sums, grid, Aggregate.AVG)
    totals = aggregate_sums(sums, grid, Aggregate.SUM)
    counts = aggregate_sums(sums, grid, Aggregate.COUNT)
    assert list(averages.numbers) == sorted(wide)
    assert averages.counts.tolist() == counts.values.tolist() == [len(wide[n]) for n in sorted(wide)]
    for number, average, total in zip(averages.numbers, averages.values, totals.values, strict=True):
        group = wide[int(number)]
        # What the sums leave open is decided by the points; what they do not is right.
        assert math.isnan(average) or average == oracle.average(group)
        assert math.isnan(total) or total == oracle.total(group)
        if max(map(abs, group)) < 1e6 and min(map(abs, group)) > 1e-6:
            assert not math.isnan(average)
            assert not math.isnan(total)


@given(st.data())
@drawn(200)
def test_long_columns_of_buckets_say_what_their_portions_say(data: st.DataObject) -> None:
    known = sorted(data.draw(st.sets(st.integers(0, 60), min_size=0, max_size=60)))
    borders = sorted(data.draw(st.lists(st.integers(0, len(known)), max_size=5)))
    count = data.draw(st.sampled_from([1, 2**31 - 1, 2**31]))
    long = LongBuckets(61)
    for begin, end in pairwise([0, *borders, len(known)]):
        some = np.array(known[begin:end], dtype=np.int64)
        long.append(Buckets(some, some + count, some / 3))
    buckets = long.buckets()
    assert list(buckets.numbers) == known
    assert buckets.counts.tolist() == [n + count for n in known]
    assert buckets.values.tolist() == [n / 3 for n in known]


@given(value=values.filter(lambda value: abs(value) <= 1e150), count=st.integers(1, 200))
@drawn(10_000)
def test_the_average_of_equal_values_is_that_value(value: float, count: int) -> None:
    column = np.full(count, value)
    [average] = aggregate_points(np.arange(count), column, Grid(count), Aggregate.AVG).values.tolist()
    assert average == value
    every = Buckets(np.arange(count), np.ones(count, dtype=np.int64), column)
    assert set(Timeline(every, 0, Fill.NULL).moving_average(7, 1)(0, count).tolist()) == {value}


@pytest.mark.parametrize("mode", [{"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_BOUNDSCHECK": "1"}])
def test_kernels_say_the_same_without_compilation_and_with_checked_indices(mode: dict[str, str]) -> None:
    """This file's answers of some drawn series, as text with all digits."""
    command = [sys.executable, "-c", "from datapoints.tests.test_statistics import digest; print(digest())"]
    other = subprocess.run(command, env=os.environ | mode, capture_output=True, text=True, check=True, timeout=300)
    assert other.stdout.strip() == digest()


def digest() -> str:
    """A hash of all aggregates, fills and moving averages of some series drawn at random."""
    random = Random(7)
    text = hashlib.sha256()
    for _ in range(8):
        count = random.randrange(1, 300)
        times = np.array(random.choices(range(400), k=count))
        column = np.array([random.choice([1e16, -1e16, 1e150, 5e-324, 0.1, random.gauss(0, 1)]) for _ in times])
        for grid in (Grid(3), Grid(7, 2), Grid(0, 0, np.array([-1, 2, 30, 31, 250, 500]))):
            for aggregate in Aggregate:
                buckets = aggregate_points(times, column, grid, aggregate)
                text.update(repr([part.tolist() for part in map(np.asarray, buckets)]).encode())
        for fill in Fill:
            lined = Timeline(aggregate_points(times, column, Grid(3), Aggregate.AVG), int(times.min()) // 3, fill)
            text.update(repr(lined.values(0, 140)[0].tolist()).encode())
            for size in (1, 3, 40):
                text.update(repr(lined.moving_average(size, 1)(0, 140).tolist()).encode())
    return text.hexdigest()
