"""The use cases of bandwidth, on a process-level store in place of a database.

Times are whole seconds since the Unix epoch, `now` included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from django.conf import settings

from bandwidth.interface import DeviceSummary, EntryColumns, FullError, Instant, Overview, Store, Usage, Window
from bandwidth.memory.store import BandwidthStore
from timeseries_project.core import clock
from timeseries_project.core.arrays import Keys, count_from
from timeseries_project.core.errors import MAX_SHOWN_KEY, CapacityReachedError, UnknownKeyError, refuse_future, shown
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.summation import Integers
from timeseries_project.ops import metrics
from timeseries_project.storage import connection

#: What an answer depends on: two answers to one request with equal versions are equal.
Version = tuple[str | int, ...] | None

#: How many devices an overview names.
BUSIEST = 5
#: From this many instants on, writing an answer takes some milliseconds.
LARGE_LISTING = 2_000


def _store() -> Store:
    most, devices = settings.MAX_BANDWIDTH_ENTRIES, settings.MAX_SERIES
    if connection.storage is None:
        return BandwidthStore(max_entries=most, max_devices=devices)
    from bandwidth.redis.store import RedisStore  # takes a quarter of a second, so only where needed

    return RedisStore(connection.storage, max_entries=most, max_devices=devices)


store = _store()
_accepted = metrics.accepted.labels("bandwidth")


class Windows(NamedTuple):
    """The query with its defaults filled in, and its windows, oldest first."""

    device_uuid: str
    end_time: int
    window_time: int
    num_windows: int
    data: list[Window]


class Listing(NamedTuple):
    """Some instants in order, and the place of the last one if more follow: the next listing begins after it."""

    instants: list[Instant]
    next: tuple[str, int] | None


def oldest_kept(now: int) -> int:
    """Return the oldest second that RETENTION keeps; 0 if it keeps everything."""
    return 0 if settings.RETENTION_SECONDS is None else max(now - settings.RETENTION_SECONDS, 0)


class Added(NamedTuple):
    """How many entries of a batch were stored, and how many RETENTION does not keep; None if it keeps everything."""

    created: int
    expired: int | None


def entry_add(*, device_id: str, timestamp: int, bytes_ts: int, bytes_fs: int, now: int) -> bool:
    """Store an entry, for as long as RETENTION says; return False if that time has passed already.

    Entries of one instant add up.

    Raises FutureTimestampError beyond the allowed skew, CapacityReachedError if a limit is reached.
    """
    _refuse_future([timestamp], now=now, batch=False)
    oldest = oldest_kept(now)
    if timestamp < oldest:
        return False
    try:
        store.add(device_id, timestamp, bytes_ts, bytes_fs, oldest=oldest, now=now)
    except FullError as error:
        raise _full(error) from None
    _accepted.inc()
    return True


def entries_add(
    *,
    device_id: Sequence[str] | Keys,
    timestamp: Sequence[int] | Integers,
    bytes_ts: Sequence[int] | Integers,
    bytes_fs: Sequence[int] | Integers,
    now: int,
) -> Added:
    """Store a batch, all or nothing, for as long as RETENTION says. Raises what `entry_add` raises."""
    _refuse_future(timestamp, now=now, batch=True)
    oldest = oldest_kept(now)
    expired = len(timestamp) - count_from(timestamp, oldest)
    try:
        store.add_batch(device_id, timestamp, bytes_ts, bytes_fs, oldest=oldest, now=now)
    except FullError as error:
        raise _full(error) from None
    _accepted.inc(len(timestamp) - expired)
    return Added(len(timestamp) - expired, None if settings.RETENTION_SECONDS is None else expired)


def windows_list(*, device_uuid: str, end_time: int | None, window_time: int, num_windows: int, now: int) -> Windows:
    """Sum a device's bytes in windows (end - window_time, end]; the last one ends at end_time, by default now.

    Raises UnknownKeyError for a device never seen. O(num_windows * log n).
    """
    end = now if end_time is None else end_time
    try:
        oldest = oldest_kept(now)
        data = store.windows(device_uuid, end=end, length=window_time, count=num_windows, oldest=oldest)
    except KeyError:
        raise _unknown(device_uuid) from None
    return Windows(device_uuid, end, window_time, num_windows, data)


def windows_of_many(
    *, device_uuids: Sequence[str], end_time: int, window_time: int, num_windows: int, now: int
) -> dict[str, list[Window]]:
    """Return the windows of several devices, as `windows_list`; a device never seen is left out.

    Raises UnknownKeyError if all are. O(devices * num_windows * log n); a shared storage is asked once for all.
    """
    answers = store.windows_of_many(
        device_uuids, end=end_time, length=window_time, count=num_windows, oldest=oldest_kept(now)
    )
    found = {device: windows for device, windows in zip(device_uuids, answers, strict=True) if windows}
    if not found:
        raise _unknown(*device_uuids)
    return found


def outlines_list(
    *, device_ids: Sequence[str], end_time: int, window_time: int, num_windows: int, now: int
) -> list[list[int]]:
    """Return the bytes in both directions of each device, window by window as `windows_list`; none of unknown ones.

    O(devices * num_windows * log n); a shared storage is asked once for all.
    """
    found = store.windows_of_many(
        device_ids, end=end_time, length=window_time, count=num_windows, oldest=oldest_kept(now)
    )
    return [[window.bytes_ts + window.bytes_fs for window in windows] for windows in found]


def entries_list(
    *,
    device_uuid: str | None,
    start: int | None,
    end: int | None,
    limit: int,
    cursor: tuple[str, int] | None,
    now: int | None = None,
) -> Listing:
    """Return up to `limit` instants of a device or of all, by device and time: its entries of one instant, added up.

    If more follow, the place of the last one comes with them.
    """
    if limit > LARGE_LISTING:
        leave_loop()
    instants = store.instants(
        device_uuid, start=start or 0, end=end, after=cursor, limit=limit + 1, oldest=_oldest(now)
    )
    if len(instants) <= limit:
        return Listing(instants, None)
    last = instants[limit - 1]
    return Listing(instants[:limit], (last.device_id, last.timestamp))


def devices_list(*, search: str | None = None, limit: int | None = None) -> list[DeviceSummary]:
    """Return the devices with their totals, sorted by key: all, or at most `limit` whose key contains `search`."""
    return store.devices(search, limit, oldest=_oldest())


def devices_portions(
    *, search: str | None, after: str | None, size: int, now: int | None = None
) -> Iterator[list[DeviceSummary]]:
    """Yield the devices after the key `after`, in portions of at most `size`, each read when it is taken."""
    return store.device_portions(search, after=after, size=size, oldest=_oldest(now))


def devices_count() -> int:
    """Return the number of devices, including old ones that are not dropped yet. O(1)."""
    return store.usage().devices


def device_get(*, device_id: str, now: int | None = None) -> DeviceSummary:
    """Return a device's totals. Raises UnknownKeyError for a device never seen."""
    try:
        return store.device(device_id, oldest=_oldest(now))
    except KeyError:
        raise _unknown(device_id) from None


def version_get(*, device_id: str | None = None, now: int) -> Version:
    """Return what answers about a device, or all of them, depend on; None if that would take long."""
    version = store.version(device_id, oldest=oldest_kept(now))
    return None if version is None else (version,)


def windows_version(*, device_uuid: str, end_time: int | None, now: int) -> Version:
    """Return what `windows_list` depends on beside what is asked; None as `version_get`."""
    version = version_get(device_id=device_uuid, now=now)
    return None if version is None else (*version, now if end_time is None else end_time)


def device_delete(*, device_id: str) -> None:
    """Forget all entries of a device."""
    store.delete(device_id)


def overview_get(*, now: int | None = None) -> Overview:
    """Return how much is stored, and the busiest devices of the last ten to twenty minutes."""
    now = clock.now_s() if now is None else now
    return store.overview(BUSIEST, now=now, ahead=settings.CLOCK_SKEW_SECONDS, oldest=oldest_kept(now))


def usage_get() -> Usage:
    """Return how much is stored. O(1)."""
    return store.usage()


def _oldest(now: int | None = None) -> int:
    return oldest_kept(clock.now_s() if now is None else now)


def _refuse_future(timestamps: Sequence[int] | Integers, *, now: int, batch: bool) -> None:
    skew = settings.CLOCK_SKEW_SECONDS
    refuse_future(timestamps, now=now, skew_seconds=skew, ticks=1, unit="seconds", batch=batch)


def _full(error: FullError) -> CapacityReachedError:
    if error.what == "entries":
        return CapacityReachedError("MAX_BANDWIDTH_ENTRIES", error.limit, "bandwidth entries")
    return CapacityReachedError("MAX_SERIES", error.limit, "bandwidth devices")


def _unknown(*devices: str) -> UnknownKeyError:
    names = ", ".join(repr(shown(device, MAX_SHOWN_KEY)) for device in devices)
    if len(devices) > 1:
        return UnknownKeyError(f"None of these devices was ever seen: {names}.")
    return UnknownKeyError(f"The device {names} was never seen.")


def listing_add(
    *,
    device_id: Sequence[str] | Keys,
    timestamp: Sequence[int] | Integers,
    bytes_ts: Sequence[int] | Integers,
    bytes_fs: Sequence[int] | Integers,
    now: int,
) -> None:
    """Store the entries of a listing, all or nothing. Raises what `entries_add` raises.

    A shared storage stores a listing once, however often it is added, and as soon as it can be reached.
    """
    _refuse_future(timestamp, now=now, batch=True)
    try:
        store.add_listing(device_id, timestamp, bytes_ts, bytes_fs, oldest=oldest_kept(now), now=now)
    except FullError as error:
        raise _full(error) from None


def store_settled() -> AbstractContextManager[None]:
    """Let no large batch to the store in memory be under way meanwhile; waits for the one that is."""
    return _in_memory().settled()


def store_held() -> AbstractContextManager[None]:
    """Let nobody change the store in memory meanwhile; entered while it is settled."""
    return _in_memory().held()


def store_portions(*, size: int) -> Iterator[EntryColumns]:
    """Yield all entries in memory, `size` at a time, while nobody changes the store."""
    return _in_memory().portions(size)


def entries_restore(*, entries: EntryColumns, now: int) -> None:
    """Store entries that were accepted before the process started, for as long as RETENTION says.

    Raises CapacityReachedError if a limit is reached.
    """
    try:
        store.add_batch(*entries, oldest=oldest_kept(now), now=now)
    except FullError as error:
        raise _full(error) from None


def _in_memory() -> BandwidthStore:
    assert isinstance(store, BandwidthStore)
    return store
