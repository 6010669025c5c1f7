"""Where all series are: found by device and by user, read and changed under one lock.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Literal, NamedTuple

import numpy as np

from datapoints.series import QUARTER_HOUR, BucketSums, SeriesPool
from timeseries_project.columns import Keys, find_keys, run_lengths, run_starts, stable_order
from timeseries_project.summation import Floats, Integers

Axis = Literal["device", "user"]
AXES: tuple[Axis, Axis] = ("device", "user")

#: The number of a series that is not there yet.
UNKNOWN = -1


class Point(NamedTuple):
    """One datapoint; sorts as the listing does: by time, device, user."""

    timestamp: int
    device: str
    user: str
    value: float


@dataclass(frozen=True, slots=True, order=True)
class KeySummary:
    """What is stored of one device or user: how many points, and the times of the oldest and newest."""

    key: str
    count: int
    first: int
    last: int


class Totals(NamedTuple):
    """How much is stored: devices, users, series, points and the bytes of their columns.

    And how many points were added since the start.
    """

    devices: int
    users: int
    series: int
    points: int
    nbytes: int
    added: int


class DuplicatePointsError(ValueError):
    """Points that exist already, or occur twice in one batch; `positions` are theirs, ascending."""

    def __init__(self, positions: list[int]) -> None:
        super().__init__(f"{len(positions)} duplicate points")
        self.positions = positions


class View:
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
    """All series of the process, by device and user, in one pool.

    Every method takes the one lock for as long as it reads or changes series; what is computed from them is
    computed outside.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added = 0
        self._reset()

    def _reset(self) -> None:
        self._pool = SeriesPool()
        self._numbers: dict[tuple[str, str], int] = {}
        #: The (device, user) of each number; those of dropped series are free to be given again.
        self._pairs: list[tuple[str, str]] = []
        self._free: list[int] = []
        #: The series of each device and each user, and where in there each series stands.
        self._members: dict[Axis, dict[str, array[int]]] = {"device": {}, "user": {}}
        self._positions: dict[Axis, array[int]] = {"device": array("i"), "user": array("i")}

    def add(self, time: int, value: float, device: str, user: str) -> bool:
        """Add one point; return False, and change nothing, where there is one. See `SortedPages` for costs."""
        pair = (device, user)
        with self._lock:
            series = self._numbers.get(pair, UNKNOWN)
            if series == UNKNOWN:
                [series] = self._vacant(1)
                self._enter(series, pair)
            added = self._pool.add(series, time, value)
            self._added += added
        return added

    def add_batch(
        self,
        times: Integers,
        values: Floats,
        devices: Sequence[str] | Keys,
        users: Sequence[str] | Keys,
        *,
        skip_duplicates: bool = False,
    ) -> int:
        """Add points in any order, all or none; return how many were added.

        Of equal points the first wins where duplicates are skipped; otherwise any duplicate, inside the batch
        or of a stored point, raises DuplicatePointsError. O(n), and `SortedPages` beyond.
        """
        if not len(times):
            return 0
        devices, users = Keys.of(devices), Keys.of(users)
        codes = devices.codes * len(users.names) + users.codes
        order = stable_order(times, codes)
        times, values, codes = times[order], values[order], codes[order]
        starts = run_starts(codes)
        places = zip(*(column.tolist() for column in np.divmod(codes[starts], len(users.names))), strict=True)
        pairs = [(devices.names[device], users.names[user]) for device, user in places]
        with self._lock:
            numbers, new = self._number(pairs)
            series = np.repeat(numbers, run_lengths(starts, len(times)))
            pages, at = self._pool.find(series, times)
            duplicate = at >= 0
            duplicate[1:] |= (times[1:] == times[:-1]) & (series[1:] == series[:-1])
            if duplicate.any():
                if not skip_duplicates:
                    raise DuplicatePointsError(sorted(order[duplicate].tolist()))
                kept = ~duplicate
                series, times, values, pages = series[kept], times[kept], values[kept], pages[kept]
            for number, pair in new:
                self._enter(number, pair)
            if len(times):
                self._pool.add_sorted(series, times, values, pages)
            self._added += len(times)
        return len(times)

    def _number(self, pairs: list[tuple[str, str]]) -> tuple[Integers, list[tuple[int, tuple[str, str]]]]:
        """Return the series of distinct pairs, and of those that are new which will be theirs when they enter."""
        numbers = np.array([self._numbers.get(pair, UNKNOWN) for pair in pairs], dtype=np.int64)
        missing = np.flatnonzero(numbers == UNKNOWN)
        vacant = self._vacant(len(missing)) if len(missing) else []
        numbers[missing] = vacant
        return numbers, [(number, pairs[i]) for number, i in zip(vacant, missing.tolist(), strict=True)]

    def _vacant(self, count: int) -> list[int]:
        """Return so many numbers that no series has, and make room for them."""
        known = len(self._pairs)
        vacant = self._free[-count:][::-1]
        vacant += range(known, known + count - len(vacant))
        self._pool.reserve(known + count)
        return vacant

    def _enter(self, number: int, pair: tuple[str, str]) -> None:
        """Take up a series under a number that `_vacant` told."""
        if number == len(self._pairs):
            self._pairs.append(pair)
            for positions in self._positions.values():
                positions.append(0)
        else:
            self._free.pop()
            self._pairs[number] = pair
        self._numbers[pair] = number
        for axis, key in zip(AXES, pair, strict=True):
            members = self._members[axis].setdefault(key, array("i"))
            self._positions[axis][number] = len(members)
            members.append(number)

    def _leave(self, number: int) -> None:
        """Forget a series' names, and let its number be given again. O(1)."""
        pair = self._pairs[number]
        del self._numbers[pair]
        self._free.append(number)
        for axis, key in zip(AXES, pair, strict=True):
            members, positions = self._members[axis][key], self._positions[axis]
            moved = members.pop()
            if moved != number:
                members[positions[number]] = moved
                positions[moved] = positions[number]
            if not members:
                del self._members[axis][key]

    def delete(self, axis: Axis, key: str) -> int:
        """Forget all points of a device or of a user; return how many there were. O(its series and their pages)."""
        with self._lock:
            series = np.array(self._members[axis].get(key, ()), dtype=np.int64)
            count = int(self._pool.counts[series].sum())
            self._pool.drop(series)
            for number in series.tolist():
                self._leave(number)
        return count

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._reset()

    @contextmanager
    def view(self, axis: Axis, key: str) -> Iterator[View]:
        """Hold the lock and read one device's or user's series; KeyError if it has none."""
        with self._lock:
            series = self._members[axis][key].tolist()
            if len(series) > 1:
                other = 1 - AXES.index(axis)
                series.sort(key=lambda number: self._pairs[number][other])
            yield View(self._pool, series)

    def keys(self, axis: Axis, search: str | None = None, limit: int | None = None) -> list[KeySummary]:
        """Return devices or users with their count and first and last time, by key.

        Only those that contain a text, in upper or lower case, and so many at most. O(keys + series of those).
        """
        with self._lock:
            keys: Sequence[str] = list(self._members[axis])
        keys = find_keys(keys, search, limit)
        with self._lock:
            members = self._members[axis]
            keys = [key for key in keys if key in members]
            return self._summaries(axis, keys) if keys else []

    def key(self, axis: Axis, key: str) -> KeySummary:
        """Return the summary of one device or user; KeyError if it has no points. O(its series)."""
        with self._lock:
            if key not in self._members[axis]:
                raise KeyError(key)
            [summary] = self._summaries(axis, [key])
        return summary

    def _summaries(self, axis: Axis, keys: list[str]) -> list[KeySummary]:
        groups = [self._members[axis][key] for key in keys]
        series = np.frombuffer(b"".join(groups), dtype=np.int32)
        lengths = np.fromiter(map(len, groups), dtype=np.int64, count=len(groups))
        starts = np.cumsum(lengths) - lengths
        columns = (
            np.add.reduceat(self._pool.counts[series], starts),
            np.minimum.reduceat(self._pool.firsts[series], starts),
            np.maximum.reduceat(self._pool.lasts[series], starts),
        )
        return list(map(KeySummary, keys, *(column.tolist() for column in columns)))

    def totals(self) -> Totals:
        """Return how much is stored. O(series), at a nanosecond each."""
        with self._lock:
            devices, users = (len(self._members[axis]) for axis in AXES)
            points = int(self._pool.counts.sum())
            return Totals(devices, users, len(self._numbers), points, self._pool.nbytes, self._added)

    def page(
        self,
        *,
        device: str | None,
        user: str | None,
        start: int,
        end: int | None,
        after: tuple[int, str, str] | None,
        limit: int,
    ) -> list[Point]:
        """Return up to `limit` points by time, device and user: those in [start, end) and beyond `after`.

        O(series that match * log n + limit * log series).
        """
        if after is not None:
            start = max(start, after[0])
        with self._lock:
            points = merge(*(self._points_from(number, start) for number in self._matching(device, user, start)))
            wanted = (point for point in points if after is None or (point.timestamp, point.device, point.user) > after)
            page = list(islice(wanted, limit))
        return page if end is None else page[: bisect_left(page, end, key=itemgetter(0))]

    def _points_from(self, number: int, start: int) -> Iterator[Point]:
        device, user = self._pairs[number]
        for time, value in self._pool.points_from(number, start):
            yield Point(time, device, user, value)

    def _matching(self, device: str | None, user: str | None, start: int) -> list[int]:
        """Return the series of a device, of a user, of both or of all that have points at or after `start`."""
        if device is not None and user is not None:
            numbers: Collection[int] = [self._numbers[device, user]] if (device, user) in self._numbers else []
        elif device is not None:
            numbers = self._members["device"].get(device, ())
        elif user is not None:
            numbers = self._members["user"].get(user, ())
        else:
            numbers = self._numbers.values()
        return [number for number in numbers if self._pool.lasts.item(number) >= start]

    def _check(self) -> None:
        self._pool._check()
        assert set(self._numbers.values()) == set(np.flatnonzero(self._pool.counts).tolist())
        assert sorted([*self._numbers.values(), *self._free]) == list(range(len(self._pairs)))
        for place, axis in enumerate(AXES):
            members = self._members[axis]
            assert sorted(number for group in members.values() for number in group) == sorted(self._numbers.values())
            for key, group in members.items():
                assert group
                for position, number in enumerate(group):
                    assert self._numbers[self._pairs[number]] == number
                    assert self._pairs[number][place] == key
                    assert self._positions[axis][number] == position
