"""The datapoints of one device and user in memory: a sorted, columnar series.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from timeseries_project.summation import Floats, Integers, add_to_pair, grouped_sums

#: The bucket whose sums are kept as points arrive; its multiples are built from these.
QUARTER_HOUR = 15 * 60 * 1_000_000

#: Points in a chunk at most: an insertion in the middle moves no more than this, however long the series.
CHUNK = 2048

#: Up to so many at a time, inserting one by one is cheaper than merging columns.
FEW = 32

LAST_NUMBER = 2**62


class Point(NamedTuple):
    """One datapoint; sorts as the listing does: by time, device, user."""

    timestamp: int
    device: str
    user: str
    value: float


class BucketSums(NamedTuple):
    """Quarter-hours of one or more series, side by side: `high + low` is the sum of `counts` values each.

    One row per series and non-empty quarter-hour, so a quarter-hour may occur once per series.
    """

    numbers: Integers
    counts: Integers
    highs: Floats
    lows: Floats


class Series:
    """The points of one device and user in time order, and their sum in each quarter-hour.

    Points live in chunks of at most `CHUNK`, each a column of times and a column of values, as in a sorted
    list of lists: appending is O(1), inserting anywhere O(CHUNK + number of chunks). Not thread-safe: the
    store's lock guards it.
    """

    __slots__ = ("_chunks", "_counts", "_highs", "_lows", "_numbers", "count", "device", "last", "user")

    def __init__(self, device: str, user: str) -> None:
        self.device = device
        self.user = user
        self.count = 0
        self.last = -1
        self._chunks = [(array("q"), array("d"))]
        self._numbers = array("q")
        self._counts = array("q")
        self._highs = array("d")
        self._lows = array("d")

    @property
    def first(self) -> int:
        """The time of the oldest point. O(1)."""
        return self._chunks[0][0][0]

    def _place(self, time: int) -> tuple[int, int]:
        """Return (chunk, position) of the first point not before `time`, or else of the end."""
        chunks = self._chunks
        chunk = bisect_left(chunks, time, hi=len(chunks) - 1, key=_last_time) if len(chunks) > 1 else 0
        return chunk, bisect_left(chunks[chunk][0], time)

    def __contains__(self, time: int) -> bool:
        """Whether there is a point at exactly this time. O(log n), O(1) for one newer than all."""
        if time > self.last:
            return False
        chunk, position = self._place(time)
        return self._chunks[chunk][0][position] == time

    def add(self, time: int, value: float) -> bool:
        """Add a point unless one of that time exists; return whether it was added. Costs: see above."""
        if time in self:
            return False
        self._insert(time, value)
        self._count_in(time // QUARTER_HOUR, 1, value, 0.0)
        return True

    def extend(self, times: array[int], values: array[float], sums: Sequence[tuple[int, int, float, float]]) -> None:
        """Add points sorted by time, none of whose times exists, with the rows of their `BucketSums`.

        O(len(times)) for points newer than the series. Late ones cost an insertion each or, where many fall
        between two points of the series, a merge of O(CHUNK + their number).
        """
        if times[0] < self.last:
            late = bisect_left(times, self.last)
            self._insert_all(times[:late], values[:late])
            times, values = times[late:], values[late:]
        if times:
            self._append(times, values)
        if len(sums) > FEW:
            self._count_all(BucketSums(*map(np.array, zip(*sums, strict=True))))
        else:
            for number, count, high, low in sums:
                self._count_in(number, count, high, low)

    def _append(self, times: array[int], values: array[float]) -> None:
        """Append points newer than all."""
        self.last = times[-1]
        self.count += len(times)
        tail_times, tail_values = self._chunks[-1]
        room = CHUNK - len(tail_times)
        if len(times) <= room:
            tail_times.extend(times)
            tail_values.extend(values)
            return
        tail_times.extend(times[:room])
        tail_values.extend(values[:room])
        for start in range(room, len(times), CHUNK):
            self._chunks.append((times[start : start + CHUNK], values[start : start + CHUNK]))

    def _insert_all(self, times: array[int], values: array[float]) -> None:
        """Insert late points chunk by chunk."""
        start = 0
        while start < len(times):
            stop = len(times)
            if stop > FEW:
                chunk, _ = self._place(times[start])
                stop = bisect_left(times, _last_time(self._chunks[chunk]))
            if stop - start > FEW:
                self._merge(chunk, times[start:stop], values[start:stop])
            else:
                for time, value in zip(times[start:stop], values[start:stop], strict=True):
                    self._insert(time, value)
            start = stop

    def _merge(self, chunk: int, times: array[int], values: array[float]) -> None:
        """Merge points into a chunk, and cut the result into as many chunks as it needs."""
        old_times, old_values = self._chunks[chunk]
        all_times = np.concatenate((np.frombuffer(old_times, dtype=np.int64), times))
        all_values = np.concatenate((np.frombuffer(old_values), values))
        order = np.argsort(all_times, kind="stable")
        pieces = np.array_split(order, -(-len(order) // CHUNK))
        self._chunks[chunk : chunk + 1] = [
            (array("q", all_times[piece].tobytes()), array("d", all_values[piece].tobytes())) for piece in pieces
        ]
        self.count += len(times)

    def _insert(self, time: int, value: float) -> None:
        self.count += 1
        if time > self.last:
            if len(self._chunks[-1][0]) == CHUNK:
                self._chunks.append((array("q"), array("d")))
            times, values = self._chunks[-1]
            times.append(time)
            values.append(value)
            self.last = time
            return
        chunk, position = self._place(time)
        times, values = self._chunks[chunk]
        times.insert(position, time)
        values.insert(position, value)
        if len(times) > CHUNK:
            half = len(times) // 2
            self._chunks[chunk : chunk + 1] = [(times[:half], values[:half]), (times[half:], values[half:])]

    def _count_in(self, number: int, count: int, high: float, low: float) -> None:
        """Add a sum of `count` values to the quarter-hour `number`."""
        numbers, counts, highs, lows = self._numbers, self._counts, self._highs, self._lows
        if not numbers or number > numbers[-1]:
            numbers.append(number)
            counts.append(count)
            highs.append(high)
            lows.append(low)
            return
        i = len(numbers) - 1 if number == numbers[-1] else bisect_left(numbers, number)
        if numbers[i] != number:
            numbers.insert(i, number)
            counts.insert(i, count)
            highs.insert(i, high)
            lows.insert(i, low)
            return
        counts[i] += count
        total, rest = add_to_pair(highs[i], lows[i], high)
        highs[i], lows[i] = add_to_pair(total, rest, low) if low else (total, rest)

    def _count_all(self, sums: BucketSums) -> None:
        """Add sums of many distinct, ascending quarter-hours at once. O(quarter-hours of the series and of these)."""
        numbers, counts, highs, lows = self.sums(0, LAST_NUMBER)
        counts, highs, lows = counts.copy(), highs.copy(), lows.copy()  # what was copied out is read-only
        at = np.searchsorted(numbers, sums.numbers)
        known = np.zeros(len(at), dtype=bool)
        inside = at < len(numbers)
        known[inside] = numbers[at[inside]] == sums.numbers[inside]
        here, new = at[known], ~known
        counts[here] += sums.counts[known]
        pair = add_to_pair(highs[here], lows[here], sums.highs[known])
        highs[here], lows[here] = add_to_pair(*pair, sums.lows[known])
        self._numbers = array("q", np.insert(numbers, at[new], sums.numbers[new]).tobytes())
        self._counts = array("q", np.insert(counts, at[new], sums.counts[new]).tobytes())
        self._highs = array("d", np.insert(highs, at[new], sums.highs[new]).tobytes())
        self._lows = array("d", np.insert(lows, at[new], sums.lows[new]).tobytes())

    def points_from(self, start: int) -> Iterator[Point]:
        """Yield the points at and after `start`, oldest first. O(log n) to begin."""
        if start > self.last:
            return
        chunk, position = self._place(start)
        for times, values in islice(self._chunks, chunk, None):
            for i in range(position, len(times)):
                yield Point(times[i], self.device, self.user, values[i])
            position = 0

    def columns(self, start: int, stop: int) -> tuple[list[Integers], list[Floats]]:
        """Copy the points with start <= time < stop: the pieces of the two columns, in order.

        O(log n + points copied).
        """
        times: list[Integers] = []
        values: list[Floats] = []
        if start <= self.last and start < stop:
            first, position = self._place(start)
            last, end = self._place(stop - 1)
            for chunk in range(first, last + 1):
                chunk_times, chunk_values = self._chunks[chunk]
                a = position if chunk == first else 0
                b = len(chunk_times)
                if chunk == last:
                    b = end + (end < b and chunk_times[end] < stop)
                times.append(np.frombuffer(chunk_times[a:b], dtype=np.int64))
                values.append(np.frombuffer(chunk_values[a:b], dtype=np.float64))
        return times, values

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours numbered start <= number < stop. O(log n + quarter-hours copied)."""
        a, b = bisect_left(self._numbers, start), bisect_left(self._numbers, stop)
        return BucketSums(
            np.frombuffer(self._numbers[a:b], dtype=np.int64),
            np.frombuffer(self._counts[a:b], dtype=np.int64),
            np.frombuffer(self._highs[a:b], dtype=np.float64),
            np.frombuffer(self._lows[a:b], dtype=np.float64),
        )

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`. O(log n)."""
        if time > self.last:
            return self.last
        chunk, position = self._place(time)
        if position:
            return self._chunks[chunk][0][position - 1]
        return self._chunks[chunk - 1][0][-1] if chunk else None

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`. O(log n)."""
        return next((point.timestamp for point in self.points_from(time)), None)

    def _check(self) -> None:
        times = [t for chunk, _ in self._chunks for t in chunk]
        values = [v for _, chunk in self._chunks for v in chunk]
        assert all(0 < len(t) <= CHUNK and len(t) == len(v) for t, v in self._chunks)
        assert all(a < b for a, b in pairwise(times))
        assert (self.count, self.first, self.last) == (len(times), times[0], times[-1])
        numbers, starts = np.unique(np.array(times) // QUARTER_HOUR, return_index=True)
        assert numbers.tolist() == list(self._numbers)
        assert np.diff(starts, append=len(times)).tolist() == list(self._counts)
        high, _ = grouped_sums(np.array(values), starts)
        assert len(self._lows) == len(self._highs)
        assert np.allclose(high, np.array(self._highs), rtol=1e-12, atol=np.max(np.abs(values)) * 1e-12)


def _last_time(chunk: tuple[array[int], array[float]]) -> int:
    return chunk[0][-1]
