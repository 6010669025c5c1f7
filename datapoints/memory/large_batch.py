"""A batch that is written a portion at a time, with the store's lock free in between. Knows no framework."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from datapoints.memory.grouping import GroupedPoints
from datapoints.memory.names import Pair, SeriesNames
from datapoints.memory.series import Rows, SeriesPool
from timeseries_project.core.arrays import run_starts
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import give_way

#: Rows, and pairs of a device and a user, that are worked on while the lock is held: a few milliseconds.
ROWS_AT_ONCE = 16_384
PAIRS_AT_ONCE = 2_048
#: Points of quarter-hours that are summed up again at once, because values in them are replaced.
POINTS_AT_ONCE = 131_072


class LargeBatch:
    """One large write of `BusySeries`: its series are entered and marked as busy, so nobody else looks at them.

    `enter`, `look_up` and `promise_room` may fail; `withdraw` then takes back what they did. What follows cannot.
    """

    def __init__(
        self, pool: SeriesPool, names: SeriesNames, busy: BusySeries, lock: Lock, points: GroupedPoints
    ) -> None:
        self._pool = pool
        self._names = names
        self._busy = busy
        self._lock = lock
        self._points = points
        self._new: list[tuple[int, Pair]] = []
        self._promised: list[tuple[int, int]] = []
        #: Rows of points that exist and are to have other values, in portions.
        self._replaced: list[tuple[Rows, int, int]] = []

    def enter(self) -> int:
        """Enter the pairs that have no series; return how many."""
        pairs = self._points.pairs
        numbers = np.empty(len(pairs), dtype=np.int64)
        for begin, end in portions(len(pairs), PAIRS_AT_ONCE):
            with self._lock:
                numbers[begin:end], new = self._names.numbered(pairs[begin:end])
                self._pool.reserve_for(new)
                entered = len(new)
                try:
                    for number, pair in new:
                        self._names.enter(number, pair)
                    self._busy.mark(numbers[begin:end])
                    self._new += new
                except BaseException:
                    self._names.withdraw(new)
                    raise
                self._names.commit_entered(entered)
            give_way()
        points = self._points
        self.rows = Rows.of(np.repeat(numbers, points.lengths), points.times, points.values)
        return len(self._new)

    def look_up(self) -> NDArray[np.bool_]:
        """Find out where the points belong; mark those that exist already, or equal the row before."""
        known = np.empty(len(self.rows.times), dtype=bool)
        for begin, end in portions(len(known), ROWS_AT_ONCE):
            with self._lock:
                self._pool.look_up(self.rows, known, begin, end)
            give_way()
        return known

    def replace(self, known: NDArray[np.bool_]) -> None:
        """Let rows of points that exist be written over these, all of them different points."""
        rows = self.rows.where(known)
        self._replaced = [(rows, begin, end) for begin, end in portions(len(rows.times), ROWS_AT_ONCE)]

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Leave out all other rows."""
        self.rows = self.rows.where(chosen)

    def promise_room(self) -> None:
        """Make room for all points, which others will not take: for whole series, about so many rows at once."""
        starts = run_starts(self.rows.series)
        begins = starts[run_starts(starts // ROWS_AT_ONCE)].tolist()
        for begin, end in pairwise([*begins, len(self.rows.series)]):
            with self._lock:
                needed = self._pool.needed(self.rows, begin, end)
                self._pool.make_room(needed)
                self._promised.append(needed)
                self._pool.commit_promise(needed, 1)
            give_way()
        self._portions = list(portions(len(self.rows.series), ROWS_AT_ONCE))

    def withdraw(self) -> None:
        """Take back everything: nothing has been written yet."""
        for begin, end in portions(len(self._new), PAIRS_AT_ONCE):
            numbers = [number for number, _ in self._new[begin:end]]
            with self._lock:
                self._names.make_room(len(numbers))
                self._names.commit_leave(numbers, np.array(numbers, dtype=np.int64))
            give_way()
        with self._lock:
            for needed in self._promised:
                self._pool.commit_promise(needed, -1)

    def commit(self) -> None:
        """Write the points, a portion at a time."""
        for begin, end in self._portions:
            with self._lock:
                self._pool.commit_add(self.rows, begin, end)
            give_way()
        for rows, row, end in self._replaced:
            begin = row
            while begin < end:
                with self._lock:
                    begin = self._pool.commit_replace(rows, begin, end, POINTS_AT_ONCE)
                give_way()
        with self._lock:
            for needed in self._promised:
                self._pool.commit_promise(needed, -1)


def portions(length: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of portions of `size`, the last one of what is left.

    >>> list(portions(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    for begin in range(0, length, size):
        yield begin, min(begin + size, length)
