"""Series of datapoints in memory: their points, and the sum of each quarter-hour of each.

    points   one key for each point: its time; one cell: its value
    sums     one key for each quarter-hour with points: its number; four cells: how many points, and their sum as a
             pair of doubles with a bound on its error (`core/rounding_kernels.py`)

Both are `core/blocks.py`. As there, room is made first, which may fail and has no visible effect; then `commit...`
writes, which cannot fail. Not thread-safe: the store holds its lock. Knows no framework. Times are microseconds since
the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datapoints.interface import QUARTER_HOUR, BucketSums
from datapoints.memory import series_kernels
from datapoints.memory.names import Pair
from datapoints.memory.series_kernels import ADDED, COUNT, ERROR, HIGH, LOW, NO_ROOM, SUM_CELLS
from timeseries_project.core.block_kernels import BEYOND
from timeseries_project.core.blocks import EVERYTHING, Blocks
from timeseries_project.core.rounding_kernels import add_groups
from timeseries_project.core.summation import Floats, Integers

#: Wide blocks waste room in short series; narrow ones make the trees of long series higher.
POINTS_IN_BLOCK = 24
SUMS_IN_BLOCK = 4

#: Blocks that are enough for any single point, whatever it divides: one for each level of two trees.
ROOM_FOR_ONE = 32

_serials = count()


class Rows(NamedTuple):
    """Points of some series, grouped by series and ascending; `cells` are the bits of the values.

    `leaves` are where they belong, once they were looked up.
    """

    series: Integers
    times: Integers
    values: Floats
    cells: Integers
    leaves: Integers

    @classmethod
    def of(cls, series: Integers, times: Integers, values: Floats) -> Rows:
        """Return rows that are not looked up yet."""
        return cls(series, times, values, as_cells(values), np.empty(len(times), dtype=np.int64))

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        """Return the chosen rows."""
        series, times, values, cells, leaves = self
        return Rows(series[chosen], times[chosen], values[chosen], cells[chosen], leaves[chosen])


class SeriesPool:
    """The points of any number of series, each known by a number from 0. For costs see `Blocks`."""

    def __init__(self) -> None:
        self._points = Blocks(width=POINTS_IN_BLOCK, parts=1)
        self._sums = Blocks(width=SUMS_IN_BLOCK, parts=SUM_CELLS)
        #: Another number for each pool of the process: what pools count begins anew with them.
        self.serial = next(_serials)
        #: How often anything was changed.
        self.changes = 0

    @property
    def lates(self) -> Integers:
        """How often each series was changed other than at its end."""
        return self._points.lates

    def reserve(self, series: int) -> None:
        """Make room for series with numbers below this; new ones are empty."""
        self._points.reserve(series)
        self._sums.reserve(series)

    def reserve_for(self, new: Sequence[tuple[int, Pair]]) -> None:
        """Make room for new series, given as number and pair."""
        self.reserve(max((number for number, _ in new), default=-1) + 1)

    @property
    def nbytes(self) -> int:
        """What the points and the sums take. O(1)."""
        return self._points.nbytes + self._sums.nbytes

    @property
    def counts(self) -> Integers:
        """How many points each series has."""
        return self._points.counts

    @property
    def firsts(self) -> Integers:
        """The time of the oldest point of each series; of an empty one it is beyond all times."""
        return self._points.firsts

    @property
    def lasts(self) -> Integers:
        """The time of the newest point of each series; of an empty one it is -1."""
        return self._points.lasts

    def add_one(self, series: int, time: int, value: float) -> bool:
        """Add a point; return False, and change nothing, if the series has one of that time. O(1) if it is the newest.

        MemoryError if there is none; nothing has changed then.
        """
        points, sums = self._points.arrays, self._sums.arrays
        done = series_kernels.add_point(points, sums, series, time, value)
        if done == NO_ROOM:
            self._points.make_room(ROOM_FOR_ONE)
            self._sums.make_room(ROOM_FOR_ONE)
            done = series_kernels.add_point(points, sums, series, time, value)
        self.changes += 1
        return done == ADDED

    def has(self, series: int, time: int) -> bool:
        """Return whether a series has a point of that time. O(log n)."""
        return len(self._points.read(np.array([series]), time, time + 1)[0]) > 0

    def look_up(self, rows: Rows, known: NDArray[np.bool_], begin: int = 0, end: int = EVERYTHING) -> int:
        """Find out where points belong; mark those that exist already, or are that of the row before; return how many.

        See `Blocks.look_up`.
        """
        return self._points.look_up(rows.series, rows.times, rows.leaves, known, begin, end)

    def needed(self, rows: Rows, begin: int = 0, end: int = EVERYTHING) -> tuple[int, int]:
        """Return how many blocks of points and of sums the rows may take at most. See `Blocks.needed`."""
        series, times = rows.series, rows.times
        sums = series_kernels.sum_blocks_needed(self._sums.arrays, series, times, begin, min(end, len(times)))
        return self._points.needed(series, rows.leaves, begin, end), int(sums)

    def make_room(self, blocks: tuple[int, int]) -> None:
        """Make sure that so many blocks are free, beside those that are promised."""
        self._points.make_room(blocks[0])
        self._sums.make_room(blocks[1])

    def commit_promise(self, blocks: tuple[int, int], times: int) -> None:
        """Keep so many free blocks for a change that is written in portions (times 1), or no longer (times -1)."""
        self._points.commit_promise(times * blocks[0])
        self._sums.commit_promise(times * blocks[1])

    def commit_add(self, rows: Rows, begin: int = 0, end: int = EVERYTHING) -> None:
        """Add points that were looked up, for which there is room. O(1) for each that is the newest, else O(log n)."""
        series, times, values, cells, leaves = rows
        self.changes += 1
        self._points.commit_add(series, times, cells, leaves, begin, end)
        series_kernels.add_to_sums(self._sums.arrays, series, times, values, begin, end)

    def beside(self, rows: Rows) -> int:
        """Return how many points there are in the quarter-hours of points that exist. O(log n) for each of them."""
        return int(series_kernels.count_beside(self._sums.arrays, rows.series, rows.times))

    def commit_replace(self, rows: Rows, begin: int = 0, end: int = EVERYTHING, most: int = EVERYTHING) -> int:
        """Write the values of rows begin <= row < end in place of those of points that exist.

        It ends early once the quarter-hours that changed have about `most` points; returns the row at which to go on.
        O(log n) for each row, and the points of the quarter-hours.
        """
        self.changes += 1
        series, times, values, _, _ = rows
        points, sums = self._points.arrays, self._sums.arrays
        return series_kernels.replace_values(points, sums, series, times, values, begin, end, most)

    def count(self, series: Integers, start: int, stop: int, limit: int) -> Integers:
        """Return how many points with start <= time < stop each series has, up to `limit`. See `Blocks.count`."""
        return self._points.count(series, start, stop, limit)

    def commit_remove(self, series: Integers, start: int, stop: int, most: int = BEYOND) -> int:
        """Remove the points with start <= time < stop of some series, about `most` in all; return how many.

        If they are fewer than `most`, none is left. O(log n) for a series that goes whole, else O(log n + blocks of
        those removed).
        """
        self.changes += 1
        return series_kernels.remove_points(self._points.arrays, self._sums.arrays, series, start, stop, most)

    def points(self, series: Integers, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop, series by series, each ascending. O(log n each + those copied)."""
        times, cells = self._points.read(series, start, stop)
        return times, as_values(cells)

    def portions(self, size: int) -> Iterator[tuple[Integers, Integers, Floats]]:
        """Copy all points, `size` at a time: the series of each, its time and its value. See `Blocks.portions`."""
        for series, times, cells in self._points.portions(size):
            yield series, times, as_values(cells)

    def sums(self, series: Integers, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours with start <= number < stop, series by series, each ascending."""
        return _bucket_sums(*self._sums.read(series, start, stop))

    def count_sums(self, series: Integers, start: int, stop: int) -> Integers:
        """Return how many quarter-hours with start <= number < stop each series has. O(log n + these)."""
        return self._sums.count(series, start, stop, EVERYTHING)

    def first_points(self, series: Integers, start: int, stop: int, count: int) -> tuple[Integers, Integers, Floats]:
        """Copy of each series the first points with start <= time < stop, up to `count`.

        Columns: where in `series` the point's series stands, times, values.
        """
        counts = self._points.count(series, start, stop, count)
        times, cells = self._points.copy(series, start, counts)
        return np.repeat(np.arange(len(series)), counts), times, as_values(cells)

    def merged_points(
        self, series: Integers, starts: Integers, stop: int, count: int, *, backwards: bool
    ) -> tuple[Integers, Integers, Floats]:
        """Copy the first `count` points with starts[i] <= time < stop of all series together. See `Blocks.merge`.

        Columns: where in `series` the point's series stands, times, values.
        """
        owners, times, cells = self._points.merge(series, starts, stop, count, backwards=backwards)
        return owners, times, as_values(cells)

    def lasts_before(self, series: Integers, time: int) -> Integers:
        """Return the time of the last point before `time` of each series, or -1. O(log n) each."""
        counts, times, _ = self._points.read_backwards(series, time, 1)
        lasts = np.full(len(series), -1)
        lasts[counts > 0] = times
        return lasts

    def sum_up_to(self, series: Integers, time: int) -> BucketSums:
        """Add up the points of a single series in the quarter-hour of a point, up to that point. O(log n + these)."""
        number = time // QUARTER_HOUR
        _, values = self.points(series, number * QUARTER_HOUR, time + 1)
        highs, lows, errors = np.zeros((3, 1))
        add_groups(np.ascontiguousarray(values), np.zeros(1, dtype=np.int64), highs, lows, errors)
        return BucketSums(np.array([number]), np.array([len(values)]), highs, lows, errors)

    def _check(self) -> None:
        self._points._check()
        self._sums._check()
        for number in range(len(self.counts)):
            one = np.array([number])
            times, values = self.points(one, 0, BEYOND)
            kept = self.sums(one, 0, BEYOND)
            numbers, counts = np.unique(times // QUARTER_HOUR, return_counts=True)
            assert kept.numbers.tolist() == numbers.tolist()
            assert kept.counts.tolist() == counts.tolist()
            for i, at in enumerate(np.cumsum(counts) - counts):
                exact = sum(map(Fraction, values[at : at + counts[i]].tolist()))
                pair = Fraction(float(kept.highs[i])) + Fraction(float(kept.lows[i]))
                assert abs(pair - exact) <= Fraction(float(kept.errors[i]))
        assert ((self.counts == 0) == (self._sums.counts == 0)).all()


def _bucket_sums(numbers: Integers, cells: Integers) -> BucketSums:
    columns = cells.view(np.float64).T
    return BucketSums(numbers, columns[COUNT].astype(np.int64), columns[HIGH], columns[LOW], columns[ERROR])


def as_cells(values: Floats) -> Integers:
    """Return doubles as cells beside their keys: their bits, without copying."""
    return values.view(np.int64)[:, np.newaxis]


def as_values(cells: Integers) -> Floats:
    """Return the doubles whose bits such cells are, without copying."""
    return cells.view(np.float64)[:, 0]
