"""A deletion that is done a portion at a time, with the store's lock free in between. Knows no framework."""

from __future__ import annotations

from threading import Lock

from datapoints.memory.names import SeriesNames
from datapoints.memory.series import SeriesPool
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import give_way
from timeseries_project.core.summation import Integers

#: What is removed while the lock is held: whole series, parts of series, and points of the latter.
SERIES_AT_ONCE = 1024
PARTS_AT_ONCE = 256
POINTS_AT_ONCE = 131_072


def is_large(pool: SeriesPool, series: Integers, start: int, stop: int) -> bool:
    """Return whether it takes long to remove the points with start <= time < stop of some series. The lock is held."""
    if len(series) > SERIES_AT_ONCE:
        return True
    parts = series[(pool.firsts[series] < start) | (pool.lasts[series] >= stop)]
    if len(parts) > PARTS_AT_ONCE:
        return True
    limit = POINTS_AT_ONCE // max(len(parts), 1)
    return bool((pool.count(parts, start, stop, limit) == limit).any())


class LargeDeletion:
    """One large write of `BusySeries`: its series are marked as busy, so nobody sees some of them deleted, or in part.

    `prepare` may fail, and has then changed nothing; `commit` cannot.
    """

    def __init__(
        self, pool: SeriesPool, names: SeriesNames, busy: BusySeries, lock: Lock, series: Integers, stretch: range
    ) -> None:
        """Mark series, of which the points in a stretch of time will be deleted. The lock is held."""
        self._pool = pool
        self._names = names
        self._busy = busy
        self._lock = lock
        self._series = series
        self._start, self._stop = stretch.start, stretch.stop
        #: Series that go as a whole, as column and as list, and parts of series; each portion is removed at once.
        self._whole: list[tuple[Integers, list[int], int]] = []
        self._parts: list[Integers] = []
        busy.mark(series)

    def prepare(self) -> None:
        """Find out which series go as a whole, and make room to take their numbers back."""
        try:
            for begin in range(0, len(self._series), SERIES_AT_ONCE):
                some = self._series[begin : begin + SERIES_AT_ONCE]
                with self._lock:
                    self._sort_out(some)
                give_way()
        except BaseException:
            with self._lock:
                for _, _, count in self._whole:
                    self._names.commit_promise(-count)
            raise

    def _sort_out(self, series: Integers) -> None:
        """Tell whole series from parts. The lock is held."""
        firsts, lasts = self._pool.firsts[series], self._pool.lasts[series]
        inside = (firsts >= self._start) & (lasts < self._stop)
        gone = series[inside]
        parts = series[~inside & (firsts < self._stop) & (lasts >= self._start)]
        self._parts += [parts[begin : begin + PARTS_AT_ONCE] for begin in range(0, len(parts), PARTS_AT_ONCE)]
        self._names.make_room(len(gone))
        self._whole.append((gone, gone.tolist(), len(gone)))
        self._names.commit_promise(len(gone))

    def commit(self) -> int:
        """Remove the points, a portion at a time; return how many there were."""
        removed = 0
        for gone, numbers, count in self._whole:
            with self._lock:
                removed += self._pool.commit_remove(gone, self._start, self._stop)
                self._names.commit_promise(-count)
                self._names.commit_leave(numbers, gone)
                self._busy.commit_unmark(gone)
            give_way()
        for parts in self._parts:
            latest = POINTS_AT_ONCE
            while latest >= POINTS_AT_ONCE:
                with self._lock:
                    latest = self._pool.commit_remove(parts, self._start, self._stop, POINTS_AT_ONCE)
                removed += latest
                give_way()
        return removed
