"""Where all series are: found by device and by user, read and changed under one lock.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datapoints.series import QUARTER_HOUR, BucketSums, Point, Series
from timeseries_project.summation import Floats, Integers, grouped_sums

Axis = Literal["device", "user"]


@dataclass(frozen=True, slots=True, order=True)
class KeySummary:
    """What is stored of one device or user: how many points, and the times of the oldest and newest."""

    key: str
    count: int
    first: int
    last: int


class DuplicatePointsError(ValueError):
    """Points that exist already, or occur twice in one batch; `positions` are theirs, ascending."""

    def __init__(self, positions: list[int]) -> None:
        super().__init__(f"{len(positions)} duplicate points")
        self.positions = positions


class View:
    """The series of one device or user, ordered by the other key; valid while the store's lock is held."""

    def __init__(self, series: list[Series]) -> None:
        self._series = series

    @property
    def first(self) -> int:
        """The time of the oldest point. O(series)."""
        return min(series.first for series in self._series)

    @property
    def last(self) -> int:
        """The time of the newest point. O(series)."""
        return max(series.last for series in self._series)

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`, if any. O(series * log n)."""
        times = (series.before(time) for series in self._series)
        return max((t for t in times if t is not None), default=None)

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`, if any. O(series * log n)."""
        times = (series.at_or_after(time) for series in self._series)
        return min((t for t in times if t is not None), default=None)

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours that begin in start <= time < stop, of every series. O(what is copied)."""
        a, b = -(-start // QUARTER_HOUR), -(-stop // QUARTER_HOUR)
        parts = [series.sums(a, b) for series in self._series]
        return parts[0] if len(parts) == 1 else BucketSums(*map(np.concatenate, zip(*parts, strict=True)))

    def points(self, start: int, stop: int) -> tuple[list[Integers], list[Floats]]:
        """Copy the points with start <= time < stop: pieces of two columns, series by series."""
        times: list[Integers] = []
        values: list[Floats] = []
        for series in self._series:
            series_times, series_values = series.columns(start, stop)
            times += series_times
            values += series_values
        return times, values


class SeriesStore:
    """All series of the process, indexed by device and by user; both indexes hold the same series.

    Every method takes the one lock for as long as it reads or changes series; what is computed from them is
    computed outside.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._index: dict[Axis, dict[str, dict[str, Series]]] = {"device": {}, "user": {}}

    def add(self, time: int, value: float, device: str, user: str) -> bool:
        """Add one point; return False, and change nothing, where there is one. See `Series` for costs."""
        with self._lock:
            return self._get_or_create(device, user).add(time, value)

    def add_batch(
        self,
        times: Integers,
        values: Floats,
        devices: Sequence[str],
        users: Sequence[str],
        *,
        skip_duplicates: bool = False,
    ) -> int:
        """Add points in any order, all or none; return how many were added.

        Of equal points the first wins where duplicates are skipped; otherwise any duplicate, inside the batch
        or of a stored point, raises DuplicatePointsError. O(n log n), as `Series.extend` beyond.
        """
        if not len(times):
            return 0
        numbers = _Numbering()
        ids = np.fromiter(map(numbers.__getitem__, zip(devices, users, strict=True)), dtype=np.int64, count=len(times))
        batch = _SortedBatch(times, values, ids)
        pairs = list(numbers)
        with self._lock:
            duplicate = batch.repeated()
            found = [self._find(*pair) for pair in pairs]
            for pair_id, a, b, _ in batch.spans():
                series = found[pair_id]
                if series is not None and batch.times[a] <= series.last:
                    duplicate[a:b] |= [time in series for time in batch.times[a:b]]
            if duplicate.any():
                if not skip_duplicates:
                    raise DuplicatePointsError(sorted(batch.order[duplicate].tolist()))
                kept = np.sort(batch.order[~duplicate])
                if not len(kept):
                    return 0
                batch = _SortedBatch(times[kept], values[kept], ids[kept])
            for pair_id, a, b, sums in batch.spans():
                series = found[pair_id] or self._get_or_create(*pairs[pair_id])
                series.extend(batch.times[a:b], batch.values[a:b], sums)
        return len(batch.times)

    def _find(self, device: str, user: str) -> Series | None:
        users = self._index["device"].get(device)
        return users.get(user) if users else None

    def _get_or_create(self, device: str, user: str) -> Series:
        users = self._index["device"].setdefault(device, {})
        series = users.get(user)
        if series is None:
            series = users[user] = Series(device, user)
            self._index["user"].setdefault(user, {})[device] = series
        return series

    def delete(self, axis: Axis, key: str) -> int:
        """Forget all points of a device or of a user; return how many there were. O(its series)."""
        other: Axis = "user" if axis == "device" else "device"
        with self._lock:
            dropped = self._index[axis].pop(key, {})
            for other_key in dropped:
                siblings = self._index[other][other_key]
                del siblings[key]
                if not siblings:
                    del self._index[other][other_key]
        return sum(series.count for series in dropped.values())

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._index = {"device": {}, "user": {}}

    @contextmanager
    def view(self, axis: Axis, key: str) -> Iterator[View]:
        """Hold the lock and read one device's or user's series; KeyError if it has none."""
        with self._lock:
            yield View([series for _, series in sorted(self._index[axis][key].items(), key=itemgetter(0))])

    def keys(self, axis: Axis) -> list[KeySummary]:
        """Return every device or user with its count and first and last time, by key. O(series)."""
        with self._lock:
            found = [
                KeySummary(
                    key,
                    sum(series.count for series in group.values()),
                    min(series.first for series in group.values()),
                    max(series.last for series in group.values()),
                )
                for key, group in self._index[axis].items()
            ]
        return sorted(found)

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
            points = merge(*(s.points_from(start) for s in self._matching(device, user) if s.last >= start))
            wanted = (point for point in points if after is None or (point.timestamp, point.device, point.user) > after)
            page = list(islice(wanted, limit))
        return page if end is None else page[: bisect_left(page, end, key=itemgetter(0))]

    def _matching(self, device: str | None, user: str | None) -> Iterator[Series]:
        if device is not None:
            group = self._index["device"].get(device, {})
            yield from group.values() if user is None else [group[user]] if user in group else []
        elif user is not None:
            yield from self._index["user"].get(user, {}).values()
        else:
            for group in self._index["device"].values():
                yield from group.values()

    def _check(self) -> None:
        series_by: dict[str, set[Series]] = {"device": set(), "user": set()}
        for axis, group in self._index.items():
            for key, siblings in group.items():
                assert siblings
                assert all(getattr(series, axis) == key for series in siblings.values())
                series_by[axis].update(siblings.values())
        assert series_by["device"] == series_by["user"]
        for series in series_by["device"]:
            series._check()


class _Numbering(dict[tuple[str, str], int]):
    """Numbers its keys in the order in which they are first asked for."""

    def __missing__(self, key: tuple[str, str]) -> int:
        number = self[key] = len(self)
        return number


def _order(times: Integers, ids: Integers) -> Integers:
    """Return what sorts points by series and time, equal ones in their order."""
    # NumPy sorts 16-bit integers by radix, several times as fast as wider ones.
    narrow = ids.astype(np.uint16) if ids.max() < 2**16 else ids
    if (times[1:] >= times[:-1]).all():
        return np.argsort(narrow, kind="stable")
    by_time = np.argsort(times, kind="stable")
    return by_time[np.argsort(narrow[by_time], kind="stable")]


class _SortedBatch:
    """Points sorted by series and time, the first of equal ones first, with exact sums per quarter-hour."""

    def __init__(self, times: Integers, values: Floats, ids: Integers) -> None:
        self.order = _order(times, ids)
        self._ids, sorted_times, sorted_values = ids[self.order], times[self.order], values[self.order]
        # Slices of arrays are appended to series several times as fast as slices of NumPy's.
        self.times, self.values = array("q", sorted_times.tobytes()), array("d", sorted_values.tobytes())
        numbers = sorted_times // QUARTER_HOUR
        new_series = np.diff(self._ids, prepend=-1) != 0
        starts = np.flatnonzero(new_series)
        sum_starts = np.flatnonzero(new_series | (np.diff(numbers, prepend=-1) != 0))
        counts = np.diff(sum_starts, append=len(times))
        columns = (numbers[sum_starts], counts, *grouped_sums(sorted_values, sum_starts))
        self._sums = list(zip(*(column.tolist() for column in columns), strict=True))
        self._series = self._ids[starts].tolist()
        self._starts = [*starts.tolist(), len(times)]
        self._sum_starts = [*np.searchsorted(sum_starts, starts).tolist(), len(self._sums)]

    def spans(self) -> Iterator[tuple[int, int, int, list[tuple[int, int, float, float]]]]:
        """Yield (series id, start, stop, sums) of each series: its points' positions and its `BucketSums`."""
        starts, sums = self._starts, self._sum_starts
        for i, series_id in enumerate(self._series):
            yield series_id, starts[i], starts[i + 1], self._sums[sums[i] : sums[i + 1]]

    def repeated(self) -> NDArray[np.bool_]:
        """Mark the points that equal the one before them in series and time."""
        times = np.frombuffer(self.times, dtype=np.int64)
        same = np.zeros(len(times), dtype=bool)
        same[1:] = (times[1:] == times[:-1]) & (self._ids[1:] == self._ids[:-1])
        return same
