"""Consecutive buckets of a series: the non-empty ones, what stands in the empty ones, and moving averages over both.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from datapoints import timeline_kernels as kernels
from datapoints.statistics import Buckets, Fill
from timeseries_project.core.arrays import Column
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.summation import POINT, Floats, Integers, times_smallest

_CODES = {
    Fill.NULL: kernels.NULL,
    Fill.ZERO: kernels.ZERO,
    Fill.PREVIOUS: kernels.PREVIOUS,
    Fill.LINEAR: kernels.LINEAR,
    Fill.NONE: kernels.NULL,
}
_NO_NUMBERS = np.empty(0, dtype=np.int64)
#: Bytes of a sum that kernels keep: two doubles and the bound of their error.
SUM_BYTES = 24
#: Items that are added exactly at once.
_AT_ONCE = 8192


class Timeline:
    """Consecutive buckets: the non-empty ones, and a rule that fills the empty ones between them.

    The empty buckets are not stored: values are computed for the requested slice only, so a timeline with a billion
    empty buckets costs as much as its non-empty ones. `first` is the number of the first bucket of the series;
    `buckets` may omit those that no requested slice depends on.

    A value on a line is the double nearest to the exact one, and a moving average the one nearest to the exact mean of
    the values in its window.

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
        numbers, self._counts, values = buckets
        if len(numbers) and numbers[-1] - numbers[0] < len(numbers):
            numbers = range(int(numbers[0]), int(numbers[-1]) + 1)
        #: The numbers of the non-empty buckets.
        self.numbers: Integers | range = numbers
        self._first = first
        base = numbers.start if isinstance(numbers, range) else 0
        if fill is Fill.NONE:
            # Without empty buckets the others follow one another: their ranks serve as numbers.
            self._first = base = 0
            numbers = range(0)
        kept = _NO_NUMBERS if isinstance(numbers, range) else numbers
        self._columns = _Columns(kept, base, values, _CODES[fill])

    @property
    def nbytes(self) -> int:
        """The bytes of its columns."""
        numbers = 0 if isinstance(self.numbers, range) else self.numbers.nbytes
        return numbers + self._counts.nbytes + self._columns.values.nbytes

    def windows_nbytes(self, size: int) -> int:
        """Return the additional bytes needed while moving averages over `size` buckets are computed."""
        return SUM_BYTES * sum(self._columns.sums(size))

    def rank(self, number: int) -> int:
        """Return how many non-empty buckets precede `number`. O(log n)."""
        return int(np.searchsorted(self.numbers, number))

    def values(self, start: int, stop: int) -> tuple[Floats, Column]:
        """Return (values, counts) of the buckets start <= number < stop; NaN stands for no value.

        O(stop - start + log n).
        """
        columns = self._columns
        a, b = columns.rank(start), columns.rank(stop)
        if b - a == stop - start:  # none is empty
            return columns.values[a:b], self._counts[a:b]
        counts = np.zeros(stop - start, dtype=self._counts.dtype)
        if len(columns.numbers):
            counts[columns.numbers[a:b] - start] = self._counts[a:b]
        else:
            counts[columns.base + a - start : columns.base + b - start] = self._counts[a:b]
        return columns.filled(start, stop), counts

    def moving_average(self, size: int, min_periods: int) -> Callable[[int, int], Floats]:
        """Return a function (start, stop) -> moving averages of the last `size` buckets, filled ones included.

        The average is NaN where fewer than `min_periods` buckets of the window have a value. The function is called
        for consecutive slices and takes O(n) for all of them together, whatever the window size; with `Fill.LINEAR`
        n counts the empty buckets too.
        """
        return _Windows(self._columns, self._first, size, min_periods).averages


class _Columns(NamedTuple):
    """The columns of non-empty buckets as kernels take them; `fill` is a code there, too."""

    numbers: Integers
    base: int
    values: Floats
    fill: int

    def rank(self, number: int) -> int:
        """Return how many non-empty buckets precede a number. O(log n)."""
        if len(self.numbers):
            return int(self.numbers.searchsorted(number))
        return min(max(number - self.base, 0), len(self.values))

    def number(self, rank: int) -> int:
        """Return the number of a non-empty bucket."""
        return int(self.numbers[rank]) if len(self.numbers) else self.base + rank

    def filled(self, start: int, stop: int) -> Floats:
        """Return the values of the buckets from `start` to before `stop`."""
        filled = np.empty(stop - start)
        kernels.fill_values(*self, start, self.rank(start), np.empty(kernels.TERMS), filled)
        return filled

    def sums(self, size: int) -> tuple[int, int]:
        """Return how many sums are kept of the front of a window of so many buckets: of blocks, and of single items."""
        items = len(self.values)
        if self.fill == kernels.LINEAR and items:
            items = self.number(items - 1) - self.number(0) + 1
        most = min(items, size)
        return most // kernels.BLOCK + 1, min(most, kernels.BLOCK)


class _Windows:
    """The windows of a moving average, slice by slice."""

    def __init__(self, columns: _Columns, oldest: int, size: int, min_periods: int) -> None:
        self._columns = columns
        self._oldest = oldest
        self._size = size
        self._min_periods = min_periods
        self._next: int | None = None
        self._state = np.zeros(4, dtype=np.int64)
        self._back = np.zeros(3)
        blocks, singles = columns.sums(size)
        self._blocks = np.empty((blocks, 3))
        self._singles = np.empty((singles, 3))
        self._terms = np.empty(kernels.TERMS)
        self._exact = _ExactSum(columns)

    def averages(self, start: int, stop: int) -> Floats:
        """Return the averages of the windows that end in the buckets start <= number < stop."""
        if start != self._next:
            self._begin(start)
        self._next = stop
        averages, undecided = np.empty(stop - start), np.empty(stop - start, dtype=np.int64)
        count = kernels.slide(
            *self._columns,
            self._oldest,
            self._size,
            self._min_periods,
            start,
            self._state,
            self._back,
            self._blocks,
            self._singles,
            self._terms,
            averages,
            undecided,
        )
        for place in undecided[:count].tolist():
            averages[place] = self._average(start + place)
        return averages

    def _begin(self, start: int) -> None:
        """Go to the first item of the window that ends in a bucket. O(log n)."""
        columns, begin = self._columns, max(start - self._size + 1, self._oldest)
        item, rank = columns.rank(begin), max(columns.rank(begin + 1) - 1, 0)
        if columns.fill == kernels.PREVIOUS:
            item = rank
        elif columns.fill == kernels.LINEAR and len(columns.values):
            item = max(begin, columns.number(0))
        self._state[:] = item, item, item, rank
        self._back[:] = 0.0

    def _average(self, end: int) -> float:
        """Return the average of the window that ends in a bucket, from the exact sum of its values."""
        columns, begin = self._columns, max(end - self._size + 1, self._oldest)
        first, stop = columns.rank(begin), columns.rank(end + 1)
        periods = stop - first
        ends = 0
        if columns.fill == kernels.ZERO:
            periods = end - begin + 1
        elif columns.fill == kernels.LINEAR:
            first, stop = max(begin, columns.number(0)), min(end, columns.number(len(columns.values) - 1)) + 1
            periods = stop - first
        elif columns.fill == kernels.PREVIOUS:
            begin = max(begin, columns.number(0))
            periods = end - begin + 1
            # The last stretch goes on to the window's end; the first one may have begun before the window.
            stop -= 1
            ends = times_smallest(columns.values.item(stop)) * (end - max(begin, columns.number(stop)) + 1)
            if first <= stop and columns.number(first) > begin:
                ends += times_smallest(columns.values.item(first - 1)) * (columns.number(first) - begin)
        # Python rounds the quotient of two integers once.
        return (self._exact.of(min(first, stop), stop) + ends) / (periods << POINT) + 0.0


class _ExactSum:
    """The sum of the items from one to another, in integers; both move forwards, and the sum with them.

    Unlike that of doubles, a sum of integers keeps nothing of what is taken from it again.
    """

    def __init__(self, columns: _Columns) -> None:
        self._columns = columns
        self._start = self._stop = self._sum = 0

    def of(self, start: int, stop: int) -> int:
        """Return how many times the smallest double the items start <= item < stop make. O(items passed)."""
        if not self._start <= start <= self._stop <= stop:
            self._start = self._stop = start
            self._sum = 0
        self._sum += self._passed(self._stop, stop) - self._passed(self._start, start)
        self._start, self._stop = start, stop
        return self._sum

    def _passed(self, start: int, stop: int) -> int:
        if stop - start > _AT_ONCE:
            leave_loop()
        total = 0
        columns = self._columns
        for low in range(start, stop, _AT_ONCE):
            high = min(low + _AT_ONCE, stop)
            items = columns.filled(low, high) if columns.fill == kernels.LINEAR else columns.values[low:high]
            exact = map(times_smallest, items.tolist())
            if columns.fill == kernels.PREVIOUS:
                numbers = [columns.number(rank) for rank in range(low, high + 1)]
                total += sum(
                    value * (after - number)
                    for value, number, after in zip(exact, numbers[:-1], numbers[1:], strict=True)
                )
            else:
                total += sum(exact)
        return total
