"""The newest point of a device or user. Plain Python; knows no framework."""

from __future__ import annotations

from datapoints.interface import AXES, Axis, KeySummary, Point
from datapoints.memory.series_view import Guarded
from timeseries_project.core.offload import give_way, leave_loop
from timeseries_project.core.summation import Integers

#: Series that are looked into while the store's lock is held.
SERIES_AT_ONCE = 2048


class NewestPoint:
    """Of the points that a device or user has at its newest time, the last by the other key."""

    def __init__(self, guarded: Guarded, axis: Axis, summary: KeySummary) -> None:
        """Look into the series that end with such a point, if they are few. O(series of the key). The lock is held."""
        self._guarded = guarded
        self._place = AXES.index(axis)
        self._key, self._time = summary.key, summary.last
        self._point: Point | None = None
        series = guarded.names.series(axis, [summary.key])
        self._series = series[guarded.pool.lasts[series] == summary.last]
        if len(self._series) <= SERIES_AT_ONCE:
            self._look_into(self._series)

    def point(self) -> Point | None:
        """Return the point. Of many series some are looked into at a time: None if all such points were deleted."""
        if self._point is None:
            leave_loop()
            for begin in range(0, len(self._series), SERIES_AT_ONCE):
                some = self._series[begin : begin + SERIES_AT_ONCE]
                with self._guarded.lock:
                    self._guarded.busy.wait_until_free(some)
                    self._look_into(some)
                give_way()
        return self._point

    def _look_into(self, series: Integers) -> None:
        """Take in the points of some series, of which some may have gone meanwhile. O(log n) each."""
        owners, _, values = self._guarded.pool.first_points(series, self._time, self._time + 1, 1)
        pairs = map(self._guarded.names.pairs.__getitem__, series[owners].tolist())
        found = [Point(self._time, *pair, value) for pair, value in zip(pairs, values.tolist(), strict=True)]
        known = [] if self._point is None else [self._point]
        self._point = max([*known, *(point for point in found if point[1 + self._place] == self._key)], default=None)
