"""Questions about one device or user: which buckets are asked for, what they depend on, and the rows of the answer.

Times are microseconds since the Unix epoch. Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datapoints.divisions import Division, Grid
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
    """A question about one device or user: which buckets, of which division, and how empty ones are filled."""

    axis: Axis
    key: str
    division: Division
    start: int | None
    end: int | None
    fill: Fill
    now: int


class Answer(NamedTuple):
    """Everything that the requested buckets and their moving windows depend on, and the numbers of those buckets."""

    timeline: Timeline
    grid: Grid
    asked: range


class BucketRows(ColumnarRows):
    """The buckets of an answer, oldest first, as columns that are computed one slice at a time."""

    def __init__(
        self,
        names: tuple[str, ...],
        numbers: range | NDArray[np.int64],
        grid: Grid,
        columns: Callable[[int, int], tuple[Column, ...]],
        first: int,
        nbytes: int,
    ) -> None:
        self.names = names
        self.nbytes = nbytes
        self._numbers = numbers
        self._seconds = grid.narrowed(MICROSECONDS)
        self._columns = columns
        self._first = first

    def __len__(self) -> int:
        return len(self._numbers)

    def columns(self, start: int, stop: int) -> tuple[Column, ...]:
        """Return the columns of the rows from `start` up to `stop`: the start of each bucket, then the values."""
        seconds = self._seconds.starts(np.asarray(self._numbers[start:stop], dtype=np.int64))
        values = self._columns(self._first + start, self._first + stop)
        return (seconds.astype("datetime64[s]"), *values)


def bucket_rows(
    names: tuple[str, ...],
    fill: Fill,
    answer: Answer,
    columns: Callable[[int, int], tuple[Column, ...]],
    nbytes: int,
) -> BucketRows:
    """Return the rows of an answer: one per bucket, or one per non-empty bucket with `Fill.NONE`.

    >>> from datapoints.statistics import Buckets
    >>> buckets = Buckets(np.array([2, 4]), np.array([1, 3]), np.array([7.0, 8.0]))
    >>> timeline = Timeline(buckets, 2, Fill.NONE)
    >>> answer = Answer(timeline, Grid(60 * MICROSECONDS), range(2, 5))
    >>> rows = bucket_rows(("timestamp", "value", "count"), Fill.NONE, answer, timeline.values, 0)
    >>> [column.tolist()[-1] for column in rows.columns(0, len(rows))]
    [datetime.datetime(1970, 1, 1, 0, 4), 8.0, 3]
    """
    timeline, grid, asked = answer
    nbytes += grid.edges.nbytes
    if fill is not Fill.NONE:
        return BucketRows(names, asked, grid, columns, asked.start, nbytes)
    first, last = timeline.rank(asked.start), timeline.rank(asked.stop)
    _refuse_too_many(last - first)
    return BucketRows(names, timeline.numbers[first:last], grid, columns, first, nbytes)


def read(store: Store, question: Question, aggregate: Measure, *, window: int, oldest: int) -> Answer:
    """Read everything that the requested buckets and their moving windows depend on.

    Points before `oldest` do not count. KeyError without datapoints; InvalidInputError for more than MAX_BUCKETS;
    NotReadyError if the series never rest.
    """
    for _ in range(TRIES):
        # Between two reads, points may be deleted or come late.
        with suppress(ViewChangedError):
            return _read_once(store, question, aggregate, window, oldest)
    raise NotReadyError("These datapoints change faster than they can be read. Ask again, or for less.")


def _read_once(store: Store, question: Question, aggregate: Measure, window: int, oldest: int) -> Answer:
    fixed = question.division.fixed()
    from_sums = aggregate in FROM_SUMS and (fixed is None or fixed.stretch(0, QUARTER_HOUR)[0])
    ahead = _expected(question, window) if from_sums else None
    with store.view(question.axis, question.key, oldest=oldest, ahead=ahead) as view:
        last_time = max(view.last, question.now)
        grid = question.division.grid(view.first, last_time) if fixed is None else fixed
        first, last = grid.number(view.first), grid.number(last_time)
        asked = _asked(question, grid, first, last)
        if question.fill is not Fill.NONE:
            _refuse_too_many(len(asked))
        _refuse_long_reach(question, asked, window, first)
        needed = _needed(question, grid, asked, view, window)
        if from_sums:
            buckets = _buckets_of_sums(view, grid, needed, aggregate)
        else:
            buckets = aggregate_points(*view.points(*_reach(grid, needed)), grid, aggregate)
    return Answer(Timeline(buckets, first, question.fill), grid, asked)


def _reach(grid: Grid, numbers: range) -> tuple[int, int]:
    """Return the range of time of consecutive buckets; no point lies before 1970."""
    return max(grid.start(numbers.start), 0), max(grid.start(numbers.stop), 0)


def _buckets_of_sums(view: View, grid: Grid, numbers: range, aggregate: Measure) -> Buckets:
    """Read sums and build buckets, a portion at a time: a long column of sums takes twice the room of its buckets.

    Where buckets do not begin with a quarter-hour, as in zones of long ago, they are built from points.
    """
    low, high = max(numbers.start, grid.number(view.first)), numbers.stop
    if grid.start(high) - grid.start(min(low, high)) > MANY_BUCKETS * QUARTER_HOUR:
        leave_loop()
    long: LongBuckets | None = None
    narrow = grid.narrowed(QUARTER_HOUR)
    usual = step = max(PORTION * QUARTER_HOUR // grid.usual, 1)
    while True:
        whole, other = grid.stretch(low, QUARTER_HOUR)
        end = min(low + step, other, high)
        portion = range(low, end)
        if whole:
            sums = view.sums(*_reach(grid, portion))
            buckets, rows = aggregate_sums(sums, narrow, aggregate), len(sums.numbers)
            if np.isnan(buckets.values).any():
                _decide(view, buckets, grid, aggregate)
        else:
            times, values = view.points(*_reach(grid, portion))
            buckets, rows = aggregate_points(times, values, grid, aggregate), len(times)
        if long is None and end >= high:
            return buckets
        long = long or LongBuckets(high - low)
        long.append(buckets)
        if end >= high:
            return long.buckets()
        # Where there are few, the next portion is longer.
        step = step * 8 if rows < PORTION // 8 else usual
        low = end


def _decide(view: View, buckets: Buckets, grid: Grid, aggregate: Measure) -> None:
    """Work out the sums or averages that are not certain from the points themselves."""
    numbers, undecided = np.asarray(buckets.numbers), buckets.undecided
    if len(undecided) > MANY_UNDECIDED:
        leave_loop()
    # Neighbours are read together, up to so many points, and the first of the buckets alone if it has more.
    points = np.cumsum(buckets.counts[undecided]) // PORTION
    apart = (np.diff(numbers[undecided]) > 1) | (np.diff(points) > 0)
    for places in np.split(undecided, np.flatnonzero(apart) + 1):
        low, high = int(numbers[places[0]]), int(numbers[places[-1]]) + 1
        times, values = view.points(*_reach(grid, range(low, high)))
        order = stable_order(times)
        times, values = times[order], values[order]
        borders = times.searchsorted(grid.starts(np.arange(low, high + 1)))
        if (borders[1:] == borders[:-1]).any():
            raise ViewChangedError
        for place, begin, end in zip(places.tolist(), borders[:-1].tolist(), borders[1:].tolist(), strict=True):
            # In a store that others share, some may have been added since the sums were read.
            buckets.counts[place] = end - begin
            buckets.values[place] = exact(values[begin:end], aggregate)


def _asked(question: Question, grid: Grid, first: int, last: int) -> range:
    """Return the numbers of the requested buckets: those from `first` to `last` that lie in the question's range."""
    start, end = question.start, question.end
    low = first if start is None else max(first, grid.number(start))
    high = last + 1 if end is None else min(last + 1, grid.count_up_to(end))
    if low >= high or (start is not None and start == end):
        return range(first, first)
    return range(low, high)


def _expected(question: Question, window: int) -> range:
    """Return the range of time that `_needed` will most likely return, before anything is known about the points."""
    start = 0 if question.start is None or window > 1 else max(question.division.start(question.start), 0)
    return range(start, NEVER if question.end is None else question.division.end(question.end - 1))


def _needed(question: Question, grid: Grid, asked: range, view: View, window: int) -> range:
    """Return the buckets that the requested ones depend on, because of windows and of filling."""
    if not asked:
        return asked
    if question.fill is Fill.NONE and window > 1:
        # Windows then hold non-empty buckets only, and may reach back to any earlier one.
        return range(grid.number(view.first), asked.stop)
    start, stop = max(asked.start - (window - 1), 0), asked.stop
    if question.fill in (Fill.PREVIOUS, Fill.LINEAR):
        before = view.before(grid.start(start))
        start = start if before is None else grid.number(before)
    if question.fill is Fill.LINEAR:
        after = view.at_or_after(grid.start(stop))
        stop = stop if after is None else grid.number(after) + 1
    return range(start, stop)


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
