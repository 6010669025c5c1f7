"""The store of bandwidth entries in memory: each device's entries in order of time, under sums of their bytes.

Plain Python and NumPy; knows no framework. The bytes of a window are the difference of two sums over all entries up to
a second, each found in O(log n). All numbers are integers, so the difference is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np

from bandwidth.entries import LONGEST_WINDOW, MAX_WHOLE, MOST_WINDOWS, Grouped, grouped, whole
from bandwidth.interface import DeviceSummary, EntryColumns, Instant, Overview, Usage, Window, begin_of_span
from bandwidth.memory import large_batch
from bandwidth.memory.busiest import find_busiest, newest
from bandwidth.memory.devices import Devices
from bandwidth.memory.sums import whole_sums
from timeseries_project.core.arrays import Keys, gathered, matching, run_lengths, run_starts
from timeseries_project.core.block_kernels import BEYOND, NONE
from timeseries_project.core.busy import BusySeries
from timeseries_project.core.copying import Copyable
from timeseries_project.core.offload import give_way, leave_loop
from timeseries_project.core.summation import Integers

LOOKED_AT = 256  # devices from which one request drops old entries, at most
AT_ONCE = 2048  # devices read under the lock at a time; it is released in between


class BandwidthStore(Copyable):
    """Entries `(device, timestamp, bytes to the server, bytes from the server)`, summed in windows.

    Timestamps are whole epoch seconds from 0 to 2**53 - 1, bytes integers from 0 to 2**53 - 1. Entries may come in any
    order; those of one instant add up. Every sum is exact, however large. An entry takes about 30 bytes.

    Methods that are given `oldest` answer as if no entry before that second had ever been stored. Writers drop such
    entries of the devices they add to, and of a few devices more in turn, some thousand at a time: a store of some
    hundred devices is always clean, and a larger one becomes so over some writes.

    Safe for threads, under one lock. It is held for some milliseconds at most; a batch that takes longer is written in
    portions, and whoever needs one of its devices waits until it is whole. A method that fails has changed nothing.
    """

    def __init__(self, *, max_entries: int = MAX_WHOLE, max_devices: int = MAX_WHOLE) -> None:
        self.max_entries = max_entries
        self.max_devices = max_devices
        self._lock = Lock()
        self._busy = BusySeries(self._lock)
        self._clears = 0
        self._devices = Devices(self._lock, limits=self)
        #: How far the sweep has come: entries before `_swept_to` were dropped from the devices below `_swept`.
        self._swept = self._swept_to = 0

    def clear(self) -> None:
        """Forget every entry and device. O(1), and the release of their memory."""
        devices = Devices(self._lock, limits=self)
        with self._lock:
            self._busy.wait_until_free()
            self._clears += 1
            self._devices, devices = devices, self._devices  # the old ones are released without the lock
            self._swept = self._swept_to = 0

    def add(
        self, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, *, oldest: int = 0, now: int | None = None
    ) -> None:
        """Count one entry: `timestamp` in epoch seconds, bytes to and from the server.

        O(log n), and less at or after the device's last timestamp. One before `oldest` is counted and dropped at once.
        Raises FullError where there is no room, TypeError for a number that is no integer, ValueError for one outside
        0..2**53 - 1.
        """
        timestamp = whole("timestamp", timestamp, 0, MAX_WHOLE)
        bytes_ts, bytes_fs = whole("bytes_ts", bytes_ts, 0, MAX_WHOLE), whole("bytes_fs", bytes_fs, 0, MAX_WHOLE)
        with self._lock:
            if oldest:
                self._sweep(oldest)
            number = self._find(device_id)
            devices = self._devices
            if oldest:
                number = self._drop_own(device_id, number, oldest)
                if timestamp < oldest:
                    return
            devices.refuse_too_many(1, 0)
            devices.recent.follow(now, timestamp)
            try:
                if number == NONE:
                    number = devices.enter([device_id], np.array([NONE]), 0).item()
                devices.add(number, timestamp, bytes_ts, bytes_fs)
            except BaseException:
                devices.withdraw([device_id])
                raise

    def add_batch(
        self,
        device_ids: Sequence[str] | Keys,
        timestamps: Sequence[int] | Integers,
        bytes_ts: Sequence[int] | Integers,
        bytes_fs: Sequence[int] | Integers,
        *,
        oldest: int = 0,
        now: int | None = None,
    ) -> None:
        """Count entries given as four columns of one length, in any order; all of them or, on error, none.

        No reader sees a part of a device's. O(b log b) for b entries before the lock is taken, then as `add` for each.
        Those before `oldest` are counted and dropped at once. Raises FullError where there is no room for the others,
        TypeError for numbers that are no integers, ValueError for one outside 0..2**53 - 1 and for columns of
        different lengths.
        """
        batch = grouped(device_ids, timestamps, bytes_ts, bytes_fs, oldest=oldest)
        if large_batch.is_large(batch):
            large_batch.LargeBatch(self._lock, self._busy, self._devices).add(batch, oldest, now)
        else:
            self._add_small(batch, oldest, now)

    #: Every start of the process begins with an empty store, so a listing is counted once.
    add_listing = add_batch

    def _add_small(self, batch: Grouped, oldest: int, now: int | None) -> None:
        """Add a batch while the lock is held."""
        with self._lock:
            if oldest:
                self._sweep(oldest)
            found = self._find_all(batch.devices)
            devices, entries = self._devices, len(batch.times)
            devices.refuse_too_many(entries, 0)
            devices.recent.follow(now, batch.latest)
            try:
                numbers = np.repeat(devices.enter(batch.devices, found, oldest), batch.lengths)
                devices.blocks.make_room(devices.needed(numbers, batch.times))
            except BaseException:
                devices.withdraw(batch.devices)
                raise
            devices.commit_add(numbers, batch, 0, entries)
            devices.commit_counts(entries)

    def delete(self, device_id: str) -> None:
        """Forget all entries of a device. O(log n)."""
        with self._lock:
            number = self._find(device_id)
            if number != NONE:
                self._devices.commit_forget(np.array([number]), [number], BEYOND, BEYOND)

    def windows(self, device_id: str, *, end: int, length: int, count: int, oldest: int = 0) -> list[Window]:
        """Return the sums of `count` adjoining windows `(t - length, t]`, oldest first, up to t = `end`.

        Seconds: `end` from 0 to 2**53 - 1, `length` from 1 to 2**31 - 1; `count` from 1 to 10,000. Windows without
        entries are zeros, also those before 1970. O(count * log n) for n entries of the device. Raises KeyError for a
        device that has no entries; TypeError and ValueError as `add`.
        """
        borders = _borders(end, length, count)
        with self._lock:
            sums = self._devices.sums_up_to(self._known(device_id, oldest), np.maximum(borders, oldest - 1))
        return _windows_between(borders, sums)

    def windows_of_many(
        self, device_ids: Sequence[str], *, end: int, length: int, count: int, oldest: int = 0
    ) -> list[list[Window]]:
        """Return the same of each device; an empty list for one without entries. O(devices * count * log n)."""
        borders = _borders(end, length, count)
        kept, found = np.maximum(borders, oldest - 1), []
        for device_id in device_ids:
            with self._lock:
                number = self._find(device_id)
                is_there = number != NONE and self._devices.blocks.lasts[number] >= oldest
                sums = self._devices.sums_up_to(number, kept) if is_there else None
            found.append([] if sums is None else _windows_between(borders, sums))
        return found

    def devices(
        self, search: str | None = None, limit: int | None = None, *, after: str | None = None, oldest: int = 0
    ) -> list[DeviceSummary]:
        """Return a summary of the devices, sorted by key (code points). See `device_portions`."""
        return gathered(self.device_portions(search, after=after, size=limit, oldest=oldest), limit)

    def device_portions(
        self, search: str | None = None, *, after: str | None = None, size: int | None = None, oldest: int = 0
    ) -> Iterator[list[DeviceSummary]]:
        """Yield the same in portions of `size` devices at most, each as it is when it is taken.

        Only those whose key contains a text, in upper or lower case, and lies beyond a key. O(devices looked at).
        """
        count = AT_ONCE if search is not None or size is None else min(size, AT_ONCE)
        size = count if size is None else size
        names, more = self._devices.names, True
        while more:
            keys, after = names.order.after(after, count, names.numbers)
            more = after is not None
            if more and (search is not None or oldest):
                leave_loop()
            keys = matching(keys, search)
            for begin in range(0, len(keys), size):
                with self._lock:
                    numbers = self._find_all(keys[begin : begin + size])
                    sums = self._devices.sum_up(numbers[numbers != NONE], oldest)
                if found := sums.summaries():
                    yield found

    def device(self, device_id: str, *, oldest: int = 0) -> DeviceSummary:
        """Return the summary of one device. O(log n). Raises KeyError if it has no entries."""
        with self._lock:
            sums = self._devices.sum_up(np.array([self._known(device_id, oldest)]), oldest)
        [summary] = sums.summaries()
        return summary

    def instants(
        self,
        device_id: str | None = None,
        *,
        start: int = 0,
        end: int | None = None,
        after: tuple[str, int] | None = None,
        limit: int,
        oldest: int = 0,
    ) -> list[Instant]:
        """Return up to `limit` instants of one device or of all, by device and time, beyond a device and a second.

        O(log n) for each device that is looked at, and O(1) for each instant, however many entries it has.
        """
        start, stop = max(start, oldest), BEYOND if end is None else min(end, BEYOND)
        found: list[Instant] = []
        for keys, begin in self._places(device_id, start, after, limit):
            with self._lock:
                numbers = self._find_all(keys)
                some = numbers[numbers != NONE]
                sums = self._devices.sum_instants(some, min(begin, BEYOND), stop, limit - len(found))
            found += sums.instants()
            if len(found) == limit:
                break
        return found

    def _places(
        self, device_id: str | None, start: int, after: tuple[str, int] | None, count: int
    ) -> Iterator[tuple[list[str], int]]:
        """Yield devices in order, some at a time, and from which second on their instants are wanted."""
        last, second = after or ("", -1)  # no key comes before the empty one
        if device_id is not None:
            if device_id >= last:
                yield [device_id], max(start, second + 1) if device_id == last else start
            return
        if after is not None:
            yield [last], max(start, second + 1)
        key: str | None = last or None
        while True:
            count = min(count, AT_ONCE)
            names = self._devices.names
            keys, key = names.order.after(key, count, names.numbers)
            yield keys, start
            if key is None:
                return
            leave_loop()
            give_way()
            count *= 4  # they had fewer instants than are wanted

    def version(self, device_id: str | None = None, *, oldest: int = 0) -> str | None:
        """Return a text that is another one whenever something changes of what a device, or any, has from `oldest` on.

        None for a device without entries. O(1).
        """
        with self._lock:
            if device_id is None:
                return f"{self._clears}.{self._devices.changes}.{oldest}"
            number = self._find(device_id)
            blocks = self._devices.blocks
            if number == NONE or blocks.lasts[number] < oldest:
                return None
            # Between two changes other than at its end, which its number goes on counting for another device that
            # takes it, a device only grows. What is oldest counts where there is something older.
            count, late = blocks.counts.item(number), blocks.lates.item(number)
            hidden = oldest if blocks.firsts[number] < oldest else 0
            return f"{self._clears}.{number}.{late}.{count}.{hidden}"

    def overview(self, busiest: int, *, now: int, ahead: int = 0, oldest: int = 0) -> Overview:
        """Return how much is stored, and the devices with the most bytes since the previous slot began.

        With more than AT_ONCE devices, old entries that are not dropped yet count. O(devices), a pass over numbers, and
        O(log n) for each that may be among the busiest. Only after the clock was set back are all devices read.
        """
        since = max(begin_of_span(now), oldest)
        with self._lock:
            self._busy.wait_until_free()
            held = self._devices
            count, entries = len(held.names.numbers), held.entries
            if count <= AT_ONCE:
                summaries = held.sum_up(held.names.all(), oldest).summaries()
                count, entries = len(summaries), sum(device.count for device in summaries)
        most = find_busiest(self._lock, self._busy, held, busiest, now=now, first=since, last=now + ahead)
        latest = None if most else newest(self._lock, held, oldest)
        return Overview(count, entries, since, latest, most)

    def portions(self, size: int) -> Iterator[EntryColumns]:
        """Yield all entries, `size` at a time: device by device, in order of time. O(entries + devices)."""
        names = self._devices.names.names
        for numbers, times, sizes in self._devices.blocks.portions(size):
            starts = run_starts(numbers)
            codes = np.repeat(np.arange(len(starts), dtype=np.int32), run_lengths(starts, len(numbers)))
            devices = Keys.numbered(codes, [names[number] for number in numbers[starts].tolist()])
            yield EntryColumns(devices, times, *np.ascontiguousarray(sizes.T))

    def usage(self) -> Usage:
        """Return how much is stored, what is yet to be dropped included. O(1)."""
        with self._lock:
            held = self._devices
            return Usage(len(held.names.numbers) - held.new, held.entries, held.blocks.nbytes)

    def _find(self, device_id: str) -> int:
        """Return the number of a device, once no large batch is being written to it; NONE if it has no entries."""
        while True:
            number = self._devices.names.numbers.get(device_id, NONE)
            if number == NONE or not self._busy.wait_until_free(number):
                return number

    def _find_all(self, device_ids: Sequence[str]) -> Integers:
        """Return the same of several devices."""
        while True:
            numbers = self._devices.names.find(device_ids)
            if not self._busy.wait_until_free(numbers[numbers != NONE]):
                return numbers

    def _known(self, device_id: str, oldest: int) -> int:
        """Return the number of a device that has entries from `oldest` on. Raises KeyError for any other."""
        number = self._find(device_id)
        if number == NONE or self._devices.blocks.lasts[number] < oldest:
            raise KeyError(device_id)
        return number

    def _drop_own(self, device_id: str, number: int, oldest: int) -> int:
        """Drop entries before `oldest` of one device; return its number, NONE if it has none left."""
        if number == NONE or self._devices.blocks.firsts[number] >= oldest:
            return number
        self._devices.drop(np.array([number]), oldest)
        return self._devices.names.numbers.get(device_id, NONE)

    def _sweep(self, oldest: int) -> None:
        """Drop entries before `oldest` of the next devices in turn."""
        known = len(self._devices.names.names)
        if self._swept >= known:
            if oldest == self._swept_to:
                return
            self._swept, self._swept_to = 0, oldest
        turn = self._busy.free_of(np.arange(self._swept, min(self._swept + LOOKED_AT, known)))
        self._devices.drop(turn, oldest)
        if (self._devices.blocks.firsts[turn] >= oldest).all():
            self._swept += LOOKED_AT

    def _check(self) -> None:
        """Assert the invariants of the structure. O(n) for all entries."""
        with self._lock:
            self._devices._check()


def _borders(end: int, length: int, count: int) -> Integers:
    """Return where windows begin and end, in epoch seconds."""
    end = whole("end", end, 0, MAX_WHOLE)
    length = whole("length", length, 1, LONGEST_WINDOW)
    return end - length * np.arange(whole("count", count, 1, MOST_WINDOWS), -1, -1, dtype=np.int64)


def _windows_between(borders: Integers, sums: Integers) -> list[Window]:
    return list(map(Window, borders[1:].tolist(), *whole_sums(sums[1:] - sums[:-1])))
