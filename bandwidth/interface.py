"""The interface of bandwidth stores: what each can do, whether its entries are in this process or shared by several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


class Overview(NamedTuple):
    """How much is stored (devices, entries), and the devices with the most bytes, the busiest first."""

    devices: int
    entries: int
    busiest: list[DeviceSummary]


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

    Numbers that are not integers raise TypeError, those out of range ValueError. A method that raises one of them or
    FullError has changed nothing. A shared store may also raise StorageUnavailableError and, when it adds,
    StorageFullError.
    """

    max_entries: int
    max_devices: int

    def add(self, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, *, oldest: int = 0) -> None:
        """Store one entry; one before `oldest` is valid but dropped at once. Raises FullError."""

    def add_batch(
        self,
        device_ids: Sequence[str] | Keys,
        timestamps: Sequence[int] | Integers,
        bytes_ts: Sequence[int] | Integers,
        bytes_fs: Sequence[int] | Integers,
        *,
        oldest: int = 0,
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

    def overview(self, busiest: int, *, oldest: int = 0) -> Overview:
        """Return how much is stored, and the `busiest` devices with the most bytes, the busiest first.

        In a store of thousands of devices, the counts may include entries before `oldest` that are not dropped yet;
        the summaries of the busiest devices never do.
        """

    def usage(self) -> Usage:
        """Return how much is stored, including old entries that are not dropped yet."""

    def last(self, device_id: str, *, oldest: int = 0) -> int:
        """Return the device's latest timestamp in epoch seconds. Raises KeyError for a device without entries."""

    def delete(self, device_id: str) -> None:
        """Forget all entries of a device."""

    def clear(self) -> None:
        """Forget every entry and device, and which listings were stored."""
