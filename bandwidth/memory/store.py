"""Bytes per device in windows that end at a chosen time: sorted instants under cumulative sums.

Plain Python and NumPy; knows no framework. The bytes of a window are the difference of two cumulative sums,
found by binary search. All numbers are integers, so the difference is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from itertools import chain
from threading import Lock

import numpy as np

from bandwidth.entries import LONGEST_WINDOW, MAX_WHOLE, MOST_WINDOWS, Rows, condensed, whole
from bandwidth.interface import DeviceSummary, FullError, Overview, Usage, Window
from bandwidth.memory.busiest import Busiest
from bandwidth.memory.device_rows import DeviceRows
from timeseries_project.core.arrays import Keys, gathered, matching
from timeseries_project.core.key_order import KeyOrder
from timeseries_project.core.offload import give_way, leave_loop
from timeseries_project.core.summation import Integers

ROW_BYTES = 32  # an instant and three sums, or three references to huge ones, which are not counted
LOOKED_AT = 256  # devices from which one request drops old entries, at most
AT_ONCE = 2048  # devices read under the lock at a time; it is released in between


class BandwidthStore:
    """Entries `(device, timestamp, bytes to the server, bytes from the server)`, summed in windows.

    Timestamps are whole epoch seconds from 0 to 2**53 - 1, bytes integers from 0 to 2**53 - 1. Entries may
    come in any order; entries of one instant add up. Every sum is exact, however large. One distinct instant
    of a device takes 32 bytes (more where sums pass 64 bits), and up to a quarter more as room to grow.

    Methods that are given `oldest` answer as if no entry before that second had ever been stored. Writers drop such
    entries of the devices they add to, and of a few devices more in turn: a store of some hundred devices is
    always clean, and a larger one becomes so over some writes.

    Safe for threads: writers take turns under one lock and compute there; a second one, which readers wait
    for, is held only to look up sums and to copy finished rows in. A method that fails has changed nothing.
    """

    def __init__(self, *, max_entries: int = MAX_WHOLE, max_devices: int = MAX_WHOLE) -> None:
        self.max_entries = max_entries
        self.max_devices = max_devices
        self._devices: dict[str, DeviceRows] = {}
        #: Kept so that nothing has to be counted: entries, entries ever added, and rows that there is room for.
        self._entries = self._added = self._room = 0
        self._turn: list[str] = []  # devices still to be searched for old entries in this round
        self._turned = 0  # `oldest` when this round began
        self._writing = Lock()  # taken before `_lock`
        self._lock = Lock()
        self._order = KeyOrder(self._lock, self._names)
        self._busiest = Busiest()

    def add(self, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, *, oldest: int = 0) -> None:
        """Count one entry: `timestamp` in epoch seconds, bytes to and from the server.

        O(1) amortised at or after the device's last timestamp, else O(log n + instants after it). One before
        `oldest` is counted and dropped at once. Raises FullError where there is no room, TypeError for a number that
        is no integer, ValueError for one outside 0..2**53 - 1.
        """
        timestamp = whole("timestamp", timestamp, 0, MAX_WHOLE)
        entry = (1, whole("bytes_ts", bytes_ts, 0, MAX_WHOLE), whole("bytes_fs", bytes_fs, 0, MAX_WHOLE))
        with self._writing:
            if oldest:
                self._drop([device_id], oldest)
                if timestamp < oldest:
                    return
            device = self._devices.get(device_id)
            self._refuse_too_many(1, device is None)
            new = device is None
            device = device or DeviceRows()
            if timestamp < device.last:
                self._merge([(device_id, np.array([timestamp]), np.array([entry]))], 1)
                return
            row, sums, columns = device.appended(timestamp, entry)
            more = len(columns[0]) - (0 if new else len(device.times))
            with self._lock:
                if new:
                    self._order.note(device_id)
                self._busiest.note(device_id, sums[1] + sums[2] - device.dropped_bytes)
                device.commit_appended(timestamp, row, sums, columns)
                # Can fail only for a new device, which then stays unknown.
                self._devices[device_id] = device
                self._entries += 1
                self._added += 1
                self._room += more

    def add_batch(
        self,
        device_ids: Sequence[str] | Keys,
        timestamps: Sequence[int] | Integers,
        bytes_ts: Sequence[int] | Integers,
        bytes_fs: Sequence[int] | Integers,
        *,
        oldest: int = 0,
    ) -> None:
        """Count entries given as four columns of one length, in any order; all of them or, on error, none.

        No reader sees a part of them. O(b log b) for b entries before any lock is taken, then for each device
        O(its entries * log n + instants after its earliest entry). Those before `oldest` are counted and dropped at
        once. Raises FullError where there is no room for the others, TypeError for numbers that are no integers,
        ValueError for one outside 0..2**53 - 1 and for columns of different lengths.
        """
        batch = condensed(device_ids, timestamps, bytes_ts, bytes_fs, oldest=oldest)
        parts, entries = list(batch.by_device()), batch.entries
        with self._writing:
            if oldest:
                self._drop([device_id for device_id, _, _ in parts], oldest)
            if parts:
                self._refuse_too_many(entries, sum(device_id not in self._devices for device_id, _, _ in parts))
                self._merge(parts, entries)

    #: Every start of the process begins with an empty store, so a listing is counted once.
    add_listing = add_batch

    def delete(self, device_id: str) -> None:
        """Forget all entries of a device. O(1), and the release of their memory."""
        with self._writing:
            device = self._devices.get(device_id)
            if device is not None:
                count, room = device.count, len(device.times)
                with self._lock:
                    del self._devices[device_id]
                    self._entries -= count
                    self._room -= room

    def windows(self, device_id: str, *, end: int, length: int, count: int, oldest: int = 0) -> list[Window]:
        """Return the sums of `count` adjoining windows `(t - length, t]`, oldest first, up to t = `end`.

        Seconds: `end` from 0 to 2**53 - 1, `length` from 1 to 2**31 - 1; `count` from 1 to 10,000. Windows
        without entries are zeros, also those before 1970. O(count * log n) for n instants of the device.
        Raises KeyError for a device that has no entries; TypeError and ValueError as `add`.
        """
        end = whole("end", end, 0, MAX_WHOLE)
        length = whole("length", length, 1, LONGEST_WINDOW)
        count = whole("count", count, 1, MOST_WINDOWS)
        borders = end - length * np.arange(count, -1, -1, dtype=np.int64)
        with self._lock:
            sums = self._known(device_id, oldest).sums_until(np.maximum(borders, oldest - 1))
        return list(map(Window, borders[1:].tolist(), *np.diff(sums.T).tolist()))

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
        more = True
        while more:
            keys, after = self._order.after(after, count, self._devices)
            more = after is not None
            if more and (search is not None or oldest):
                leave_loop()
            keys = matching(keys, search)
            for begin in range(0, len(keys), size):
                with self._lock:
                    found = self._summaries(keys[begin : begin + size], oldest)
                if found:
                    yield found

    def _names(self) -> list[list[str]]:
        """Return all devices, in one portion: they are copied in the order in which they came, which is fast."""
        with self._lock:
            return [list(self._devices)]

    def device(self, device_id: str, *, oldest: int = 0) -> DeviceSummary:
        """Return the summary of one device. O(log n). Raises KeyError if it has no entries."""
        with self._lock:
            return self._known(device_id, oldest).summary(device_id, oldest)

    def overview(self, busiest: int, *, oldest: int = 0) -> Overview:
        """Return how much is stored, and the devices with the most bytes, the busiest first.

        With more than AT_ONCE devices, old entries that are not dropped yet count. O(1) as a rule; O(devices), in
        portions, after many deletions.
        """
        with self._lock:
            few = len(self._devices) <= AT_ONCE
            names = list(self._devices) if few else self._busiest.devices
            found, floor = self._summaries(names, oldest), -1 if few else self._busiest.floor
            devices, entries = len(self._devices), self._entries
        if few:
            devices, entries = len(found), sum(device.count for device in found)
        most = nlargest(busiest, found, key=_bytes)
        if floor >= 0 and (len(most) < busiest or _bytes(most[-1]) < floor):
            most = self._look_for_busiest(busiest, oldest)
        return Overview(devices, entries, most)

    def _look_for_busiest(self, busiest: int, oldest: int) -> list[DeviceSummary]:
        """Look at all devices, and remember which may be the busiest from now on. O(devices)."""
        leave_loop()
        with self._lock:
            self._busiest, seen = Busiest(), self._devices
            names = list(seen)
        most: list[DeviceSummary] = []
        for begin in range(0, len(names), AT_ONCE):
            with self._lock:
                found = self._summaries(names[begin : begin + AT_ONCE], oldest)
                for device in found:
                    self._busiest.note(device.device_id, _bytes(device))
            most = nlargest(busiest, [*most, *found], key=_bytes)
            give_way()
        return most

    def _summaries(self, names: Iterable[str], oldest: int) -> list[DeviceSummary]:
        """Return the summaries of those that have entries. The lock is held."""
        known = ((name, self._devices.get(name)) for name in names)
        return [device.summary(name, oldest) for name, device in known if device and device.last >= oldest]

    def usage(self) -> Usage:
        """Return how much is stored, what is yet to be dropped included. O(1)."""
        with self._lock:
            return Usage(len(self._devices), self._entries, self._room * ROW_BYTES, self._added)

    def last(self, device_id: str, *, oldest: int = 0) -> int:
        """Return the device's latest timestamp in epoch seconds. O(1). Raises KeyError if it has no entries."""
        with self._lock:
            return self._known(device_id, oldest).last

    def clear(self) -> None:
        """Forget every entry and device. O(1), and the release of their memory."""
        empty: tuple[dict[str, DeviceRows], list[str]] = {}, []
        busiest = Busiest()
        with self._writing, self._lock:
            self._devices, self._turn = empty
            self._busiest = busiest
            self._order.commit_forget()
            self._entries = self._room = 0

    def _known(self, device_id: str, oldest: int) -> DeviceRows:
        device = self._devices[device_id]
        if device.last < oldest:
            raise KeyError(device_id)
        return device

    def _refuse_too_many(self, entries: int, devices: int) -> None:
        """Raise FullError if there is no room for so many more."""
        if self._entries + entries > self.max_entries:
            raise FullError("entries", self.max_entries)
        if devices and len(self._devices) + devices > self.max_devices:
            raise FullError("devices", self.max_devices)

    def _drop(self, device_ids: Iterable[str], oldest: int) -> None:
        """Forget the entries before `oldest` of these devices, and of the next in turn; `_writing` is held."""
        if not self._turn and oldest != self._turned:
            self._turn, self._turned = list(self._devices), oldest
        for device_id in chain(device_ids, self._turn[-LOOKED_AT:]):
            device = self._devices.get(device_id)
            if device is None or device.first >= oldest:
                continue
            before = device.count
            if device.last < oldest:
                room = len(device.times)
                with self._lock:
                    del self._devices[device_id]
                    self._entries -= before
                    self._room -= room
                continue
            base, first = device.cut(oldest)
            after = before - device.count_at(base)
            with self._lock:
                device.commit_cut(base, first)
                self._entries += after - before
            if base > device.rows // 2:
                compact = device.compacted()
                less = len(device.times) - len(compact[1])
                with self._lock:
                    device.commit_all(compact)
                    self._room -= less
        del self._turn[-LOOKED_AT:]

    def _merge(self, parts: list[tuple[str, Integers, Rows]], entries: int) -> None:
        """Merge the cumulative sums of entries per device, under `_writing`.

        Every result is computed, and its room made, before the first is stored: a failure changes nothing.
        """
        merged = []
        new = {}
        more = 0
        for device_id, times, sums in parts:
            device = self._devices.get(device_id)
            if device is None:
                device = new[device_id] = DeviceRows()
            at, times, sums = device.merged(times, sums)
            stop, last = at + len(times), int(times[-1])
            columns = device.room(stop, sums.dtype)
            more += len(columns[0]) - (0 if device_id in new else len(device.times))
            merged.append((device, columns, at, stop, last, times, sums))
        with self._lock:
            try:
                for device_id in new:
                    self._order.note(device_id)
                for (device_id, _, _), (device, *_, sums) in zip(parts, merged, strict=True):
                    self._busiest.note(device_id, int(sums[-1, 1]) + int(sums[-1, 2]) - device.dropped_bytes)
                self._devices.update(new)
            except BaseException:
                for device_id in new:
                    self._devices.pop(device_id, None)
                raise
            for device, columns, at, stop, last, times, sums in merged:
                device.commit(columns, at, stop, last, times, sums)
            self._entries += entries
            self._added += entries
            self._room += more

    def _check(self) -> None:
        """Assert the invariants of the structure. O(n) for all instants."""
        with self._writing, self._lock:
            for device in self._devices.values():
                device.check()
            devices = self._devices.values()
            assert self._entries == sum(device.count for device in devices) <= self._added
            assert self._room == sum(len(device.times) for device in devices)
            assert all(len(device.times) * ROW_BYTES == device.times.nbytes + device.sums.nbytes for device in devices)


def _bytes(device: DeviceSummary) -> int:
    return device.bytes_ts + device.bytes_fs
