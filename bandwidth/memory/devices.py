"""All devices of a store and their entries: a series of one pool of blocks for each.

Plain Python, NumPy and kernels; knows no framework. Every change first makes room, which may fail and cannot be seen,
and then writes, which cannot fail. The store's lock is held wherever one of these methods is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np

from bandwidth.entries import Grouped
from bandwidth.interface import SLOT, FullError
from bandwidth.memory import entry_kernels as kernels
from bandwidth.memory.device_names import DeviceNames
from bandwidth.memory.recent import Recent
from bandwidth.memory.sums import PARTS, DeviceSums, InstantSums
from timeseries_project.core.block_kernels import NONE
from timeseries_project.core.blocks import Blocks
from timeseries_project.core.summation import Integers

#: Entries in a block: few enough to be moved at once, and enough that what else a block needs is little beside them.
WIDTH = 24
#: More blocks than one entry can take, however many there are.
BLOCKS_FOR_ONE = 64
#: About how many entries are dropped at once.
DROPPED_AT_ONCE = 4096


class Limits(Protocol):
    """Who says how much may be stored."""

    max_entries: int
    max_devices: int


class Devices:
    """The devices, each with a number and a series of that number: seconds, and beside each the bytes to and from."""

    def __init__(self, lock: Lock, limits: Limits) -> None:
        self._limits = limits
        self.names = DeviceNames(lock)
        self.blocks = Blocks(width=WIDTH, parts=2, has_totals=True)
        self.recent = Recent()
        #: Entries that are stored.
        self.entries = 0
        #: How often entries were added or removed.
        self.changes = 0
        #: Of the large batch that is being added: its entries, and the devices that it brings.
        self.coming = self.new = 0

    def refuse_too_many(self, entries: int, devices: int) -> None:
        """Raise FullError if there is no room for so many more."""
        most = self._limits
        if self.entries + self.coming + entries > most.max_entries:
            raise FullError("entries", most.max_entries)
        if devices and len(self.names.numbers) + devices > most.max_devices:
            raise FullError("devices", most.max_devices)

    def enter(self, names: Sequence[str], numbers: Integers, oldest: int) -> Integers:
        """Return the number of each device, a new one of those that have no entries from `oldest` on.

        `numbers` are the present ones. Raises FullError. After a failure, `withdraw` them.
        """
        if oldest and self.drop(numbers[numbers != NONE], oldest):
            numbers = self.names.find(names)
        self.refuse_too_many(0, int(np.count_nonzero(numbers == NONE)))
        numbers = self.names.enter(names, numbers)
        self.blocks.reserve(len(self.names.names))
        self.recent.reserve(len(self.names.names))
        return numbers

    def withdraw(self, names: Sequence[str]) -> None:
        """Forget those of some devices that have no entries."""
        numbers = self.names.find(names)
        numbers = numbers[numbers != NONE]
        counts = self.blocks.counts
        self.names.commit_leave([number for number in numbers.tolist() if number >= len(counts) or not counts[number]])

    def add(self, number: int, timestamp: int, bytes_ts: int, bytes_fs: int) -> None:
        """Add an entry to a device. O(log n)."""
        entry = number, timestamp, bytes_ts, bytes_fs
        while not kernels.add_entry(self.blocks.arrays, *self.recent.arrays, *entry):
            self.blocks.make_room(BLOCKS_FOR_ONE)
        self.changes += 1
        self.commit_counts(1)

    def needed(self, numbers: Integers, times: Integers) -> int:
        """Return how many blocks entries may take at most; those of a device stand together, and ascend."""
        leaves, known = np.empty(len(times), dtype=np.int64), np.empty(len(times), dtype=bool)
        self.blocks.look_up(numbers, times, leaves, known)
        return self.blocks.needed(numbers, leaves)

    def commit_add(self, numbers: Integers, batch: Grouped, begin: int, end: int) -> None:
        """Add the entries begin <= row < end of a batch, for which there is room; it has a number for each row."""
        self.changes += 1
        kernels.add_entries(self.blocks.arrays, *self.recent.arrays, numbers, batch.times, batch.sizes, begin, end)

    def commit_counts(self, entries: int) -> None:
        """Count entries that were added."""
        self.entries += entries

    def commit_forget(self, numbers: Integers, gone: list[int], before: int, most: int) -> None:
        """Remove the entries before a second, about `most` of each device, and forget those devices that so go."""
        self.changes += 1
        self.names.commit_leave(gone)
        self.recent.commit_forget(gone)
        self.entries -= self.blocks.commit_remove(numbers, 0, before, most)

    def drop(self, numbers: Integers, oldest: int) -> bool:
        """Forget entries before `oldest` of distinct devices: all of them where that is all there is, else some.

        Return whether some device had no others.
        """
        behind = numbers[self.blocks.firsts[numbers] < oldest]
        if not len(behind):
            return False
        gone: list[int] = behind[self.blocks.lasts[behind] < oldest].tolist()
        self.commit_forget(behind, gone, oldest, max(DROPPED_AT_ONCE // len(behind), 1))
        return bool(gone)

    def sum_up(self, numbers: Integers, oldest: int) -> DeviceSums:
        """Return what devices hold from `oldest` on.

        O(1) for each that has nothing older, else O(log n). Numbers without a device hold nothing.
        """
        sums = np.zeros((len(numbers), PARTS), dtype=np.int64)
        ends = np.zeros((2, len(numbers)), dtype=np.int64)
        kernels.sum_up(self.blocks.arrays, numbers, oldest, sums, *ends)
        return DeviceSums([self.names.names[number] for number in numbers.tolist()], sums, *ends)

    def sum_between(self, numbers: Integers, first: int, last: int) -> Integers:
        """Return a row of sums for each device, of its entries from `first` to `last`. O(log n) each."""
        sums = np.zeros((len(numbers), PARTS), dtype=np.int64)
        kernels.sum_between(self.blocks.arrays, numbers, first, last, np.zeros(PARTS, dtype=np.int64), sums)
        return sums

    def sum_instants(self, numbers: Integers, start: int, stop: int, limit: int) -> InstantSums:
        """Return up to `limit` instants with start <= second < stop of devices, device by device.

        O(log n) for each device, and O(1) for each instant.
        """
        numbers = numbers[(self.blocks.lasts[numbers] >= start) & (self.blocks.firsts[numbers] < stop)]
        if not len(numbers):
            limit = 0
        owners, times = np.empty((2, limit), dtype=np.int64)
        sums = np.zeros((limit, PARTS), dtype=np.int64)
        before = np.zeros(PARTS, dtype=np.int64)
        found = kernels.sum_instants(self.blocks.arrays, numbers, start, stop, before, owners, times, sums)
        names = [self.names.names[number] for number in numbers[owners[:found]].tolist()]
        return InstantSums(names, times[:found], sums[:found])

    def sums_up_to(self, number: int, borders: Integers) -> Integers:
        """Return a row of sums for each of some ascending borders, of the entries up to it. O(log n) each."""
        return self.blocks.totals_up_to(number, borders)

    def _check(self) -> None:
        """Assert the invariants of the structure. O(n)."""
        self.blocks._check()
        self.names._check()
        counts = self.blocks.counts
        assert set(self.names.numbers.values()) == set(np.flatnonzero(counts).tolist())
        assert self.entries == counts.sum()
        assert self.coming == self.new == self.blocks.promised == 0
        numbers = np.flatnonzero(counts)
        for slot in self.recent.whole_slots:
            sums = self.sum_between(numbers, slot * SLOT, (slot + 1) * SLOT - 1)
            self.recent._check(slot, numbers, sums)
