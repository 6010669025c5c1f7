"""Answers under way: all of them under one budget of memory. Knows no framework."""

from __future__ import annotations

import threading

#: Answers of up to so many bytes are not counted.
FREE = 64 * 1024
#: Answers of up to so many bytes have an eighth of the budget to themselves, which long ones that stall cannot take.
SMALL = 2**20
#: What each answer that is counted takes beside what it tells: its parts on their way through the server.
SENDING = 2**20


class TooManyAnswersError(Exception):
    """There is no room for one more answer; there will be when others have been read."""


class Answers:
    """What answers hold while they are being sent, by all threads together."""

    def __init__(self, *, budget: int) -> None:
        self.held = 0
        self._budget = budget
        self._lock = threading.Lock()

    def hold(self, size: int) -> int:
        """Count an answer that holds so many bytes; return what to release. O(1).

        TooManyAnswersError where others leave no room. An answer that is alone always has it.
        """
        if size <= FREE:
            return 0
        room = self._budget if size <= SMALL else self._budget * 7 // 8
        size += SENDING
        with self._lock:
            if self.held and self.held + size > room:
                raise TooManyAnswersError
            self.held += size
        return size

    def release(self, size: int) -> None:
        """Count no longer what `hold` returned."""
        with self._lock:
            self.held -= size


#: All of this process. Seven answers of 1.5 million buckets that all have values, or a hundred of short columns.
under_way = Answers(budget=256 * 2**20)
