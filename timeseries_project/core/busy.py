"""Series that a large batch is being written to, a portion at a time, and waiting for them. Knows no framework."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

import numpy as np
from numpy.typing import NDArray

from timeseries_project.core.arrays import grow
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.summation import Integers


class BusySeries:
    """The series of one large batch, which is seen whole or not at all although a store's lock is released meanwhile.

    The writer of a large batch marks its series as busy, and then holds the lock for one portion of the rows at a time.
    Whoever needs one of these series, to read or to write it, waits until the batch is done. Large batches are written
    one after another. All others, which hold the lock from beginning to end, need no marks.

    The store's lock guards the marks: it is held where `mark`, `free_of` and `wait_until_free` are called.

    >>> lock = Lock()
    >>> busy = BusySeries(lock)
    >>> with busy.large_write():
    ...     with lock:
    ...         busy.mark(np.array([1, 2]))
    ...     with lock:
    ...         busy.free_of(np.array([0, 1])).tolist()
    [0]
    >>> with lock:
    ...     busy.wait_until_free(1)
    False
    """

    def __init__(self, lock: Lock) -> None:
        self._turn = Lock()  # of the one large write; taken before the store's lock
        self._lock = lock
        self._done = Condition(lock)
        self._marks: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._any = False

    @contextmanager
    def large_write(self) -> Iterator[None]:
        """Wait for other large writes, let the caller mark series and write, and in the end free what was marked.

        Called without the store's lock, and outside of the event loop.
        """
        leave_loop()
        with self._turn:
            try:
                yield
            finally:
                self._commit_free()

    def _commit_free(self) -> None:
        """Free all series and wake up whoever waits."""
        with self._lock:
            self._marks[:] = False
            self._any = False
            self._done.notify_all()

    def mark(self, series: Integers) -> None:
        """Mark series as busy, in a large write, once they are free of all else. O(series)."""
        if len(series):
            grow(self._marks, int(series.max()) + 1)
            self._marks[series] = True
            self._any = True

    def commit_unmark(self, series: Integers) -> None:
        """Mark series as free before the large write is done: those that are no more, whose numbers others may take.

        >>> lock = Lock()
        >>> busy = BusySeries(lock)
        >>> with lock:
        ...     busy.mark(np.array([1, 2]))
        ...     busy.commit_unmark(np.array([2]))
        ...     busy.free_of(np.array([0, 1, 2])).tolist()
        [0, 2]
        """
        self._marks[series] = False

    def free_of(self, series: Integers) -> Integers:
        """Return those of some series that are not busy. O(series)."""
        if not self._any:
            return series
        return series[~self._is_busy(series)]

    def wait_until_free(self, series: int | Integers | None = None) -> bool:
        """Wait until none of some series is busy, by default of all; return whether there was anything to wait for.

        If so, the lock was released meanwhile: look up again what was looked up before. O(series), and O(1) where
        no large batch is being written.
        """
        waited = False
        while self._any and (series is None or bool(np.any(self._is_busy(series)))):
            leave_loop()
            self._done.wait()
            waited = True
        return waited

    def _is_busy(self, series: int | Integers) -> NDArray[np.bool_]:
        """Return the marks of series; those beyond the last mark are free."""
        marks, numbers = self._marks, np.asarray(series)
        busy: NDArray[np.bool_] = (numbers < len(marks)) & marks[np.minimum(numbers, len(marks) - 1)]
        return busy
