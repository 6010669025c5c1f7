"""Questions about one device or user: which buckets are asked for, what they depend on, and the rows of the answer.

Times are microseconds since the Unix epoch; widths of buckets are seconds. Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datapoints.interface import QUARTER_HOUR, Axis, Store, View, ViewChangedError
from datapoints.statistics import (
    FROM_SUMS,
    Buckets,
    Fill,
    LongBuckets,
    Measure,
    aggregate_points,
    aggregate_sums,
    exact,
)
from datapoints.timeline import Timeline
from timeseries_project.core.arrays import Column, ColumnarRows, stable_order
from timeseries_project.core.errors import FieldError, InvalidInputError, NotReadyError
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.timestamps import MICROSECONDS

#: The largest number of buckets in one answer; the quarter-hours since 1970 are two million.
MAX_BUCKETS = 3_000_000
#: The largest number of buckets over which the windows of an answer may reach if each empty one has its own value.
MAX_REACH = 30_000_000
#: From this many buckets on, working on them takes some milliseconds.
MANY_BUCKETS = 100_000
#: From this many on, buckets whose points are read again take some milliseconds.
MANY_UNDECIDED = 100
#: Sums of quarter-hours read at once, and points where these do not decide.
PORTION = 32_768
#: How often a question is begun anew because what it reads has changed meanwhile.
TRIES = 20
#: Later than every timestamp.
NEVER = 2**53


class Question(NamedTuple):
    """A question about one device or user: which buckets, how wide they are, and how empty ones are filled."""

    axis: Axis
    key: str
    bucket: int
    start: int | None
    end: int | None
    fill: Fill
    now: int


class BucketRows(ColumnarRows):
    """The buckets of an answer, oldest first, as columns that are computed one slice at a time."""

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
        """Return the columns of the rows from `start` up to `stop`: the start of each bucket, then the values."""
        seconds = np.asarray(self._numbers[start:stop], dtype=np.int64) * self._width
        values = self._columns(self._first + start, self._first + stop)
        return (seconds.astype("datetime64[s]"), *values)


def bucket_rows(
    names: tuple[str, ...],
    question: Question,
    timeline: Timeline,
    numbers: range,
    columns: Callable[[int, int], tuple[Column, ...]],
    nbytes: int,
) -> BucketRows:
    """Return the rows of an answer: one per bucket, or one per non-empty bucket with `Fill.NONE`.

    >>> from datapoints.statistics import Buckets
    >>> buckets = Buckets(np.array([2, 4]), np.array([1, 3]), np.array([7.0, 8.0]))
    >>> question = Question("device", "d", 60, None, None, Fill.NONE, now=0)
    >>> timeline = Timeline(buckets, 2, Fill.NONE)
    >>> rows = bucket_rows(("timestamp", "value", "count"), question, timeline, range(2, 5), timeline.values, 0)
    >>> [column.tolist()[-1] for column in rows.columns(0, len(rows))]
    [datetime.datetime(1970, 1, 1, 0, 4), 8.0, 3]
    """
    if question.fill is not Fill.NONE:
        return BucketRows(names, numbers, question.bucket, columns, numbers.start, nbytes)
    first, last = timeline.rank(numbers.start), timeline.rank(numbers.stop)
    _refuse_too_many(last - first)
    return BucketRows(names, timeline.numbers[first:last], question.bucket, columns, first, nbytes)


def read(store: Store, question: Question, aggregate: Measure, *, window: int, oldest: int) -> tuple[Timeline, range]:
    """Read everything that the requested buckets and their moving windows depend on.

    Returns it as a timeline, and the numbers of the requested buckets. Points before `oldest` do not count. KeyError
    without datapoints; InvalidInputError for more than MAX_BUCKETS; NotReadyError if the series never rest.
    """
    for _ in range(TRIES):
        # Between two reads, points may be deleted or come late.
        with suppress(ViewChangedError):
            return _read_once(store, question, aggregate, window, oldest)
    raise NotReadyError("These datapoints change faster than they can be read. Ask again, or for less.")


def _read_once(
    store: Store, question: Question, aggregate: Measure, window: int, oldest: int
) -> tuple[Timeline, range]:
    width = question.bucket * MICROSECONDS
    from_sums = aggregate in FROM_SUMS and width % QUARTER_HOUR == 0
    ahead = _expected(question, window, width) if from_sums else None
    with store.view(question.axis, question.key, oldest=oldest, ahead=ahead) as view:
        first = view.first // width
        last = max(view.last, question.now) // width
        asked = _asked(question, first, last, width)
        if question.fill is not Fill.NONE:
            _refuse_too_many(len(asked))
        _refuse_long_reach(question, asked, window, first)
        start, stop = _needed(question, asked, view, window, width)
        if from_sums:
            return Timeline(_buckets_of_sums(view, start, stop, width, aggregate), first, question.fill), asked
        times, values = view.points(start, stop)
    return Timeline(aggregate_points(times, values, width, aggregate), first, question.fill), asked


def _buckets_of_sums(view: View, start: int, stop: int, width: int, aggregate: Measure) -> Buckets:
    """Read sums and build buckets, a portion at a time: a long column of sums takes twice the room of its buckets."""
    quarter_hours = width // QUARTER_HOUR
    if stop - start > MANY_BUCKETS * QUARTER_HOUR:
        leave_loop()
    long: LongBuckets | None = None
    start = min(max(start, view.first // width * width), stop)
    usual = step = max(PORTION // quarter_hours, 1) * width
    while True:
        end = min(start + step, stop)
        sums = view.sums(start, end)
        buckets = aggregate_sums(sums, quarter_hours, aggregate)
        if np.isnan(buckets.values).any():
            _decide(view, buckets, width, aggregate)
        if long is None and end == stop:
            return buckets
        long = long or LongBuckets((stop - start) // width)
        long.append(buckets)
        if end == stop:
            return long.buckets()
        # Where there are few, the next portion is longer.
        step = step * 8 if len(sums.numbers) < PORTION // 8 else usual
        start = end


def _decide(view: View, buckets: Buckets, width: int, aggregate: Measure) -> None:
    """Work out the sums or averages that are not certain from the points themselves."""
    numbers, undecided = np.asarray(buckets.numbers), buckets.undecided
    if len(undecided) > MANY_UNDECIDED:
        leave_loop()
    # Neighbours are read together, up to so many points, and the first of the buckets alone if it has more.
    points = np.cumsum(buckets.counts[undecided]) // PORTION
    apart = (np.diff(numbers[undecided]) > 1) | (np.diff(points) > 0)
    for places in np.split(undecided, np.flatnonzero(apart) + 1):
        low, high = int(numbers[places[0]]), int(numbers[places[-1]]) + 1
        times, values = view.points(low * width, high * width)
        order = stable_order(times)
        times, values = times[order], values[order]
        borders = times.searchsorted(np.arange(low, high + 1) * width)
        if (borders[1:] == borders[:-1]).any():
            raise ViewChangedError
        for place, begin, end in zip(places.tolist(), borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            # In a store that others share, some may have been added since the sums were read.
            buckets.counts[place] = end - begin
            buckets.values[place] = exact(values[begin:end], aggregate)


def _asked(question: Question, first: int, last: int, width: int) -> range:
    """Return the numbers of the requested buckets: those from `first` to `last` that lie in the question's range."""
    start, end = question.start, question.end
    low = first if start is None else max(first, start // width)
    high = last + 1 if end is None else min(last + 1, -(-end // width))
    if low >= high or (start is not None and start == end):
        return range(first, first)
    return range(low, high)


def _expected(question: Question, window: int, width: int) -> range:
    """Return the range of time that `_needed` will most likely return, before anything is known about the points."""
    start = 0 if question.start is None or window > 1 else question.start // width * width
    return range(start, NEVER if question.end is None else -(-question.end // width) * width)


def _needed(question: Question, asked: range, view: View, window: int, width: int) -> tuple[int, int]:
    """Return the range of time that the requested buckets depend on, because of windows and of filling."""
    if not asked:
        return 0, 0
    if question.fill is Fill.NONE and window > 1:
        # Windows then hold non-empty buckets only, and may reach back to any earlier one.
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
        message = f"would have {buckets:,} buckets; at most {MAX_BUCKETS:,} are allowed."
        raise InvalidInputError(
            f"The answer {message} Choose a wider bucket or a later start.",
            [FieldError("bucket", f"is too narrow: the answer {message}")],
        )


def _refuse_long_reach(question: Question, asked: range, window: int, first: int) -> None:
    """Refuse windows over so many buckets that working out the values of the empty ones would take long."""
    if question.fill is not Fill.LINEAR or window == 1:
        return
    reach = asked.stop - max(asked.start - (window - 1), first)
    if reach > MAX_REACH:
        message = f"would reach over {reach:,} buckets; at most {MAX_REACH:,} are allowed with fill=linear."
        raise InvalidInputError(
            f"The windows {message} Choose a smaller window or a wider bucket.",
            [FieldError("window_size", f"is too large: the windows {message}")],
        )
    if reach > MANY_BUCKETS:
        leave_loop()
