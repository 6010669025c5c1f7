"""The interface of bandwidth stores: what each can do, whether its entries are in this process or shared by several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from timeseries_project.core.arrays import Keys
from timeseries_project.core.summation import Integers


class DeviceSummary(NamedTuple):
    """A device's totals: number of entries, first and last timestamp (epoch seconds), bytes."""

    device_id: str
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody uses
    first: int
    last: int
    bytes_ts: int
    bytes_fs: int


class Usage(NamedTuple):
    """How much is stored: devices, entries, and bytes of memory for them, which are None for a shared storage."""

    devices: int
    entries: int
    nbytes: int | None


#: Seconds of a slot. "Now" is the present slot and the one before: the last ten to twenty minutes.
SLOT = 600


def begin_of_span(now: int) -> int:
    """Return the second from which on entries count for who is busy now: the begin of the previous slot.

    >>> begin_of_span(1_199), begin_of_span(1_200)
    (0, 600)
    """
    return max(now // SLOT - 1, 0) * SLOT


class Busy(NamedTuple):
    """What a device sent within a span, and the timestamp of its newest entry (epoch seconds)."""

    device_id: str
    last: int
    bytes_ts: int
    bytes_fs: int

    @property
    def total(self) -> int:
        """The bytes of both directions."""
        return self.bytes_ts + self.bytes_fs


def busiest_of(found: Iterable[Busy], count: int) -> list[Busy]:
    """Return the devices with the most bytes, the busiest first, by key where they are equal; none without bytes."""
    return sorted((one for one in found if one.total), key=lambda one: (-one.total, one.device_id))[:count]


class Overview(NamedTuple):
    """How much is stored, and the devices with the most bytes since a second, the busiest first.

    If no device has any since then, `latest` is the newest timestamp of all, None if there are no entries.
    """

    devices: int
    entries: int
    since: int
    latest: int | None
    busiest: list[Busy]


class Window(NamedTuple):
    """The sums of one window; `timestamp` is its end in epoch seconds, inclusive."""

    timestamp: int
    entries: int
    bytes_ts: int
    bytes_fs: int


class EntryColumns(NamedTuple):
    """Entries as columns of one length: those of a device together, in order of time."""

    devices: Keys
    timestamps: Integers
    bytes_ts: Integers
    bytes_fs: Integers


class Instant(NamedTuple):
    """What is stored of a device at one instant (epoch seconds): its entries, added up."""

    device_id: str
    timestamp: int
    bytes_ts: int
    bytes_fs: int


class FullError(Exception):
    """A limit is reached: at most `limit` entries or devices (`what`) can be stored."""

    def __init__(self, what: Literal["entries", "devices"], limit: int) -> None:
        super().__init__(f"at most {limit} {what}")
        self.what = what
        self.limit = limit


class Store(Protocol):
    """Entries `(device, timestamp, bytes to the server, bytes from the server)`, summed in windows.

    Timestamps are whole epoch seconds from 0 to 2**53 - 1, bytes integers from 0 to 2**53 - 1. Entries may come in
    any order; those of one instant add up. Every sum is exact, however large. Threads may share a store.

    Methods given `oldest` answer as if no entry before that second had ever been stored. Methods that add drop older
    entries a few at a time; until then these count towards the limits.

    Methods that add are given the present second, `now`, by which a store notes what counts for who is busy now. If it
    is None, time is taken to have come to the latest entry.

    Numbers that are not integers raise TypeError, those out of range ValueError. A method that raises one of them or
    FullError has changed nothing. A shared store may also raise StorageUnavailableError and, when it adds,
    StorageFullError.
    """

    max_entries: int
    max_devices: int

    def add(
        self, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, *, oldest: int = 0, now: int | None = None
    ) -> None:
        """Store one entry; one before `oldest` is valid but dropped at once. Raises FullError."""

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
        """Store entries given as four columns of one length, in any order; a reader sees all of a device's or none.

        Entries before `oldest` need no room. Raises FullError, and ValueError for columns of different lengths.
        """

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
        """Store the listing loaded at start: once, however many processes load it and however often they restart.

        Raises FullError. Never raises StorageUnavailableError or StorageFullError: the listing is stored later, when
        the storage can take it.
        """

    def windows(self, device_id: str, *, end: int, length: int, count: int, oldest: int = 0) -> list[Window]:
        """Return the sums of `count` adjoining windows `(t - length, t]`, oldest first, up to t = `end`.

        Seconds: `end` from 0 to 2**53 - 1, `length` from 1 to 2**31 - 1; `count` from 1 to 10,000. Windows without
        entries are zeros, even those before 1970. Raises KeyError for a device without entries.
        """

    def windows_of_many(
        self, device_ids: Sequence[str], *, end: int, length: int, count: int, oldest: int = 0
    ) -> list[list[Window]]:
        """Return the same of each device, an empty list for one without entries. Each is read at one moment."""

    def devices(
        self, search: str | None = None, limit: int | None = None, *, after: str | None = None, oldest: int = 0
    ) -> list[DeviceSummary]:
        """Return summaries of the devices, sorted by key (code points).

        Only devices whose key contains `search` (ignoring case) and sorts after `after`; at most `limit` of them.
        """

    def device_portions(
        self, search: str | None = None, *, after: str | None = None, size: int | None = None, oldest: int = 0
    ) -> Iterator[list[DeviceSummary]]:
        """Yield what `devices` returns, in non-empty portions of at most `size`, each read when it is taken.

        A device present throughout comes once; one added or deleted meanwhile comes once or not at all.
        """

    def device(self, device_id: str, *, oldest: int = 0) -> DeviceSummary:
        """Return the summary of one device. Raises KeyError for a device without entries."""

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
        """Return up to `limit` instants of one device or of all, by device (code points) and time.

        Only those with start <= timestamp < end that come after the device and timestamp `after`. Each device is read
        at one moment.
        """

    def version(self, device_id: str | None = None, *, oldest: int = 0) -> str | None:
        """Return a text that is another one whenever something changes of what a device, or any, has from `oldest` on.

        No text comes again, whatever is added, deleted or dropped, as long as the process lives. None for a device
        without entries, and from a store that would have to ask others for it.
        """

    def overview(self, busiest: int, *, now: int, ahead: int = 0, oldest: int = 0) -> Overview:
        """Return how much is stored, and the `busiest` devices with the most bytes, the busiest first.

        Bytes are those of entries from the begin of the span up to `ahead` seconds beyond now; devices without any are
        not named. In a store of thousands of devices, the counts may include entries before `oldest` that are not
        dropped yet; the bytes never do.
        """

    def usage(self) -> Usage:
        """Return how much is stored, including old entries that are not dropped yet."""

    def delete(self, device_id: str) -> None:
        """Forget all entries of a device."""

    def clear(self) -> None:
        """Forget every entry and device, and which listings were stored."""
