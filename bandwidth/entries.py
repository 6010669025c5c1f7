"""Entries as columns: validation of their numbers, and many entries grouped by device, or summed by instant too.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.arrays import Keys, run_lengths, run_starts, stable_order
from timeseries_project.core.summation import Integers

Rows = NDArray[Any]  # shape (n, 3): entries, bytes_ts, bytes_fs; int64, or Python integers when huge

MAX_WHOLE = 2**53 - 1  # for timestamps and an entry's bytes: every JSON reader holds integers up to here exactly
LONGEST_WINDOW = 2**31 - 1
MOST_WINDOWS = 10_000
INT64_SAFE = 2**62  # half the range, so that an estimate in doubles can tell whether sums fit


class Grouped(NamedTuple):
    """Entries grouped by device, ascending by time within each; those of a device begin where `starts` says.

    `sizes` has a row for each entry: its bytes to and from the server.
    """

    devices: list[str]
    starts: Integers
    times: Integers
    sizes: Integers

    @property
    def lengths(self) -> Integers:
        """The number of entries of each device."""
        return run_lengths(self.starts, len(self.times))

    @property
    def latest(self) -> int:
        """The latest second of all; 0 if there are no entries."""
        return _latest(self.times)


class Condensed(NamedTuple):
    """Entries grouped by device, one row per distinct instant, ascending within the device.

    The rows of a device end where `stops` says. `sums` are cumulative over all rows, across devices.
    """

    devices: list[str]
    stops: list[int]
    times: Integers
    sums: Rows

    @property
    def entries(self) -> int:
        """The number of entries."""
        return int(self.sums[-1, 0]) if len(self.sums) else 0

    @property
    def latest(self) -> int:
        """The latest second of all; 0 if there are no entries."""
        return _latest(self.times)


def _latest(times: Integers) -> int:
    return int(times.max(initial=0))


def grouped(
    device_ids: Sequence[str] | Keys,
    timestamps: Sequence[int] | Integers,
    bytes_ts: Sequence[int] | Integers,
    bytes_fs: Sequence[int] | Integers,
    *,
    oldest: int = 0,
) -> Grouped:
    """Group entries by device, in order of time, leaving out those before `oldest`. O(b log b) for b entries.

    The columns have one length and any order. Raises TypeError for numbers that are not integers, ValueError for
    numbers outside 0..2**53 - 1 and for columns of different lengths.

    >>> entries = grouped(["b", "a", "b"], [20, 10, 20], [1, 2, 3], [0, 0, 5])
    >>> entries.devices, entries.starts.tolist(), entries.times.tolist(), entries.sizes.tolist()
    (['b', 'a'], [0, 2], [20, 20, 10], [[1, 0], [3, 5], [2, 0]])
    """
    times = column("timestamps", timestamps)
    columns = (column("bytes_ts", bytes_ts), column("bytes_fs", bytes_fs))
    keys = Keys.of(device_ids)
    if {len(keys.codes), *map(len, columns)} != {len(times)}:
        raise ValueError("the columns must have one length")
    codes = keys.codes.astype(np.int64)
    order = stable_order(times, codes)
    if oldest:
        order = order[times[order] >= oldest]
    codes, sizes = codes[order], np.empty((len(order), 2), dtype=np.int64)
    for part, numbers in enumerate(columns):
        np.take(numbers, order, out=sizes[:, part])
    starts = run_starts(codes) if len(codes) else order
    # Devices whose entries are all before `oldest` are not named.
    return Grouped([keys.names[code] for code in codes[starts].tolist()], starts, times[order], sizes)


def condensed(
    device_ids: Sequence[str] | Keys,
    timestamps: Sequence[int] | Integers,
    bytes_ts: Sequence[int] | Integers,
    bytes_fs: Sequence[int] | Integers,
    *,
    oldest: int = 0,
) -> Condensed:
    """Sum up entries by device and instant, leaving out those before `oldest`. Raises what `grouped` raises.

    >>> entries = condensed(["b", "a", "b"], [20, 10, 20], [1, 2, 3], [0, 0, 5])
    >>> entries.devices, entries.stops, entries.times.tolist(), entries.sums.tolist()
    (['b', 'a'], [1, 2], [20, 10], [[2, 4, 5], [3, 6, 5]])
    """
    entries = grouped(device_ids, timestamps, bytes_ts, bytes_fs, oldest=oldest)
    count = len(entries.times)
    rows = np.column_stack((np.ones_like(entries.times), entries.sizes))
    fits = not count or np.max(rows.sum(axis=0, dtype=np.float64)) < INT64_SAFE
    sums: Rows = np.cumsum(rows if fits else rows.astype(object), axis=0)
    ends_device = np.zeros(count, dtype=bool)
    ends_device[entries.starts - 1] = True
    ends_instant = ends_device | (np.diff(entries.times, append=-1) != 0)
    stops = np.flatnonzero(ends_device[ends_instant]) + 1
    return Condensed(entries.devices, stops.tolist(), entries.times[ends_instant], sums[ends_instant])


def whole(name: str, value: int, least: int, most: int) -> int:
    """Return a value from `least` to `most` as a Python integer; raise TypeError or ValueError for any other."""
    value = operator.index(value)
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least} to {most}")
    return value


def column(name: str, values: Sequence[int] | Integers) -> Integers:
    """Return values from 0 to MAX_WHOLE as an int64 column; raise TypeError or ValueError for any others."""
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "iu":  # an empty list, fractions, or integers beyond 64 bits
        numbers = np.array([whole(name, value, 0, MAX_WHOLE) for value in values], dtype=np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() <= MAX_WHOLE:
        raise ValueError(f"{name} must be from 0 to {MAX_WHOLE}")
    return numbers.astype(np.int64, copy=False)
