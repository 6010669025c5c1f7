"""Sum, average, maximum, minimum and count of the last minute, in constant time and memory.

Plain Python and NumPy; knows no framework and reads no clock. Times are integers, milliseconds since the Unix epoch.

The values themselves are not kept. Time is divided into cells of ten seconds, each into twenty of half a second,
each of these into twenty of 25 ms, and these into milliseconds. A cell holds a compensated sum, a count, and
the extremes of its stretch of time. The cells of one width form a ring. A window is read as whole cells: the
widest ones, but narrower ones in place of the one cut by the window's start, and so on down to milliseconds.

     10 s  |          :          |=====================|=====================|  to the latest value
    500 ms |          :    |==|==|
     25 ms |          : |==|
      1 ms |          |=|
                    start

So adding touches four cells, and a summary reads some forty, however many values they stand for. A batch is
first condensed to one row per cell, and only these rows are added to the rings. Nothing is ever subtracted:
values that have left the window are simply no longer read, and no rounding error outlives the value that
caused it.

For comparison: K. Tangwongsan, M. Hirzel, S. Schneider, "Optimal and General Out-of-Order Sliding-Window
Aggregation", PVLDB 12 (2019), keep a finger B-tree over the values, which serves any associative operator in
amortised O(log d) for a value that arrives d places out of order. Here, whole milliseconds and commutative
operators allow O(1) and a fixed size.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from struct import Struct
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.summation import Floats, Integers, add_to_pair
from transactions.interface import NOTHING, Summary, TooFarAheadError
from transactions.memory.batches import CellRows, columns, condense

# Each width divides the one before it. One level more makes `add` slower, one level less `summary`.
WIDTHS_MS = (10_000, 500, 25, 1)

# How far `now` may step back without loss.
STEP_BACK_MS = 5_000

# A batch of fewer values is faster to count one by one than to condense.
FEW = 100

# A cell is five doubles side by side, read, written and copied in one call each. The sum is HIGH + LOW, kept
# as `summation.add_to_pair` does; as a double COUNT is exact up to 2**53.
HIGH, LOW, COUNT, LEAST, MOST = range(5)
CELL = Struct("5d")
SIZE = CELL.size
EMPTY = CELL.pack(0.0, 0.0, 0.0, math.inf, -math.inf)
read_cell, write_cell = CELL.unpack_from, CELL.pack_into
WHOLE = np.dtype((np.void, SIZE))  # a cell as one item, which NumPy copies three times as fast as five doubles

# The ring of all cells of one width: the width, the cells, and as many empty cells as one cell of the next wider
# level covers. A plain tuple, because the interpreter unpacks nothing faster.
Level = tuple[int, bytearray, bytes]

Cell = tuple[float, ...]  # HIGH, LOW, COUNT, LEAST and MOST

# A batch's changes at one level: the cells in groups, the groups to empty, the cells, those to write, their content.
Change = tuple[NDArray[np.void], Integers, NDArray[np.void], Integers, NDArray[np.void]]


class SlidingWindow:
    """Statistics of the last `length_ms` milliseconds, exact to the millisecond, in any order of arrival.

    Sum and average are within 2**-50 * max(|exact|, largest |amount| in the window) of the exact ones for up
    to 2**27 values at a time; count, maximum and minimum are exact. Memory is fixed at construction, 42 bytes
    for each millisecond of `length_ms + ahead_ms` and at most 25 seconds more: 3 MB if values may lie five
    seconds ahead, 16 MB if five minutes. Threads may share a window.

    `now` is the caller's clock and normally moves forward. After a step back of up to five seconds nothing is
    missing and every answer is as exact as before. After a longer one, values from before the step may be
    missing, because a later `now` had dropped them or because an older value needs their place; all values
    still held, and all added from then on, count exactly once.

    >>> window = SlidingWindow(length_ms=60_000, ahead_ms=5_000)
    >>> window.add(1_000, 12.5, now=2_000), window.add(3_000, 7.5, now=2_000)
    (True, True)
    >>> window.summary(now=61_000)
    Summary(sum=20.0, avg=10.0, max=12.5, min=7.5, count=2)
    >>> window.summary(now=61_001)
    Summary(sum=7.5, avg=7.5, max=7.5, min=7.5, count=1)
    """

    def __init__(self, *, length_ms: int = 60_000, ahead_ms: int = 300_000) -> None:
        """Make an empty window; a timestamp may lie up to `ahead_ms` ahead of `now`.

        Raises ValueError unless `length_ms` is positive and `ahead_ms` is not negative.
        """
        if length_ms <= 0 or ahead_ms < 0:
            raise ValueError("length_ms must be positive and ahead_ms not negative")
        self._length, self._ahead = length_ms, ahead_ms
        widest = WIDTHS_MS[0]
        # Rounded up to whole cells, and one more because neither end need fall on a border.
        self._span = (-(-(length_ms + ahead_ms + STEP_BACK_MS) // widest) + 1) * widest
        self._end = 0  # the rings cover the times from _end - _span to just before _end
        self._levels: list[Level] = [
            (width, bytearray(EMPTY * (self._span // width)), EMPTY * (above // width))
            for above, width in pairwise((self._span, *WIDTHS_MS))
        ]
        self._added = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the rings take; never changes. O(1).

        >>> SlidingWindow(length_ms=60_000, ahead_ms=5_000).nbytes
        3334720
        """
        return sum(len(cells) for _, cells, _ in self._levels)

    @property
    def added(self) -> int:
        """How many values were counted since the window was made, including those forgotten since. O(1).

        >>> window = SlidingWindow()
        >>> window.add(1_000, 12.5, now=2_000)
        True
        >>> window.clear()
        >>> window.added
        1
        """
        with self._lock:
            return self._added

    def add(self, timestamp: int, amount: float, *, now: int) -> bool:
        """Count an amount; return whether it was young enough. O(1).

        A value exactly `length_ms` old still counts; an older one changes nothing. `amount` is finite, of magnitude
        1e150 at most. Raises TooFarAheadError if `timestamp` is more than `ahead_ms` ahead of `now`.

        >>> window = SlidingWindow(length_ms=60_000)
        >>> window.add(1_000, 12.5, now=61_000), window.add(999, 12.5, now=61_000)
        (True, False)
        """
        if timestamp > now + self._ahead:
            raise TooFarAheadError(timestamp, ahead_ms=self._ahead, now=now)
        if timestamp < now - self._length:
            return False
        before: list[Cell] = []
        with self._lock:
            try:
                self._count(timestamp, amount, before)
            except BaseException:
                self._restore(timestamp, before)
                raise
            self._added += 1
        return True

    def add_batch(self, timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats, *, now: int) -> int:
        """Count each amount as `add` would; return how many were young enough. O(n log n), O(n) if in order of time.

        Takes sequences or arrays. A summary sees all of the batch or none of it; other threads wait only while its
        rows, one per cell, are added. A batch that is refused counts nothing: raises TooFarAheadError if a timestamp
        is more than `ahead_ms` ahead of `now`, ValueError if an amount is not finite or the lengths differ, TypeError
        if a timestamp is not an integer or an amount not a number.

        >>> window = SlidingWindow(length_ms=60_000)
        >>> window.add_batch([999, 1_000, 2_000], [1.0, 2.0, 4.0], now=61_000)
        2
        """
        # Anything that can fail does so here, before the lock is taken.
        times, values = columns(timestamps, amounts)
        latest = int(times.max(initial=now))
        if latest > now + self._ahead:
            raise TooFarAheadError(latest, ahead_ms=self._ahead, now=now)
        young = times >= now - self._length
        times, values = times[young], values[young]
        accepted = len(times)
        if accepted < FEW:
            pairs = list(zip(times.tolist(), values.tolist(), strict=True))
            counted: list[tuple[int, list[Cell]]] = []
            with self._lock:
                try:
                    for timestamp, amount in pairs:
                        counted.append((timestamp, []))
                        self._count(timestamp, amount, counted[-1][1])
                except BaseException:
                    for timestamp, before in reversed(counted):
                        self._restore(timestamp, before)
                    raise
                self._added += accepted
        else:
            borders = int(times.min()), int(times.max())
            batch = condense(times, values, WIDTHS_MS)
            with self._lock:
                self._merge(batch, *borders)
                self._added += accepted
        return accepted

    def summary(self, *, now: int) -> Summary:
        """Summarise all values with timestamp >= now - length_ms, including those ahead of `now`. O(1).

        Changes nothing, whatever `now` is.

        >>> window = SlidingWindow(length_ms=60_000)
        >>> window.add_batch([1_000, 2_000], [1e16, 1.0], now=2_000)
        2
        >>> window.summary(now=61_001)
        Summary(sum=1.0, avg=1.0, max=1.0, min=1.0, count=1)
        """
        with self._lock:
            rows = self._copy_cells(now - self._length)
        table = array("d", rows)
        count = int(sum(table[COUNT::5]))
        if count == 0:
            return NOTHING
        return Summary.of(
            table[HIGH::5] + table[LOW::5], count=count, least=min(table[LEAST::5]), most=max(table[MOST::5])
        )

    def clear(self) -> None:
        """Forget all values. O(1).

        >>> window = SlidingWindow()
        >>> window.add(1_000, 12.5, now=2_000)
        True
        >>> window.clear()
        >>> window.summary(now=2_000)
        Summary(sum=0.0, avg=0.0, max=0.0, min=0.0, count=0)
        """
        with self._lock:
            _, cells, blank = self._levels[0]
            cells[:] = blank  # narrower cells are emptied when next written to

    def _count(self, timestamp: int, amount: float, before: list[Cell]) -> None:
        """Add to the cell of each width that holds the timestamp, the widest first; the lock is held.

        Appends each cell's old content to `before`, for `_restore` in case this fails half-way.
        """
        if not 0 < self._end - timestamp <= self._span:
            self._turn_to(timestamp)
        place = timestamp % self._span
        count = 1.0
        for width, cells, blank in self._levels:
            at = place // width * SIZE
            if not count:
                # The wider cell was empty, so the cells under it may still be from an earlier turn of the ring.
                first = at - at % len(blank)
                cells[first : first + len(blank)] = blank
            cell = read_cell(cells, at)
            before.append(cell)
            high, low, count, least, most = cell
            # `summation.add_to_pair`, written out: four calls of it would make `add` slower by an eighth.
            s = high + amount
            t = s - high
            v = low + ((high - (s - t)) + (amount - t))
            high = s + v
            low = v - (high - s)
            least = amount if amount < least else least
            most = amount if amount > most else most
            write_cell(cells, at, high, low, count + 1.0, least, most)

    def _restore(self, timestamp: int, before: list[Cell]) -> None:
        """Restore the old contents of the cells that hold the timestamp, the widest first; the lock is held.

        Cells under one that becomes empty are not restored, because they mean nothing.
        """
        for (width, cells, _), cell in zip(self._levels, before, strict=False):
            write_cell(cells, timestamp % self._span // width * SIZE, *cell)

    def _merge(self, batch: list[CellRows], earliest: int, latest: int) -> None:
        """Add the rows of a batch, whose values lie between these two times, to the cells; the lock is held."""
        for timestamp in (earliest, latest):
            if not 0 < self._end - timestamp <= self._span:
                self._turn_to(timestamp)
        changes = []
        empty = np.frombuffer(EMPTY, dtype=WHOLE)
        unused = np.zeros(1, dtype=bool)  # the wider cells that were empty, as in _count
        for (width, cells, blank), rows in zip(self._levels, batch, strict=True):
            places = rows.cells % (self._span // width)
            table = np.frombuffer(cells, dtype=WHOLE)
            groups = table.reshape(-1, len(blank) // SIZE)
            present = table[places]
            present[unused[places // groups.shape[1]]] = empty
            high, low, count, least, most = present.view(np.float64).reshape(-1, 5).T
            # No more roundings than values: the row of a single value has low part 0, and adding 0 rounds nothing.
            high, low = add_to_pair(*add_to_pair(high, low, rows.high), rows.low)
            least, most = np.minimum(least, rows.least), np.maximum(most, rows.most)
            sums = np.stack((high, low, count + rows.counts, least, most), axis=1)
            changes.append((groups, np.flatnonzero(unused), table, places, sums.view(WHOLE).ravel()))
            unused = np.zeros(len(table), dtype=bool)
            unused[places[count == 0]] = True
        self._commit(changes, empty)

    def _commit(self, changes: list[Change], empty: NDArray[np.void]) -> None:
        """Empty the cells under those that were empty, and write the new ones; only assigns, and cannot fail."""
        for groups, unused, table, at, cells in changes:
            groups[unused] = empty
            table[at] = cells

    def _turn_to(self, timestamp: int) -> None:
        """Move the time covered by the rings, forward or back, just far enough for the timestamp; the lock is held.

        Of the cells whose time changes, only the widest are emptied; those under them are emptied when next written
        to. So a long pause costs no more than a short one.
        """
        width, cells, _ = self._levels[0]
        begin = timestamp // width * width
        end = begin + width if timestamp >= self._end else begin + self._span
        changing = range(min(end, self._end), max(end, self._end), width)
        for time in changing[: self._span // width]:
            at = time % self._span // width * SIZE
            cells[at : at + SIZE] = EMPTY
        self._end = end

    def _copy_cells(self, start: int) -> bytearray:
        """Copy the cells that together hold exactly the values from `start` on; the lock is held."""
        rows = bytearray()
        stop = self._end
        start = max(start, stop - self._span)
        for width, cells, _ in self._levels:
            if start >= stop:
                break
            whole = -(-start // width) * width  # the first border at or after start
            first = whole % self._span // width * SIZE
            last = first + (stop - whole) // width * SIZE
            rows += cells[first:last]
            if last > len(cells):
                rows += cells[: last - len(cells)]
            if not read_cell(cells, start % self._span // width * SIZE)[COUNT]:
                break  # the cell that `start` cuts is empty, so the cells under it mean nothing
            stop = whole
        return rows

    def _check(self) -> None:
        """Assert the invariants: fixed sizes, and every cell in use is the sum of those below it."""
        with self._lock:
            assert self._end % WIDTHS_MS[0] == 0
            for width, cells, _ in self._levels:
                assert len(cells) == self._span // width * SIZE
            self._check_below(0, 0, self._span)

    def _check_below(self, depth: int, begin: int, end: int) -> None:
        """Assert the invariants of one level's cells between two places in its ring, and of all cells under them."""
        width, cells, _ = self._levels[depth]
        for place in range(begin, end, width):
            at = place // width * SIZE
            high, low, count, least, most = read_cell(cells, at)
            if count == 0:
                assert cells[at : at + SIZE] == EMPTY
                continue
            assert count > 0
            assert least <= most
            assert high + low == high
            if width > 1:
                self._check_below(depth + 1, place, place + width)
                narrower, parts, _ = self._levels[depth + 1]
                table = array("d", parts[place // narrower * SIZE : (place + width) // narrower * SIZE])
                assert count == sum(table[COUNT::5])
                assert (least, most) == (min(table[LEAST::5]), max(table[MOST::5]))
                error = math.fsum((*table[HIGH::5], *table[LOW::5], -high, -low))
                assert abs(error) <= 2**-50 * max(abs(high), abs(least), abs(most))
