"""Questions about the buckets of one device or user: which these are, what they depend on, and the rows of the answer.

Times are microseconds since the Unix epoch; widths of buckets are seconds. Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datapoints.interface import QUARTER_HOUR, Axis, BucketSums, Store, View, ViewChangedError
from datapoints.statistics import FROM_SUMS, Aggregate, Fill, Timeline, aggregate_points, aggregate_sums
from timeseries_project.core.arrays import Column, ColumnarRows
from timeseries_project.core.errors import FieldError, InvalidInputError
from timeseries_project.core.timestamps import MICROSECONDS

#: Buckets in one answer at most: 15 minutes since 1970 are two million.
MAX_BUCKETS = 3_000_000
#: Beyond all times.
NEVER = 2**53


class Question(NamedTuple):
    """What is asked of one device or user: which buckets, how wide, and how empty ones are filled."""

    axis: Axis
    key: str
    bucket: int
    start: int | None
    end: int | None
    fill: Fill
    now: int


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


def bucket_rows(
    names: tuple[str, ...],
    question: Question,
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


def read(store: Store, question: Question, aggregate: Aggregate, *, window: int, oldest: int) -> tuple[Timeline, range]:
    """Read what the asked buckets and the windows that end in them depend on; return it and their numbers.

    What is before `oldest` does not count. KeyError without datapoints; InvalidInputError for more than MAX_BUCKETS.
    """
    while True:
        try:
            return _read_once(store, question, aggregate, window, oldest)
        except ViewChangedError:
            # Something was deleted, or grew into the past, between two looks at a shared storage.
            continue


def _read_once(
    store: Store, question: Question, aggregate: Aggregate, window: int, oldest: int
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
        start, stop = _needed(question, asked, view, window, width)
        copied = view.sums(start, stop) if from_sums else view.points(start, stop)
    if isinstance(copied, BucketSums):
        buckets = aggregate_sums(copied, width // QUARTER_HOUR, aggregate)
    else:
        buckets = aggregate_points(*copied, width, aggregate)
    return Timeline(buckets, first, question.fill), asked


def _asked(question: Question, first: int, last: int, width: int) -> range:
    """Return the numbers of the buckets asked for: those of first to last that start and end choose."""
    start, end = question.start, question.end
    low = first if start is None else max(first, start // width)
    high = last + 1 if end is None else min(last + 1, -(-end // width))
    if low >= high or (start is not None and start == end):
        return range(first, first)
    return range(low, high)


def _expected(question: Question, window: int, width: int) -> range:
    """Return the range of time that `_needed` will most likely tell, before anything is known of the key's points."""
    start = 0 if question.start is None or window > 1 else question.start // width * width
    return range(start, NEVER if question.end is None else -(-question.end // width) * width)


def _needed(question: Question, asked: range, view: View, window: int, width: int) -> tuple[int, int]:
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
