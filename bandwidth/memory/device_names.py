"""The devices of a store and their numbers, which are dense and used again.

Plain Python and NumPy; knows no framework. As elsewhere, functions named `commit...` only assign, and cannot fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np

from timeseries_project.core.arrays import grow
from timeseries_project.core.block_kernels import NONE
from timeseries_project.core.key_order import KeyOrder
from timeseries_project.core.summation import Integers


class DeviceNames:
    """The number of each device, and the device of each number. The store's lock guards both."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self.numbers: dict[str, int] = {}
        #: The device of each number; of a number that is free, nothing that counts.
        self.names: list[str] = []
        #: The devices in order, which are read without holding the lock.
        self.order = KeyOrder(lock, self._all)
        # The numbers that are free, the next one last; there is room for all numbers.
        self._free: Integers = np.empty(0, dtype=np.int64)
        self._vacant = 0

    def find(self, names: Iterable[str]) -> Integers:
        """Return the number of each device, NONE of one that has none. O(these)."""
        numbers = self.numbers
        return np.array([numbers.get(name, NONE) for name in names], dtype=np.int64)

    def all(self) -> Integers:
        """Return all numbers. O(n)."""
        return np.fromiter(self.numbers.values(), dtype=np.int64, count=len(self.numbers))

    def enter(self, names: Sequence[str], numbers: Integers) -> Integers:
        """Return the numbers of devices, as found, with new ones for NONE. After a failure, some may be entered."""
        missing = np.flatnonzero(numbers == NONE).tolist()
        self._reserve(len(missing))
        entered = numbers.copy()
        for i in missing:
            entered[i] = self._enter(names[i])
        return entered

    def _reserve(self, count: int) -> None:
        """Make sure that so many numbers are free. O(1) amortised."""
        known, more = len(self.names), count - self._vacant
        if more > 0:
            grow(self._free, known + more)
            free = np.concatenate((np.arange(known + more, known, -1) - 1, self._free[: self._vacant]))
            self.names += [""] * more
            self._free[:count] = free
            self._vacant = count

    def _enter(self, name: str) -> int:
        number: int = self._free.item(self._vacant - 1)
        self.order.note(name)
        self.names[number] = name
        self.numbers[name] = number
        self._vacant -= 1
        return number

    def commit_leave(self, numbers: list[int]) -> None:
        """Forget some devices, and take their numbers back."""
        for number in numbers:
            del self.numbers[self.names[number]]
            self.names[number] = ""
            self._free[self._vacant] = number
            self._vacant += 1

    def _all(self) -> list[list[str]]:
        """Return all devices, in one portion: they are copied in the order in which they came, which is fast."""
        with self._lock:
            return [list(self.numbers)]

    def _check(self) -> None:
        """Assert the invariants. O(n)."""
        free: list[int] = self._free[: self._vacant].tolist()
        assert sorted([*self.numbers.values(), *free]) == list(range(len(self.names)))
        assert all(self.names[number] == name for name, number in self.numbers.items())
        assert len(self._free) >= len(self.names)
