"""The use cases of datapoints, on a process-level store that takes the place of a database.

Times, `now` included, are microseconds since the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
from django.conf import settings

from datapoints import bucket_widths, questions
from datapoints.divisions import Division
from datapoints.interface import (
    QUARTER_HOUR,
    Axis,
    DuplicatePointsError,
    FullError,
    KeySummary,
    OnDuplicate,
    Point,
    PointColumns,
    Store,
    Totals,
)
from datapoints.memory.store import SeriesStore
from datapoints.questions import Answer, BucketRows, Question, bucket_rows
from datapoints.statistics import Aggregate, Fill, Measure
from timeseries_project.core import clock
from timeseries_project.core.arrays import Column, Keys, count_from
from timeseries_project.core.errors import (
    MAX_SHOWN_KEY,
    AlreadyExistsError,
    CapacityReachedError,
    FieldError,
    UnknownKeyError,
    refuse_future,
    shown,
)
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.spans import Span
from timeseries_project.core.summation import Floats, Integers
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.ops import metrics
from timeseries_project.storage import connection

#: What an answer depends on: two answers to one request with equal versions are equal.
Version = tuple[str | int, ...] | None

#: From this many datapoints on, writing an answer takes some milliseconds.
LARGE_LISTING = 2_000


def _store() -> Store:
    limits = {"max_points": settings.MAX_DATAPOINTS, "max_series": settings.MAX_SERIES}
    if connection.storage is None:
        return SeriesStore(**limits)
    # Imported only where it is used: this takes a quarter of a second.
    from datapoints.redis.store import RedisStore

    return RedisStore(connection.storage, **limits)


store = _store()
_accepted = metrics.accepted.labels("datapoints")


class Added(NamedTuple):
    """How many datapoints of a batch are new, how many existed already, and how many RETENTION does not keep.

    Those that existed were skipped or replaced. `expired` is None if everything is kept.
    """

    created: int
    known: int
    expired: int | None


class Listing(NamedTuple):
    """Some datapoints in order, and the place of the last one if more follow: the next listing begins after it."""

    points: PointColumns
    next: tuple[int, str, str] | None


def oldest_kept(now: int) -> int:
    """Return the start of the oldest quarter-hour that RETENTION keeps; 0 if everything is kept."""
    if settings.RETENTION_SECONDS is None:
        return 0
    return max(now - settings.RETENTION_SECONDS * MICROSECONDS, 0) // QUARTER_HOUR * QUARTER_HOUR


def datapoint_add(*, timestamp: int, value: float, device: str, user: str, now: int) -> bool:
    """Store a datapoint for as long as RETENTION allows; return False if that time has passed already.

    FutureTimestampError beyond the allowed skew; AlreadyExistsError if its timestamp, device and user are taken;
    CapacityReachedError if there is no room for it.
    """
    _refuse_future([timestamp], now=now, batch=False)
    oldest = oldest_kept(now)
    if timestamp < oldest:
        return False
    try:
        added = store.add(timestamp, value, device, user, oldest=oldest)
    except FullError as error:
        raise _full(error) from None
    if not added:
        raise AlreadyExistsError("A datapoint of this timestamp, device and user exists already.")
    _accepted.inc()
    return True


def datapoints_add(
    *,
    timestamp: Sequence[int] | Integers,
    value: Sequence[float] | Floats,
    device: Sequence[str] | Keys,
    user: Sequence[str] | Keys,
    now: int,
    on_duplicate: OnDuplicate = OnDuplicate.ERROR,
) -> Added:
    """Store a batch, all or nothing, for as long as RETENTION allows. Errors are those of `datapoint_add`.

    Datapoints that exist already, or occur twice in the batch, are skipped or replaced if `on_duplicate` says so.
    """
    _refuse_future(timestamp, now=now, batch=True)
    times, oldest = np.asarray(timestamp, dtype=np.int64), oldest_kept(now)
    expired = len(times) - count_from(times, oldest)
    created = _add(times, np.asarray(value, dtype=np.float64), device, user, on_duplicate, oldest)
    known = len(times) - created - expired
    _accepted.inc(created + (known if on_duplicate is OnDuplicate.REPLACE else 0))
    return Added(created, known, None if settings.RETENTION_SECONDS is None else expired)


def _add(
    times: Integers,
    values: Floats,
    devices: Sequence[str] | Keys,
    users: Sequence[str] | Keys,
    on_duplicate: OnDuplicate,
    oldest: int,
) -> int:
    try:
        return store.add_batch(times, values, devices, users, on_duplicate=on_duplicate, oldest=oldest)
    except FullError as error:
        raise _full(error) from None
    except DuplicatePointsError as error:
        raise AlreadyExistsError(
            f"{error.count:,} of these datapoints exist already or occur twice in the batch.",
            (FieldError("", "exists already.", position) for position in error.positions),
        ) from None


def store_settled() -> AbstractContextManager[None]:
    """Let no large write to the store in memory be under way meanwhile; waits for the one that is."""
    return _in_memory().settled()


def store_held() -> AbstractContextManager[None]:
    """Let nobody change the store in memory meanwhile; entered while it is settled."""
    return _in_memory().held()


def store_portions(*, size: int) -> Iterator[PointColumns]:
    """Yield all datapoints in memory, `size` at a time, while nobody changes the store."""
    return _in_memory().portions(size)


def datapoints_restore(*, points: PointColumns, now: int) -> None:
    """Store datapoints that were accepted before the process started, for as long as RETENTION allows.

    Raises AlreadyExistsError and CapacityReachedError as `datapoints_add`.
    """
    _add(points.times, points.values, points.devices, points.users, OnDuplicate.ERROR, oldest_kept(now))


def _in_memory() -> SeriesStore:
    assert isinstance(store, SeriesStore)
    return store


def datapoints_list(
    *,
    device: str | None,
    user: str | None,
    start: int | None,
    end: int | None,
    limit: int,
    after: tuple[int, str, str] | None,
    descending: bool,
    now: int | None = None,
) -> Listing:
    """Return up to `limit` datapoints by time, device and user, or the other way round, from a place on.

    If more follow, the place of the last one comes with them.
    """
    if limit > LARGE_LISTING:
        leave_loop()
    points = store.listing(
        device=device,
        user=user,
        start=start or 0,
        end=end,
        after=after,
        limit=limit + 1,
        descending=descending,
        oldest=_oldest(now),
    )
    if len(points) <= limit:
        return Listing(points, None)
    points = points.first(limit)
    return Listing(points, points.last)


def datapoints_delete(*, axis: Axis, key: str, start: int | None = None, end: int | None = None) -> None:
    """Delete the datapoints of a device or user, all or those with start <= timestamp < end."""
    store.delete(axis, key, start=start or 0, end=end, oldest=_oldest())


def common_datapoints_delete(*, device: str, user: str, start: int | None = None, end: int | None = None) -> None:
    """Delete the datapoints that a device measured for a user, all or those with start <= timestamp < end."""
    store.delete("device", device, other=user, start=start or 0, end=end, oldest=_oldest())


def keys_list(*, axis: Axis, search: str | None = None, limit: int | None = None) -> list[KeySummary]:
    """Return the devices or users that have datapoints, by key: at most `limit` of those that contain `search`."""
    return store.keys(axis, search, limit, oldest=_oldest())


def keys_portions(
    *, axis: Axis, search: str | None, after: str | None, size: int, now: int | None = None
) -> Iterator[list[KeySummary]]:
    """Yield what `keys_list` returns, after the key `after`, in portions of at most `size`, each read when taken."""
    return store.key_portions(axis, search, after=after, size=size, oldest=_oldest(now))


def keys_count(*, axis: Axis) -> int:
    """Return how many devices or users there are; a large store counts expired ones until they are dropped. O(1)."""
    held = totals_get()
    return held.devices if axis == "device" else held.users


def key_get(*, axis: Axis, key: str, now: int | None = None) -> KeySummary:
    """Return the summary of a device or user. UnknownKeyError if it has no datapoints."""
    try:
        return store.key(axis, key, oldest=_oldest(now))
    except KeyError:
        raise _unknown(axis, key) from None


def key_latest(*, axis: Axis, key: str, now: int | None = None) -> tuple[KeySummary, Point]:
    """Return the summary of a device or user, and its newest datapoint. UnknownKeyError if it has no datapoints."""
    try:
        return store.latest(axis, key, oldest=_oldest(now))
    except KeyError:
        raise _unknown(axis, key) from None


def totals_get() -> Totals:
    """Return how much is stored."""
    return store.totals(oldest=_oldest())


def version_get(*, device: str | None = None, user: str | None = None, now: int) -> Version:
    """Return what answers about a device, a user, both, or everything depend on; None if that would take long."""
    version = store.version(device=device, user=user)
    return None if version is None else (version, oldest_kept(now))


def statistics_version(
    *, axis: Axis, key: str, bucket: Span, tz: str | None, offset: int | None, end: int | None, now: int
) -> Version:
    """Return what `statistics_list` and `moving_average_list` depend on beside what is asked; None as `version_get`."""
    version = version_get(**{axis: key}, now=now)
    # The answer ends with the bucket of now or, if that comes first, with the last one that begins before `end`.
    last = now if end is None else min(now, end - 1)
    return None if version is None else (*version, Division(bucket, tz, offset or 0).start(last))


def _oldest(now: int | None = None) -> int:
    return oldest_kept(clock.now() if now is None else now)


def _refuse_future(timestamps: Sequence[int] | Integers, *, now: int, batch: bool) -> None:
    skew = settings.CLOCK_SKEW_SECONDS
    refuse_future(timestamps, now=now, skew_seconds=skew, ticks=MICROSECONDS, unit="seconds", batch=batch)


def _full(error: FullError) -> CapacityReachedError:
    if error.what == "points":
        return CapacityReachedError("MAX_DATAPOINTS", error.limit, "datapoints")
    return CapacityReachedError("MAX_SERIES", error.limit, "pairs of a device and a user")


def _unknown(axis: Axis, key: str) -> UnknownKeyError:
    return UnknownKeyError(f"There are no datapoints of the {axis} {shown(key, MAX_SHOWN_KEY)!r}.")


class ChartData(NamedTuple):
    """The columns of a chart: one row for each of several consecutive buckets; NaN stands for no value.

    `too_many` is None, unless the requested width was too narrow to be drawn: then it is the number of buckets of that
    width. `starts`, and `stop`, where the last bucket ends, are epoch seconds; `first` and `last` are the times of the
    oldest and newest datapoint of the key.
    """

    division: Division
    too_many: int | None
    starts: Integers
    stop: int
    averages: Floats
    counts: Integers
    moving_averages: Floats
    first: int
    last: int


def statistics_list(
    *,
    axis: Axis,
    key: str,
    aggregate: Measure,
    bucket: Span,
    start: int | None,
    end: int | None,
    fill: Fill,
    now: int,
    tz: str | None = None,
    offset: int | None = None,
) -> BucketRows:
    """Return rows (timestamp, value, count): an aggregate per bucket, from the first datapoint's bucket to now's.

    Counts have no gaps to fill: the count of an empty bucket is 0. UnknownKeyError without datapoints;
    InvalidInputError for more than MAX_BUCKETS. O(buckets) for avg, sum and count of whole quarter-hours,
    else O(datapoints in the range).
    """
    if aggregate is Aggregate.COUNT and fill is not Fill.NONE:
        fill = Fill.ZERO
    question = Question(axis, key, Division(bucket, tz, offset or 0), start, end, fill, now)
    answer = _read(question, aggregate, window=1)
    timeline = answer.timeline

    def columns(first: int, last: int) -> tuple[Column, ...]:
        values, counts = timeline.values(first, last)
        return (counts if aggregate is Aggregate.COUNT else values, counts)

    return bucket_rows(("timestamp", "value", "count"), fill, answer, columns, timeline.nbytes)


def moving_average_list(
    *,
    axis: Axis,
    key: str,
    window_size: int,
    min_periods: int | None,
    bucket: Span,
    start: int | None,
    end: int | None,
    fill: Fill,
    now: int,
    tz: str | None = None,
    offset: int | None = None,
) -> BucketRows:
    """Return rows (timestamp, value): the mean of the averages of the last `window_size` buckets.

    Errors are those of `statistics_list`. O(buckets) if buckets are whole quarter-hours, whatever the window size.
    """
    question = Question(axis, key, Division(bucket, tz, offset or 0), start, end, fill, now)
    answer = _read(question, Aggregate.AVG, window=window_size)
    timeline = answer.timeline
    averages = timeline.moving_average(window_size, min_periods or window_size)
    nbytes = timeline.nbytes + timeline.windows_nbytes(window_size)
    return bucket_rows(("timestamp", "value"), fill, answer, lambda a, b: (averages(a, b),), nbytes)


def chart_get(
    *,
    axis: Axis,
    key: str,
    bucket: Span | None,
    window_size: int,
    start: int | None,
    end: int | None,
    now: int,
    tz: str | None = None,
    offset: int | None = None,
) -> ChartData:
    """Return averages and moving averages in as many buckets as a chart can show (`bucket_widths`).

    Both are computed from the same data and equal those of `statistics_list` and `moving_average_list` for the width
    drawn. UnknownKeyError without datapoints. O(buckets) if buckets are whole quarter-hours, else O(datapoints in the
    range).
    """
    summary = key_get(axis=axis, key=key, now=now)
    low = max(start or 0, summary.first)
    # The last bucket is that of now, or of the last datapoint if this is later; the range is half-open, hence + 1.
    high = max(now, summary.last) + 1
    high = high if end is None else min(end, high)
    division, too_many = bucket_widths.suitable(low, high, bucket, tz, offset or 0)
    # An older datapoint that is added in between must not make the answer longer than the width allows.
    question = Question(axis, key, division, max(start or 0, division.start(summary.first)), end, Fill.NULL, now)
    timeline, grid, numbers = _read(question, Aggregate.AVG, window=window_size)
    averages, counts = timeline.values(numbers.start, numbers.stop)
    moving_averages = timeline.moving_average(window_size, window_size)(numbers.start, numbers.stop)
    starts = grid.starts(np.arange(numbers.start, numbers.stop)) // MICROSECONDS
    stop = grid.start(numbers.stop) // MICROSECONDS
    columns = (starts, stop, averages, counts, moving_averages)
    return ChartData(division, too_many, *columns, first=summary.first, last=summary.last)


def _read(question: Question, aggregate: Measure, *, window: int) -> Answer:
    try:
        return questions.read(store, question, aggregate, window=window, oldest=oldest_kept(question.now))
    except KeyError:
        raise _unknown(question.axis, question.key) from None
