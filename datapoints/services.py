"""The use cases of datapoints, on the process-level store that stands where a database would.

Times are microseconds since the Unix epoch, `now` included; widths of buckets are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from datapoints import ladder
from datapoints.protocol import (
    QUARTER_HOUR,
    Axis,
    BucketSums,
    DuplicatePointsError,
    FullError,
    KeySummary,
    Point,
    Store,
    Totals,
    View,
    ViewChangedError,
)
from datapoints.statistics import (
    FROM_SUMS,
    Aggregate,
    Fill,
    Timeline,
    aggregate_points,
    aggregate_sums,
)
from datapoints.store import SeriesStore
from timeseries_project import clock, shared
from timeseries_project.columns import Column, ColumnarRows, Keys
from timeseries_project.faults import (
    MAX_SHOWN_KEY,
    AlreadyExistsError,
    CapacityReachedError,
    FieldError,
    InvalidInputError,
    UnknownKeyError,
    refuse_future,
    shown,
)
from timeseries_project.offload import leave_loop
from timeseries_project.summation import Floats, Integers
from timeseries_project.timestamps import MICROSECONDS

#: Datapoints in one page of the listing at most.
MAX_PAGE = 10_000
#: Datapoints in a page that takes some milliseconds to be written.
LARGE_PAGE = 2_000
#: Buckets in one answer at most: 15 minutes since 1970 are two million.
MAX_BUCKETS = 3_000_000
#: Beyond all times.
NEVER = 2**53


def _store() -> Store:
    limits = {"max_points": settings.MAX_DATAPOINTS, "max_series": settings.MAX_SERIES}
    if shared.storage is None:
        return SeriesStore(**limits)
    # Takes a quarter of a second to import, which the memory of the process need not wait for.
    from datapoints.redis_store import RedisStore

    return RedisStore(shared.storage, **limits)


store = _store()


class Added(NamedTuple):
    """What became of a batch."""

    created: int
    skipped: int


class Page(NamedTuple):
    """Some datapoints in order, and the place where the next page begins."""

    points: list[Point]
    next: tuple[int, str, str] | None


def oldest_kept(now: int) -> int:
    """Return the start of the oldest quarter-hour that RETENTION keeps; 0 if it keeps all."""
    if settings.RETENTION_SECONDS is None:
        return 0
    return max(now - settings.RETENTION_SECONDS * MICROSECONDS, 0) // QUARTER_HOUR * QUARTER_HOUR


def datapoint_add(*, timestamp: int, value: float, device: str, user: str, now: int) -> None:
    """Store a datapoint, for as long as RETENTION says.

    FutureTimestampError beyond the allowed skew; AlreadyExistsError if there is one; CapacityReachedError if there
    is no room for it.
    """
    refuse_future([timestamp], now=now, ticks=MICROSECONDS, unit="seconds", batch=False)
    try:
        added = store.add(timestamp, value, device, user, oldest=oldest_kept(now))
    except FullError as error:
        raise _full(error) from None
    if not added:
        raise AlreadyExistsError("A datapoint of this timestamp, device and user exists already.")


def datapoints_add(
    *,
    timestamp: Sequence[int] | Integers,
    value: Sequence[float] | Floats,
    device: Sequence[str] | Keys,
    user: Sequence[str] | Keys,
    now: int,
    skip_duplicates: bool = False,
) -> Added:
    """Store a batch, all or nothing; where duplicates are skipped, all that is new. Errors as for one."""
    refuse_future(timestamp, now=now, ticks=MICROSECONDS, unit="seconds", batch=True)
    try:
        created = store.add_batch(
            np.asarray(timestamp, dtype=np.int64),
            np.asarray(value, dtype=np.float64),
            device,
            user,
            skip_duplicates=skip_duplicates,
            oldest=oldest_kept(now),
        )
    except FullError as error:
        raise _full(error) from None
    except DuplicatePointsError as error:
        raise AlreadyExistsError(
            f"{error.count:,} of these datapoints exist already, or occur twice in the batch.",
            (FieldError("", "exists already.", position) for position in error.positions),
        ) from None
    return Added(created, len(timestamp) - created)


def datapoints_page(
    *,
    device: str | None,
    user: str | None,
    start: int | None,
    end: int | None,
    limit: int,
    cursor: tuple[int, str, str] | None,
) -> Page:
    """Return datapoints by time, device and user, and the cursor of the next page, if there is one."""
    if limit > LARGE_PAGE:
        leave_loop()
    points = store.page(
        device=device, user=user, start=start or 0, end=end, after=cursor, limit=limit + 1, oldest=_oldest_now()
    )
    if len(points) <= limit:
        return Page(points, None)
    last = points[limit - 1]
    return Page(points[:limit], (last.timestamp, last.device, last.user))


def datapoints_delete(axis: Axis, key: str) -> None:
    """Forget all datapoints of a device or of a user."""
    store.delete(axis, key, oldest=_oldest_now())


def keys_list(axis: Axis, *, search: str | None = None, limit: int | None = None) -> list[KeySummary]:
    """Return the devices or users that have datapoints, by key: all, or some of those that contain a text."""
    return store.keys(axis, search, limit, oldest=_oldest_now())


def keys_portions(axis: Axis, *, search: str | None, after: str | None, size: int) -> Iterator[list[KeySummary]]:
    """Yield the same, beyond a key, in portions of `size` at most that are read when they are taken."""
    return store.key_portions(axis, search, after=after, size=size, oldest=_oldest_now())


def keys_count(axis: Axis) -> int:
    """Return how many devices or users there are, in a large store with those that are yet to be dropped. O(1)."""
    held = totals()
    return held.devices if axis == "device" else held.users


def key_get(axis: Axis, key: str, *, now: int | None = None) -> KeySummary:
    """Return what is stored of a device or user. UnknownKeyError if it has no datapoints."""
    try:
        return store.key(axis, key, oldest=_oldest_now() if now is None else oldest_kept(now))
    except KeyError:
        raise _unknown(axis, key) from None


def totals() -> Totals:
    """Return how much is stored."""
    return store.totals(oldest=_oldest_now())


def _oldest_now() -> int:
    return oldest_kept(clock.now())


def _full(error: FullError) -> CapacityReachedError:
    if error.what == "points":
        return CapacityReachedError("MAX_DATAPOINTS", error.limit, "datapoints")
    return CapacityReachedError("MAX_SERIES", error.limit, "pairs of a device and a user")


def _unknown(axis: Axis, key: str) -> UnknownKeyError:
    return UnknownKeyError(f"There are no datapoints of the {axis} {shown(key, MAX_SHOWN_KEY)!r}.")


class BucketRows(ColumnarRows):
    """The buckets of an answer, oldest first, as columns that are worked out a slice at a time."""

    def __init__(
        self,
        names: tuple[str, ...],
        numbers: range | NDArray[np.int64],
        width: int,
        columns: Callable[[int, int], tuple[Column, ...]],
        first: int,
        nbytes: int,
    ) -> None:
        self.names = names
        self.nbytes = nbytes
        self._numbers = numbers
        self._width = width
        self._columns = columns
        self._first = first

    def __len__(self) -> int:
        return len(self._numbers)

    def columns(self, start: int, stop: int) -> tuple[Column, ...]:
        """Return the columns of the rows start to stop: the buckets' starts, then what was asked for."""
        seconds = np.asarray(self._numbers[start:stop], dtype=np.int64) * self._width
        values = self._columns(self._first + start, self._first + stop)
        return (seconds.astype("datetime64[s]"), *values)


class Drawing(NamedTuple):
    """What a chart shows: neighbouring buckets and their columns, in which NaN stands for no value.

    `width` is theirs in seconds; `too_many` says how many of the width asked for there would be, where that
    was too narrow to be drawn. `starts` are epoch seconds, `first` and `last` the times of the key's points.
    """

    width: int
    too_many: int | None
    starts: Integers
    averages: Floats
    counts: Integers
    moving_averages: Floats
    first: int
    last: int


class _Question(NamedTuple):
    """What is asked of one device or user: which buckets, how wide, and how empty ones are filled."""

    axis: Axis
    key: str
    bucket: int
    start: int | None
    end: int | None
    fill: Fill
    now: int


def statistics(
    axis: Axis,
    key: str,
    *,
    aggregate: Aggregate,
    bucket: int,
    start: int | None,
    end: int | None,
    fill: Fill,
    now: int,
) -> BucketRows:
    """Answer an aggregate per bucket, from the first datapoint's to now's: rows (timestamp, value, count).

    A count has no gaps to fill: that of an empty bucket is 0. UnknownKeyError without datapoints;
    InvalidInputError for more than MAX_BUCKETS. O(buckets) for avg, sum and count of whole quarter-hours,
    else O(datapoints in the range).
    """
    if aggregate is Aggregate.COUNT and fill is not Fill.NONE:
        fill = Fill.ZERO
    question = _Question(axis, key, bucket, start, end, fill, now)
    timeline, numbers = _timeline(question, aggregate, window=1)

    def columns(first: int, last: int) -> tuple[Column, ...]:
        values, counts = timeline.values(first, last)
        return (counts if aggregate is Aggregate.COUNT else values, counts)

    return _rows(("timestamp", "value", "count"), question, timeline, numbers, columns, timeline.nbytes)


def moving_average(
    axis: Axis,
    key: str,
    *,
    window_size: int,
    min_periods: int | None,
    bucket: int,
    start: int | None,
    end: int | None,
    fill: Fill,
    now: int,
) -> BucketRows:
    """Answer the moving average of the last `window_size` buckets' averages: rows (timestamp, value).

    Errors as for `statistics`. O(buckets), whatever the window's size.
    """
    question = _Question(axis, key, bucket, start, end, fill, now)
    timeline, numbers = _timeline(question, Aggregate.AVG, window=window_size)
    averages = timeline.moving_average(window_size, min_periods or window_size)
    nbytes = timeline.nbytes + timeline.windows_nbytes(window_size)
    return _rows(("timestamp", "value"), question, timeline, numbers, lambda a, b: (averages(a, b),), nbytes)


def drawing(
    axis: Axis,
    key: str,
    *,
    bucket: int | None,
    window_size: int,
    start: int | None,
    end: int | None,
    now: int,
) -> Drawing:
    """Answer averages and their moving averages in as many buckets as a chart can show (`ladder`).

    Both are of the same moment, and those that `statistics` and `moving_average` answer for the width drawn.
    UnknownKeyError without datapoints. O(buckets) if the width is of whole quarter-hours, else O(datapoints in
    the range).
    """
    summary = key_get(axis, key, now=now)
    low = max(start or 0, summary.first)
    # The bucket of the present, or of the last datapoint, is the last: one tick behind that it is over.
    high = max(now, summary.last) + 1
    high = high if end is None else min(end, high)
    width, too_many = ladder.suitable(low, high, bucket, unit=MICROSECONDS)
    # An older datapoint that has come since then must not make the answer longer than the width allows.
    first_bucket = summary.first // (width * MICROSECONDS) * width * MICROSECONDS
    question = _Question(axis, key, width, max(start or 0, first_bucket), end, Fill.NULL, now)
    timeline, numbers = _timeline(question, Aggregate.AVG, window=window_size)
    averages, counts = timeline.values(numbers.start, numbers.stop)
    moving_averages = timeline.moving_average(window_size, window_size)(numbers.start, numbers.stop)
    starts = np.arange(numbers.start, numbers.stop) * width
    return Drawing(width, too_many, starts, averages, counts, moving_averages, first=summary.first, last=summary.last)


def _rows(
    names: tuple[str, ...],
    question: _Question,
    timeline: Timeline,
    numbers: range,
    columns: Callable[[int, int], tuple[Column, ...]],
    nbytes: int,
) -> BucketRows:
    """Lay out the rows of an answer; where empty buckets are left out, only the others are rows."""
    if question.fill is not Fill.NONE:
        return BucketRows(names, numbers, question.bucket, columns, numbers.start, nbytes)
    first, last = timeline.rank(numbers.start), timeline.rank(numbers.stop)
    _refuse_too_many(last - first)
    return BucketRows(names, timeline.numbers[first:last], question.bucket, columns, first, nbytes)


def _timeline(question: _Question, aggregate: Aggregate, *, window: int) -> tuple[Timeline, range]:
    """Read what the asked buckets and the windows that end in them depend on; return it and their numbers."""
    while True:
        try:
            return _read_timeline(question, aggregate, window)
        except ViewChangedError:
            # Something was deleted, or grew into the past, between two looks at a shared storage.
            continue


def _read_timeline(question: _Question, aggregate: Aggregate, window: int) -> tuple[Timeline, range]:
    width = question.bucket * MICROSECONDS
    from_sums = aggregate in FROM_SUMS and width % QUARTER_HOUR == 0
    ahead = _expected(question, window, width) if from_sums else None
    try:
        with store.view(question.axis, question.key, oldest=oldest_kept(question.now), ahead=ahead) as view:
            first = view.first // width
            last = max(view.last, question.now) // width
            asked = _asked(question, first, last, width)
            if question.fill is not Fill.NONE:
                _refuse_too_many(len(asked))
            start, stop = _needed(question, asked, view, window, width)
            copied = view.sums(start, stop) if from_sums else view.points(start, stop)
    except KeyError:
        raise _unknown(question.axis, question.key) from None
    if isinstance(copied, BucketSums):
        buckets = aggregate_sums(copied, width // QUARTER_HOUR, aggregate)
    else:
        buckets = aggregate_points(*copied, width, aggregate)
    return Timeline(buckets, first, question.fill), asked


def _asked(question: _Question, first: int, last: int, width: int) -> range:
    """Return the numbers of the buckets asked for: those of first to last that start and end choose."""
    start, end = question.start, question.end
    low = first if start is None else max(first, start // width)
    high = last + 1 if end is None else min(last + 1, -(-end // width))
    if low >= high or (start is not None and start == end):
        return range(first, first)
    return range(low, high)


def _expected(question: _Question, window: int, width: int) -> range:
    """Return the range of time that `_needed` will most likely tell, before anything is known of the key's points."""
    start = 0 if question.start is None or window > 1 else question.start // width * width
    return range(start, NEVER if question.end is None else -(-question.end // width) * width)


def _needed(question: _Question, asked: range, view: View, window: int, width: int) -> tuple[int, int]:
    """Return the range of time that the asked buckets depend on, through windows and through filling."""
    if not asked:
        return 0, 0
    if question.fill is Fill.NONE and window > 1:
        # Windows then reach back over as many non-empty buckets, wherever these lie.
        return view.first // width * width, asked.stop * width
    start, stop = max(asked.start - (window - 1), 0) * width, asked.stop * width
    if question.fill in (Fill.PREVIOUS, Fill.LINEAR):
        before = view.before(start)
        start = start if before is None else before // width * width
    if question.fill is Fill.LINEAR:
        after = view.at_or_after(stop)
        stop = stop if after is None else (after // width + 1) * width
    return start, stop


def _refuse_too_many(buckets: int) -> None:
    if buckets > MAX_BUCKETS:
        message = f"would be answered in {buckets:,} buckets; at most {MAX_BUCKETS:,} are."
        raise InvalidInputError(
            f"The answer {message} Choose a wider bucket, or a later start.",
            [FieldError("bucket", f"is too narrow: the range {message}")],
        )
