"""Free lists of dense numbers from 0, which are given out and taken back: of blocks in a pool, of series in a store.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

import numpy as np

from timeseries_project.core.arrays import grow
from timeseries_project.core.summation import Integers


class Vacancies:
    """The free numbers: first those given back, the latest first, and then those never given.

    Reading them changes nothing; `commit_take` and `commit_return` only assign, and cannot fail.
    """

    __slots__ = ("_back", "_promised", "_returned", "used")

    def __init__(self) -> None:
        #: All numbers ever given are below this.
        self.used = 0
        self._returned = 0
        #: How many will be given back later, for which there is room already.
        self._promised = 0
        self._back = np.empty(0, dtype=np.int32)

    def first(self) -> int:
        """Return the number to be given next. O(1)."""
        return self._back.item(self._returned - 1) if self._returned else self.used

    def next(self, count: int, beyond: int = 0) -> Integers:
        """Return the `count` numbers to be given after the next `beyond`. O(count)."""
        stop = max(self._returned - beyond, 0)
        back = self._back[max(stop - count, 0) : stop][::-1]
        new = self.used + max(beyond - self._returned, 0)
        return np.concatenate((back, np.arange(new, new + count - len(back))))

    def commit_take(self, count: int) -> None:
        """Give the next numbers."""
        self._returned -= count
        if self._returned < 0:
            self.used -= self._returned
            self._returned = 0

    def make_room(self, count: int) -> None:
        """Prepare to take back so many numbers. O(1) amortised."""
        grow(self._back, self._returned + self._promised + count)

    def commit_promise(self, count: int) -> None:
        """Keep the room that was made for so many numbers until they are given back; or no longer (< 0)."""
        self._promised += count

    def commit_return(self, numbers: Integers) -> None:
        """Take back numbers, for which there is room."""
        stop = self._returned + numbers.size
        self._back[self._returned : stop] = numbers
        self._returned = stop

    def free(self) -> list[int]:
        """Return the numbers that were given back. O(their number)."""
        numbers: list[int] = self._back[: self._returned].tolist()
        return numbers
