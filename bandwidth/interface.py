"""What a store of bandwidth does, wherever its entries are: in this process, or shared by several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

from timeseries_project.core.arrays import Keys
from timeseries_project.core.summation import Integers


class DeviceSummary(NamedTuple):
    """What is stored of a device: entries, first and last timestamp (epoch seconds), total bytes."""

    device_id: str
    count: int  # type: ignore[assignment]  # which hides tuple.count, used by nobody
    first: int
    last: int
    bytes_ts: int
    bytes_fs: int


class Usage(NamedTuple):
    """How much is stored: devices, entries and the bytes of their columns; and entries added since the start.

    The last two are None where a storage holds it that others share.
    """

    devices: int
    entries: int
    nbytes: int | None
    added: int | None


class Overview(NamedTuple):
    """How much is stored: devices and entries; and the devices with the most bytes, the busiest first."""

    devices: int
    entries: int
    busiest: list[DeviceSummary]


class Window(NamedTuple):
    """The sums of one window; `timestamp` is its end, which belongs to it (epoch seconds)."""

    timestamp: int
    entries: int
    bytes_ts: int
    bytes_fs: int


class FullError(Exception):
    """There is no room: `limit` is how many there may be of `what`, entries or devices."""

    def __init__(self, what: Literal["entries", "devices"], limit: int) -> None:
        super().__init__(f"at most {limit} {what}")
        self.what = what
        self.limit = limit


class Store(Protocol):
    """Entries `(device, timestamp, bytes to the server, bytes from the server)`, summed in windows.

    Timestamps are whole epoch seconds from 0 to 2**53 - 1, bytes integers from 0 to 2**53 - 1. Entries may come in
    any order; those of one instant add up. Every sum is exact, however large. Any number of threads may use it.

    Methods that are given `oldest` answer as if no entry before that second had ever been stored. Writers drop such
    entries, some at a time; what is yet to be dropped takes room.

    Numbers that are no integers raise TypeError, those out of range ValueError, and nothing is changed then; nor is
    it where what adds raises FullError. A store that is shared may raise StorageUnavailableError and, where it adds,
    StorageFullError.
    """

    max_entries: int
    max_devices: int

    def add(self, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, *, oldest: int = 0) -> None:
        """Count one entry; one before `oldest` is counted and dropped at once. Raises FullError."""

    def add_batch(
        self,
        device_ids: Sequence[str] | Keys,
        timestamps: Sequence[int] | Integers,
        bytes_ts: Sequence[int] | Integers,
        bytes_fs: Sequence[int] | Integers,
        *,
        oldest: int = 0,
    ) -> None:
        """Count entries given as four columns of one length, in any order: whoever reads a device sees all or none.

        Those before `oldest` need no room. Raises FullError; ValueError also for columns of different lengths.
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
        """Count the entries that a start begins with: once, however many processes start with them and how often.

        Raises FullError; never StorageUnavailableError or StorageFullError: what cannot be stored yet is stored when
        it can.
        """

    def windows(self, device_id: str, *, end: int, length: int, count: int, oldest: int = 0) -> list[Window]:
        """Return the sums of `count` adjoining windows `(t - length, t]`, oldest first, up to t = `end`.

        Seconds: `end` from 0 to 2**53 - 1, `length` from 1 to 2**31 - 1; `count` from 1 to 10,000. Windows without
        entries are zeros, also those before 1970. Raises KeyError for a device that has no entries.
        """

    def devices(
        self, search: str | None = None, limit: int | None = None, *, after: str | None = None, oldest: int = 0
    ) -> list[DeviceSummary]:
        """Return a summary of the devices, sorted by key (code points).

        Only those whose key contains a text, in upper or lower case, that lie beyond a key, and so many at most.
        """

    def device_portions(
        self, search: str | None = None, *, after: str | None = None, size: int | None = None, oldest: int = 0
    ) -> Iterator[list[DeviceSummary]]:
        """Yield the same in portions of `size` at most, none of them empty, each as it is when it is taken.

        A device that is there all the time comes once; one that comes or goes meanwhile comes once or not at all.
        """

    def device(self, device_id: str, *, oldest: int = 0) -> DeviceSummary:
        """Return the summary of one device. Raises KeyError if it has no entries."""

    def overview(self, busiest: int, *, oldest: int = 0) -> Overview:
        """Return how much is stored, and of so many devices with the most bytes, the busiest first.

        In a store of thousands of devices what is yet to be dropped may count, but not among the busiest.
        """

    def usage(self) -> Usage:
        """Return how much is stored, what is yet to be dropped included."""

    def last(self, device_id: str, *, oldest: int = 0) -> int:
        """Return the device's latest timestamp in epoch seconds. Raises KeyError if it has no entries."""

    def delete(self, device_id: str) -> None:
        """Forget all entries of a device."""

    def clear(self) -> None:
        """Forget every entry and device, and which listings were counted."""
