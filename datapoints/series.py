"""Series of datapoints in memory: sorted columns of points, and their sum in each quarter-hour.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from datapoints.sorted_pages import SortedPages
from timeseries_project.columns import run_lengths, run_starts
from timeseries_project.summation import Floats, Integers, add_to_pair, grouped_sums

#: The bucket whose sums are kept as points arrive; its multiples are built from these.
QUARTER_HOUR = 15 * 60 * 1_000_000

#: Wide pages waste room in short series, narrow ones take more entries in the directories of long ones.
POINTS_IN_PAGE = 24
SUMS_IN_PAGE = 4


class BucketSums(NamedTuple):
    """Quarter-hours of one or more series, side by side: `high + low` is the sum of `counts` values each.

    One row per series and non-empty quarter-hour, so a quarter-hour may occur once per series.
    """

    numbers: Integers
    counts: Integers
    highs: Floats
    lows: Floats


class SeriesPool:
    """The points of any number of series, each known by a number from 0. For costs see `SortedPages`."""

    def __init__(self) -> None:
        self._points = SortedPages(POINTS_IN_PAGE, np.float64)
        self._sums = SortedPages(SUMS_IN_PAGE, np.int64, np.float64, np.float64)

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

    def add(self, series: int, time: int, value: float) -> bool:
        """Add a point unless the series has one of that time; return whether it was added."""
        page, place = self._points.find_one(series, time)
        if place >= 0:
            return False
        self._points.add_one(series, time, page, value)
        number = time // QUARTER_HOUR
        page, place = self._sums.find_one(series, number)
        if place < 0:
            self._sums.add_one(series, number, page, 1, value, 0.0)
            return True
        counts, highs, lows = self._sums.columns
        counts[page, place] += 1
        highs[page, place], lows[page, place] = add_to_pair(highs.item(page, place), lows.item(page, place), value)
        return True

    def find(self, series: Integers, times: Integers) -> tuple[Integers, Integers]:
        """Return, for each time in a series, the page it belongs to and its place there; -1 where there is no point."""
        return self._points.find(series, times)

    def add_sorted(self, series: Integers, times: Integers, values: Floats, pages: Integers) -> None:
        """Add points, sorted by series and time, that their series lack, to the pages that `find` tells."""
        self._points.add(series, times, pages, values)
        numbers = times // QUARTER_HOUR
        starts = run_starts(series, numbers)
        counts = run_lengths(starts, len(times))
        self._add_sums(series[starts], BucketSums(numbers[starts], counts, *grouped_sums(values, starts)))

    def _add_sums(self, series: Integers, sums: BucketSums) -> None:
        pages, places = self._sums.find(series, sums.numbers)
        known = places >= 0
        at = pages[known], places[known]
        counts, highs, lows = self._sums.columns
        counts[at] += sums.counts[known]
        pair = add_to_pair(highs[at], lows[at], sums.highs[known])
        highs[at], lows[at] = add_to_pair(*pair, sums.lows[known])
        if not known.all():
            self._sums.add(series[~known], sums.numbers[~known], pages[~known], *(c[~known] for c in sums[1:]))

    def drop(self, series: Integers) -> None:
        """Empty these series. O(their pages)."""
        self._points.drop(series)
        self._sums.drop(series)

    def points(self, series: Sequence[int], start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the times and values of points with start <= time < stop, series by series.

        Those of one series are almost in order. O(log n for each series + points copied).
        """
        times, values = self._points.read(series, start, stop)
        return times, values

    def sums(self, series: Sequence[int], start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours numbered start <= number < stop, in the same way."""
        return BucketSums(*self._sums.read(series, start, stop))

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
