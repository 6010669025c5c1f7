"""The device and user of each series, and the series of each device and user.

Plain Python and NumPy; knows no framework. As elsewhere, functions named `commit...` only assign, and cannot fail.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from threading import Lock

import numpy as np

from datapoints.interface import AXES, Axis
from datapoints.memory.free_list import Vacancies
from timeseries_project.core.key_order import KeyOrder
from timeseries_project.core.summation import Integers

#: Names that are copied while the lock is held.
NAMES_AT_ONCE = 8192

#: The number of a series that does not exist yet.
UNKNOWN = -1

Pair = tuple[str, str]


class SeriesNames:
    """The series of each pair of a device and a user, identified by dense numbers that are reused."""

    def __init__(self, lock: Lock) -> None:
        """Take the store's lock, which callers hold unless a method says otherwise."""
        self._lock = lock
        self.numbers: dict[Pair, int] = {}
        #: The (device, user) of each number; the numbers of dropped series may be reused.
        self.pairs: list[Pair] = []
        #: The series of each device and of each user.
        self.members: dict[Axis, dict[str, array[int]]] = {"device": {}, "user": {}}
        #: A serial number of the series that has each number, modulo 2**31: it tells whether a number was reused.
        self.births = array("i")
        self._born = 0
        # The members of each axis, the position of every series in there, and the place of the axis in a pair.
        self._sides = [(self.members[axis], array("i"), place) for place, axis in enumerate(AXES)]
        self._vacant = Vacancies()
        #: Devices and users in order, which are read without holding the lock.
        self.orders: dict[Axis, KeyOrder] = {axis: KeyOrder(lock, partial(self._names, axis)) for axis in AXES}

    def _names(self, axis: Axis) -> Iterator[Sequence[str]]:
        """Yield all devices or users, and some that are no more; the lock is not held."""
        place, begin = AXES.index(axis), 0
        while begin < len(self.pairs):
            with self._lock:
                pairs = self.pairs[begin : begin + NAMES_AT_ONCE]
            yield list({pair[place] for pair in pairs})
            begin += NAMES_AT_ONCE

    def series(self, axis: Axis, keys: Sequence[str]) -> Integers:
        """Return the series of some devices or users, key by key. O(these)."""
        groups = self.members[axis]
        joined = b"".join(groups.get(key, b"") for key in keys)
        return np.frombuffer(joined, dtype=np.int32).astype(np.int64)

    def births_of(self, series: Integers) -> Integers:
        """Return the serial numbers of series; they differ if a number now belongs to another series."""
        return np.frombuffer(self.births, dtype=np.int32)[series].astype(np.int64)

    def matching(self, device: str | None, user: str | None) -> Integers | slice:
        """Return the series of a device, a user, both, or all; the last includes numbers without a series."""
        return slice(None) if device is None and user is None else self.of(device, user)

    def of(self, device: str | None, user: str | None) -> Integers:
        """Return the series of a device, a user, or both; one of them is not None."""
        if device is not None and user is not None:
            pair = (device, user)
            return np.array([self.numbers[pair]] if pair in self.numbers else [], dtype=np.int64)
        if device is not None:
            return self.series("device", [device])
        assert user is not None
        return self.series("user", [user])

    def numbered(self, pairs: Sequence[Pair]) -> tuple[Integers, list[tuple[int, Pair]]]:
        """Return the series of distinct pairs; and the pairs that have none, with the numbers that these will get."""
        numbers = np.array([self.numbers.get(pair, UNKNOWN) for pair in pairs], dtype=np.int64)
        missing = np.flatnonzero(numbers == UNKNOWN)
        if not len(missing):
            return numbers, []
        numbers[missing] = vacant = self.vacant(len(missing))
        return numbers, [(number, pairs[i]) for number, i in zip(vacant, missing.tolist(), strict=True)]

    def vacant(self, count: int) -> list[int]:
        """Return `count` free numbers, and make room for their names."""
        numbers: list[int] = [self._vacant.first()] if count == 1 else self._vacant.next(count).tolist()
        known = max(numbers) + 1
        if known > len(self.pairs):
            length = known + len(self.pairs) // 8
            for _, positions, _ in self._sides:
                positions.extend(array("i", [0]) * (length - len(positions)))
            self.births.extend(array("i", [0]) * (length - len(self.births)))
            self.pairs.extend([("", "")] * (length - len(self.pairs)))
        return numbers

    def enter(self, number: int, pair: Pair) -> None:
        """Enter a series under a number returned by `vacant`; `withdraw` undoes this, even if it failed half-way."""
        self.pairs[number] = pair
        self._born = (self._born + 1) % 2**31
        self.births[number] = self._born
        self.numbers[pair] = number
        for groups, positions, place in self._sides:
            members = groups.get(pair[place])
            if members is None:
                members = groups[pair[place]] = array("i")
                self.orders[AXES[place]].note(pair[place])
            positions[number] = len(members)
            members.append(number)

    def withdraw(self, entered: list[tuple[int, Pair]]) -> None:
        """Undo the entering, whole or half-done, of the series that entered last."""
        for number, pair in reversed(entered):
            self.numbers.pop(pair, None)
            for groups, _, place in self._sides:
                members = groups.get(pair[place])
                if members and members[-1] == number:
                    del members[-1]
                if members is not None and not members:
                    del groups[pair[place]]

    def commit_entered(self, count: int) -> None:
        """Mark `count` numbers as used."""
        self._vacant.commit_take(count)

    def make_room(self, count: int) -> None:
        """Prepare to take back so many numbers."""
        self._vacant.make_room(count)

    def commit_leave(self, numbers: list[int], column: Integers) -> None:
        """Forget the names of series, given as a list and as a column, and take their numbers back. O(1) for each."""
        for number in numbers:
            pair = self.pairs[number]
            del self.numbers[pair]
            for groups, positions, place in self._sides:
                key = pair[place]
                members = groups[key]
                moved = members[-1]
                members[positions[number]] = moved
                positions[moved] = positions[number]
                del members[-1]
                if not members:
                    del groups[key]
        self._vacant.commit_return(column)

    def _check(self) -> None:
        numbers = set(self.numbers.values())
        assert sorted([*numbers, *self._vacant.free()]) == list(range(self._vacant.used))
        assert min(len(self.pairs), *(len(positions) for _, positions, _ in self._sides)) >= self._vacant.used
        for groups, positions, place in self._sides:
            assert sorted(number for group in groups.values() for number in group) == sorted(numbers)
            for key, group in groups.items():
                assert group
                for position, number in enumerate(group):
                    assert self.numbers[self.pairs[number]] == number
                    assert self.pairs[number][place] == key
                    assert positions[number] == position
