"""Which device and user a series is of, and which series each of them has.

Plain Python and NumPy; knows no framework. As elsewhere, what is named `commit...` only assigns, and cannot fail.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from threading import Lock

import numpy as np

from datapoints.protocol import AXES, Axis
from datapoints.vacancies import Vacancies
from timeseries_project.key_order import KeyOrder
from timeseries_project.summation import Integers

#: Names that are copied while the lock is held.
NAMES_AT_ONCE = 8192

Pair = tuple[str, str]


class SeriesNames:
    """The series of each pair of a device and a user, known by dense numbers that are given out again."""

    def __init__(self, lock: Lock) -> None:
        """Take the store's lock, which is held wherever it is not told otherwise."""
        self._lock = lock
        self.numbers: dict[Pair, int] = {}
        #: The (device, user) of each number; those of dropped series are free to be given again.
        self.pairs: list[Pair] = []
        #: The series of each device and each user, and where in there each series stands.
        self.members: dict[Axis, dict[str, array[int]]] = {"device": {}, "user": {}}
        #: Which of all series that ever were each number is given to: the count of those before it, up to 2**31.
        self.births = array("i")
        self._born = 0
        self._sides = [(self.members[axis], array("i"), place) for place, axis in enumerate(AXES)]
        self._vacant = Vacancies()
        #: Devices and users in order, which are asked without the lock.
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
        """Return which of all series that ever were these are: others, if they have got other names meanwhile."""
        return np.frombuffer(self.births, dtype=np.int32)[series].astype(np.int64)

    def matching(self, device: str | None, user: str | None) -> Integers | slice:
        """Return the series of a device, of a user, of both or of all, the latter with numbers that no series has."""
        if device is not None and user is not None:
            pair = (device, user)
            return np.array([self.numbers[pair]] if pair in self.numbers else [], dtype=np.int64)
        if device is not None:
            return self.series("device", [device])
        return slice(None) if user is None else self.series("user", [user])

    def vacant(self, count: int) -> list[int]:
        """Return so many numbers that no series has, and make room for their names."""
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
        """Take up a series under a number that there is room for; `withdraw` undoes it, wherever it fails."""
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
        """Undo what was done of the entering of series, which were the last to enter."""
        for number, pair in reversed(entered):
            self.numbers.pop(pair, None)
            for groups, _, place in self._sides:
                members = groups.get(pair[place])
                if members and members[-1] == number:
                    del members[-1]
                if members is not None and not members:
                    del groups[pair[place]]

    def commit_entered(self, count: int) -> None:
        """Take so many numbers for given."""
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
