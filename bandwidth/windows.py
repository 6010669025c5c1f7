"""Bytes per device in windows that end at a chosen time: sorted instants under cumulative sums.

Plain Python and NumPy; knows no framework. The bytes of a window are the difference of two cumulative sums,
found by binary search. All numbers are integers, so the difference is exact.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from heapq import nlargest
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries_project.columns import Keys, find_keys, stable_order

Integers = NDArray[np.int64]
Rows = NDArray[Any]  # shape (n, 3): entries, bytes_ts, bytes_fs; int64, or Python integers when huge

LARGEST = 2**53 - 1  # of a timestamp and of the bytes of one entry: what every JSON reader holds exactly
LONGEST_WINDOW = 2**31 - 1
MOST_WINDOWS = 10_000
BEFORE_ALL = -(2**63)  # the instant of row 0, before every window border
ROW_BYTES = 32  # an instant and three sums, or three references to huge ones, which are not counted
INT64_SAFE = 2**62  # half the range, so that an estimate in doubles can tell whether sums fit


class DeviceSummary(NamedTuple):
    """What is stored of a device: entries, first and last timestamp (epoch seconds), total bytes."""

    device_id: str
    count: int  # type: ignore[assignment]  # which hides tuple.count, used by nobody
    first: int
    last: int
    bytes_ts: int
    bytes_fs: int


class Held(NamedTuple):
    """How much is stored: devices, entries and the bytes of their columns; and entries added since the start."""

    devices: int
    entries: int
    nbytes: int
    added: int


class Totals(NamedTuple):
    """How much is stored: devices and entries; and the devices with the most bytes, the busiest first."""

    devices: int
    entries: int
    busiest: list[DeviceSummary]


class Window(NamedTuple):
    """The sums of one window; `timestamp` is its end, which belongs to it (epoch seconds)."""

    timestamp: int
    entries: int
    bytes_ts: int
    bytes_fs: int


class BandwidthStore:
    """Entries `(device, timestamp, bytes to the server, bytes from the server)`, summed in windows.

    Timestamps are whole epoch seconds from 0 to 2**53 - 1, bytes integers from 0 to 2**53 - 1. Entries may
    come in any order; entries of one instant add up. Every sum is exact, however large. One distinct instant
    of a device takes 32 bytes (more where sums pass 64 bits), and up to a quarter more as room to grow.

    Safe for threads: writers take turns under one lock and compute there; a second one, which readers wait
    for, is held only to look up sums and to copy finished rows in.
    """

    def __init__(self) -> None:
        self._devices: dict[str, _Device] = {}
        #: Kept so that nobody has to count: entries since the start, those of them that are gone, rows of all devices.
        self._added = self._gone = self._room = 0
        self._writing = Lock()  # taken before `_lock`
        self._lock = Lock()

    def add(self, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int) -> None:
        """Count one entry: `timestamp` in epoch seconds, bytes to and from the server.

        O(1) amortised at or after the device's last timestamp, else O(log n + instants after it). Raises
        TypeError for a number that is no integer, ValueError for one outside 0..2**53 - 1.
        """
        timestamp = _whole("timestamp", timestamp, 0, LARGEST)
        entry = (1, _whole("bytes_ts", bytes_ts, 0, LARGEST), _whole("bytes_fs", bytes_fs, 0, LARGEST))
        with self._writing:
            device = self._devices.get(device_id) or _Device()
            if timestamp >= device.last:
                with self._lock:
                    device.append(timestamp, entry)
                    self._added += 1
                    if len(device.times) != device.room:
                        self._enter(device_id, device)
            else:
                self._merge([(device_id, np.array([timestamp]), np.array([entry]))])

    def add_batch(
        self,
        device_ids: Sequence[str] | Keys,
        timestamps: Sequence[int] | Integers,
        bytes_ts: Sequence[int] | Integers,
        bytes_fs: Sequence[int] | Integers,
    ) -> None:
        """Count entries given as four columns of one length, in any order; all of them or, on error, none.

        No reader sees a part of them. O(b log b) for b entries before any lock is taken, then for each device
        O(its entries * log n + instants after its earliest entry). Raises TypeError for numbers that are no
        integers, ValueError for one outside 0..2**53 - 1 and for columns of different lengths.
        """
        times = _column("timestamps", timestamps)
        columns = (np.ones_like(times), _column("bytes_ts", bytes_ts), _column("bytes_fs", bytes_fs))
        keys = Keys.of(device_ids)
        if {len(keys.codes), *map(len, columns)} != {len(times)}:
            raise ValueError("the columns must have one length")
        if len(times):
            parts = list(_by_device(keys, times, np.column_stack(columns)))
            with self._writing:
                self._merge(parts)

    def windows(self, device_id: str, *, end: int, length: int, count: int) -> list[Window]:
        """Return the sums of `count` adjoining windows `(t - length, t]`, oldest first, up to t = `end`.

        Seconds: `end` from 0 to 2**53 - 1, `length` from 1 to 2**31 - 1; `count` from 1 to 10,000. Windows
        without entries are zeros, also those before 1970. O(count * log n) for n instants of the device.
        Raises KeyError for a device never seen; TypeError and ValueError as `add`.
        """
        end = _whole("end", end, 0, LARGEST)
        length = _whole("length", length, 1, LONGEST_WINDOW)
        count = _whole("count", count, 1, MOST_WINDOWS)
        borders = end - length * np.arange(count, -1, -1, dtype=np.int64)
        with self._lock:
            sums = self._devices[device_id].sums_until(borders)
        return list(map(Window, borders[1:].tolist(), *np.diff(sums.T).tolist()))

    def devices(self, search: str | None = None, limit: int | None = None) -> list[DeviceSummary]:
        """Return a summary of the devices, sorted by key (code points). O(d log d) for d devices.

        Only those whose key contains a text, in upper or lower case, and so many at most.
        """
        with self._lock:
            keys = list(self._devices)
        keys = find_keys(keys, search, limit)
        with self._lock:
            return [self._devices[key].summary(key) for key in keys if key in self._devices]

    def device(self, device_id: str) -> DeviceSummary:
        """Return the summary of one device. O(1). Raises KeyError if never seen."""
        with self._lock:
            return self._devices[device_id].summary(device_id)

    def totals(self, busiest: int) -> Totals:
        """Return how much is stored, and the devices with the most bytes, the busiest first. O(d log busiest)."""
        with self._lock:
            summaries = [device.summary(device_id) for device_id, device in self._devices.items()]
        most = nlargest(busiest, summaries, key=lambda device: device.bytes_ts + device.bytes_fs)
        return Totals(len(summaries), sum(device.count for device in summaries), most)

    def held(self) -> Held:
        """Return how much is stored, without looking at any device. O(1)."""
        with self._lock:
            return Held(len(self._devices), self._added - self._gone, self._room * ROW_BYTES, self._added)

    def last(self, device_id: str) -> int:
        """Return the device's latest timestamp in epoch seconds. O(1). Raises KeyError if never seen."""
        with self._lock:
            return self._devices[device_id].last

    def clear(self) -> None:
        """Forget every entry and device. O(1), and the release of their memory."""
        with self._writing, self._lock:
            self._devices = {}
            self._gone, self._room = self._added, 0

    def _enter(self, device_id: str, device: _Device) -> None:
        """Take up a device that is new or has more room than was counted; `_lock` is held. O(1)."""
        self._devices[device_id] = device
        self._room += len(device.times) - device.room
        device.room = len(device.times)

    def _merge(self, parts: list[tuple[str, Integers, Rows]]) -> None:
        """Merge the cumulative sums of entries per device, under `_writing`.

        Every result is computed, and its room made, before the first is stored: a failure changes nothing.
        """
        merged = []
        for device_id, times, sums in parts:
            device = self._devices.get(device_id) or _Device()
            merged.append((device_id, device, *device.merged(times, sums)))
        with self._lock:
            for _, device, at, times, sums in merged:
                device.reserve(at + len(times), sums.dtype)
            for device_id, device, at, times, sums in merged:
                before = device.count
                device.replace_from(at, times, sums)
                self._added += device.count - before
                self._enter(device_id, device)

    def _check(self) -> None:
        """Assert the invariants of the structure. O(n) for all instants."""
        with self._writing, self._lock:
            devices = self._devices.values()
            for device in devices:
                device.check()
            assert self._added - self._gone == sum(device.count for device in devices)
            assert self._room == sum(device.room for device in devices)
            assert all(device.room * ROW_BYTES <= device.times.nbytes + device.sums.nbytes for device in devices)


class _Device:
    """One device's distinct instants, ascending, and the sums of all entries up to and at each of them.

    Row 0 lies before all time and sums nothing: so every instant has a row at or before it. The columns have
    room for more rows than the `rows` in use. Only a thread with the store's `_lock` may change them.
    """

    __slots__ = ("last", "room", "rows", "sums", "times")

    def __init__(self) -> None:
        self.rows = 1
        self.room = 0  # the rows that the store has counted
        self.last = BEFORE_ALL
        self.times: Integers = np.array([BEFORE_ALL])
        self.sums: Rows = np.zeros((1, 3), dtype=np.int64)

    @property
    def count(self) -> int:
        """How many entries there are. O(1)."""
        return int(self.sums[self.rows - 1, 0])

    def append(self, timestamp: int, entry: tuple[int, int, int]) -> None:
        """Count an entry at or after the last instant. O(1) amortised."""
        sums = self.total(entry)
        row = self.rows if timestamp > self.last else self.rows - 1
        self.reserve(row + 1, _dtype(sums))
        self.times[row] = self.last = timestamp
        self.sums[row] = sums
        self.rows = row + 1

    def merged(self, times: Integers, sums: Rows) -> tuple[int, Integers, Rows]:
        """Return where the rows change when entries are merged in, and the rows from there on.

        The entries are given like the rows: distinct instants, ascending, with cumulative sums. The sum at an
        instant is then what the device's rows have up to it plus what the entries have up to it.
        """
        dtype = _dtype(self.total(sums[-1].tolist()))
        sums = sums.astype(dtype)
        if times[0] > self.last:  # nothing to interleave: spares small batches most of their cost
            return self.rows, times, sums + self.sums[self.rows - 1]
        places = np.searchsorted(self.times[: self.rows], times)
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

    def replace_from(self, at: int, times: Integers, sums: Rows) -> None:
        """Put rows, for which there is room, in the place of those from row `at` on. O(their number)."""
        self.rows = at + len(times)
        self.last = int(times[-1])
        self.times[at : self.rows] = times
        self.sums[at : self.rows] = sums

    def reserve(self, rows: int, dtype: np.dtype[Any]) -> None:
        """Make room for so many rows of sums of this type; the content stays. O(1) amortised over growth."""
        if self.sums.dtype != dtype:
            self.sums = self.sums.astype(dtype)
        if rows > len(self.times):
            room = rows + rows // 4  # a quarter more: none for the first entries of a small device
            times, sums = np.empty(room, dtype=np.int64), np.zeros((room, 3), dtype=dtype)
            times[: len(self.times)], sums[: len(self.sums)] = self.times, self.sums
            self.times, self.sums = times, sums

    def sums_until(self, instants: Integers) -> Rows:
        """Return a copy of the sums up to and at each instant. O(len(instants) * log rows)."""
        return self.sums[np.searchsorted(self.times[: self.rows], instants, side="right") - 1]

    def total(self, more: Sequence[int]) -> list[int]:
        """Return the sums of all entries and of some more. O(1)."""
        return list(map(operator.add, self.sums[self.rows - 1].tolist(), more))

    def summary(self, device_id: str) -> DeviceSummary:
        """Return what is stored, under the device's key. O(1)."""
        count, bytes_ts, bytes_fs = self.sums[self.rows - 1].tolist()
        return DeviceSummary(device_id, count, int(self.times[1]), self.last, bytes_ts, bytes_fs)

    def check(self) -> None:
        """Assert the invariants. O(rows)."""
        times, sums = self.times[: self.rows], self.sums[: self.rows]
        assert 2 <= self.rows <= len(self.times) == len(self.sums) <= self.rows * 5 // 4
        assert times[0] == BEFORE_ALL
        assert times[1] >= 0
        assert times[-1] == self.last <= LARGEST
        assert np.all(times[1:] > times[:-1])
        assert not np.any(sums[0])
        assert np.all(sums[1:, 0] > sums[:-1, 0])
        assert np.all(sums[1:] >= sums[:-1])
        assert sums.dtype == _dtype(sums[-1].tolist())
        assert all(type(number) is int for number in sums.ravel().tolist())


def _dtype(sums: list[int]) -> np.dtype[Any]:
    """Return the type of column that holds sums up to these: int64, or Python integers when they are huge."""
    return np.dtype(object if max(sums) > INT64_SAFE else np.int64)


def _by_device(keys: Keys, times: Integers, values: Integers) -> Iterator[tuple[str, Integers, Rows]]:
    """Yield each device's distinct instants, ascending, and cumulative sums of its values. O(b log b)."""
    order = stable_order(times, keys.codes)
    devices, times, rows = keys.codes[order], times[order], values[order]
    fits = np.max(rows.sum(axis=0, dtype=np.float64)) < INT64_SAFE
    sums: Rows = np.cumsum(rows if fits else rows.astype(object), axis=0)
    ends_device = np.diff(devices, append=-1) != 0
    ends_instant = ends_device | (np.diff(times, append=-1) != 0)
    times, sums = times[ends_instant], sums[ends_instant]
    start, before = 0, np.zeros_like(sums[0])
    stops = np.flatnonzero(ends_device[ends_instant]) + 1
    for device_id, stop in zip(keys.names, stops.tolist(), strict=True):
        yield device_id, times[start:stop], sums[start:stop] - before
        start, before = stop, sums[stop - 1]


def _whole(name: str, value: int, least: int, most: int) -> int:
    """Return the value as a Python integer from least to most, or raise TypeError or ValueError."""
    value = operator.index(value)
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}")
    return value


def _column(name: str, values: Sequence[int] | Integers) -> Integers:
    """Return the values as a column of integers from 0 to LARGEST, or raise TypeError or ValueError."""
    column = np.asarray(values)
    if column.dtype.kind not in "iu":  # none at all, fractions, or integers beyond 64 bits
        column = np.array([_whole(name, value, 0, LARGEST) for value in values], dtype=np.int64)
    if len(column) and not 0 <= column.min() <= column.max() <= LARGEST:
        raise ValueError(f"{name} must be from 0 to {LARGEST}")
    return column.astype(np.int64, copy=False)
