"""Statistics of a series: bucketing, aggregates, gap filling and moving averages, as functions of arrays.

Plain Python and NumPy; knows no framework. The number of a bucket is its start, counted from the Unix epoch, divided by
its width, so the buckets of all series line up.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from datapoints.interface import BucketSums
from timeseries_project.core.arrays import run_lengths, run_starts, stable_order
from timeseries_project.core.summation import MANTISSA_BITS, Floats, Integers, grouped_sums, limbs, two_sum


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


class Fill(StrEnum):
    """How an empty bucket gets its value; `NONE` leaves it out."""

    NULL = "null"
    ZERO = "zero"
    PREVIOUS = "previous"
    LINEAR = "linear"
    NONE = "none"


#: Aggregates that can be computed from the sums of quarter-hours if a bucket is made of whole ones.
FROM_SUMS = frozenset({Aggregate.AVG, Aggregate.SUM, Aggregate.COUNT})

#: Bytes that a moving average keeps for each non-empty bucket in reach of its windows: an index, prefix sums of two
#: limbs.
WINDOW_BYTES = 32


class Buckets(NamedTuple):
    """The non-empty buckets of a series in ascending order: number, count of values, and aggregate of each."""

    numbers: Integers
    counts: Integers
    values: Floats


def aggregate_sums(sums: BucketSums, quarter_hours: int, aggregate: Aggregate) -> Buckets:
    """Build buckets of `quarter_hours` quarter-hours each from the sums of any number of series. O(n log n).

    >>> sums = BucketSums(np.array([0, 1, 4]), np.array([2, 1, 1]), np.array([3.0, 9.0, 5.0]), np.zeros(3))
    >>> [column.tolist() for column in aggregate_sums(sums, 4, Aggregate.AVG)]
    [[0, 1], [3, 1], [4.0, 5.0]]
    """
    order = _order(sums.numbers)
    numbers = sums.numbers[order] // quarter_hours
    starts = run_starts(numbers)
    counts, values = sums.counts[order], sums.highs[order]
    if len(starts) < len(numbers):
        counts = np.add.reduceat(counts, starts)
        pairs = np.column_stack((values, sums.lows[order])).ravel()
        values, _ = grouped_sums(pairs, 2 * starts)
        numbers = numbers[starts]
    if aggregate is Aggregate.COUNT:
        values = counts.astype(np.float64)
    elif aggregate is Aggregate.AVG:
        values = values / counts
    return Buckets(numbers, counts, values)


def aggregate_points(times: Integers, values: Floats, width: int, aggregate: Aggregate) -> Buckets:
    """Build buckets of `width` (in the unit of the times) from points, given as two columns.

    Points of the same time keep their order. O(n log n) for the percentiles, else O(n).

    >>> times, values = np.array([0, 59, 60, 200]), np.array([1.0, 2.0, 4.0, 8.0])
    >>> [column.tolist() for column in aggregate_points(times, values, 60, Aggregate.SUM)]
    [[0, 1, 3], [2, 1, 1], [3.0, 4.0, 8.0]]
    """
    order = _order(times)
    numbers = times[order] // width
    column = values[order]
    starts = run_starts(numbers)
    counts = run_lengths(starts, len(numbers))
    return Buckets(numbers[starts], counts, _REDUCTIONS[aggregate](column, starts, counts))


def _order(column: Integers) -> Integers | slice:
    """Return the index that sorts a column stably; a slice, which copies nothing, if it is sorted, as one series is."""
    if (column[1:] >= column[:-1]).all():
        return slice(None)
    return stable_order(column)


def _stddev(values: Floats, starts: Integers, counts: Integers) -> Floats:
    """Return population standard deviations: two passes, scaled so that no square overflows or underflows."""
    means = grouped_sums(values, starts)[0] / counts
    deviations = values - np.repeat(means, counts)
    scale = np.maximum.reduceat(np.abs(deviations), starts)
    scale[scale == 0] = 1
    deviations /= np.repeat(scale, counts)
    squares = grouped_sums(deviations * deviations, starts)[0]
    # The mean was rounded: the second term corrects for this.
    shift = grouped_sums(deviations, starts)[0] / counts
    return scale * np.sqrt(np.maximum(squares / counts - shift * shift, 0))


def _percentile(fraction: float) -> Callable[[Floats, Integers, Integers], Floats]:
    """Return a reduction that interpolates linearly between the closest ranks, bit for bit as `numpy.percentile`."""

    def reduction(values: Floats, starts: Integers, counts: Integers) -> Floats:
        ranked = values[np.lexsort((values, np.repeat(np.arange(len(starts)), counts)))]
        rank = (counts - 1) * fraction
        below = np.floor(rank).astype(np.int64)
        a = ranked[starts + below]
        b = ranked[starts + np.minimum(below + 1, counts - 1)]
        t = rank - below
        interpolated: Floats = np.where(t < 0.5, a + (b - a) * t, b - (b - a) * (1 - t))
        return interpolated

    return reduction


_REDUCTIONS: dict[Aggregate, Callable[[Floats, Integers, Integers], Floats]] = {
    Aggregate.AVG: lambda values, starts, counts: grouped_sums(values, starts)[0] / counts,
    Aggregate.MIN: lambda values, starts, counts: np.minimum.reduceat(values, starts),
    Aggregate.MAX: lambda values, starts, counts: np.maximum.reduceat(values, starts),
    Aggregate.SUM: lambda values, starts, counts: grouped_sums(values, starts)[0],
    Aggregate.COUNT: lambda values, starts, counts: counts.astype(np.float64),
    Aggregate.STDDEV: _stddev,
    Aggregate.FIRST: lambda values, starts, counts: values[starts],
    Aggregate.LAST: lambda values, starts, counts: values[starts + counts - 1],
    Aggregate.MEDIAN: _percentile(0.5),
    Aggregate.P95: _percentile(0.95),
    Aggregate.P99: _percentile(0.99),
}


class Timeline:
    """Consecutive buckets: the non-empty ones, and a rule that fills the empty ones between them.

    The empty buckets are not stored: values are computed for the requested slice only, so a timeline with a billion
    empty buckets costs as much as its non-empty ones. `first` is the number of the first bucket of the series;
    `buckets` may omit those that no requested slice depends on.

    >>> buckets = Buckets(np.array([10, 13]), np.array([2, 1]), np.array([1.0, 4.0]))
    >>> timeline = Timeline(buckets, 10, Fill.LINEAR)
    >>> [column.tolist() for column in timeline.values(10, 15)]
    [[1.0, 2.0, 3.0, 4.0, nan], [2, 0, 0, 1, 0]]
    >>> timeline.moving_average(2, 2)(10, 15).tolist()
    [nan, 1.5, 2.5, 3.5, nan]
    >>> timeline.rank(13)
    1
    """

    def __init__(self, buckets: Buckets, first: int, fill: Fill) -> None:
        self._first = first
        self._fill = fill
        self._numbers, self._counts, self._values = buckets
        # Without empty buckets the others follow one another: their ranks serve as numbers.
        self.numbers = buckets.numbers
        if fill is Fill.NONE:
            self._first = 0
            self._numbers = np.arange(len(buckets.numbers))

    @property
    def nbytes(self) -> int:
        """The bytes of its columns."""
        columns = (self._numbers, self._counts, self._values)
        return sum(column.nbytes for column in columns) + (self.numbers.nbytes if self._fill is Fill.NONE else 0)

    def windows_nbytes(self, size: int) -> int:
        """Return the additional bytes needed while moving averages over `size` buckets are computed."""
        return WINDOW_BYTES * min(len(self._numbers), 2 * size)

    def rank(self, number: int) -> int:
        """Return how many non-empty buckets precede `number`. O(log n)."""
        return int(np.searchsorted(self.numbers, number))

    def values(self, start: int, stop: int) -> tuple[Floats, Integers]:
        """Return (values, counts) of the buckets start <= number < stop; NaN stands for no value.

        O(stop - start + log n).
        """
        a, b = self._numbers.searchsorted((start, stop))
        here = self._numbers[a:b] - start
        values = np.full(stop - start, 0.0 if self._fill is Fill.ZERO else np.nan)
        counts = np.zeros(stop - start, dtype=np.int64)
        values[here], counts[here] = self._values[a:b], self._counts[a:b]
        if self._fill in (Fill.PREVIOUS, Fill.LINEAR):
            at = self._last_at(start, stop)
            gap = (counts == 0) & (at >= 0)
            if self._fill is Fill.LINEAR:
                gap &= at < len(self._numbers) - 1
            at = at[gap]
            offset = np.flatnonzero(gap) + start - self._numbers[at]
            values[gap] = self._values[at] if self._fill is Fill.PREVIOUS else self._ramp(at, offset, offset)
        return values, counts

    def moving_average(self, size: int, min_periods: int) -> Callable[[int, int], Floats]:
        """Return a function (start, stop) -> moving averages of the last `size` buckets, filled ones included.

        The average is NaN where fewer than `min_periods` buckets of the window have a value. The function is called
        for consecutive slices and takes O(n) for all of them together, whatever the window size.

        A running sum would keep the rounding errors of values that have left the window. So each value is split into
        integers (`limbs`) with prefix sums, whose differences are exact, even modulo 2**64.
        """
        windows: _Windows | None = None
        covered = range(0)

        def averages(start: int, stop: int) -> Floats:
            nonlocal windows, covered
            if windows is None or start < covered.start or stop > covered.stop:
                # At least as many buckets at once as a window has: this bounds the work to twice as much, and memory.
                covered = range(start, max(stop, start + size))
                windows = _Windows(self._around(start - size, covered.stop), size)
            sums, periods = windows.sums(start, stop)
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.where(periods >= min_periods, sums / periods, np.nan)

        return averages

    def _around(self, start: int, stop: int) -> Timeline:
        """Return a timeline of the non-empty buckets from `start` to `stop` and of the next one on either side."""
        a, b = np.searchsorted(self._numbers, (max(start, self._first), stop))
        part = slice(max(int(a) - 1, 0), int(b) + 1)
        buckets = Buckets(self._numbers[part], self._counts[part], self._values[part])
        # With `Fill.NONE` the numbers are ranks already and must not be numbered again.
        return Timeline(buckets, self._first, Fill.NULL if self._fill is Fill.NONE else self._fill)

    def _last_at(self, start: int, stop: int) -> Integers:
        """Return, for start <= number < stop, the index of the last non-empty bucket up to it; -1 if there is none."""
        a, b = np.searchsorted(self._numbers, (start, stop))
        steps = np.zeros(stop - start, dtype=np.int64)
        steps[self._numbers[a:b] - start] = 1
        at: Integers = np.cumsum(steps) + (a - 1)
        return at

    def _ramp(self, at: Integers, start: Integers, end: Integers) -> Floats:
        """Sum the filled values of the buckets `start` to `end` places after the non-empty one, both included."""
        periods = end - start + 1
        if self._fill is Fill.PREVIOUS:
            return self._values[at] * periods
        after = np.minimum(at + 1, len(self._numbers) - 1)
        length = np.maximum(self._numbers[after] - self._numbers[at], 1)
        # The weight of the right neighbour grows by 1/length from bucket to bucket.
        right = (start + end).astype(np.float64) * periods / 2
        left = periods.astype(np.float64) * length - right
        total: Floats = (self._values[at] * left + self._values[after] * right) / length
        return total


class _Windows:
    """Sums over windows of `size` buckets of a timeline: prefix sums for whole stretches, ramps for partial ones.

    A stretch is a non-empty bucket with the empty ones after it, up to the next non-empty one.
    """

    def __init__(self, timeline: Timeline, size: int) -> None:
        self._timeline = timeline
        self._size = size
        self._ramps = timeline._fill in (Fill.PREVIOUS, Fill.LINEAR)
        numbers = timeline._numbers
        # The number of values that a window's sum can hold tells how many bits of a limb must stay free.
        reach = len(numbers)
        if self._ramps and reach:
            reach = 2 * int(numbers[-1] - numbers[0] + 1)
        bits = MANTISSA_BITS - min(2 * size if self._ramps else size, max(reach, 1)).bit_length()
        self._prefixes = [
            self._prefix(limb, exponent, np.diff(numbers)) for exponent, limb in limbs(timeline._values, bits)
        ]

    def _prefix(self, limb: Integers, exponent: int, lengths: Integers) -> tuple[int, Integers]:
        """Return (exponent, prefix sums of the stretches): prefix[j] is the sum of the stretches before the j-th."""
        if self._timeline._fill is Fill.PREVIOUS:
            stretches = limb[:-1] * lengths
        elif self._timeline._fill is Fill.LINEAR:
            # Twice the sum of a ramp is an integer combination of its ends.
            stretches = limb[:-1] * (lengths + 1) + limb[1:] * (lengths - 1)
            exponent -= 1
        else:
            stretches = limb
        return exponent, np.concatenate(([0], np.cumsum(stretches)))

    def sums(self, start: int, stop: int) -> tuple[Floats, Integers]:
        """Return (sums, numbers of values) of the windows that end in the buckets start <= number < stop."""
        timeline = self._timeline
        ends = np.arange(start, stop)
        begins = np.maximum(ends - (self._size - 1), timeline._first)
        if not self._ramps:
            before = timeline._last_at(start - self._size, stop - self._size) + 1
            after = timeline._last_at(start, stop) + 1
            periods = ends - begins + 1 if timeline._fill is Fill.ZERO else after - before
            return self._stretches(before, after, []), periods
        if timeline._fill is Fill.LINEAR:
            ends = np.minimum(ends, timeline._numbers[-1])
        periods = np.maximum(ends - begins + 1, 0)
        begins = np.minimum(begins, ends)
        first = np.searchsorted(timeline._numbers, begins, side="right") - 1
        last = np.searchsorted(timeline._numbers, ends, side="right") - 1
        begin, end = begins - timeline._numbers[first], ends - timeline._numbers[last]
        one = first == last
        lengths = np.diff(timeline._numbers, append=timeline._numbers[-1] + 1)
        head = timeline._ramp(first, begin, np.where(one, end, lengths[first] - 1))
        tail = np.where(one, 0.0, timeline._ramp(last, np.zeros_like(end), end))
        return self._stretches(np.minimum(first + 1, last), last, [head, tail]), periods

    def _stretches(self, first: Integers, last: Integers, parts: list[Floats]) -> Floats:
        """Add the stretches first <= j < last to the parts, carrying the rounding errors along."""
        high, low = np.zeros(len(first)), np.zeros(len(first))
        for exponent, prefix in self._prefixes:
            parts.append(np.ldexp((prefix[last] - prefix[first]).astype(np.float64), exponent))
        for part in parts:
            high, error = two_sum(high, part)
            low = low + error
        return high + low
