"""Where all series are: found by device and by user, read and changed under one lock.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from operator import itemgetter

import numpy as np

from datapoints.names import Pair, SeriesNames
from datapoints.page_plans import LARGEST
from datapoints.protocol import (
    AXES,
    QUARTER_HOUR,
    Axis,
    BucketSums,
    DuplicatePointsError,
    FullError,
    KeySummary,
    Point,
    Totals,
)
from datapoints.series import SeriesPool
from timeseries_project.columns import Keys, find_keys, run_lengths, run_starts, stable_order
from timeseries_project.summation import Floats, Integers

#: The number of a series that is not there yet.
UNKNOWN = -1

#: What dropping old points costs a request at most: series that are looked at, and that are dropped from.
LOOKED_AT = 4096
DROPPED_FROM = 256


class SeriesView:
    """The series of one device or user, ordered by the other key; valid while the store's lock is held."""

    def __init__(self, pool: SeriesPool, series: list[int]) -> None:
        self._pool = pool
        self._series = series

    @property
    def first(self) -> int:
        """The time of the oldest point. O(series)."""
        return min(map(self._pool.firsts.item, self._series))

    @property
    def last(self) -> int:
        """The time of the newest point. O(series)."""
        return max(map(self._pool.lasts.item, self._series))

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`, if any. O(series * log n)."""
        last = max(self._pool.before(series, time) for series in self._series)
        return None if last < 0 else last

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`, if any. O(series * log n)."""
        times = (point[0] for series in self._series for point in islice(self._pool.points_from(series, time), 1))
        return min(times, default=None)

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours that begin in start <= time < stop, of every series. O(what is copied)."""
        return self._pool.sums(self._series, -(-start // QUARTER_HOUR), -(-stop // QUARTER_HOUR))

    def points(self, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop: two columns, series by series. O(what is copied)."""
        return self._pool.points(self._series, start, stop)


class SeriesStore:
    """All series of the process, by device and user, in one pool: at most so many points, and so many series.

    Every method takes the one lock for as long as it reads or changes series; what is computed from them is
    computed outside. A method that fails has changed nothing.

    Those that are given `oldest`, the start of a quarter-hour, answer as if no point before it had ever been
    stored. They drop such points as they come across them, and whatever they are asked, of a few series more: a
    store of some thousand series is always clean, and a larger one becomes so over some requests.
    """

    def __init__(self, *, max_points: int = LARGEST, max_series: int = LARGEST) -> None:
        self.max_points = max_points
        self.max_series = max_series
        self._lock = threading.Lock()
        self._added = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        empty = SeriesPool(), SeriesNames()
        with self._lock:
            self._pool, self._names = empty
            self._points = 0
            #: Up to which series points before which time were dropped.
            self._swept, self._swept_to = 0, 0

    def add(self, time: int, value: float, device: str, user: str, *, oldest: int = 0) -> bool:
        """Add one point; return False, and change nothing, where there is one. See `SortedPages` for costs.

        One before `oldest` is added and dropped at once. FullError where there is no room for it.
        """
        pair = (device, user)
        with self._lock:
            if oldest:
                self._sweep(oldest)
                if time < oldest:
                    self._added += 1
                    return True
            series = self._names.numbers.get(pair, UNKNOWN)
            if series == UNKNOWN:
                self._add_to_new(pair, time, value)
                return True
            addition = self._pool.plan_one(series, time, value)
            if addition is None:
                return False
            if self._points >= self.max_points:
                raise FullError("points", self.max_points)
            self._pool.commit_one(addition)
            self._points += 1
            self._added += 1
        return True

    def _add_to_new(self, pair: Pair, time: int, value: float) -> None:
        """Add one point of a device and user that have none; the lock is held."""
        self._refuse_too_many(1, 1)
        [series] = self._vacant(1)
        try:
            self._names.enter(series, pair)
            addition = self._pool.plan_one(series, time, value)
            assert addition is not None
        except BaseException:
            self._names.withdraw([(series, pair)])
            raise
        self._names.commit_entered(1)
        self._pool.commit_one(addition)
        self._points += 1
        self._added += 1

    def add_batch(
        self,
        times: Integers,
        values: Floats,
        devices: Sequence[str] | Keys,
        users: Sequence[str] | Keys,
        *,
        skip_duplicates: bool = False,
        oldest: int = 0,
    ) -> int:
        """Add points in any order, all or none; return how many were added.

        Of equal points the first wins where duplicates are skipped; otherwise any duplicate, inside the batch
        or of a stored point, raises DuplicatePointsError. Those before `oldest` are added and dropped at once, so
        none of them is a duplicate. FullError where there is no room for what is new. O(n), and `SortedPages` beyond.
        """
        devices, users = Keys.of(devices), Keys.of(users)
        codes = devices.codes * len(users.names) + users.codes
        order = stable_order(times, codes)
        if oldest and len(times) and times.min() < oldest:
            order = order[times[order] >= oldest]
        expired = len(times) - len(order)
        times, values, codes = times[order], values[order], codes[order]
        starts = run_starts(codes) if len(codes) else codes
        places = zip(*(column.tolist() for column in np.divmod(codes[starts], len(users.names))), strict=True)
        pairs = [(devices.names[device], users.names[user]) for device, user in places]
        with self._lock:
            if oldest:
                self._sweep(oldest)
            if not len(times):
                self._added += expired
                return expired
            numbers, new = self._number(pairs)
            series = np.repeat(numbers, run_lengths(starts, len(times)))
            pages, at = self._pool.find(series, times)
            duplicate = at >= 0
            duplicate[1:] |= (times[1:] == times[:-1]) & (series[1:] == series[:-1])
            if duplicate.any():
                if not skip_duplicates:
                    raise DuplicatePointsError(order[duplicate])
                kept = ~duplicate
                series, times, values, pages = series[kept], times[kept], values[kept], pages[kept]
            added = len(times)
            if added:
                self._refuse_too_many(added, len(new))
                self._add_sorted(series, times, pages, values, new)
            self._added += added + expired
        return added + expired

    def _add_sorted(
        self, series: Integers, times: Integers, pages: Integers, values: Floats, new: list[tuple[int, Pair]]
    ) -> None:
        """Add points that their series lack, and these series where they are new; the lock is held."""
        try:
            for number, pair in new:
                self._names.enter(number, pair)
            addition = self._pool.plan(series, times, pages, values)
            points, entered = self._points + len(times), len(new)
        except BaseException:
            self._names.withdraw(new)
            raise
        self._names.commit_entered(entered)
        self._pool.commit(addition)
        self._points = points

    def _refuse_too_many(self, points: int, series: int) -> None:
        """Raise FullError if there is no room for so many more."""
        if self._points + points > self.max_points:
            raise FullError("points", self.max_points)
        if series and len(self._names.numbers) + series > self.max_series:
            raise FullError("series", self.max_series)

    def _number(self, pairs: list[Pair]) -> tuple[Integers, list[tuple[int, Pair]]]:
        """Return the series of distinct pairs, and of those that are new which will be theirs when they enter."""
        numbers = np.array([self._names.numbers.get(pair, UNKNOWN) for pair in pairs], dtype=np.int64)
        missing = np.flatnonzero(numbers == UNKNOWN)
        if not len(missing):
            return numbers, []
        vacant = self._vacant(len(missing))
        numbers[missing] = vacant
        return numbers, [(number, pairs[i]) for number, i in zip(vacant, missing.tolist(), strict=True)]

    def _vacant(self, count: int) -> list[int]:
        """Return so many numbers that no series has, and make room for these."""
        numbers = self._names.vacant(count)
        self._pool.reserve(max(numbers) + 1)
        return numbers

    def _cut(self, series: Integers, time: int) -> int:
        """Forget the points before a time of series that have some there; return how many. The lock is held."""
        cut = self._pool.plan_cut(series, time)
        gone = cut.points
        self._names.make_room(len(gone.numbers))
        self._pool.commit_cut(cut)
        self._names.commit_leave(gone.numbers, gone.gone)
        self._points -= gone.removed
        return gone.removed

    def _sweep(self, oldest: int) -> None:
        """Drop the points before `oldest` of a few series, those after the ones of the last time. The lock is held."""
        if oldest != self._swept_to:
            self._swept, self._swept_to = 0, oldest
        begin, firsts = self._swept, self._pool.firsts
        if begin >= len(firsts):
            return
        behind = begin + np.flatnonzero(firsts[begin : begin + LOOKED_AT] < oldest)
        end = begin + LOOKED_AT
        if len(behind) > DROPPED_FROM:
            behind = behind[:DROPPED_FROM]
            end = int(behind[-1]) + 1
        if len(behind):
            self._cut(behind, oldest)
        self._swept = end

    def _settle(self, oldest: int, axis: Axis | None = None, key: str = "") -> None:
        """Drop all points before `oldest`, of one device or user or of every one. The lock is held."""
        if not oldest:
            return
        self._sweep(oldest)
        firsts = self._pool.firsts
        if self._swept >= len(firsts):
            return
        if axis is None:
            behind = np.flatnonzero(firsts < oldest)
        else:
            series = np.array(self._names.members[axis].get(key, ()), dtype=np.int64)
            behind = series[firsts[series] < oldest]
        if len(behind):
            self._cut(behind, oldest)

    def delete(self, axis: Axis, key: str, *, oldest: int = 0) -> int:
        """Forget all points of a device or of a user; return how many there were. O(its series and their pages)."""
        with self._lock:
            self._settle(oldest, axis, key)
            return self._cut(np.array(self._names.members[axis].get(key, ()), dtype=np.int64), LARGEST)

    @contextmanager
    def view(self, axis: Axis, key: str, *, oldest: int = 0, ahead: range | None = None) -> Iterator[SeriesView]:
        """Hold the lock and read one device's or user's series; KeyError if it has none."""
        with self._lock:
            self._settle(oldest, axis, key)
            series = self._names.members[axis][key].tolist()
            if len(series) > 1:
                other = 1 - AXES.index(axis)
                series.sort(key=lambda number: self._names.pairs[number][other])
            yield SeriesView(self._pool, series)

    def keys(
        self, axis: Axis, search: str | None = None, limit: int | None = None, *, oldest: int = 0
    ) -> list[KeySummary]:
        """Return devices or users with their count and first and last time, by key.

        Only those that contain a text, in upper or lower case, and so many at most. O(keys + series of those).
        """
        with self._lock:
            self._settle(oldest)
            keys: Sequence[str] = list(self._names.members[axis])
        keys = find_keys(keys, search, limit)
        with self._lock:
            members = self._names.members[axis]
            keys = [key for key in keys if key in members]
            return self._summaries(axis, keys) if keys else []

    def key(self, axis: Axis, key: str, *, oldest: int = 0) -> KeySummary:
        """Return the summary of one device or user; KeyError if it has no points. O(its series)."""
        with self._lock:
            self._settle(oldest, axis, key)
            if key not in self._names.members[axis]:
                raise KeyError(key)
            [summary] = self._summaries(axis, [key])
        return summary

    def _summaries(self, axis: Axis, keys: list[str]) -> list[KeySummary]:
        groups = [self._names.members[axis][key] for key in keys]
        series = np.frombuffer(b"".join(groups), dtype=np.int32)
        lengths = np.fromiter(map(len, groups), dtype=np.int64, count=len(groups))
        starts = np.cumsum(lengths) - lengths
        columns = (
            np.add.reduceat(self._pool.counts[series], starts),
            np.minimum.reduceat(self._pool.firsts[series], starts),
            np.maximum.reduceat(self._pool.lasts[series], starts),
        )
        return list(map(KeySummary, keys, *(column.tolist() for column in columns)))

    def totals(self, *, oldest: int = 0) -> Totals:
        """Return how much is stored, and in a large store what is yet to be dropped. O(1)."""
        with self._lock:
            if oldest:
                self._sweep(oldest)
            devices, users = (len(self._names.members[axis]) for axis in AXES)
            return Totals(devices, users, len(self._names.numbers), self._points, self._pool.nbytes, self._added)

    def page(
        self,
        *,
        device: str | None,
        user: str | None,
        start: int,
        end: int | None,
        after: tuple[int, str, str] | None,
        limit: int,
        oldest: int = 0,
    ) -> list[Point]:
        """Return up to `limit` points by time, device and user: those in [start, end) and beyond `after`.

        O(series that match * log n + limit * log series).
        """
        start = max(start, oldest)
        if after is not None:
            start = max(start, after[0])
        with self._lock:
            if oldest:
                self._sweep(oldest)
            points = merge(*(self._points_from(number, start) for number in self._matching(device, user, start)))
            wanted = (point for point in points if after is None or (point.timestamp, point.device, point.user) > after)
            page = list(islice(wanted, limit))
        return page if end is None else page[: bisect_left(page, end, key=itemgetter(0))]

    def _points_from(self, number: int, start: int) -> Iterator[Point]:
        device, user = self._names.pairs[number]
        for time, value in self._pool.points_from(number, start):
            yield Point(time, device, user, value)

    def _matching(self, device: str | None, user: str | None, start: int) -> list[int]:
        """Return the series of a device, of a user, of both or of all that have points at or after `start`."""
        if device is not None and user is not None:
            numbers: Collection[int] = (
                [self._names.numbers[device, user]] if (device, user) in self._names.numbers else []
            )
        elif device is not None:
            numbers = self._names.members["device"].get(device, ())
        elif user is not None:
            numbers = self._names.members["user"].get(user, ())
        else:
            numbers = self._names.numbers.values()
        return [number for number in numbers if self._pool.lasts.item(number) >= start]

    def _check(self) -> None:
        assert not self._lock.locked()
        self._pool._check()
        assert set(self._names.numbers.values()) == set(np.flatnonzero(self._pool.counts).tolist())
        assert self._points == self._pool.counts.sum()
        self._names._check()
