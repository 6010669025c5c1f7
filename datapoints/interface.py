"""The interface between the services and a store of datapoints, in memory or shared, and the values they exchange.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch, never negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np

from timeseries_project.core.arrays import Keys
from timeseries_project.core.summation import Floats, Integers

Axis = Literal["device", "user"]
AXES: tuple[Axis, Axis] = ("device", "user")

#: The width of the buckets whose sums are kept up to date as points arrive; buckets of a multiple are built from these.
QUARTER_HOUR = 15 * 60 * 1_000_000

#: The largest number of duplicates reported for one batch, which may have millions.
LISTED = 100


class OnDuplicate(StrEnum):
    """What becomes of a point whose time, device and user are taken already."""

    ERROR = "error"
    SKIP = "skip"
    REPLACE = "replace"


class Point(NamedTuple):
    """One datapoint; sorts like the listing: by time, device, user."""

    timestamp: int
    device: str
    user: str
    value: float


@dataclass(frozen=True, slots=True)
class PointColumns:
    """Datapoints as columns of one length."""

    times: Integers
    values: Floats
    devices: Keys
    users: Keys

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def owned(cls, times: Integers, values: Floats, owners: Integers, pairs: Sequence[tuple[str, str]]) -> Self:
        """Return points whose devices and users are told by the index of a pair of them. O(points + pairs).

        >>> columns = PointColumns.owned(np.array([3]), np.array([1.5]), np.array([1]), [("b", "u"), ("a", "u")])
        >>> columns.points()
        [Point(timestamp=3, device='a', user='u', value=1.5)]
        """
        used = np.flatnonzero(np.bincount(owners, minlength=len(pairs)))
        codes = np.empty(len(pairs), dtype=np.int64)
        codes[used] = np.arange(len(used))
        some, owners = list(map(pairs.__getitem__, used.tolist())), codes[owners]
        devices, users = (Keys([pair[axis] for pair in some]) for axis in range(2))
        columns = (Keys.numbered(keys.codes[owners], keys.names) for keys in (devices, users))
        return cls(times, values, *columns)

    def first(self, count: int) -> PointColumns:
        """Return the first ones. O(1)."""
        keys = (self.devices.part(0, count), self.users.part(0, count))
        return PointColumns(self.times[:count], self.values[:count], *keys)

    @property
    def last(self) -> tuple[int, str, str]:
        """The time, device and user of the last one."""
        names = (keys.names[keys.codes[-1]] for keys in (self.devices, self.users))
        return (int(self.times[-1]), *names)

    def points(self) -> list[Point]:
        """Return them one by one. O(points)."""
        columns = (self.times.tolist(), self.devices.tolist(), self.users.tolist(), self.values.tolist())
        return list(map(Point, *columns))


class BucketSums(NamedTuple):
    """Sums of the quarter-hours of one or more series, as columns: `highs + lows` is the sum of `counts` values.

    One row per series and non-empty quarter-hour, so the number of a quarter-hour may occur once per series. The exact
    sum lies no farther than `errors` from highs + lows, and where that is 0.0, as nearly always, it is highs + lows.
    `core.rounding_kernels` adds such sums and rounds them; what it cannot decide, the points must.
    """

    numbers: Integers
    counts: Integers
    highs: Floats
    lows: Floats
    errors: Floats


class Wanted(NamedTuple):
    """Up to `limit` points are wanted: those with start <= time < stop that come after `after` in the listing.

    A listing ascends by time, device and user, or descends by all three. Of one that descends every time is negative
    here, so that its first points have the least times too.
    """

    start: int
    stop: int
    after: tuple[int, str, str] | None
    limit: int
    descending: bool

    @classmethod
    def of(
        cls, start: int, end: int | None, after: tuple[int, str, str] | None, limit: int, latest: int, descending: bool
    ) -> Self:
        """Return what is wanted of a part of the listing, with times up to `latest`, which a column can hold.

        >>> Wanted.of(5, None, (7, "d", "u"), 10, latest=100, descending=True)
        Wanted(start=-7, stop=-4, after=(-7, 'd', 'u'), limit=10, descending=True)
        """
        start, stop = min(start, latest), latest if end is None else min(end, latest)
        if descending:
            start, stop = 1 - stop, 1 - start
            after = None if after is None else (-after[0], *after[1:])
        if after is not None:
            start = max(start, after[0])
        return cls(min(start, latest), stop, after, limit, descending)


@dataclass(frozen=True, slots=True, order=True)
class KeySummary:
    """Summary of one device or user: the number of its points, and the times of the oldest and newest."""

    key: str
    count: int
    first: int
    last: int


class Totals(NamedTuple):
    """How much is stored: devices, users, series, points and the bytes of their columns.

    `added` counts the points added since the process, or the shared storage, started. `nbytes` is None for a shared
    storage, whose servers tell what all that they hold takes.
    """

    devices: int
    users: int
    series: int
    points: int
    nbytes: int | None
    added: int


#: The most series of a device or user of which an outline is read.
MOST_OUTLINED = 32


class Outlines(NamedTuple):
    """Sums and counts of the points of some devices or users (rows) in some adjoining spans of time (columns)."""

    sums: Floats
    counts: Integers

    @classmethod
    def empty(cls, keys: int, spans: int) -> Self:
        """Return those of keys without points."""
        return cls(np.zeros((keys, spans)), np.zeros((keys, spans), dtype=np.int64))

    def add(self, rows: Integers, times: Integers, width: int, counts: Integers, sums: Floats) -> None:
        """Add sums that belong to rows, and to times since the first span began; each span is `width` long."""
        places = rows, times // width
        np.add.at(self.counts, places, counts)
        np.add.at(self.sums, places, sums)

    def averages(self) -> list[list[float | None]]:
        """Return the averages of each row, as good as doubles add up; None where there are no points.

        >>> Outlines(np.array([[3.0, 0.0]]), np.array([[2, 0]])).averages()
        [[1.5, None]]
        """
        values = self.sums / np.maximum(self.counts, 1)
        return [
            [value if count else None for value, count in zip(*row, strict=True)]
            for row in zip(values.tolist(), self.counts.tolist(), strict=True)
        ]


class DuplicatePointsError(ValueError):
    """Points of a batch exist already or occur in it twice: how many, and the positions of the first hundred."""

    def __init__(self, positions: Integers) -> None:
        """Take the positions of all duplicates, in any order; the array is sorted in place."""
        super().__init__(f"{len(positions)} duplicate points")
        self.count = len(positions)
        positions.sort()
        self.positions: list[int] = positions[:LISTED].tolist()


class FullError(Exception):
    """The store is full: `limit` is the largest number of `what`, points or series."""

    def __init__(self, what: Literal["points", "series"], limit: int) -> None:
        super().__init__(f"at most {limit} {what}")
        self.what = what
        self.limit = limit


class ViewChangedError(Exception):
    """While a view was open, its series were changed other than at their ends: read everything again."""


class View(Protocol):
    """The series of one device or user, ordered by the other key.

    In memory a view shows them as they were when it was opened; a shared store may also show what was added behind
    their last points since. The points that a batch adds to one series are seen all or not at all. Every method may
    raise ViewChangedError.
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
        """Copy the sums of all quarter-hours, of every series, that begin in start <= time < stop. O(copied rows)."""

    def points(self, start: int, stop: int) -> tuple[Integers, Floats]:
        """Copy the points with start <= time < stop: two columns, series by series. O(copied rows).

        They include all points that went into sums read before, and where the store can change maybe later ones.
        """


class Store(Protocol):
    """A store of datapoints in series, one for each pair of a device and a user. Thread-safe.

    It holds at most `max_points` points in at most `max_series` series. Methods with the parameter `oldest`, the start
    of a quarter-hour, behave as if no point before it had ever been stored, and drop such points in steps.

    Work of more than a few milliseconds begins with `offload.leave_loop`, and no lock is held for longer than that.
    """

    max_points: int
    max_series: int

    def add(self, time: int, value: float, device: str, user: str, *, oldest: int = 0) -> bool:
        """Add one point; return False, and change nothing, if it exists already. FullError if there is no room for it.

        A point before `oldest` is passed over.
        """

    def add_batch(
        self,
        times: Integers,
        values: Floats,
        devices: Sequence[str] | Keys,
        users: Sequence[str] | Keys,
        *,
        on_duplicate: OnDuplicate = OnDuplicate.ERROR,
        oldest: int = 0,
    ) -> int:
        """Add points in any order; return how many are new.

        Of equal points the first wins with SKIP, and the last with REPLACE, which also writes over the values of stored
        points. With ERROR any duplicate, within the batch or of a stored point, raises DuplicatePointsError, and
        nothing is added. FullError if there is no room for what is new. Points before `oldest` are passed over, so none
        of them is new, or a duplicate.
        """

    def delete(
        self,
        axis: Axis,
        key: str,
        *,
        other: str | None = None,
        start: int = 0,
        end: int | None = None,
        oldest: int = 0,
    ) -> int:
        """Delete the points of a device or user with start <= time < end; return how many there were.

        With `other` only those that it has in common with that user, or device. Nothing tells afterwards that there
        were any. Readers see the points of each series all or not at all; in a store in this process, those of all.
        """

    def clear(self) -> None:
        """Delete everything, except the count of points ever added."""

    def view(
        self, axis: Axis, key: str, *, oldest: int = 0, ahead: range | None = None
    ) -> AbstractContextManager[View]:
        """Open the series of one device or user for reading; KeyError if it has none. May raise ViewChangedError.

        `ahead` is a hint: the range of times whose sums will most likely be read. A remote store sends them at once.
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
        """Return the summaries of devices or users, by key.

        Only keys that contain `search`, ignoring case, and come after the key `after`; at most `limit` of them.
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
        """Yield what `keys` returns in non-empty portions of at most `size`, each read when it is taken.

        A key that exists all the time comes once; one that is added or deleted meanwhile comes once or not at all.
        """

    def outlines(
        self, axis: Axis, keys: Sequence[str], *, start: int, width: int, count: int, oldest: int = 0
    ) -> Outlines:
        """Return the sums of each key in `count` spans of `width` from `start` on, both multiples of a quarter-hour.

        They are rounded a few times, and those of keys without points or with more than MOST_OUTLINED series are zero.
        """

    def key(self, axis: Axis, key: str, *, oldest: int = 0) -> KeySummary:
        """Return the summary of one device or user; KeyError if it has no points."""

    def latest(self, axis: Axis, key: str, *, oldest: int = 0) -> tuple[KeySummary, Point]:
        """Return the same, and its newest point: of several the last by the other key. KeyError if it has no points."""

    def version(self, *, device: str | None = None, user: str | None = None) -> str | None:
        """Return a text that every change of the points of a device, a user, both, or anybody makes another one.

        No text comes again, whatever is added, deleted or dropped, as long as the process lives. None if there are no
        such points, and from a store that would have to ask others for it.
        """

    def totals(self, *, oldest: int = 0) -> Totals:
        """Return how much is stored; a large store also counts expired points that are not yet dropped."""

    def listing(
        self,
        *,
        device: str | None,
        user: str | None,
        start: int,
        end: int | None,
        after: tuple[int, str, str] | None,
        limit: int,
        descending: bool = False,
        oldest: int = 0,
    ) -> PointColumns:
        """Return up to `limit` points by time, device and user: those in [start, end) that come after `after`.

        With `descending` the listing goes the other way round, and so `after` is a place that its points lie before.
        """
