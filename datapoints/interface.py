"""What the services ask of a store of datapoints, wherever it keeps them, and the values both speak in.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch, from 0 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from timeseries_project.core.arrays import Keys
from timeseries_project.core.summation import Floats, Integers

Axis = Literal["device", "user"]
AXES: tuple[Axis, Axis] = ("device", "user")

#: The bucket whose sums are kept as points arrive; its multiples are built from these.
QUARTER_HOUR = 15 * 60 * 1_000_000

#: Duplicates of a batch that are told at most; a batch may have millions.
LISTED = 100


class Point(NamedTuple):
    """One datapoint; sorts as the listing does: by time, device, user."""

    timestamp: int
    device: str
    user: str
    value: float


class BucketSums(NamedTuple):
    """Quarter-hours of one or more series, side by side: `high + low` is the sum of `counts` values each.

    One row per series and non-empty quarter-hour, so a quarter-hour may occur once per series.
    """

    numbers: Integers
    counts: Integers
    highs: Floats
    lows: Floats


@dataclass(frozen=True, slots=True, order=True)
class KeySummary:
    """What is stored of one device or user: how many points, and the times of the oldest and newest."""

    key: str
    count: int
    first: int
    last: int


class Totals(NamedTuple):
    """How much is stored: devices, users, series, points and the bytes of their columns; and points added.

    Those since the start of the process, or of the storage, whose own exporter tells its bytes: None here.
    """

    devices: int
    users: int
    series: int
    points: int
    nbytes: int | None
    added: int


class DuplicatePointsError(ValueError):
    """Points of a batch that exist already, or occur in it twice: how many, and the positions of the first hundred."""

    def __init__(self, positions: Integers) -> None:
        """Take the positions of all, in any order; the array is sorted in place."""
        super().__init__(f"{len(positions)} duplicate points")
        self.count = len(positions)
        positions.sort()
        self.positions: list[int] = positions[:LISTED].tolist()


class FullError(Exception):
    """There is no room: `limit` is how many there may be of `what`, points or series."""

    def __init__(self, what: Literal["points", "series"], limit: int) -> None:
        super().__init__(f"at most {limit} {what}")
        self.what = what
        self.limit = limit


class ViewChangedError(Exception):
    """What a view was reading has been deleted or has grown into the past meanwhile: it is to be read again."""


class View(Protocol):
    """The series of one device or user, ordered by the other key, as they are while it is open.

    A series' part of a batch is seen whole or not at all. Every method may raise ViewChangedError where the store
    does not stand still for its readers: one that others share, or one in memory for a reader of thousands of series.
    """

    @property
    def first(self) -> int:
        """The time of the oldest point."""

    @property
    def last(self) -> int:
        """The time of the newest point."""

    def before(self, time: int) -> int | None:
        """Return the time of the last point before `time`, if any."""

    def at_or_after(self, time: int) -> int | None:
        """Return the time of the first point not before `time`, if any."""

    def sums(self, start: int, stop: int) -> BucketSums:
        """Copy the quarter-hours that begin in start <= time < stop, of every series. O(what is copied)."""

    def points(self, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop: two columns, series by series. O(what is copied)."""


class Store(Protocol):
    """Series of datapoints, each of a device and a user; any number of threads may use it.

    There may be `max_points` at most, in `max_series`. Methods that are given `oldest`, the start of a quarter-hour,
    answer as if no point before it had ever been stored, and drop such points in steps.

    Where something takes more than some milliseconds, no lock is held for longer than that at a time, and
    `offload.leave_loop` is called before it begins.
    """

    max_points: int
    max_series: int

    def add(self, time: int, value: float, device: str, user: str, *, oldest: int = 0) -> bool:
        """Add one point; return False, and change nothing, where there is one. FullError if there is no room for it.

        One before `oldest` is added and dropped at once.
        """

    def add_batch(
        self,
        times: Integers,
        values: Floats,
        devices: Sequence[str] | Keys,
        users: Sequence[str] | Keys,
        *,
        skip_duplicates: bool = False,
        oldest: int = 0,
    ) -> int:
        """Add points in any order; return how many were added.

        Of equal points the first wins where duplicates are skipped; otherwise any duplicate, inside the batch
        or of a stored point, raises DuplicatePointsError, and nothing is added. FullError where there is no room for
        what is new. Points before `oldest` are added and dropped at once, so none of them is a duplicate.
        """

    def delete(self, axis: Axis, key: str, *, oldest: int = 0) -> int:
        """Forget all points of a device or of a user; return how many there were.

        Where there are thousands of series this may be done in portions: readers meanwhile see some of them, and what
        is added meanwhile may stay or be forgotten.
        """

    def clear(self) -> None:
        """Forget everything, except how many points were ever added."""

    def view(
        self, axis: Axis, key: str, *, oldest: int = 0, ahead: range | None = None
    ) -> AbstractContextManager[View]:
        """Open one device's or user's series for reading; KeyError if it has none. May raise ViewChangedError.

        `ahead` are the times whose sums will be asked for, most likely: a store that is far away sends them at once.
        """

    def keys(
        self,
        axis: Axis,
        search: str | None = None,
        limit: int | None = None,
        *,
        after: str | None = None,
        oldest: int = 0,
    ) -> list[KeySummary]:
        """Return devices or users with their count and first and last time, by key.

        Only those that contain a text, in upper or lower case, that lie beyond a key, and so many at most.
        """

    def key_portions(
        self,
        axis: Axis,
        search: str | None = None,
        *,
        after: str | None = None,
        size: int | None = None,
        oldest: int = 0,
    ) -> Iterator[list[KeySummary]]:
        """Yield the same in portions of `size` at most, none of them empty, each as it is when it is taken.

        A key that is there all the time comes once; one that comes or goes meanwhile comes once or not at all.
        """

    def key(self, axis: Axis, key: str, *, oldest: int = 0) -> KeySummary:
        """Return the summary of one device or user; KeyError if it has no points."""

    def totals(self, *, oldest: int = 0) -> Totals:
        """Return how much is stored, and in a large store what is yet to be dropped."""

    def listing(
        self,
        *,
        device: str | None,
        user: str | None,
        start: int,
        end: int | None,
        after: tuple[int, str, str] | None,
        limit: int,
        oldest: int = 0,
    ) -> list[Point]:
        """Return up to `limit` points by time, device and user: those in [start, end) and beyond `after`."""
