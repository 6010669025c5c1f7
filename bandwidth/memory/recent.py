"""What each device has sent lately: the bytes of the last slots of time, by which the busiest are found.

Plain Python and NumPy; knows no framework. A slot has a column with a number for each device: the most bytes that it
may have in it. A write adds to one of them. When time comes to a new slot, the column of an old one is cleared for it,
which takes less than a millisecond for a million devices.

The numbers are exact, except that they are rounded up beyond 2**53, and are not taken back when entries are dropped. So
whoever asks for the busiest reads the entries of those who may be among them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bandwidth.interface import SLOT
from bandwidth.memory.entry_kernels import AHEAD, BEHIND, EXACT, LATEST, POSITION, ROUNDED_UP, SLOTS
from timeseries_project.core.arrays import grow
from timeseries_project.core.block_kernels import LOWER_BITS
from timeseries_project.core.summation import Floats, Integers

#: A slot before all others.
NEVER = -BEHIND - AHEAD - 1


class Candidates(NamedTuple):
    """Devices that may be the busiest, and the most bytes that any other may have."""

    numbers: Integers
    others: float


class Recent:
    """The bytes of the present slot, of two before it and of one after it. The store's lock guards them.

    >>> recent = Recent()
    >>> recent.reserve(2)
    >>> recent.follow(1_300)
    >>> recent.set(1_200 // SLOT, np.array([0, 1]), np.array([[1, 0, 7, 0, 1], [1, 0, 2, 0, 3]]))
    >>> recent.most_between(600, 1_300)[:2].tolist()
    [8.0, 5.0]
    """

    def __init__(self) -> None:
        self._state: Integers = np.array([NEVER, -1])
        self._recent: Floats = np.zeros((0, SLOTS))
        #: The arrays for a kernel; they grow in place.
        self.arrays = self._state, self._recent
        self._position = NEVER  # as in the state, but faster to read
        #: Of each column, whether it has all bytes of its slot.
        self._whole = [True] * SLOTS

    @property
    def slots(self) -> range:
        """The slots that there is room for."""
        return _slots_at(self._position)

    @property
    def is_whole(self) -> bool:
        """Whether no bytes are missing. They are after the clock was set back, until they are looked for."""
        return all(self._whole)

    @property
    def room(self) -> int:
        """How many devices there is room for."""
        return len(self._recent)

    @property
    def whole_slots(self) -> list[int]:
        """The slots of which no bytes are missing."""
        return [slot for slot in self.slots if self._whole[slot % SLOTS]]

    def reserve(self, devices: int) -> None:
        """Make room for devices with numbers below this. O(1) amortised."""
        grow(self._recent, devices)

    def follow(self, now: int | None, latest: int = 0) -> None:
        """Let time come to `now`; if that is not known, to the latest entry. O(1), or O(devices) in a new slot."""
        slot, position = (latest if now is None else now) // SLOT, self._position
        if position - 1 <= slot <= position or (now is None and slot < position):  # also after a small step back
            return
        known = self.slots if slot > position else range(0)
        newest = self._state.item(LATEST)
        new = [(each % SLOTS, newest < max(each, 0) * SLOT) for each in _slots_at(slot) if each not in known]
        for column, _ in new:
            self._whole[column] = False  # until it is cleared, if that fails
        self._position = self._state[POSITION] = slot
        for column, is_whole in new:
            self._recent[:, column] = 0
            self._whole[column] = is_whole

    def commit_forget(self, numbers: list[int]) -> None:
        """Forget what some devices had, as others will be given their numbers."""
        self._recent[numbers] = 0

    def set(self, slot: int, numbers: Integers, sums: Integers) -> None:
        """Write down what devices have in a slot, from rows of sums."""
        uppers, lowers = sums[:, 1] + sums[:, 3], sums[:, 2] + sums[:, 4]
        totals = uppers * 2.0**LOWER_BITS + lowers
        self._recent[numbers, slot % SLOTS] = np.where(totals <= EXACT, totals, totals * ROUNDED_UP)

    def commit_whole(self) -> None:
        """Say that no bytes are missing."""
        self._whole = [True] * SLOTS

    def most_between(self, first: int, last: int) -> Floats:
        """Return the most bytes that each device may have between two seconds. O(devices)."""
        asked = range(first // SLOT, last // SLOT + 1)
        most = np.zeros(len(self._recent))
        for slot in self.slots:
            if slot in asked:
                most += self._recent[:, slot % SLOTS]
        return most

    def _check(self, slot: int, numbers: Integers, sums: Integers) -> None:
        """Assert that devices are not said to have less in a slot than they have, given as rows of sums. O(devices)."""
        totals = (sums[:, 1] + sums[:, 3]) * 2.0**LOWER_BITS + (sums[:, 2] + sums[:, 4])
        assert (self._recent[numbers, slot % SLOTS] >= totals).all()


def _slots_at(position: int) -> range:
    return range(position - BEHIND, position + AHEAD + 1)


def candidates(most: Floats, count: int) -> Candidates:
    """Return the devices with the `count` largest numbers, as far as they have any. O(devices).

    >>> candidates(np.array([0.0, 3.0, 9.0, 5.0]), 2)
    Candidates(numbers=array([3, 2]), others=3.0)
    """
    if count >= len(most):
        return Candidates(np.flatnonzero(most), 0.0)
    places = np.argpartition(most, len(most) - count - 1)
    numbers = places[len(most) - count :]
    return Candidates(numbers[most[numbers] > 0], most.item(places[len(most) - count - 1]))
