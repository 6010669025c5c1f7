"""Views of the series of one device or user: what they were when the view was opened.

Knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import NamedTuple, TypeVar

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


class Guarded(NamedTuple):
    """A store's lock and what it guards."""

    lock: Lock
    pool: SeriesPool
    names: SeriesNames
    busy: BusySeries


class SeriesView:
    """The series of one device or user, ordered by the other key, as they were when the view was opened.

    The lock is free between reads, and between portions of long ones. Points that were added behind the last one of
    their series meanwhile are left out; any other change of a series raises ViewChangedError when it is read. Of some
    thousand series, each is seen as it was at one moment, but not all at the same.
    """

    def __init__(self, guarded: Guarded, series: Integers, births: Integers) -> None:
        """Take series and their serial numbers (`births_of`); then `open_next` is called until it returns False."""
        self._guarded = guarded
        self._series = series
        self._births = births
        #: What the pool's count of changes was when the view was opened: as long as it is, nothing need be compared.
        self._changes = guarded.pool.changes
        self._opened = 0
        self._counts = np.empty(len(series), dtype=np.int64)
        self._lates = np.empty(len(series), dtype=np.int64)
        self._lasts = np.empty(len(series), dtype=np.int64)
        #: The time of the oldest point.
        self.first = BEYOND

    @property
    def last(self) -> int:
        """The time of the newest point. O(series)."""
        return int(self._lasts.max())

    @classmethod
    def of_many(cls, guarded: Guarded, axis: Axis, key: str, series: Integers) -> SeriesView:
        """Open a view of thousands of series that a device or user has. The lock is not held."""
        place = AXES.index(axis)
        others: list[str] = []
        births: list[Integers] = []
        for begin in range(0, len(series), SERIES_AT_ONCE):
            some = series[begin : begin + SERIES_AT_ONCE]
            with guarded.lock:
                pairs = [guarded.names.pairs[number] for number in some.tolist()]
                births.append(guarded.names.births_of(some))
            if any(pair[place] != key for pair in pairs):
                raise ViewChangedError
            others += [pair[1 - place] for pair in pairs]
            give_way()
        order = np.concatenate([np.array(places, dtype=np.int64) for places in places_in_order(others)])
        release(others)
        view = cls(guarded, series[order], np.concatenate(births)[order])
        more = True
        while more:
            with guarded.lock:
                more = view.open_next(SERIES_AT_ONCE)
            give_way()
        return view

    def open_next(self, at_most: int) -> bool:
        """Note what the next series are like; return whether there are more. The lock is held."""
        pool, begin = self._guarded.pool, self._opened
        part = slice(begin, begin + at_most)
        some = self._series[part]
        if pool.changes != self._changes:
            self._guarded.busy.wait_until_free(some)
            self._refuse_other(part)
        self._counts[part], self._lates[part], self._lasts[part] = pool.counts[some], pool.lates[some], pool.lasts[some]
        self.first = min(self.first, int(pool.firsts[some].min()))
        self._opened = begin + len(some)
        return self._opened < len(self._series)

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`, if any. O(series * log n)."""
        found = [
            np.minimum(times, self._lasts[part]).max(initial=NONE)
            for part, times in self._each(lambda part: self._guarded.pool.lasts_before(self._series[part], time))
        ]
        return None if max(found) == NONE else int(max(found))

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`, if any. O(series * log n)."""
        found = []
        for part, (owners, times, _) in self._each(
            lambda part: self._guarded.pool.first_points(self._series[part], time, BEYOND, 1)
        ):
            found.append(times[times <= self._lasts[part][owners]].min(initial=BEYOND))
        return None if min(found) == BEYOND else int(min(found))

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours that begin in start <= time < stop, of every series. O(what is copied)."""
        low, high = -(-start // QUARTER_HOUR), -(-stop // QUARTER_HOUR)
        parts = [sums for _, sums in self._each(lambda part: self._sums_of(part, low, high))]
        return joined(parts)

    def points(self, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop: two columns, series by series. O(what is copied)."""
        if len(self._series) == 1:
            stop = min(stop, self.last + 1)
        if self._counts.sum() > POINTS_AT_ONCE:
            leave_loop()
        parts = list(self._portions_of_points(start, stop))
        if len(parts) == 1:
            return parts[0]
        times, values = zip(*parts, strict=True)
        return np.concatenate(times), np.concatenate(values)

    def _portions_of_points(self, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """Yield the points of some series at a time, or some points of a long one."""
        for part in self._parts():
            at, more = start, True
            while more:
                with self._guarded.lock:
                    self._refuse_changed(part)
                    owners, times, values = self._guarded.pool.first_points(
                        self._series[part], at, stop, POINTS_AT_ONCE
                    )
                    grown = self._grown(part)
                more = part.stop - part.start == 1 and len(times) == POINTS_AT_ONCE
                if grown:
                    there = times <= self._lasts[part][owners]
                    times, values = times[there], values[there]
                if more:
                    at = int(times[-1]) + 1 if len(times) else stop
                if more or part.stop < len(self._series):
                    give_way()
                yield times, values

    def _sums_of(self, part: slice, low: int, high: int) -> BucketSums:
        """Copy the quarter-hours low <= number < high of some series. The lock is held."""
        pool, some = self._guarded.pool, self._series[part]
        if not self._grown(part):
            return pool.sums(some, low, high)
        found = []
        for one, last in zip(np.split(some, len(some)), self._lasts[part].tolist(), strict=True):
            number = last // QUARTER_HOUR
            found.append(pool.sums(one, low, min(high, number)))
            if low <= number < high:
                found.append(pool.sum_up_to(one, last))
        return joined(found)

    def _parts(self) -> Iterator[slice]:
        """Yield the series in portions: so many that they have some hundred thousand points, or one that has more."""
        sizes = np.maximum(self._counts, POINTS_AT_ONCE // SERIES_AT_ONCE)
        long = sizes >= POINTS_AT_ONCE
        apart = (np.diff(np.cumsum(sizes) // POINTS_AT_ONCE) > 0) | long[1:] | long[:-1]
        ends = [*(np.flatnonzero(apart) + 1).tolist(), len(sizes)]
        for begin, end in zip([0, *ends], ends, strict=False):
            yield slice(begin, end)

    def _each(self, look: Callable[[slice], T]) -> Iterator[tuple[slice, T]]:
        """Yield portions of the series with what is found there while the lock is held."""
        for part in self._parts():
            with self._guarded.lock:
                self._refuse_changed(part)
                found = look(part)
            if part.stop < len(self._series):
                give_way()
            yield part, found

    def _grown(self, part: slice) -> bool:
        """Return whether a series has points behind those that it had. The lock is held."""
        pool = self._guarded.pool
        return pool.changes != self._changes and bool((pool.counts[self._series[part]] != self._counts[part]).any())

    def _refuse_changed(self, part: slice) -> None:
        """Raise ViewChangedError unless the series are what they were, but for what was added behind."""
        if self._guarded.pool.changes == self._changes:
            return
        some = self._series[part]
        self._guarded.busy.wait_until_free(some)
        self._refuse_other(part)
        if (self._guarded.pool.lates[some] != self._lates[part]).any():
            raise ViewChangedError

    def _refuse_other(self, part: slice) -> None:
        """Raise ViewChangedError if a series has gone, and perhaps another has its number."""
        some = self._series[part]
        if (self._guarded.pool.counts[some] == 0).any():
            raise ViewChangedError
        if (self._guarded.names.births_of(some) != self._births[part]).any():
            raise ViewChangedError


def joined(parts: list[BucketSums]) -> BucketSums:
    """Return the rows of all parts; those of a single one are not copied."""
    return parts[0] if len(parts) == 1 else BucketSums(*map(np.concatenate, zip(*parts, strict=True)))
