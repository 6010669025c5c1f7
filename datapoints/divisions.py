"""How time is divided into buckets: by a width that never changes, or by the calendar of a time zone.

Plain Python and NumPy; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from timeseries_project.core import zones
from timeseries_project.core.offload import leave_loop
from timeseries_project.core.spans import Span
from timeseries_project.core.summation import Integers
from timeseries_project.core.timestamps import MICROSECONDS

_NO_EDGES = np.empty(0, dtype=np.int64)
#: Days from the Monday with which the weeks begin to 1970-01-01, a Thursday.
_SINCE_MONDAY = 3
_MONTHS = {"mo": 1, "y": 12}
_DAYS = {"d": 1, "w": 7}
#: Later than every time, and larger than the number of any bucket.
LATEST = 2**62
#: From this many on, finding where buckets begin takes some milliseconds.
MANY_EDGES = 100_000


class Grid(NamedTuple):
    """Where buckets begin: one every `width`, number 0 `phase` before the Unix epoch; or, if there are any, at `edges`.

    The last edge is the end of the last bucket.

    >>> Grid(60).number(119), Grid(60, phase=1).number(119), Grid(60, phase=1).start(2)
    (1, 2, 119)
    >>> months = Grid(0, 0, np.array([0, 31, 59]))
    >>> months.number(30), months.number(31), months.starts(np.array([0, 1])).tolist()
    (0, 1, [0, 31])
    """

    width: int
    phase: int = 0
    edges: Integers = _NO_EDGES

    def number(self, time: int) -> int:
        """Return the number of the bucket of a time; before the first edge 0, from the last one on that of no bucket.

        O(log edges).
        """
        if not len(self.edges):
            return (time + self.phase) // self.width
        return max(int(self.edges.searchsorted(min(time, LATEST), side="right")) - 1, 0)

    def start(self, number: int) -> int:
        """Return where a bucket begins. O(1)."""
        if not len(self.edges):
            return number * self.width - self.phase
        return int(self.edges[min(number, len(self.edges) - 1)])

    def starts(self, numbers: Integers) -> Integers:
        """Return where buckets begin. O(n)."""
        return self.edges[numbers] if len(self.edges) else numbers * self.width - self.phase

    def count_up_to(self, time: int) -> int:
        """Return how many buckets, number 0 being the first, begin before a time. O(log edges)."""
        if not len(self.edges):
            return -(-(time + self.phase) // self.width)
        return min(int(self.edges.searchsorted(min(time, LATEST))), len(self.edges) - 1)

    def stretch(self, number: int, unit: int) -> tuple[bool, int]:
        """Return whether a bucket begins and ends at multiples of a unit; and the next one of which this is not so.

        "Not so" is the contrary of what is returned for the bucket itself. O(edges).
        """
        if not len(self.edges):
            return self.width % unit == 0 and self.phase % unit == 0, LATEST
        whole = self.edges[number:] % unit == 0
        both = whole[1:] & whole[:-1]
        other = np.flatnonzero(both != both[0])
        return bool(both[0]), number + int(other[0]) if len(other) else LATEST

    @property
    def usual(self) -> int:
        """The width of most buckets. O(1)."""
        if not len(self.edges):
            return self.width
        return max(int(self.edges[-1] - self.edges[0]) // (len(self.edges) - 1), 1)

    def narrowed(self, unit: int) -> Grid:
        """Return the same grid in a larger unit of time, of which its starts are multiples. O(edges)."""
        return Grid(self.width // unit, self.phase // unit, self.edges // unit if len(self.edges) else self.edges)


class Division(NamedTuple):
    """A division of time into buckets, as users choose it.

    Seconds, minutes, hours and days are widths that never change, counted from the Unix epoch and shifted by `offset`
    seconds. Weeks, months and years, and days with a time zone, begin at midnight in the zone: weeks on Mondays,
    months and years on the first day. They are counted from the days, months and years of 1970 and the Monday before.
    """

    span: Span
    tz: str | None = None
    offset: int = 0

    @property
    def of_calendar(self) -> bool:
        """Whether the buckets follow the calendar and may differ in length."""
        return self.span.seconds is None or (self.span.unit == "d" and self.tz is not None)

    @property
    def nominal(self) -> int:
        """The seconds of a usual bucket."""
        number, unit = self.span
        return self.span.seconds or int(number * (7 if unit == "w" else 30.436875 * _MONTHS[unit]) * 86_400)

    def fixed(self) -> Grid | None:
        """Return where all buckets begin, if their width never changes; None for those of the calendar.

        >>> Division(Span(7, "d"), offset=4 * 86_400).fixed().start(0) // 86_400_000_000
        -3
        """
        return _fixed(self)

    def grid(self, first: int, last: int) -> Grid:
        """Return where the buckets begin, from that of the time `first` to that of `last` or farther.

        O(1) for widths that never change, else O(buckets).

        >>> Division(Span(1, "mo"), "Asia/Kolkata").grid(0, 0).edges.astype("datetime64[us]")[1].item()
        datetime.datetime(1969, 12, 31, 18, 30)
        """
        fixed = _fixed(self)
        if fixed is not None:
            return fixed
        zone = zones.find(self.tz or "UTC")
        # Where clocks are put back over midnight, some of a date comes after the beginning of the next one.
        low, high = self._place(zones.day_of(first, zone) - 1), self._place(zones.day_of(last, zone) + 1)
        if high - low > MANY_EDGES:
            leave_loop()
        edges = zones.beginnings(self._days(low, high + 2), zone)
        # A date that never came has no bucket.
        return Grid(0, 0, edges[np.append(edges[1:] > edges[:-1], True)])

    def start(self, time: int) -> int:
        """Return where the bucket of a time begins.

        >>> Division(Span(1, "h")).start(3_600_000_001)
        3600000000
        """
        grid = self.grid(time, time)
        return grid.start(grid.number(time))

    def end(self, time: int) -> int:
        """Return where the bucket of a time ends.

        >>> Division(Span(1, "h")).end(3_600_000_001)
        7200000000
        """
        grid = self.grid(time, time)
        return grid.start(grid.number(time) + 1)

    def buckets_in(self, start: int, stop: int) -> int:
        """Return how many buckets overlap start <= time < stop; dates that never came count as if they had. O(1).

        >>> Division(Span(1, "m")).buckets_in(59 * 10**6, 121 * 10**6)
        3
        >>> Division(Span(1, "mo")).buckets_in(0, 365 * 86_400 * 10**6)
        12
        """
        if start >= stop:
            return 0
        fixed = _fixed(self)
        if fixed is not None:
            return fixed.count_up_to(stop) - fixed.number(start)
        zone = zones.find(self.tz or "UTC")
        return self._place(zones.day_of(stop - 1, zone)) - self._place(zones.day_of(start, zone)) + 1

    def _place(self, day: int) -> int:
        """Return the place of a day's bucket in the calendar."""
        number, unit = self.span
        if unit in _DAYS:
            return (day + (_SINCE_MONDAY if unit == "w" else 0)) // (number * _DAYS[unit])
        month = int(np.datetime64(day, "D").astype("datetime64[M]").astype(np.int64))
        return month // (number * _MONTHS[unit])

    def _days(self, low: int, high: int) -> Integers:
        """Return the first days of the buckets at the places low <= place < high."""
        number, unit = self.span
        places = np.arange(low, high)
        if unit in _DAYS:
            return places * (number * _DAYS[unit]) - (_SINCE_MONDAY if unit == "w" else 0)
        months = (places * (number * _MONTHS[unit])).astype("datetime64[M]")
        return months.astype("datetime64[D]").astype(np.int64)


@lru_cache(maxsize=256)
def _fixed(division: Division) -> Grid | None:
    """Return where all buckets begin, if their width never changes. A client can choose numbers and names of zones."""
    seconds = division.span.seconds
    if seconds is None or division.of_calendar:
        return None
    return Grid(seconds * MICROSECONDS, -division.offset * MICROSECONDS % (seconds * MICROSECONDS))
