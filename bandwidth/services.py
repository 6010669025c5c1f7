"""The use cases of bandwidth, on the process-level store that stands where a database would.

Times are whole seconds since the Unix epoch, `now` included.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bandwidth import listing
from bandwidth.windows import BandwidthStore, DeviceSummary, Held, Totals, Window
from timeseries_project import clock
from timeseries_project.columns import Keys
from timeseries_project.faults import FaultError, UnknownKeyError, refuse_future
from timeseries_project.summation import Integers

#: Devices that an overview names.
BUSIEST = 5

store = BandwidthStore()


class Windows(NamedTuple):
    """The question, defaults filled in, and its windows, oldest first."""

    device_uuid: str
    end_time: int
    window_time: int
    num_windows: int
    data: list[Window]


def entry_add(*, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, now: int) -> None:
    """Store an entry; those of one instant add up. FutureTimestampError beyond the allowed skew."""
    refuse_future([timestamp], now=now, ticks=1, unit="seconds", batch=False)
    store.add(device_id, timestamp, bytes_ts, bytes_fs)


def entries_add(
    *,
    device_id: Sequence[str] | Keys,
    timestamp: Sequence[int] | Integers,
    bytes_ts: Sequence[int] | Integers,
    bytes_fs: Sequence[int] | Integers,
    now: int,
) -> int:
    """Store a batch, all or nothing; return how many entries it had."""
    refuse_future(timestamp, now=now, ticks=1, unit="seconds", batch=True)
    store.add_batch(device_id, timestamp, bytes_ts, bytes_fs)
    return len(timestamp)


def windows(*, device_uuid: str, end_time: int | None, window_time: int, num_windows: int, now: int) -> Windows:
    """Sum a device's bytes in windows (end - window_time, end] of which the last ends at end_time, or now.

    UnknownKeyError for a device never seen. O(num_windows * log n).
    """
    end = now if end_time is None else end_time
    try:
        data = store.windows(device_uuid, end=end, length=window_time, count=num_windows)
    except KeyError:
        raise _unknown(device_uuid) from None
    return Windows(device_uuid, end, window_time, num_windows, data)


def devices_list(*, search: str | None = None, limit: int | None = None) -> list[DeviceSummary]:
    """Return the devices with their totals, by key: all, or some of those that contain a text."""
    return store.devices(search, limit)


def device_get(device_id: str) -> DeviceSummary:
    """Return a device's totals. UnknownKeyError for a device never seen."""
    try:
        return store.device(device_id)
    except KeyError:
        raise _unknown(device_id) from None


def totals() -> Totals:
    """Return how much is stored, and of which devices the most. O(devices)."""
    return store.totals(BUSIEST)


def held() -> Held:
    """Return how much is stored. O(1)."""
    return store.held()


def device_last(device_uuid: str) -> int:
    """Return when a device's newest entry was counted. KeyError for a device never seen."""
    return store.last(device_uuid)


def _unknown(device: str) -> UnknownKeyError:
    return UnknownKeyError(f"The device {device!r} was never seen.")


def listing_load(path: str) -> int:
    """Store the entries of a listing, all or nothing; return how many. ListingError names file and reason."""
    columns = listing.read(Path(path))
    try:
        return entries_add(**columns, now=clock.now_s())
    except FaultError as error:
        raise listing.ListingError(f"{path}: {error.detail}") from None
