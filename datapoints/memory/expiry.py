"""What RETENTION drops from a store in memory: points before `oldest`, some series with each request.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from datapoints.interface import Axis
from datapoints.memory.names import SeriesNames
from datapoints.memory.series import SeriesPool
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import give_way, leave_loop
from timeseries_project.core.summation import Integers

#: Bounds on the dropping of old points per request: series that are checked, and series from which points are dropped.
LOOKED_AT = 4096
DROPPED_FROM = 256


class Expiring:
    """The part of a store that removes points, and drops those that have expired."""

    _lock: Lock
    _busy: BusySeries
    _pool: SeriesPool
    _names: SeriesNames
    _points: int
    _swept: int
    _swept_to: int

    def _series(self, axis: Axis, keys: Sequence[str]) -> Integers:
        """Return the series of some devices or users, once no large batch is being written to one. The lock is held."""
        series = self._names.series(axis, keys)
        while self._busy.wait_until_free(series):
            series = self._names.series(axis, keys)
        return series

    def _remove(self, series: Integers, start: int, stop: int) -> int:
        """Forget the points with start <= time < stop of some series; return how many. The lock is held."""
        gone = series[(self._pool.firsts[series] >= start) & (self._pool.lasts[series] < stop)]
        numbers: list[int] = gone.tolist()
        self._names.make_room(len(numbers))
        removed = self._pool.commit_remove(series, start, stop)
        self._names.commit_leave(numbers, gone)
        self._points -= removed
        return removed

    def _sweep(self, oldest: int) -> None:
        """Drop the points before `oldest` of a few series, those after the ones of the last call. The lock is held."""
        if oldest != self._swept_to:
            self._swept, self._swept_to = 0, oldest
        begin, firsts = self._swept, self._pool.firsts
        if begin >= len(firsts):
            return
        behind = self._busy.free_of(begin + np.flatnonzero(firsts[begin : begin + LOOKED_AT] < oldest))
        end = begin + LOOKED_AT
        if len(behind) > DROPPED_FROM:
            behind = behind[:DROPPED_FROM]
            end = int(behind[-1]) + 1
        if len(behind):
            self._remove(behind, 0, oldest)
        self._swept = end

    def _drop_expired(self, series: Integers, oldest: int) -> None:
        """Drop all points before `oldest` of some series. The lock is held."""
        if oldest:
            behind = series[self._pool.firsts[series] < oldest]
            if len(behind):
                self._remove(behind, 0, oldest)

    def _drop_most_expired(self, axis: Axis, keys: Sequence[str], oldest: int) -> None:
        """If keys have many series, drop their points before `oldest` in portions; a few series may be left over."""
        if not oldest:
            return
        with self._lock:
            self._sweep(oldest)
            series = self._series(axis, keys)
            behind = series[self._pool.firsts[series] < oldest]
        if len(behind) > DROPPED_FROM:
            leave_loop()
            for begin in range(0, len(behind), DROPPED_FROM):
                with self._lock:
                    self._drop_expired(self._busy.free_of(behind[begin : begin + DROPPED_FROM]), oldest)
                give_way()
