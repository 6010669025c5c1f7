"""The memory budget that all answers being sent share. Knows no framework."""

from __future__ import annotations

import threading

from timeseries_project.core import allocator

#: Most bytes of an answer that is not counted.
FREE = 64 * 1024
#: Most bytes of a small answer. An eighth of the budget is reserved for these, out of reach of stalled long ones.
SMALL = 2**20
#: Bytes that each counted answer takes beside its own size, for parts that are buffered in the server.
SENDING = 2**20
#: By how many bytes the answers must have shrunk before the memory that they have freed is returned at once.
RETURNED = 32 * 2**20


class TooManyAnswersError(Exception):
    """There is no room for another answer until clients have read others."""


class Answers:
    """A count of the bytes that answers hold while they are sent. Thread-safe.

    >>> answers = Answers(budget=4 * SENDING)
    >>> held = answers.hold(SMALL)
    >>> answers.held == held == SMALL + SENDING
    True
    >>> answers.hold(2 * SMALL)
    Traceback (most recent call last):
    timeseries_project.api.answers.TooManyAnswersError
    >>> answers.release(held)
    >>> answers.held
    0
    """

    def __init__(self, *, budget: int) -> None:
        self.held = 0
        self._most = 0  # held at once since freed memory was last returned
        self._budget = budget
        self._lock = threading.Lock()

    def hold(self, size: int) -> int:
        """Count an answer of `size` bytes; return the number to pass to `release`. O(1).

        Raises TooManyAnswersError if other answers leave no room; a single answer always has room.
        """
        if size <= FREE:
            return 0
        room = self._budget if size <= SMALL else self._budget * 7 // 8
        size += SENDING
        with self._lock:
            if self.held and self.held + size > room:
                raise TooManyAnswersError
            self.held += size
            self._most = max(self._most, self.held)
        return size

    def release(self, size: int) -> None:
        """Subtract what `hold` returned from the count, after the answer has been freed.

        May take some milliseconds: a burst of answers must not occupy memory after it has passed.
        """
        with self._lock:
            self.held -= size
            shrunk = self._most - self.held >= RETURNED
            if shrunk:
                self._most = self.held
        if shrunk:
            allocator.return_freed()


#: The answers of this process. Room for seven of 1.5 million buckets that all have values, or a hundred small ones.
under_way = Answers(budget=256 * 2**20)
