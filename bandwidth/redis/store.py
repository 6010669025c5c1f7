"""Bytes per device in windows, in a Redis or Valkey that any number of processes share.

Plain Python; knows no framework. `redis/lua/` is the server's side, `layout.py` the form of the data. A method is one
call unless it says otherwise. One node has one stripe. A cluster has 64, spread evenly over its nodes; a stripe lies in
one slot, so that all it holds can be changed together.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from bandwidth.entries import MAX_WHOLE, Condensed, condensed, whole
from bandwidth.interface import DeviceSummary, FullError, Instant, Overview, Usage, Window, begin_of_span
from bandwidth.redis.busiest import find_busiest, first_span
from bandwidth.redis.capacity import Counts
from bandwidth.redis.instants import Place, read_instants
from bandwidth.redis.layout import (
    ROW_SIZE,
    SPAN_KEYS,
    SPANS_ADDED,
    Part,
    Stripe,
    portions,
    row_of,
    rows_of,
    stripes,
    summary_of,
)
from bandwidth.redis.library import LIBRARY
from bandwidth.redis.totals import calls_for_totals, totals_in
from bandwidth.redis.windows import read_windows
from timeseries_project.core import clock
from timeseries_project.core.arrays import Keys, gathered, matching
from timeseries_project.core.key_order import in_order
from timeseries_project.core.summation import Integers
from timeseries_project.storage.client import Call, Storage
from timeseries_project.storage.errors import StorageFullError, StorageUnavailableError
from timeseries_project.storage.lua import Function
from timeseries_project.storage.nodes import Argument, time_limit
from timeseries_project.storage.versions import Unversioned

logger = logging.getLogger(__name__)

STRIPES = 64
#: What one call adds at most, so that it takes less than about 0.1 s: rows in order, and late rows. A device counts as
#: some rows.
PORTION, LATE_PORTION = 20_000, 500
#: Devices that one call reads, at most.
DEVICES = 5_000
#: Seconds that a call without a request's deadline waits for another call that stores a listing.
SETTLE_SECONDS = 2


def _function(name: str) -> Function:
    return LIBRARY.function(f"bandwidth_{name}")


_add, _add_once, _knows, _drop = map(_function, ("add", "add_once", "knows", "drop"))
_delete, _forget, _heads, _scan = map(_function, ("delete", "forget", "heads", "scan"))


class Listing(NamedTuple):
    """A listing that may not be stored yet: its marker, and the calls that are left to make, each with a marker."""

    marker: str
    entries: int
    devices: list[str]
    calls: list[Call]


class RedisStore(Unversioned):
    """A store of bandwidth (see bandwidth/interface.py) that processes share.

    A device is changed and read atomically. So is a batch on one node, or the part of a batch in one stripe of a
    cluster. A batch that would hold up the server is sent in portions; only a device larger than a portion is cut. If a
    call fails, the other portions are stored and its own may be, so entries that are sent again may count twice.

    Limits are exact for a single call on one node. Several calls are checked against the counters first. Those of a
    cluster are cached for a second, but always read before anything is refused; those of a server that is failing count
    as they were.
    """

    def __init__(
        self, storage: Storage, name: bytes = b"bw", *, max_entries: int = MAX_WHOLE, max_devices: int = MAX_WHOLE
    ) -> None:
        self.max_entries = max_entries
        self.max_devices = max_devices
        self._storage = storage
        self._stripes = stripes(name, 1 if storage.one_node else STRIPES)
        self._listings: list[Listing] = []
        self._settling = Lock()  # guards `_listings`
        self._counts = Counts(len(self._stripes))

    def add(
        self, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, *, oldest: int = 0, now: int | None = None
    ) -> None:
        """Store one entry. One call; O(log n) for n instants of the device, and O(a node's rows) if it is late."""
        timestamp = whole("timestamp", timestamp, 0, MAX_WHOLE)
        row = row_of(timestamp, whole("bytes_ts", bytes_ts, 0, MAX_WHOLE), whole("bytes_fs", bytes_fs, 0, MAX_WHOLE))
        self._settle()
        if timestamp >= oldest:
            stripe, key = self._place(device_id)
            self._add([Part(stripe, [key], [row])], 1, [device_id], oldest, timestamp if now is None else now)

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
        """Store entries given as four columns. One call per portion, and in a cluster per stripe.

        Each device's rows are merged into the nodes that they fall into, each of which is written once.
        """
        entries = condensed(device_ids, timestamps, bytes_ts, bytes_fs, oldest=oldest)
        self._settle()
        parts, now = list(self._parts(entries, PORTION)), entries.latest if now is None else now
        self._add(parts, entries.entries, entries.devices, oldest, now)

    def add_listing(
        self,
        device_ids: Sequence[str] | Keys,
        timestamps: Sequence[int] | Integers,
        bytes_ts: Sequence[int] | Integers,
        bytes_fs: Sequence[int] | Integers,
        *,
        oldest: int = 0,
        now: int | None = None,
    ) -> None:
        """Store the entries of a listing once: now or, if the storage cannot take them, before the next call.

        A listing is identified by its content. Each part is stored together with a marker of its own, so it does no
        harm if another process stores it too or stops half-way. The marker of the whole listing lets a restart skip
        the parts.
        """
        # With its old entries, so that retention does not make it a different listing; the server leaves them out.
        entries = condensed(device_ids, timestamps, bytes_ts, bytes_fs)
        kept = condensed(device_ids, timestamps, bytes_ts, bytes_fs, oldest=oldest) if oldest else entries
        parts = list(self._parts(entries, LATE_PORTION))
        digest = hashlib.sha256()
        for piece in (piece for part in parts for pieces in part[1:] for piece in pieces):
            digest.update(b"%d:%b" % (len(piece), piece))
        marker, span = digest.hexdigest(), first_span(entries.latest if now is None else now)
        calls = [
            Call(
                _add_once,
                (stripe.listings, *stripe.all_devices, *stripe.spans(span, SPANS_ADDED), *keys),
                (f"{marker}:{number}", *self._limits(oldest), span, *rows),
            )
            for number, (stripe, keys, rows) in enumerate(parts)
        ]
        calls.append(Call(_add_once, (self._stripes[0].listings,), (marker,)))
        listing = Listing(marker, kept.entries, kept.devices, calls)
        with self._settling:
            self._listings.append(listing)
        try:
            self._settle(refuse=True)
        except StorageUnavailableError as error:
            logger.warning("The listing will be stored when the storage can be reached: %s.", error)
        except FullError:
            with self._settling:
                self._listings.remove(listing)
            raise

    def windows(self, device_id: str, *, end: int, length: int, count: int, oldest: int = 0) -> list[Window]:
        """Return the sums of windows. One call: a binary search per border, and the nodes that the borders lie in."""
        [found] = self.windows_of_many([device_id], end=end, length=length, count=count, oldest=oldest)
        if not found:
            raise KeyError(device_id)
        return found

    def windows_of_many(
        self, device_ids: Sequence[str], *, end: int, length: int, count: int, oldest: int = 0
    ) -> list[list[Window]]:
        """Return the same of each device; an empty list for one without entries. One call each, sent together."""
        self._settle()
        return read_windows(self._storage, [self._place(name)[1] for name in device_ids], end, length, count, oldest)

    def devices(
        self, search: str | None = None, limit: int | None = None, *, after: str | None = None, oldest: int = 0
    ) -> list[DeviceSummary]:
        """Return summaries of the devices, sorted by key. See `device_portions`."""
        return gathered(self.device_portions(search, after=after, size=limit, oldest=oldest), limit)

    def device_portions(
        self, search: str | None = None, *, after: str | None = None, size: int | None = None, oldest: int = 0
    ) -> Iterator[list[DeviceSummary]]:
        """Yield them in portions. One call per 5,000 devices to read all keys, then one for each portion."""
        self._settle()
        keys = in_order(key for key in matching(self._names(oldest), search) if after is None or key > after)
        size = min(size or DEVICES, DEVICES)
        for begin in range(0, len(keys), size):
            summaries = self._summaries(keys[begin : begin + size], oldest)
            if summaries:
                yield summaries

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
        """Return up to `limit` instants, by device and time. See `read_instants`; all devices are listed first."""
        self._settle()
        start, stop = min(max(start, oldest), MAX_WHOLE), MAX_WHOLE + 1 if end is None else min(end, MAX_WHOLE + 1)
        last, second = after or ("", -1)  # no key comes before the empty one
        beyond = min(max(start, second + 1), MAX_WHOLE + 1)
        names = in_order(self._names(oldest)) if device_id is None else [device_id]
        places = (Place(name, *self._place(name), beyond if name == last else start) for name in names if name >= last)
        return read_instants(self._storage, places, stop, limit)

    def device(self, device_id: str, *, oldest: int = 0) -> DeviceSummary:
        """Return the summary of one device. One call. Raises KeyError for a device without entries."""
        self._settle()
        for summary in self._summaries([device_id], oldest):
            return summary
        raise KeyError(device_id)

    def overview(self, busiest: int, *, now: int, ahead: int = 0, oldest: int = 0) -> Overview:
        """Return how much is stored, and the devices with the most bytes since the previous slot began.

        Three calls, in a cluster per stripe. Where all devices are listed, that is its cost: with `oldest`, to count
        them, and if none was busy, to find the newest entry.
        """
        self._settle()
        since = max(begin_of_span(now), oldest)
        asked = {"now": now, "first": since, "last": now + ahead}
        most = find_busiest(self._storage, self._stripes, self._summaries, busiest, **asked)
        listed = self.devices(oldest=oldest) if oldest or not most else []
        if oldest:
            counts = len(listed), sum(device.count for device in listed)
        else:
            counts = totals_in(self._storage.calls(calls_for_totals(self._stripes)))
        latest = None if most else max((device.last for device in listed), default=None)
        return Overview(*counts, since, latest, most)

    def usage(self) -> Usage:
        """Return how much is stored, with old entries that are not dropped yet. One call, in a cluster per stripe."""
        self._settle()
        return Usage(*totals_in(self._storage.calls(calls_for_totals(self._stripes))), None)

    def delete(self, device_id: str) -> None:
        """Forget a device. One call, O(log devices); the server frees the memory in the background."""
        stripe, key = self._place(device_id)
        self._settle()
        self._storage.call(Call(_delete, (*stripe.all_devices, *stripe.spans(0, SPAN_KEYS), key)))

    def clear(self) -> None:
        """Forget every device, in portions, then which listings were stored; other data in the storage stays.

        Spans go first: a device that is added meanwhile may then have more bytes in them than it has, but never less.
        """
        with self._settling:
            self._listings.clear()
        self._storage.calls([Call(_forget, stripe.spans(0, SPAN_KEYS)) for stripe in self._stripes])
        for stripe, keys in self._scan(0):
            self._storage.call(Call(_delete, (*stripe.all_devices, *stripe.spans(0, SPAN_KEYS), *keys)))
        self._storage.calls([Call(_forget, (stripe.listings,)) for stripe in self._stripes])

    def _add(self, parts: list[Part], entries: int, devices: list[str], oldest: int, now: int) -> None:
        """Drop some old entries in the stripes of these parts, then add the parts. Raises FullError."""
        if len(parts) > 1 or not self._storage.one_node:
            self._refuse_too_many(entries, devices, oldest)
        drops = self._drops({part.stripe for part in parts}, oldest)
        answers = self._storage.calls([*drops, *(self._call_to_add(part, oldest, now) for part in parts)])
        late: list[Part] = []
        for part, answer in zip(parts, answers[len(drops) :], strict=True):
            self._refuse(answer)
            if answer == b"late":
                late += portions(part.stripe, zip(part.devices, part.rows, strict=True), LATE_PORTION)
        if late and len(parts) == 1 and self._storage.one_node:
            self._refuse_too_many(entries, devices, oldest)
        for answer in self._storage.calls([self._call_to_add(part, oldest, now) for part in late]):
            self._refuse(answer)

    def _call_to_add(self, part: Part, oldest: int, now: int) -> Call:
        (stripe, devices, rows), span = part, first_span(now)
        keys = (*stripe.all_devices, *stripe.spans(span, SPANS_ADDED), *devices)
        return Call(_add, keys, (*self._limits(oldest), span, *rows))

    def _limits(self, oldest: int) -> tuple[Argument, ...]:
        """Return the limits that a call to add may not exceed; only on one node does the server know all counts."""
        most = (self.max_entries, self.max_devices) if self._storage.one_node else (MAX_WHOLE, MAX_WHOLE)
        return (oldest, *most, LATE_PORTION)

    def _refuse(self, answer: bytes) -> None:
        """Raise FullError if a call to add answered that a limit is reached."""
        if answer == b"entries":
            raise FullError("entries", self.max_entries)
        if answer == b"devices":
            raise FullError("devices", self.max_devices)

    def _refuse_too_many(self, entries: int, devices: Sequence[str], oldest: int) -> None:
        """Raise FullError if, by the counters, there is no room for so many entries of these devices."""
        if self._counts.take(entries, len(devices), self.max_entries, self.max_devices):
            return
        drops = self._drops(self._stripes, oldest)
        ask = self._storage.calls_in_reach if self._counts.are_known else self._storage.calls
        answers = ask([*drops, *calls_for_totals(self._stripes)])
        known_devices, known_entries = self._counts.learn(answers[len(drops) :])
        new = len(devices)
        if known_devices + new > self.max_devices:
            new -= len(self._summaries(devices, 0))
        if entries and known_entries + entries > self.max_entries:
            self._refuse(b"entries")
        if new and known_devices + new > self.max_devices:
            self._refuse(b"devices")
        if not self._storage.one_node:
            self._counts.use(known_entries + entries, known_devices + new)

    @staticmethod
    def _drops(stripes: Iterable[Stripe], oldest: int) -> list[Call]:
        """Return the calls that drop some of the old entries."""
        return [Call(_drop, stripe.all_devices, (oldest,)) for stripe in stripes] if oldest else []

    def _settle(self, *, refuse: bool = False) -> None:
        """Store what is left of the listings loaded at start, if there is room; stored parts are not sent again.

        Without room, FullError is raised only if `refuse` is true; otherwise calls go on without the listing.
        """
        if not self._listings:
            return
        if not self._settling.acquire(timeout=max(time_limit(SETTLE_SECONDS) - clock.elapsed(), 0)):
            raise StorageUnavailableError("the storage did not answer in time")
        try:
            with suppress(StorageFullError):
                while self._listings:
                    self._count_listing(self._listings[0])
                    del self._listings[0]
        except FullError:
            if refuse:
                raise
        finally:
            self._settling.release()

    def _count_listing(self, listing: Listing) -> None:
        known = Call(_knows, (self._stripes[0].listings,), (listing.marker,), read_only=True)
        if self._storage.call(known):
            return
        self._refuse_too_many(listing.entries, listing.devices, 0)
        while listing.calls:
            self._refuse(self._storage.call(listing.calls[0]))
            del listing.calls[0]

    def _place(self, device_id: str) -> tuple[Stripe, bytes]:
        """Return a device's stripe and key."""
        name = device_id.encode()
        stripe = self._stripes[crc32(name) % len(self._stripes)]
        return stripe, stripe.prefix + name

    @staticmethod
    def _name(stripe: Stripe, key: bytes) -> str:
        return key[len(stripe.prefix) :].decode()

    def _names(self, oldest: int) -> list[str]:
        """Return all devices, in any order. One call per 5,000."""
        return list({self._name(stripe, key) for stripe, keys in self._scan(oldest) for key in keys})

    def _scan(self, oldest: int) -> Iterator[tuple[Stripe, list[bytes]]]:
        """Yield the keys of all devices, in portions of a stripe; a key may come twice."""
        cursors = dict.fromkeys(self._stripes, b"0")
        while cursors:
            pages = [Call(_scan, (s.registry,), (at, DEVICES, oldest), read_only=True) for s, at in cursors.items()]
            answers = dict(zip(cursors, self._storage.calls(pages), strict=True))
            for stripe, (_, found) in answers.items():
                if found:
                    yield stripe, found
            cursors = {stripe: cursor for stripe, (cursor, _) in answers.items() if cursor != b"0"}

    def _summaries(self, device_ids: Sequence[str], oldest: int) -> list[DeviceSummary]:
        """Return the summaries of devices, in the order given; devices without entries are left out."""
        places: dict[Stripe, list[tuple[str, bytes]]] = {}
        for name in device_ids:
            stripe, key = self._place(name)
            places.setdefault(stripe, []).append((name, key))
        portions = [group[at : at + DEVICES] for group in places.values() for at in range(0, len(group), DEVICES)]
        asked = [Call(_heads, [key for _, key in portion], (oldest,), read_only=True) for portion in portions]
        found = {
            name: summary_of(name, answer)
            for portion, answers in zip(portions, self._storage.calls(asked), strict=True)
            for (name, _), answer in zip(portion, answers, strict=True)
            if answer is not None
        }
        return [found[name] for name in device_ids if name in found]

    def _parts(self, entries: Condensed, most: int) -> Iterator[Part]:
        """Yield the entries in parts for calls, in an order that depends only on the entries."""
        rows, starts = rows_of(entries), [0, *entries.stops][: len(entries.stops)]
        placed = sorted(zip(map(self._place, entries.devices), starts, entries.stops, strict=True))
        for stripe, devices in groupby(placed, key=lambda device: device[0][0]):
            own = ((key, rows[start * ROW_SIZE : stop * ROW_SIZE]) for (_, key), start, stop in devices)
            yield from portions(stripe, own, most)
