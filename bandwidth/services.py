"""The use cases of bandwidth, on the process-level store that stands where a database would.

Times are whole seconds since the Unix epoch, `now` included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from bandwidth import listing
from bandwidth.protocol import DeviceSummary, FullError, Held, Store, Totals, Window
from bandwidth.windows import BandwidthStore
from timeseries_project import clock, shared
from timeseries_project.columns import Keys
from timeseries_project.faults import (
    MAX_SHOWN_KEY,
    CapacityReachedError,
    FaultError,
    UnknownKeyError,
    refuse_future,
    shown,
)
from timeseries_project.summation import Integers

#: Devices that an overview names.
BUSIEST = 5


def _store() -> Store:
    most, devices = settings.MAX_BANDWIDTH_ENTRIES, settings.MAX_SERIES
    if shared.storage is None:
        return BandwidthStore(max_entries=most, max_devices=devices)
    from bandwidth.redis_store import RedisStore  # takes a quarter of a second, so only where it is needed

    return RedisStore(shared.storage, max_entries=most, max_devices=devices)


store = _store()


class Windows(NamedTuple):
    """The question, defaults filled in, and its windows, oldest first."""

    device_uuid: str
    end_time: int
    window_time: int
    num_windows: int
    data: list[Window]


def oldest_kept(now: int) -> int:
    """Return the oldest second that RETENTION keeps; 0 if it keeps all."""
    return 0 if settings.RETENTION_SECONDS is None else max(now - settings.RETENTION_SECONDS, 0)


def entry_add(*, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, now: int) -> None:
    """Store an entry, for as long as RETENTION says; those of one instant add up.

    FutureTimestampError beyond the allowed skew; CapacityReachedError if there is no room for it.
    """
    refuse_future([timestamp], now=now, ticks=1, unit="seconds", batch=False)
    try:
        store.add(device_id, timestamp, bytes_ts, bytes_fs, oldest=oldest_kept(now))
    except FullError as error:
        raise _full(error) from None


def entries_add(
    *,
    device_id: Sequence[str] | Keys,
    timestamp: Sequence[int] | Integers,
    bytes_ts: Sequence[int] | Integers,
    bytes_fs: Sequence[int] | Integers,
    now: int,
) -> int:
    """Store a batch, all or nothing; return how many entries it had. Errors as for one."""
    refuse_future(timestamp, now=now, ticks=1, unit="seconds", batch=True)
    try:
        store.add_batch(device_id, timestamp, bytes_ts, bytes_fs, oldest=oldest_kept(now))
    except FullError as error:
        raise _full(error) from None
    return len(timestamp)


def windows(*, device_uuid: str, end_time: int | None, window_time: int, num_windows: int, now: int) -> Windows:
    """Sum a device's bytes in windows (end - window_time, end] of which the last ends at end_time, or now.

    UnknownKeyError for a device never seen. O(num_windows * log n).
    """
    end = now if end_time is None else end_time
    try:
        oldest = oldest_kept(now)
        data = store.windows(device_uuid, end=end, length=window_time, count=num_windows, oldest=oldest)
    except KeyError:
        raise _unknown(device_uuid) from None
    return Windows(device_uuid, end, window_time, num_windows, data)


def devices_list(*, search: str | None = None, limit: int | None = None) -> list[DeviceSummary]:
    """Return the devices with their totals, by key: all, or some of those that contain a text."""
    return store.devices(search, limit, oldest=_oldest_now())


def devices_portions(*, search: str | None, after: str | None, size: int) -> Iterator[list[DeviceSummary]]:
    """Yield the same, beyond a key, in portions of `size` at most that are read when they are taken."""
    return store.device_portions(search, after=after, size=size, oldest=_oldest_now())


def devices_count() -> int:
    """Return how many devices there are, with those that are yet to be dropped. O(1)."""
    return store.held().devices


def device_get(device_id: str) -> DeviceSummary:
    """Return a device's totals. UnknownKeyError for a device never seen."""
    try:
        return store.device(device_id, oldest=_oldest_now())
    except KeyError:
        raise _unknown(device_id) from None


def device_delete(device_id: str) -> None:
    """Forget all entries of a device."""
    store.delete(device_id)


def totals() -> Totals:
    """Return how much is stored, and of which devices the most."""
    return store.totals(BUSIEST, oldest=_oldest_now())


def held() -> Held:
    """Return how much is stored. O(1)."""
    return store.held()


def device_last(device_uuid: str) -> int:
    """Return when a device's newest entry was counted. KeyError for a device never seen."""
    return store.last(device_uuid, oldest=_oldest_now())


def _oldest_now() -> int:
    return oldest_kept(clock.now_s())


def _full(error: FullError) -> CapacityReachedError:
    if error.what == "entries":
        return CapacityReachedError("MAX_BANDWIDTH_ENTRIES", error.limit, "bandwidth entries")
    return CapacityReachedError("MAX_SERIES", error.limit, "bandwidth devices")


def _unknown(device: str) -> UnknownKeyError:
    return UnknownKeyError(f"The device {shown(device, MAX_SHOWN_KEY)!r} was never seen.")


def listing_load(path: str) -> int:
    """Store the entries of a listing; return how many. ListingError names file and reason.

    A storage that is shared counts them once, however often it is loaded, and when it can be reached.
    """
    columns = listing.read(Path(path))
    now = clock.now_s()
    try:
        refuse_future(columns["timestamp"], now=now, ticks=1, unit="seconds", batch=True)
        store.add_listing(
            columns["device_id"],
            columns["timestamp"],
            columns["bytes_ts"],
            columns["bytes_fs"],
            oldest=oldest_kept(now),
        )
    except FullError as error:
        raise listing.ListingError(f"{path}: {_full(error).detail}") from None
    except FaultError as error:
        raise listing.ListingError(f"{path}: {error.detail}") from None
    return len(columns["timestamp"])
