"""Series of datapoints in memory: sorted columns of points, and their sum in each quarter-hour.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from datapoints.interface import QUARTER_HOUR, BucketSums
from datapoints.memory.plans import Addition, Changes, Cut, Entry
from datapoints.memory.sorted_blocks import SortedBlocks
from timeseries_project.core.arrays import run_lengths, run_starts
from timeseries_project.core.summation import Floats, Integers, add_to_pair, grouped_sums

#: Wide blocks waste room in short series; narrow ones need more directory entries in long series.
POINTS_IN_PAGE = 24
SUMS_IN_PAGE = 4


class PointsAddition(NamedTuple):
    """The plan of an addition: the points, new quarter-hours, and new sums of existing ones."""

    points: Addition
    new_sums: Addition | None
    changes: Changes


#: The plan of adding one point, a plain tuple for speed: the point; the entry of its quarter-hour, if this is new;
#: otherwise the place of the sum, and the new pair.
PointAddition = tuple[Entry, Entry | None, tuple[int, int], tuple[float, float]]


class PointsCut(NamedTuple):
    """What forgetting the first points of some series will change."""

    points: Cut
    sums: Cut


class SeriesPool:
    """The points of any number of series, each known by a number from 0. For costs see `SortedBlocks`.

    As there, `plan...` may fail and changes nothing that shows, and `commit...` cannot fail.
    """

    def __init__(self) -> None:
        self._points = SortedBlocks(POINTS_IN_PAGE, np.float64)
        self._sums = SortedBlocks(SUMS_IN_PAGE, np.int64, np.float64, np.float64)

    def reserve(self, series: int) -> None:
        """Make room for series with numbers below this; new ones are empty."""
        self._points.reserve(series)
        self._sums.reserve(series)

    @property
    def nbytes(self) -> int:
        """What the columns of points and sums take. O(1)."""
        return self._points.nbytes + self._sums.nbytes

    @property
    def counts(self) -> Integers:
        """How many points each series has."""
        return self._points.counts

    @property
    def firsts(self) -> Integers:
        """The time of the oldest point of each series that has any."""
        return self._points.firsts

    @property
    def lasts(self) -> Integers:
        """The time of the newest point of each series that has any."""
        return self._points.lasts

    def plan_one(self, series: int, time: int, value: float) -> PointAddition | None:
        """Prepare to add a point; None where the series has one of that time."""
        block, place = self._points.find_one(series, time)
        if place >= 0:
            return None
        point = self._points.plan_one(series, time, block, value)
        number = time // QUARTER_HOUR
        at = self._sums.find_one(series, number)
        if at[1] < 0:
            return point, self._sums.plan_one(series, number, at[0], 1, value, 0.0), at, (0.0, 0.0)
        _, highs, lows = self._sums.columns
        return point, None, at, add_to_pair(highs.item(at), lows.item(at), value)

    def commit_one(self, addition: PointAddition) -> None:
        """Add the point of a plan."""
        point, new_sum, at, pair = addition
        self._points.commit_one(point)
        if new_sum is not None:
            self._sums.commit_one(new_sum)
            return
        counts, highs, lows = self._sums.columns
        counts[at] += 1
        highs[at], lows[at] = pair

    def find(self, series: Integers, times: Integers) -> tuple[Integers, Integers]:
        """Return, for each time in a series, its block and its place there; -1 where there is no point."""
        return self._points.find(series, times)

    def plan(self, series: Integers, times: Integers, blocks: Integers, values: Floats) -> PointsAddition:
        """Prepare to add points, sorted by series and time, that their series lack, to the blocks that `find` tells."""
        points = self._points.plan(series, times, blocks, values)
        numbers = times // QUARTER_HOUR
        starts = run_starts(series, numbers)
        sums = grouped_sums(values, starts)
        added = BucketSums(numbers[starts], run_lengths(starts, len(times)), *sums, np.zeros(len(starts)))
        owners = series[starts]
        homes, places = self._sums.find(owners, added.numbers)
        known = places >= 0
        at = homes[known], places[known]
        counts, highs, lows = self._sums.columns
        pair = add_to_pair(highs[at], lows[at], added.highs[known])
        pair = add_to_pair(*pair, added.lows[known])
        changes = Changes(*at, (counts[at] + added.counts[known], *pair))
        new_sums = None
        if not known.all():
            new = ~known
            cells = (column[new] for column in added[1:4])
            new_sums = self._sums.plan(owners[new], added.numbers[new], homes[new], *cells, changes=changes)
        return PointsAddition(points, new_sums, changes)

    def commit(self, addition: PointsAddition) -> None:
        """Add the points of a plan."""
        self._points.commit(addition.points)
        counts, highs, lows = self._sums.columns
        blocks, places, cells = addition.changes
        counts[blocks, places], highs[blocks, places], lows[blocks, places] = cells
        if addition.new_sums is not None:
            self._sums.commit(addition.new_sums)

    def plan_cut(self, series: Integers, time: int) -> PointsCut:
        """Prepare to forget the points before a time, the start of a quarter-hour, of series that have some there.

        O(series * log n + blocks that are left).
        """
        return PointsCut(self._points.plan_cut(series, time), self._sums.plan_cut(series, time // QUARTER_HOUR))

    def commit_cut(self, cut: PointsCut) -> None:
        """Forget the points of a plan, and let their blocks be used again."""
        self._points.commit_cut(cut.points)
        self._sums.commit_cut(cut.sums)

    def points(self, series: Sequence[int] | Integers, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the times and values of points with start <= time < stop, series by series.

        Those of one series are almost in order. O(log n for each series + points copied).
        """
        times, values = self._points.read(series, start, stop)
        return times, values

    def sums(self, series: Sequence[int] | Integers, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours with start <= number < stop, series by series; those of a series almost in order."""
        numbers, counts, highs, lows = self._sums.read(series, start, stop)
        # Unless there is one value alone, nothing tells what was lost: its points decide.
        errors = np.where(counts == 1, 0.0, np.inf)
        return BucketSums(numbers, counts, highs, lows, errors)

    def first_points(self, series: Integers, start: int, stop: int, count: int) -> tuple[Integers, Integers, Floats]:
        """Copy of each series the first `count` points with start <= time < stop, or some more.

        Columns: where in `series` the point's series stands, times, values; in any order.
        """
        owners, times, values = self._points.read_first(series, start, stop, count)
        return owners, times, values

    def points_from(self, series: int, start: int) -> Iterator[tuple[int, float]]:
        """Yield the points of a series at and after `start`, oldest first."""
        return self._points.items_from(series, start)

    def before(self, series: int, time: int) -> int:
        """Return the time of the last point of a series before `time`, or -1."""
        return self._points.before(series, time)

    def _check(self) -> None:
        self._points._check()
        self._sums._check()
        for number in np.flatnonzero(self.counts).tolist():
            points = list(self.points_from(number, 0))
            times = np.array([time for time, _ in points])
            numbers, starts = np.unique(times // QUARTER_HOUR, return_index=True)
            values = np.array([value for _, value in points])
            kept = sorted(zip(*(column.tolist() for column in self.sums([number], 0, 2**62)), strict=True))
            assert [row[:2] for row in kept] == list(
                zip(numbers.tolist(), np.diff(starts, append=len(times)).tolist(), strict=True)
            )
            exact, _ = grouped_sums(values, starts)
            assert np.allclose([row[2] for row in kept], exact, rtol=1e-12, atol=np.max(np.abs(values)) * 1e-12)
        assert ((self.counts == 0) == (self._sums.counts == 0)).all()
