"""Batches that are written in portions, so that the store's lock is held for some milliseconds at a time.

Plain Python, NumPy and kernels; knows no framework.
"""

from __future__ import annotations

from itertools import pairwise
from threading import Lock
from typing import NamedTuple

import numpy as np

from bandwidth.entries import Grouped
from bandwidth.memory.devices import Devices
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.offload import give_way
from timeseries_project.core.summation import Integers

#: A batch of more entries, or of more devices than can be entered at once, is a large one.
LARGE = 16_384
#: What is done while the lock is held: devices are entered, room is made for blocks, and rows are written.
DEVICES_AT_ONCE = 2048
BLOCKS_AT_ONCE = 2048
ROWS_AT_ONCE = 8192


class Portion(NamedTuple):
    """Some rows of a batch, and how many of the blocks that are promised to it are no longer needed after them."""

    begin: int
    end: int
    promised: int


def is_large(batch: Grouped) -> bool:
    """Return whether a batch is too large to be added while the lock is held."""
    return len(batch.times) > LARGE or len(batch.devices) > DEVICES_AT_ONCE


class LargeBatch:
    """A batch whose devices are busy from when they are entered until all of it is written."""

    def __init__(self, lock: Lock, busy: BusySeries, devices: Devices) -> None:
        self._lock = lock
        self._busy = busy
        self._devices = devices

    def add(self, batch: Grouped, oldest: int, now: int | None = None) -> None:
        """Add the entries, all or none. Raises FullError."""
        with self._busy.large_write():
            try:
                numbers = np.repeat(self._enter(batch, oldest), batch.lengths)
                portions = self._make_room(numbers, batch)
                with self._lock:
                    self._devices.recent.follow(now, batch.latest)
            except BaseException:
                self._withdraw(batch)
                raise
            self._commit(numbers, batch, portions)

    def _enter(self, batch: Grouped, oldest: int) -> Integers:
        """Enter and mark the devices; return their numbers."""
        devices, found = self._devices, []
        with self._lock:
            devices.refuse_too_many(len(batch.times), 0)
            devices.coming = len(batch.times)
        for begin in range(0, len(batch.devices), DEVICES_AT_ONCE):
            names = batch.devices[begin : begin + DEVICES_AT_ONCE]
            with self._lock:
                found.append(devices.enter(names, devices.names.find(names), oldest))
                self._busy.mark(found[-1])
                devices.new += int(np.count_nonzero(devices.blocks.counts[found[-1]] == 0))
            give_way()
        return np.concatenate(found)

    def _make_room(self, numbers: Integers, batch: Grouped) -> list[Portion]:
        """Make room, and promise it to this batch; return the portions in which to write."""
        portions: list[Portion] = []
        # What a series needs is known for all of its rows: so they are looked at together, however many they are.
        series = np.searchsorted(batch.starts, np.arange(0, len(numbers), ROWS_AT_ONCE), side="right") - 1
        for begin, end in pairwise([*np.unique(batch.starts[series]).tolist(), len(numbers)]):
            with self._lock:
                needed = self._devices.needed(numbers[begin:end], batch.times[begin:end])
            self._promise(needed)
            *parts, last = pairwise([*range(begin, end, ROWS_AT_ONCE), end])
            portions += [Portion(*part, 0) for part in parts]
            portions.append(Portion(*last, needed))
        return portions

    def _promise(self, needed: int) -> None:
        """Make room for so many blocks, and promise them to this batch."""
        for done in range(0, needed, BLOCKS_AT_ONCE):
            some = min(needed - done, BLOCKS_AT_ONCE)
            with self._lock:
                self._devices.blocks.make_room(some)
                self._devices.blocks.commit_promise(some)
            give_way()

    def _commit(self, numbers: Integers, batch: Grouped, portions: list[Portion]) -> None:
        """Write all portions."""
        for portion in portions:
            with self._lock:
                self._devices.commit_add(numbers, batch, portion.begin, portion.end)
                self._devices.blocks.commit_promise(-portion.promised)
            give_way()
        with self._lock:
            self._devices.commit_counts(self._devices.coming)
            self._commit_end()

    def _withdraw(self, batch: Grouped) -> None:
        """Forget what was entered and promised."""
        for begin in range(0, len(batch.devices), DEVICES_AT_ONCE):
            with self._lock:
                self._devices.withdraw(batch.devices[begin : begin + DEVICES_AT_ONCE])
            give_way()
        with self._lock:
            self._devices.blocks.commit_promise(-self._devices.blocks.promised)
            self._commit_end()

    def _commit_end(self) -> None:
        self._devices.coming = self._devices.new = 0
