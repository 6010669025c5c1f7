"""Bucket widths for charts: chosen for a range of time so that the buckets can be told apart.

Plain Python; knows no framework. Widths are seconds; times may have any unit, of which `unit` make a second.
"""

from __future__ import annotations

from typing import NamedTuple

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

#: The widths to choose from, in seconds: those in which people think of time. The last one suits five centuries.
LADDER = (
    *(1, 5, 15),
    *(_MINUTE, 5 * _MINUTE, 15 * _MINUTE),
    *(_HOUR, 6 * _HOUR),
    *(_DAY, 7 * _DAY, 30 * _DAY, 90 * _DAY, 366 * _DAY),
)

#: The least number of buckets where the width is chosen for the user: so few that a device that reports now and then
#: leaves no gaps.
LEAST_CHOSEN = 60
#: The largest number of buckets in any chart; beyond it a wider bucket is drawn.
MOST_DRAWN = 2_000


class Width(NamedTuple):
    """The width to draw; and, if the requested width is too narrow, how many buckets of it there would be."""

    width: int
    too_many: int | None


def count(start: int, stop: int, width: int) -> int:
    """Return how many buckets overlap start <= time < stop; the width is in the unit of the times.

    >>> count(59, 121, 60), count(60, 120, 60), count(60, 60, 60)
    (3, 1, 0)
    """
    return -(-stop // width) - start // width if start < stop else 0


def suitable(start: int, stop: int, asked: int | None, unit: int = 1) -> Width:
    """Return the width with which to draw start <= time < stop: `asked`, unless it is None or too narrow.

    If it is None: the widest of the ladder that gives at least LEAST_CHOSEN buckets, else the narrowest. If it is too
    narrow: the next of the ladder that gives at most MOST_DRAWN, else the widest. O(1).

    >>> suitable(0, 86_400, None)
    Width(width=900, too_many=None)
    >>> suitable(0, 86_400, 3_600)
    Width(width=3600, too_many=None)
    >>> suitable(0, 86_400, 1)
    Width(width=60, too_many=86400)
    """
    if asked is None:
        enough = (width for width in reversed(LADDER) if count(start, stop, width * unit) >= LEAST_CHOSEN)
        return Width(next(enough, LADDER[0]), None)
    buckets = count(start, stop, asked * unit)
    if buckets <= MOST_DRAWN:
        return Width(asked, None)
    few = (width for width in LADDER if width > asked and count(start, stop, width * unit) <= MOST_DRAWN)
    return Width(next(few, LADDER[-1]), buckets)
