"""Views of the series of one device or user: read at once, or in portions if there are many.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

import numpy as np

from datapoints.interface import AXES, QUARTER_HOUR, Axis, BucketSums, ViewChangedError
from datapoints.memory.names import SeriesNames
from datapoints.memory.series import SeriesPool
from timeseries_project.core.block_kernels import BEYOND, NONE
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.key_order import places_in_order, release
from timeseries_project.core.offload import give_way, leave_loop
from timeseries_project.core.summation import Floats, Integers

T = TypeVar("T")

#: The numbers of series and of points read at once while the store's lock is held, which takes a few milliseconds.
SERIES_AT_ONCE = 1024
POINTS_AT_ONCE = 131_072


class SeriesView:
    """The series of one device or user, ordered by the other key; valid while the store's lock is held."""

    def __init__(self, pool: SeriesPool, series: Integers) -> None:
        self._pool = pool
        self._series = series

    @property
    def first(self) -> int:
        """The time of the oldest point. O(series)."""
        return int(self._pool.firsts[self._series].min())

    @property
    def last(self) -> int:
        """The time of the newest point. O(series)."""
        return int(self._pool.lasts[self._series].max())

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`, if any. O(series * log n)."""
        last = self._pool.last_before(self._series, time)
        return None if last == NONE else last

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`, if any. O(series * log n)."""
        _, times, _ = self._pool.first_points(self._series, time, BEYOND, 1)
        return int(times.min()) if len(times) else None

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours that begin in start <= time < stop, of every series. O(what is copied)."""
        return self._pool.sums(self._series, -(-start // QUARTER_HOUR), -(-stop // QUARTER_HOUR))

    def points(self, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop: two columns, series by series. O(what is copied)."""
        if self._pool.counts[self._series].sum() > POINTS_AT_ONCE:
            leave_loop()
        return self._pool.points(self._series, start, stop)


class PortionedView:
    """The same for many series: they are read in portions, and the store's lock is free in between.

    Each series is read as it was at one moment. ViewChangedError if a series was deleted since the view was opened, or
    got a point older than all of the view.
    """

    def __init__(
        self, pool: SeriesPool, names: SeriesNames, busy: BusySeries, lock: Lock, series: Integers, births: Integers
    ) -> None:
        """Take series and their serial numbers (`births_of`). The lock is not held; may raise ViewChangedError."""
        self._pool = pool
        self._names = names
        self._busy = busy
        self._lock = lock
        self._series = series
        self._births = births
        self.first = 0
        reach = self._each(lambda some: (pool.firsts[some], pool.lasts[some], pool.counts[some]), SERIES_AT_ONCE)
        firsts, lasts, counts = map(np.concatenate, zip(*reach, strict=True))
        #: The times of the oldest point and of the newest one.
        self.first, self.last = int(firsts.min()), int(lasts.max())
        self._sizes = np.maximum(counts, POINTS_AT_ONCE // SERIES_AT_ONCE)

    @classmethod
    def of(
        cls,
        pool: SeriesPool,
        names: SeriesNames,
        busy: BusySeries,
        lock: Lock,
        axis: Axis,
        key: str,
        series: Integers,
    ) -> PortionedView:
        """Open a view of the series that a device or user has, by the other key. The lock is not held."""
        place = AXES.index(axis)
        others: list[str] = []
        births: list[Integers] = []
        for begin in range(0, len(series), SERIES_AT_ONCE):
            some = series[begin : begin + SERIES_AT_ONCE]
            with lock:
                pairs = [names.pairs[number] for number in some.tolist()]
                births.append(names.births_of(some))
            if any(pair[place] != key for pair in pairs):
                raise ViewChangedError
            others += [pair[1 - place] for pair in pairs]
            give_way()
        order = np.concatenate([np.array(places, dtype=np.int64) for places in places_in_order(others)])
        release(others)
        return cls(pool, names, busy, lock, series[order], np.concatenate(births)[order])

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`, if any. O(series * log n)."""
        found = self._each(lambda some: self._pool.last_before(some, time))
        return None if max(found) == NONE else max(found)

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`, if any. O(series * log n)."""
        found = self._each(lambda some: self._pool.first_points(some, time, BEYOND, 1)[1].min(initial=BEYOND))
        first = int(min(found))
        return None if first == BEYOND else first

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours that begin in start <= time < stop, of every series. O(what is copied)."""
        low, high = -(-start // QUARTER_HOUR), -(-stop // QUARTER_HOUR)
        parts = self._each(lambda some: self._pool.sums(some, low, high))
        return BucketSums(*map(np.concatenate, zip(*parts, strict=True)))

    def points(self, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop: two columns, series by series. O(what is copied)."""
        times, values = zip(*self._each(lambda some: self._pool.points(some, start, stop)), strict=True)
        return np.concatenate(times), np.concatenate(values)

    def _each(self, look: Callable[[Integers], T], at_once: int = 0) -> list[T]:
        """Read each portion of the series while the lock is held; return the results."""
        if at_once:
            ends = np.arange(at_once, len(self._series), at_once)
        else:
            ends = np.flatnonzero(np.diff(np.cumsum(self._sizes) // POINTS_AT_ONCE)) + 1
        found = []
        for begin, end in zip([0, *ends.tolist()], [*ends.tolist(), len(self._series)], strict=True):
            with self._lock:
                some = self._series[begin:end]
                self._busy.wait_until_free(some)
                self._refuse_changed(some, begin)
                found.append(look(some))
            give_way()
        return found

    def _refuse_changed(self, some: Integers, begin: int) -> None:
        """Raise ViewChangedError unless these are still the series with which the view was opened."""
        firsts, births = self._pool.firsts[some], self._births[begin : begin + len(some)]
        if (firsts == BEYOND).any() or (firsts < self.first).any() or (self._names.births_of(some) != births).any():
            raise ViewChangedError
