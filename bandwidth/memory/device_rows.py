"""The instants of one device with cumulative sums, as rows; a change replaces all rows from one on.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from bandwidth.entries import INT64_SAFE, MAX_WHOLE, Rows
from bandwidth.interface import DeviceSummary
from timeseries_project.core.summation import Integers

BEFORE_ALL = -(2**63)  # the instant of row 0, before every window border


class DeviceRows:
    """One device's distinct instants, ascending, and the sums of all entries up to and at each of them.

    Row `base` has an instant before all others, and its sums are those of dropped entries, so that each instant has a
    row at or before it. Rows before `base` are unused. The columns have room for more rows than the `rows` in use.
    `commit...` only assigns and cannot fail; only a thread with the store's `_lock` may call it.
    """

    __slots__ = ("base", "first", "last", "rows", "sums", "times")

    def __init__(self) -> None:
        self.base = 0
        self.rows = 1
        self.first = MAX_WHOLE
        self.last = BEFORE_ALL
        self.times: Integers = np.array([BEFORE_ALL])
        self.sums: Rows = np.zeros((1, 3), dtype=np.int64)

    @property
    def count(self) -> int:
        """How many entries there are."""
        return self.count_at(self.rows - 1)

    def count_at(self, row: int) -> int:
        """Return how many entries there are up to and at the instant of a row. O(1)."""
        return int(self.sums[row, 0]) - int(self.sums[self.base, 0])

    @property
    def dropped_bytes(self) -> int:
        """The bytes of dropped entries, which the sums still contain. O(1)."""
        return int(self.sums[self.base, 1]) + int(self.sums[self.base, 2]) if self.base else 0

    def appended(self, timestamp: int, entry: tuple[int, int, int]) -> tuple[int, list[int], tuple[Integers, Rows]]:
        """Return the row changed by an entry at or after the last instant, its new sums, and columns with room for it.

        O(1) amortised.
        """
        sums = self.total(entry)
        dtype = dtype_of(sums)
        row, columns = self.rows if timestamp > self.last else self.rows - 1, (self.times, self.sums)
        if row >= len(self.times) or dtype != self.sums.dtype:
            columns = self.room(row + 1, dtype)
        return row, sums, columns

    def commit_appended(self, timestamp: int, row: int, sums: list[int], columns: tuple[Integers, Rows]) -> None:
        """Store an entry at or after the last instant, as `appended` worked it out."""
        self.times, self.sums = columns
        self.sums[row] = sums
        self.times[row] = self.last = timestamp
        self.rows = row + 1
        if timestamp < self.first:
            self.first = timestamp

    def merged(self, times: Integers, sums: Rows) -> tuple[int, Integers, Rows]:
        """Return where the rows change when entries are merged in, and the rows from there on.

        The entries are given like the rows: distinct instants, ascending, with cumulative sums. The sum at an
        instant is then what the device's rows have up to it plus what the entries have up to it.
        """
        dtype = dtype_of(self.total(sums[-1].tolist()))
        sums = sums.astype(dtype)
        if times[0] > self.last:  # nothing to interleave: spares small batches most of their cost
            return self.rows, times, sums + self.sums[self.rows - 1]
        places = np.searchsorted(self.times[self.base : self.rows], times) + self.base
        new = self.times[np.minimum(places, self.rows - 1)] != times
        places += np.cumsum(new) - new  # each new row moves those after it
        at, stop = int(places[0]), self.rows + int(np.count_nonzero(new))
        shift = np.zeros(stop - at, dtype=np.int64)
        shift[places - at] = new
        origin = np.arange(at, stop) - np.cumsum(shift)  # the present row at or before each instant
        later = self.times[origin]
        later[places - at] = times
        added = np.repeat(sums, np.diff(places, append=stop), axis=0)
        return at, later, added + self.sums[origin]

    def commit(
        self,
        columns: tuple[Integers, Rows],
        at: int,
        stop: int,
        last: int,
        times: Integers,
        sums: Rows,
    ) -> None:
        """Replace the rows from row `at` on, in columns that have room for them. O(number of new rows)."""
        self.times, self.sums = columns
        self.times[at:stop] = times
        self.sums[at:stop] = sums
        self.rows, self.last = stop, last
        self.first = self.times[self.base + 1]

    def room(self, rows: int, dtype: np.dtype[Any]) -> tuple[Integers, Rows]:
        """Return columns with room for so many rows, sums of this type, and the present content.

        Returns the present columns if they suffice. O(1) amortised over growth.
        """
        times, sums = self.times, self.sums
        if sums.dtype != dtype:
            sums = sums.astype(dtype)
        if rows > len(times):
            room = rows + rows // 4  # a quarter more: none for the first entries of a small device
            wide, more = np.empty(room, dtype=np.int64), np.zeros((room, 3), dtype=dtype)
            wide[: len(times)], more[: len(sums)] = times, sums
            return wide, more
        return times, sums

    def cut(self, oldest: int) -> tuple[int, int]:
        """Return the row before the first one at or after `oldest`, and the instant of that first one. O(log rows)."""
        base = self.base + int(np.searchsorted(self.times[self.base : self.rows], oldest)) - 1
        return base, int(self.times[base + 1])

    def commit_cut(self, base: int, first: int) -> None:
        """Drop the rows up to `base`; `first` is the instant after it."""
        self.times[base] = BEFORE_ALL
        self.base, self.first = base, first

    def compacted(self) -> tuple[int, Integers, Rows]:
        """Return the rows without those that were dropped. O(rows left), amortised over those dropped."""
        times = self.times[self.base : self.rows].copy()
        sums = self.sums[self.base : self.rows] - self.sums[self.base]
        return len(times), times, sums.astype(dtype_of(sums[-1].tolist()))

    def commit_all(self, compacted: tuple[int, Integers, Rows]) -> None:
        """Replace all rows by these."""
        self.rows, self.times, self.sums = compacted
        self.base = 0

    def sums_until(self, instants: Integers) -> Rows:
        """Return a copy of the sums up to and at each instant. O(len(instants) * log rows)."""
        times = self.times[self.base : self.rows]
        return self.sums[self.base + np.searchsorted(times, instants, side="right") - 1]

    def total(self, more: Sequence[int]) -> list[int]:
        """Return the sums of all entries and of some more. O(1)."""
        return list(map(operator.add, self.sums[self.rows - 1].tolist(), more))

    def summary(self, device_id: str, oldest: int = 0) -> DeviceSummary:
        """Return what is stored from `oldest` on, under the device's key. O(log rows), O(1) if nothing is older."""
        base, first = (self.base, int(self.first)) if self.first >= oldest else self.cut(oldest)
        count, to, of = map(operator.sub, self.sums[self.rows - 1].tolist(), self.sums[base].tolist())
        return DeviceSummary(device_id, count, first, self.last, to, of)

    def check(self) -> None:
        """Assert the invariants. O(rows)."""
        times, sums = self.times[self.base : self.rows], self.sums[self.base : self.rows]
        assert 0 <= self.base < self.rows - 1 < len(self.times) == len(self.sums)
        assert len(self.times) <= self.rows * 5 // 4
        assert times[0] == BEFORE_ALL
        assert times[1] == self.first >= 0
        assert times[-1] == self.last <= MAX_WHOLE
        assert np.all(times[1:] > times[:-1])
        assert not self.sums[0].any() or self.base
        assert np.all(sums[1:, 0] > sums[:-1, 0])
        assert np.all(sums[1:] >= sums[:-1])
        assert sums.dtype == dtype_of(sums[-1].tolist())
        assert all(type(number) is int for number in sums.ravel().tolist())


def dtype_of(sums: list[int]) -> np.dtype[Any]:
    """Return the type of column that holds sums up to these: int64, or Python integers when they are huge."""
    return np.dtype(object if max(sums) > INT64_SAFE else np.int64)
