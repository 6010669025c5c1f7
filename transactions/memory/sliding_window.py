"""Sum, average, maximum, minimum and count of the last minute, in constant time and memory, and ten minutes of seconds.

Python and kernels; knows no framework and reads no clock. Times are integers, milliseconds since the Unix epoch.

The values themselves are not kept. Time is cut into cells of a second, each into 25 blocks of 40 ms, and these into
points of a millisecond. A cell holds a compensated sum, a count and the extremes of its stretch of time, and the cells
of one width form a ring. A window is read as whole cells: the seconds, and in place of the one that its start cuts
blocks, and in place of the block that it cuts points.

      1 s  |          :          |=====================|=====================|  to the latest value
     40 ms |          :    |==|==|
      1 ms |          |=|
                    start

So adding touches three cells, and a summary reads some ninety, however many values they stand for. Nothing is ever
subtracted: what leaves the window is simply no longer read, and no rounding error outlives the value that caused it.

The ring of seconds is longer than the others, for it is the history too. Each second carries its number: whether it
is there is seen from that, and nothing is swept. The blocks and points of a second are marked with its number as well.

For comparison: K. Tangwongsan, M. Hirzel, S. Schneider, "Optimal and General Out-of-Order Sliding-Window
Aggregation", PVLDB 12 (2019), keep a finger B-tree over the values, which serves any associative operator in
amortised O(log d) for a value that arrives d places out of order. Here, whole milliseconds and commutative
operators allow O(1) and a fixed size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import numpy as np

from timeseries_project.core.summation import Floats, Integers
from transactions.interface import (
    HISTORY_SECONDS,
    KEPT_SECONDS,
    NOTHING,
    CellColumns,
    Second,
    Summary,
    TooFarAheadError,
    begin_of_history,
)
from transactions.memory import window_kernels
from transactions.memory.batches import columns
from transactions.memory.window_cells import cells_in_use, use_cells
from transactions.memory.window_kernels import BLOCK_MS, BLOCKS, COUNT, HIGH, LEAST, LOW, MOST, NEVER, PARTS, SECOND_MS

# How far `now` may step back without loss.
STEP_BACK_MS = 5_000

# A batch of more values goes to rings of its own first, so that nobody waits for more than a millisecond.
LARGE = 20_000


class SlidingWindow:
    """Statistics of the last `length_ms` milliseconds, exact to the millisecond, in any order of arrival.

    Sum and average are within 2**-50 * max(|exact|, largest |amount| in the window) of the exact ones for up
    to 2**26 values at a time; count, maximum and minimum are exact. Memory is fixed at construction, 41 bytes
    for each millisecond of `length_ms + ahead_ms` and at most seven seconds more, and 48 for each second of the
    history and what may lie ahead: 3 MB if values may lie five seconds ahead, 15 MB if five minutes. Threads may
    share a window.

    `now` is the caller's clock and normally moves forward. After a step back of up to five seconds nothing is
    missing and every answer is as exact as before. After a longer one, values from before the step may be
    missing, because an older value needs their place; whatever is still held, and all that is added from then on,
    counts exactly once.

    >>> window = SlidingWindow(length_ms=60_000, ahead_ms=5_000)
    >>> window.add(1_000, 12.5, now=2_000), window.add(3_000, 7.5, now=2_000)
    (True, True)
    >>> window.summary(now=61_000)
    Summary(sum=20.0, avg=10.0, max=12.5, min=7.5, count=2)
    >>> window.summary(now=61_001)
    Summary(sum=7.5, avg=7.5, max=7.5, min=7.5, count=1)
    >>> window.summary(now=3_000, length_ms=1_000).count
    1
    >>> window.history(now=61_001)[-61]
    Second(timestamp=1, count=1, sum=12.5, min=12.5, max=12.5)
    """

    def __init__(self, *, length_ms: int = 60_000, ahead_ms: int = 300_000) -> None:
        """Make an empty window; a timestamp may lie up to `ahead_ms` ahead of `now`.

        Raises ValueError unless `length_ms` is positive and `ahead_ms` is not negative.
        """
        if length_ms <= 0 or ahead_ms < 0:
            raise ValueError("length_ms must be positive and ahead_ms not negative")
        self._length, self._ahead = length_ms, ahead_ms
        # The seconds that the rings of blocks and points hold, and the ring of seconds.
        turns = _seconds_over(length_ms + ahead_ms + STEP_BACK_MS)
        self._history = _seconds_over(max(length_ms, KEPT_SECONDS * SECOND_MS) + ahead_ms + STEP_BACK_MS)
        # As the kernels want them; cells mean nothing before their second has begun.
        self._stamps = np.full(self._history + turns, NEVER, dtype=np.int64)
        self._cells = np.zeros((self._history + turns * (BLOCKS + SECOND_MS), PARTS))
        self._changes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """What the rings take; it never changes. O(1)."""
        return self._stamps.nbytes + self._cells.nbytes

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
        with self._lock:
            window_kernels.add_amount(timestamp, amount, self._history, self._stamps, self._cells)
            self._changes += 1
        return True

    def add_batch(self, timestamps: Sequence[int] | Integers, amounts: Sequence[float] | Floats, *, now: int) -> int:
        """Count each amount as `add` would; return how many were young enough. O(n).

        Takes sequences or arrays. A summary sees all of the batch or nothing of it; others wait a millisecond at most.
        All or nothing too when it is refused: raises TooFarAheadError if one timestamp lies more than `ahead_ms` ahead
        of `now`, ValueError if an amount is not finite or the lengths differ, TypeError if a timestamp is no integer or
        an amount no number.
        """
        # Whatever can fail fails here, before the lock: kernels cannot.
        times, values = columns(timestamps, amounts)
        latest = int(times.max(initial=now))
        if latest > now + self._ahead:
            raise TooFarAheadError(latest, ahead_ms=self._ahead, now=now)
        oldest = now - self._length
        if len(times) <= LARGE:
            with self._lock:
                accepted = window_kernels.add_amounts(times, values, oldest, self._history, self._stamps, self._cells)
                self._changes += 1
        else:
            stamps, cells = np.full_like(self._stamps, NEVER), np.empty_like(self._cells)
            accepted = window_kernels.add_amounts(times, values, oldest, self._history, stamps, cells)
            with self._lock:
                window_kernels.add_rings(stamps, cells, self._history, self._stamps, self._cells)
                self._changes += 1
        return accepted

    def summary(self, *, now: int, length_ms: int | None = None) -> Summary:
        """Summarise all values with timestamp >= now - length_ms, also those ahead of `now`. O(1).

        The length is at most the window's, which it is by default. Changes nothing, whatever `now` is.
        """
        start = now - (self._length if length_ms is None else length_ms)
        with self._lock:
            high, low, count, least, most = window_kernels.total_since(start, self._history, self._stamps, self._cells)
        return Summary.of((high, low), count=int(count), least=least, most=most) if count else NOTHING

    def history(self, *, now: int, seconds: int = HISTORY_SECONDS) -> list[Second]:
        """Return a row for each of the last whole seconds, at most KEPT_SECONDS, oldest first. O(seconds).

        Changes nothing, whatever `now` is.

        >>> window = SlidingWindow(length_ms=60_000)
        >>> window.add_batch([1_000, 2_000], [1e16, 1.0], now=2_000)
        2
        >>> window.summary(now=61_001)
        Summary(sum=1.0, avg=1.0, max=1.0, min=1.0, count=1)
        """
        begin = begin_of_history(now, seconds)
        wanted = np.arange(begin, begin + seconds)
        places = wanted % self._history
        with self._lock:
            held = self._stamps[places] == wanted
            cells = self._cells[places]
        return [
            Second.of(second, cell[: LOW + 1], count=int(cell[COUNT]), least=cell[LEAST], most=cell[MOST])
            if there
            else Second(second, 0, None, None, None)
            for second, there, cell in zip(wanted.tolist(), held.tolist(), cells.tolist(), strict=True)
        ]

    def version(self) -> str:
        """Return a text that every change makes another one: they are counted. O(1)."""
        with self._lock:
            return str(self._changes)

    def clear(self) -> None:
        """Forget all values, the history too. O(1)."""
        with self._lock:
            self._changes += 1
            self._stamps.fill(NEVER)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nobody change the window meanwhile."""
        with self._lock:
            yield

    def cells(self) -> CellColumns:
        """Return all that is held. Takes no lock: for where nobody changes the window meanwhile."""
        return cells_in_use(self._history, self._stamps, self._cells)

    def restore(self, cells: CellColumns, *, now: int) -> None:
        """Hold the cells of another window, which may have been longer, in place of all that is held.

        >>> window, other = SlidingWindow(length_ms=60_000), SlidingWindow(length_ms=60_000)
        >>> window.add(1_000, 12.5, now=2_000)
        True
        >>> other.restore(window.cells(), now=2_000)
        >>> other.summary(now=2_000)
        Summary(sum=12.5, avg=12.5, max=12.5, min=12.5, count=1)
        """
        with self._lock:
            self._changes += 1
            self._stamps.fill(NEVER)
            use_cells(cells, (now + self._ahead) // SECOND_MS, self._history, self._stamps, self._cells)

    def _check(self) -> None:
        """Assert the invariants: places belong to their seconds, and every cell in use is the sum of those below it."""
        with self._lock:
            numbers, owners, seconds, blocks, points = window_kernels.rings_of(self._history, self._stamps, self._cells)
            assert len(points) == len(owners) * SECOND_MS
            for place, number in enumerate(numbers.tolist()):
                assert number == NEVER or number % len(numbers) == place
            for turn, owner in enumerate(owners.tolist()):
                if owner == NEVER:
                    continue
                assert owner % len(owners) == turn
                inside = blocks[turn * BLOCKS : (turn + 1) * BLOCKS]
                if numbers[owner % len(numbers)] == owner:
                    _check_cell(seconds[owner % len(numbers)], inside)
                for block, cell in enumerate(inside, turn * BLOCKS):
                    if cell[COUNT]:
                        _check_cell(cell, points[block * BLOCK_MS : (block + 1) * BLOCK_MS])


def _seconds_over(length_ms: int) -> int:
    """Return over how many whole seconds a stretch of time may lie: neither end need fall on a border."""
    return -(-length_ms // SECOND_MS) + 1


def _check_cell(cell: Floats, below: Floats) -> None:
    """Assert that a cell in use is the sum of those below it."""
    used = below[below[:, COUNT] > 0]
    assert cell[COUNT] == used[:, COUNT].sum() > 0
    assert (cell[LEAST], cell[MOST]) == (used[:, LEAST].min(), used[:, MOST].max())
    assert cell[HIGH] + cell[LOW] == cell[HIGH]
    error = math.fsum((*used[:, HIGH], *used[:, LOW], -cell[HIGH], -cell[LOW]))
    assert abs(error) <= 2**-50 * max(abs(cell[[HIGH, LEAST, MOST]]))
