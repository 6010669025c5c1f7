"""Statistics of a series: bucketing and aggregates, as functions of arrays.

Plain Python and NumPy; knows no framework. A grid numbers the buckets.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from datapoints import bucket_kernels as kernels
from datapoints.divisions import Grid
from datapoints.interface import BucketSums
from timeseries_project.core.arrays import Column, stable_order
from timeseries_project.core.summation import Floats, Integers, exact_mean, exact_sum


class Aggregate(StrEnum):
    """An aggregate of the values in a bucket."""

    AVG = "avg"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    STDDEV = "stddev"
    FIRST = "first"
    LAST = "last"
    MEDIAN = "median"
    P95 = "p95"
    P99 = "p99"


class Percentile(NamedTuple):
    """Any percentile of the values in a bucket, as a fraction from 0 to 1; see `Aggregate` for those with a name."""

    fraction: float


#: What can be worked out of a bucket.
Measure = Aggregate | Percentile


class Fill(StrEnum):
    """How an empty bucket gets its value; `NONE` leaves it out."""

    NULL = "null"
    ZERO = "zero"
    PREVIOUS = "previous"
    LINEAR = "linear"
    NONE = "none"


#: Aggregates that can be computed from the sums of quarter-hours if a bucket is made of whole ones.
FROM_SUMS: frozenset[Measure] = frozenset({Aggregate.AVG, Aggregate.SUM, Aggregate.COUNT})

_CODES: dict[Measure, int] = {
    Aggregate.COUNT: kernels.COUNT,
    Aggregate.SUM: kernels.SUM,
    Aggregate.AVG: kernels.AVG,
    Aggregate.MIN: kernels.MIN,
    Aggregate.MAX: kernels.MAX,
    Aggregate.FIRST: kernels.FIRST,
    Aggregate.LAST: kernels.LAST,
    Aggregate.STDDEV: kernels.STDDEV,
}
_FRACTIONS: dict[Measure, float] = {Aggregate.MEDIAN: 0.5, Aggregate.P95: 0.95, Aggregate.P99: 0.99}
_NOTHING = np.empty(0)


class Buckets(NamedTuple):
    """The non-empty buckets of a series in ascending order: number, count of values, and aggregate of each.

    The numbers are a range if no bucket between them is empty. A sum or average is NaN as long as it is not decided:
    the bucket's sums leave two doubles to choose from.
    """

    numbers: Integers | range
    counts: Column
    values: Floats

    @property
    def undecided(self) -> Integers:
        """The places of the buckets without a value yet."""
        return np.flatnonzero(np.isnan(self.values))


def aggregate_sums(sums: BucketSums, grid: Grid, aggregate: Measure) -> Buckets:
    """Build buckets from the sums of any number of series; the unit of the grid is the quarter-hour.

    Some may be undecided; `decide` takes care of these. O(n) for the sums of one series, in order of time; else
    O(n log n).

    >>> columns = np.array([2, 1, 1]), np.array([3.0, 9.0, 5.0]), np.zeros(3), np.zeros(3)
    >>> buckets = aggregate_sums(BucketSums(np.array([0, 1, 4]), *columns), Grid(4), Aggregate.AVG)
    >>> [column.tolist() for column in buckets]
    [[0, 1], [3, 1], [4.0, 5.0]]
    """
    count = kernels.count_buckets(sums.numbers, *grid)
    if count < 0:
        order = stable_order(sums.numbers)
        numbers, counts, highs, lows, errors = sums
        sums = BucketSums(numbers[order], counts[order], highs[order], lows[order], errors[order])
        count = kernels.count_buckets(sums.numbers, *grid)
    empty = _empty(count)
    kernels.buckets_of_sums(*sums, *grid, _CODES[aggregate], *empty)
    return Buckets(*empty)


def aggregate_points(times: Integers, values: Floats, grid: Grid, aggregate: Measure) -> Buckets:
    """Build buckets from points, given as two columns; the grid has the unit of the times.

    Points of the same time keep their order. O(n), or O(n log n) for points that are not in order of time.

    >>> times, values = np.array([0, 59, 60, 200]), np.array([1.0, 2.0, 4.0, 8.0])
    >>> [column.tolist() for column in aggregate_points(times, values, Grid(60), Aggregate.SUM)]
    [[0, 1, 3], [2, 1, 1], [3.0, 4.0, 8.0]]
    >>> aggregate_points(times, values, Grid(60), Percentile(0.25)).values.tolist()
    [1.25, 4.0, 8.0]
    """
    count = kernels.count_buckets(times, *grid)
    if count < 0:
        order = stable_order(times)
        times, values = times[order], values[order]
        count = kernels.count_buckets(times, *grid)
    fraction = aggregate.fraction if isinstance(aggregate, Percentile) else _FRACTIONS.get(aggregate)
    code = _CODES[aggregate] if fraction is None else kernels.PERCENTILE
    ranked = _NOTHING if fraction is None else values.copy()
    empty = _empty(count)
    kernels.buckets_of_points(times, values, *grid, code, fraction or 0.0, ranked, *empty)
    buckets = Buckets(*empty)
    undecided = buckets.undecided
    if len(undecided):
        begins = times.searchsorted(grid.starts(np.asarray(buckets.numbers)[undecided]))
        for place, begin in zip(undecided.tolist(), begins.tolist(), strict=True):
            buckets.values[place] = exact(values[begin : begin + int(buckets.counts[place])], aggregate)
    return buckets


def exact(values: Floats, aggregate: Measure) -> float:
    """Return the double nearest to the sum or average of some values, for what the kernels leave undecided. O(n)."""
    return exact_sum(values) if aggregate is Aggregate.SUM else exact_mean(values, len(values))


class LongBuckets:
    """A column of buckets that is built portion by portion and takes as few bytes as it can.

    >>> long = LongBuckets(10)
    >>> for number in (5, 7):
    ...     long.append(Buckets(np.array([number, number + 1]), np.array([1, 1]), np.array([2.0, 3.0])))
    >>> long.buckets().numbers, long.buckets().counts.nbytes
    (range(5, 9), 16)
    """

    def __init__(self, most: int) -> None:
        """Take how many buckets there may be; those that do not come take no memory, which is given when written."""
        self._length = 0
        self._numbers: list[Integers | range] = []
        self._counts: Column = np.empty(most, dtype=np.int32)
        self._values = np.empty(most)

    def append(self, buckets: Buckets) -> None:
        """Append buckets that come later. O(buckets)."""
        if not len(buckets.numbers):
            return
        if self._counts.dtype == np.int32 and buckets.counts.max() > np.iinfo(np.int32).max:
            self._counts = self._counts.astype(np.int64)
        end = self._length + len(buckets.numbers)
        self._counts[self._length : end] = buckets.counts
        self._values[self._length : end] = buckets.values
        self._length = end
        first, stop = int(buckets.numbers[0]), int(buckets.numbers[-1]) + 1
        known = self._numbers[-1] if self._numbers else range(first, first)
        if stop - first > len(buckets.numbers):
            self._numbers.append(buckets.numbers)
        elif isinstance(known, range) and known.stop == first:
            self._numbers[-1:] = [range(known.start, stop)]
        else:
            self._numbers.append(range(first, stop))

    def buckets(self) -> Buckets:
        """Return all buckets. O(1) if none between them is empty, else O(buckets)."""
        self._counts.resize(self._length, refcheck=False)
        self._values.resize(self._length, refcheck=False)
        if len(self._numbers) == 1:
            return Buckets(self._numbers[0], self._counts, self._values)
        numbers = [np.asarray(some, dtype=np.int64) for some in self._numbers]
        return Buckets(np.concatenate([*numbers, np.empty(0, dtype=np.int64)]), self._counts, self._values)


def _empty(count: int) -> tuple[Integers, Integers, Floats]:
    return np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64), np.empty(count)
