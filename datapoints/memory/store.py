"""The store of datapoints in memory: all series by device and by user, read and changed under one lock.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from datapoints.interface import (
    AXES,
    Axis,
    DuplicatePointsError,
    FullError,
    KeySummary,
    OnDuplicate,
    Point,
    PointColumns,
    Totals,
    View,
    Wanted,
)
from datapoints.memory.copied import Copied
from datapoints.memory.first_points import read_listing
from datapoints.memory.grouping import GroupedPoints, grouped
from datapoints.memory.key_summaries import SERIES_SUMMED_UP, first_of, summed_up
from datapoints.memory.large_batch import POINTS_AT_ONCE, ROWS_AT_ONCE, LargeBatch
from datapoints.memory.large_deletion import LargeDeletion, is_large
from datapoints.memory.names import UNKNOWN, Pair, SeriesNames
from datapoints.memory.newest_point import NewestPoint
from datapoints.memory.outlines import Outlining
from datapoints.memory.series import Rows, SeriesPool
from datapoints.memory.series_view import Guarded, SeriesView
from datapoints.memory.versions import Versioned
from timeseries_project.core.arrays import Keys, gathered, matching
from timeseries_project.core.block_kernels import BEYOND
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.summation import Floats, Integers

#: Series, or keys, that are read while the lock is held; if there are more, it is released in between.
AT_ONCE = 2048


class SeriesStore(Copied, Outlining, Versioned):
    """All series of the process, by device and user, in one pool of limited size. Thread-safe.

    Every method holds the one lock while it reads or changes series, and computes results outside. Up to some thousand
    series or rows are read or changed in one step; more in portions, so that nobody waits for the lock for more than a
    few milliseconds. Of many series, each is then seen at one moment, but not all at the same; a large batch is seen
    whole or not at all. A method that fails has changed nothing, except for portions already dropped or deleted.

    Methods with the parameter `oldest`, the start of a quarter-hour, behave as if no point before it had ever been
    stored. They drop such points of the series that they use and, each time, of a few others: a store of some thousand
    series is always clean, and a larger one becomes clean over several requests.
    """

    def __init__(self, *, max_points: int = BEYOND, max_series: int = BEYOND) -> None:
        self.max_points = max_points
        self.max_series = max_series
        self._lock = threading.Lock()
        self._busy = BusySeries(self._lock)
        self._added = 0
        self._forget()

    def clear(self) -> None:
        """Forget everything."""
        with self._busy.large_write(), self._lock:
            self._forget()

    def _forget(self) -> None:
        guarded = Guarded(self._lock, SeriesPool(), SeriesNames(self._lock), self._busy)
        self._guarded, self._pool, self._names = guarded, guarded.pool, guarded.names
        self._points = 0
        #: How far the sweep has come: points before `_swept_to` were dropped from the first `_swept` series.
        self._swept, self._swept_to = 0, 0

    def add(self, time: int, value: float, device: str, user: str, *, oldest: int = 0) -> bool:
        """Add one point; return False, and change nothing, if it exists already. See `Blocks` for costs.

        A point before `oldest` is passed over. FullError if there is no room for it.
        """
        pair = (device, user)
        with self._lock:
            if oldest:
                self._sweep(oldest)
                if time < oldest:
                    return True
            series = self._names.numbers.get(pair, UNKNOWN)
            while series != UNKNOWN and self._busy.wait_until_free(series):
                series = self._names.numbers.get(pair, UNKNOWN)
            if series == UNKNOWN:
                self._add_to_new(pair, time, value)
                return True
            if self._points >= self.max_points:
                if self._pool.has(series, time):
                    return False
                raise FullError("points", self.max_points)
            if not self._pool.add_one(series, time, value):
                return False
            self._points += 1
            self._added += 1
        return True

    def _add_to_new(self, pair: Pair, time: int, value: float) -> None:
        """Add one point of a device and user that have none; the lock is held."""
        self._refuse_too_many(1, 1)
        [series] = self._names.vacant(1)
        self._pool.reserve(series + 1)
        try:
            self._names.enter(series, pair)
            self._pool.add_one(series, time, value)
        except BaseException:
            self._names.withdraw([(series, pair)])
            raise
        self._names.commit_entered(1)
        self._points += 1
        self._added += 1

    def add_batch(
        self,
        times: Integers,
        values: Floats,
        devices: Sequence[str] | Keys,
        users: Sequence[str] | Keys,
        *,
        on_duplicate: OnDuplicate = OnDuplicate.ERROR,
        oldest: int = 0,
    ) -> int:
        """Add points in any order, all or none; return how many are new.

        Of equal points the first wins where duplicates are skipped, and the last where they are replaced; otherwise any
        duplicate, inside the batch or of a stored point, raises DuplicatePointsError. Those before `oldest` are passed
        over. FullError where there is no room for what is new. O(n), and `Blocks` beyond; where values are replaced,
        also the points of their quarter-hours.
        """
        rows = grouped(times, values, Keys.of(devices), Keys.of(users), oldest)
        if on_duplicate is OnDuplicate.REPLACE:
            rows = rows.last_of_equal()
        if len(rows.times) <= ROWS_AT_ONCE:
            with self._lock:
                if oldest:
                    self._sweep(oldest)
                added = self._add_grouped(rows, on_duplicate) if len(rows.times) else 0
            if added is not None:
                return added
        with self._busy.large_write():
            return self._add_large(rows, on_duplicate)

    def _add_large(self, rows: GroupedPoints, on_duplicate: OnDuplicate) -> int:
        """Add those points of a large batch that are new, in portions; return how many."""
        with self._lock:
            batch = LargeBatch(self._pool, self._names, self._busy, self._lock, rows)
        try:
            entered = batch.enter()
            known = batch.look_up()
            if known.any():
                if on_duplicate is OnDuplicate.ERROR:
                    raise DuplicatePointsError(rows.places(known))
                if on_duplicate is OnDuplicate.REPLACE:
                    batch.replace(known)
                batch.keep(~known)
            added = len(batch.rows.times)
            batch.promise_room()
            with self._lock:
                self._refuse_too_many(added, entered, entered=entered)
                points, total = self._points + added, self._added + added
                self._points, self._added = points, total
        except BaseException:
            batch.withdraw()
            raise
        batch.commit()
        return added

    def _add_grouped(self, points: GroupedPoints, on_duplicate: OnDuplicate) -> int | None:
        """Add those points that are new; return how many, or None if it takes too long. The lock is held."""
        numbers, new = self._names.numbered(points.pairs)
        while self._busy.wait_until_free(numbers[numbers != UNKNOWN]):
            numbers, new = self._names.numbered(points.pairs)
        self._pool.reserve_for(new)
        rows = Rows.of(np.repeat(numbers, points.lengths), points.times, points.values)
        known = np.empty(len(rows.times), dtype=bool)
        replaced: Rows | None = None
        if self._pool.look_up(rows, known):
            if on_duplicate is OnDuplicate.ERROR:
                raise DuplicatePointsError(points.places(known))
            if on_duplicate is OnDuplicate.REPLACE:
                replaced = rows.where(known)
                if self._pool.beside(replaced) > POINTS_AT_ONCE:
                    return None
            rows = rows.where(~known)
        added = len(rows.times)
        if not added and replaced is None:
            return 0
        self._refuse_too_many(added, len(new))
        total, ever, entered = self._points + added, self._added + added, len(new)
        try:
            for number, pair in new:
                self._names.enter(number, pair)
            self._pool.make_room(self._pool.needed(rows))
        except BaseException:
            self._names.withdraw(new)
            raise
        self._names.commit_entered(entered)
        self._pool.commit_add(rows)
        if replaced is not None:
            self._pool.commit_replace(replaced)
        self._points, self._added = total, ever
        return added

    def _refuse_too_many(self, points: int, series: int, *, entered: int = 0) -> None:
        """Raise FullError if there is no room for so many more; `entered` of the series count already."""
        if self._points + points > self.max_points:
            raise FullError("points", self.max_points)
        if series and len(self._names.numbers) - entered + series > self.max_series:
            raise FullError("series", self.max_series)

    def delete(
        self,
        axis: Axis,
        key: str,
        *,
        other: str | None = None,
        start: int = 0,
        end: int | None = None,
        oldest: int = 0,
    ) -> int:
        """Delete the points of a device or user with start <= time < end; return how many there were.

        With `other` only those that it has in common with that user, or device. A large deletion is done in portions,
        and whoever needs one of its series waits until it is whole. O(series and blocks that go).
        """
        start, stop = max(start, oldest), BEYOND if end is None else min(end, BEYOND)
        self._drop_most_expired(axis, [key], oldest)
        with self._lock:
            series = self._common_series(axis, key, other)
            if len(series) <= AT_ONCE:
                self._drop_expired(series, oldest)
                series = self._common_series(axis, key, other)
            if not is_large(self._pool, series, start, stop):
                return self._remove(series, start, stop)
        with self._busy.large_write():
            with self._lock:
                series = self._common_series(axis, key, other)
                stretch = range(start, stop)
                deletion = LargeDeletion(self._pool, self._names, self._busy, self._lock, series, stretch)
            deletion.prepare()
            return self._commit_deletion(deletion)

    def _commit_deletion(self, deletion: LargeDeletion) -> int:
        removed = deletion.commit()
        with self._lock:
            self._points -= removed
        return removed

    def _common_series(self, axis: Axis, key: str, other: str | None) -> Integers:
        """Return the series of a device or user, or the one that it has in common with a user or device.

        As `_series`: once no large batch is being written to them. The lock is held.
        """
        if other is None:
            return self._series(axis, [key])
        pair = (key, other) if axis == "device" else (other, key)
        while True:
            number = self._names.numbers.get(pair, UNKNOWN)
            if number == UNKNOWN or not self._busy.wait_until_free(number):
                return np.array([number][: number != UNKNOWN], dtype=np.int64)

    @contextmanager
    def view(self, axis: Axis, key: str, *, oldest: int = 0, ahead: range | None = None) -> Iterator[View]:
        """Open the series of one device or user, all at one moment if they are few. KeyError if it has none."""
        self._drop_most_expired(axis, [key], oldest)
        with self._lock:
            self._drop_expired(self._series(axis, [key]), oldest)
            series = self._series(axis, [key])
            if not len(series):
                raise KeyError(key)
            guarded = self._guarded
            few = len(series) <= AT_ONCE
            if few:
                if len(series) > 1:
                    other = 1 - AXES.index(axis)
                    series = np.array(sorted(series.tolist(), key=lambda number: self._names.pairs[number][other]))
                births = self._names.births_of(series)
                view = SeriesView(guarded, series, births)
                view.open_next(len(series))
        if not few:
            leave_loop()
            view = SeriesView.of_many(guarded, axis, key, series)
        yield view

    def keys(
        self,
        axis: Axis,
        search: str | None = None,
        limit: int | None = None,
        *,
        after: str | None = None,
        oldest: int = 0,
    ) -> list[KeySummary]:
        """Return devices or users with their count and first and last time, by key. See `key_portions`."""
        return gathered(self.key_portions(axis, search, after=after, size=limit, oldest=oldest), limit)

    def key_portions(
        self,
        axis: Axis,
        search: str | None = None,
        *,
        after: str | None = None,
        size: int | None = None,
        oldest: int = 0,
    ) -> Iterator[list[KeySummary]]:
        """Yield the same in portions of `size` keys at most. O(keys looked at + series of those found)."""
        count = AT_ONCE if search is not None or size is None else min(size, AT_ONCE)
        names, more = self._names, True
        while more:
            keys, after = names.orders[axis].after(after, count, names.members[axis])
            more = after is not None
            if search is not None and more:
                leave_loop()
            keys = matching(keys, search)
            while keys:
                with self._lock:
                    end = first_of(names, axis, keys[: count if size is None else size])
                some, keys = keys[:end], keys[end:]
                self._drop_most_expired(axis, some, oldest)
                with self._lock:
                    self._drop_expired(self._series(axis, some), oldest)
                    some = [key for key in some if key in names.members[axis]]
                    summaries = summed_up(self._pool, names, axis, some)
                if summaries:
                    yield summaries

    def key(self, axis: Axis, key: str, *, oldest: int = 0) -> KeySummary:
        """Return the summary of one device or user; KeyError if it has no points. O(its series)."""
        self._drop_most_expired(axis, [key], oldest)
        with self._lock:
            return self._summary(axis, key, oldest)

    def _summary(self, axis: Axis, key: str, oldest: int) -> KeySummary:
        """Return the summary of one device or user; the lock is held."""
        series = self._series(axis, [key])
        if len(series) > SERIES_SUMMED_UP:
            leave_loop()
        self._drop_expired(series, oldest)
        if key not in self._names.members[axis]:
            raise KeyError(key)
        [summary] = summed_up(self._pool, self._names, axis, [key])
        return summary

    def latest(self, axis: Axis, key: str, *, oldest: int = 0) -> tuple[KeySummary, Point]:
        """Return the same, and its newest point: of several the last by the other key. O(its series)."""
        while True:
            self._drop_most_expired(axis, [key], oldest)
            with self._lock:
                summary = self._summary(axis, key, oldest)
                newest = NewestPoint(self._guarded, axis, summary)
            if (point := newest.point()) is not None:
                return summary, point

    def totals(self, *, oldest: int = 0) -> Totals:
        """Return how much is stored; a large store also counts expired points that are not yet dropped. O(1)."""
        with self._lock:
            self._busy.wait_until_free()
            if oldest:
                self._sweep(oldest)
            devices, users = (len(self._names.members[axis]) for axis in AXES)
            return Totals(devices, users, len(self._names.numbers), self._points, self._pool.nbytes, self._added)

    def listing(
        self,
        *,
        device: str | None,
        user: str | None,
        start: int,
        end: int | None,
        after: tuple[int, str, str] | None,
        limit: int,
        descending: bool = False,
        oldest: int = 0,
    ) -> PointColumns:
        """Return up to `limit` points by time, device and user: those in [start, end) and beyond `after`.

        O(series that match + limit, and what the series have that begin before the last of these points).
        """
        if oldest:
            with self._lock:
                self._sweep(oldest)
        wanted = Wanted.of(max(start, oldest), end, after, limit, BEYOND, descending)
        return read_listing(self._guarded, device, user, wanted)

    def _check(self) -> None:
        assert not self._lock.locked()
        self._pool._check()
        assert set(self._names.numbers.values()) == set(np.flatnonzero(self._pool.counts).tolist())
        assert self._points == self._pool.counts.sum()
        self._names._check()
