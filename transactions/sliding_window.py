"""Sum, average, maximum, minimum and count of the last minute, in constant time and memory.

Plain Python; knows no framework and reads no clock. Times are integers, milliseconds since the Unix epoch.

The values themselves are not kept. Time is cut into cells of ten seconds, each into twenty of half a second,
each of these into twenty of 25 ms, and these into milliseconds. A cell holds a compensated sum, a count and
the extremes of its stretch of time, and every width has its cells in one ring:

      10 s  |          |          |          |          |     a window that starts at ^ is made of
    500 ms             |||||||^|||||||||||||||                the whole cells right of ^: a few of
     25 ms                   |||^||||||||                     the widest, then of each narrower width
      1 ms                     |^||||                         only those inside the one cell ^ cuts

So adding touches four cells, and a summary reads some forty, however many values they stand for. Nothing is
ever subtracted: what leaves the window is simply no longer read, and no rounding error outlives the value
that caused it. For comparison see K. Tangwongsan, M. Hirzel, S. Schneider, "Optimal and General Out-of-Order
Sliding-Window Aggregation", PVLDB 12 (2019): a finger B-tree that keeps every value, and so takes any order
and any associative operator in amortised O(log d) time, d the distance from the window's end. Here the whole
millisecond as unit of time buys O(1) and a fixed size.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from struct import Struct
from threading import Lock
from typing import NamedTuple

# Each width divides the one before it. More levels make adding dearer, fewer make the summary dearer.
WIDTHS_MS = (10_000, 500, 25, 1)

# How far `now` may step back without a loss.
STEP_BACK_MS = 5_000

# A cell is a row of five doubles: side by side they are read, written and copied in one call each, and a
# double counts exactly up to 2**53.
HIGH, LOW, COUNT, LEAST, MOST = range(5)
CELL = Struct("5d")
SIZE = CELL.size
EMPTY = CELL.pack(0.0, 0.0, 0.0, math.inf, -math.inf)
read_cell, write_cell = CELL.unpack_from, CELL.pack_into

# The ring of all cells of one width: the width, the cells, and as many empty cells as one of the next wider
# level covers. A plain tuple, for the interpreter unpacks nothing faster.
Level = tuple[int, bytearray, bytes]


class Summary(NamedTuple):
    """What a window holds; all zeros when it holds nothing, and never a negative zero."""

    sum: float
    avg: float
    max: float
    min: float
    count: int  # type: ignore[assignment]  # hides tuple.count, as `index` and `count` fields do


class SlidingWindow:
    """Statistics of the last `length_ms` milliseconds, exact to the millisecond, whatever the order of arrival.

    Sum and average are within 2**-50 * max(|exact|, largest |amount| in the window) of the exact result for
    up to 2**27 values, and the count is exact. Memory is fixed at construction: 42 bytes for each millisecond
    of `length_ms + ahead_ms`, rounded up by some 20 seconds. Safe to share between threads.

    `now` is the caller's, and normally moves forward. Where it steps back by up to 5 seconds nothing is lost
    and every answer is as exact as before. Where it steps back further, values from before the step may be
    gone, ten seconds' worth at a time, for a later `now` had let them go or they lie too far ahead of the new
    one; whatever remains and all that is added from then on is counted exactly, and once.

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
        # Neither end of what must fit into the ring need fall on a cell's border: hence two cells more.
        widest = WIDTHS_MS[0]
        self._span = ((length_ms + ahead_ms + STEP_BACK_MS) // widest + 2) * widest
        self._end = 0  # the rings cover the times from _end - _span to just before _end
        self._levels: list[Level] = [
            (width, bytearray(EMPTY * (self._span // width)), EMPTY * (above // width))
            for above, width in zip((self._span, *WIDTHS_MS), WIDTHS_MS, strict=False)
        ]
        self._lock = Lock()

    def add(self, timestamp: int, amount: float, *, now: int) -> bool:
        """Count an amount; return whether it was young enough. O(1).

        Exactly `length_ms` old still counts; if older, nothing changes. `amount` is finite and its magnitude
        at most 1e150. Raises ValueError if `timestamp` lies more than `ahead_ms` ahead of `now`.
        """
        if timestamp > now + self._ahead:
            raise self._too_far_ahead(timestamp, now)
        if timestamp < now - self._length:
            return False
        with self._lock:
            self._count(timestamp, amount)
        return True

    def add_batch(self, timestamps: Sequence[int], amounts: Sequence[float], *, now: int) -> int:
        """Count each amount as `add` would; return how many were young enough. O(len(timestamps)).

        A summary sees all of the batch or nothing of it, and all others wait while it is counted. Raises
        ValueError, and counts nothing, if one timestamp lies too far ahead or the lengths differ; TypeError,
        and counts nothing, if one amount is no number.
        """
        latest = max(timestamps, default=now)
        if latest > now + self._ahead:
            raise self._too_far_ahead(latest, now)
        start = now - self._length
        # Everything that can fail happens here, before the lock.
        pairs = zip(timestamps, array("d", amounts), strict=True)
        accepted = [pair for pair in pairs if pair[0] >= start]
        with self._lock:
            for timestamp, amount in accepted:
                self._count(timestamp, amount)
        return len(accepted)

    def summary(self, *, now: int) -> Summary:
        """Summarise the values with timestamp >= now - length_ms; those ahead of `now` count at once. O(1)."""
        with self._lock:
            rows = self._copy_cells(now - self._length)
        table = array("d", rows)
        count = int(sum(table[COUNT::5]))
        if count == 0:
            return Summary(0.0, 0.0, 0.0, 0.0, 0)
        total = math.fsum(table[HIGH::5] + table[LOW::5])
        # Adding zero turns a negative zero into zero.
        return Summary(
            sum=total + 0.0,
            avg=total / count + 0.0,
            max=max(table[MOST::5]) + 0.0,
            min=min(table[LEAST::5]) + 0.0,
            count=count,
        )

    def clear(self) -> None:
        """Forget all values. O(1)."""
        with self._lock:
            _, cells, blank = self._levels[0]
            cells[:] = blank  # narrower cells follow when first written to

    # All below run under the lock.

    def _count(self, timestamp: int, amount: float) -> None:
        """Add to the cell of each width that holds the timestamp, the widest first."""
        if not 0 < self._end - timestamp <= self._span:
            self._turn_to(timestamp)
        place = timestamp % self._span
        count = 1.0
        for width, cells, blank in self._levels:
            at = place // width * SIZE
            if not count:
                # The wider cell was empty: here it may still show what left the window a turn ago.
                first = at - at % len(blank)
                cells[first : first + len(blank)] = blank
            high, low, count, least, most = read_cell(cells, at)
            # summation.add_to_pair, written out: called four times, it makes `add` slower by an eighth.
            s = high + amount
            t = s - high
            v = low + ((high - (s - t)) + (amount - t))
            high = s + v
            low = v - (high - s)
            least = amount if amount < least else least
            most = amount if amount > most else most
            write_cell(cells, at, high, low, count + 1.0, least, most)

    def _turn_to(self, timestamp: int) -> None:
        """Move the time the rings cover just so far that it holds the timestamp.

        Only the widest cells that change their time are emptied; narrower ones follow when first written to.
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
        """Return copies of the cells that together hold exactly the values from `start` on."""
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
                break  # nothing in the cell that start cuts: what lies below it is old
            stop = whole
        return rows

    def _too_far_ahead(self, timestamp: int, now: int) -> ValueError:
        return ValueError(f"timestamp {timestamp} lies more than {self._ahead} ms ahead of {now}")

    def _check(self) -> None:
        """Assert the invariants: fixed sizes, and every cell in use is the sum of those below it."""
        with self._lock:
            assert self._end % WIDTHS_MS[0] == 0
            for width, cells, _ in self._levels:
                assert len(cells) == self._span // width * SIZE
            self._check_below(0, 0, self._span)

    def _check_below(self, depth: int, begin: int, end: int) -> None:
        """Assert the invariants of the cells of one level between two places in its ring, and of those below."""
        width, cells, _ = self._levels[depth]
        for place in range(begin, end, width):
            cell = read_cell(cells, place // width * SIZE)
            high, low, count, least, most = cell
            if count == 0:
                assert cell == CELL.unpack(EMPTY)
                continue
            assert count > 0
            assert least <= most
            assert high + low == high
            if width == 1:
                continue
            self._check_below(depth + 1, place, place + width)
            below_width, below_cells, _ = self._levels[depth + 1]
            below = array(
                "d",
                below_cells[place // below_width * SIZE : (place + width) // below_width * SIZE],
            )
            assert count == sum(below[COUNT::5])
            assert (least, most) == (min(below[LEAST::5]), max(below[MOST::5]))
            difference = math.fsum((*below[HIGH::5], *below[LOW::5], -high, -low))
            assert abs(difference) <= 2**-50 * max(abs(high), abs(least), abs(most))
