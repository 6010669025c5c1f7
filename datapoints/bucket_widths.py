"""Widths of buckets that suit a range of time, so that a chart has as many as one can tell apart.

Plain Python; knows no framework. Widths are seconds; times are in any unit, told as `unit` per second.
"""

from __future__ import annotations

from typing import NamedTuple

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

#: The widths to choose from, in seconds: those that people read time in. The last suits five centuries.
LADDER = (
    *(1, 5, 15),
    *(_MINUTE, 5 * _MINUTE, 15 * _MINUTE),
    *(_HOUR, 6 * _HOUR),
    *(_DAY, 7 * _DAY, 30 * _DAY, 90 * _DAY, 366 * _DAY),
)

#: Buckets in a chart whose width nobody chose, at least: few enough that what reports every so often leaves no gaps.
LEAST_CHOSEN = 60
#: Buckets in any chart, at most: beyond that a wider one is drawn.
MOST_DRAWN = 2_000


class Width(NamedTuple):
    """The width to draw, and, where one was asked for that is too narrow, how many buckets of it there would be."""

    width: int
    too_many: int | None


def count(start: int, stop: int, width: int) -> int:
    """Return how many buckets hold a part of start <= time < stop; the width is in the unit of the times."""
    return -(-stop // width) - start // width if start < stop else 0


def suitable(start: int, stop: int, asked: int | None, unit: int = 1) -> Width:
    """Return the width to draw start <= time < stop with: the one asked for, unless it is none or too narrow.

    Where none is asked for it is the widest of the ladder that gives enough buckets, else the narrowest; instead of
    one that is too narrow it is the next of the ladder that keeps them few enough, else the widest. O(1).
    """
    if asked is None:
        enough = (width for width in reversed(LADDER) if count(start, stop, width * unit) >= LEAST_CHOSEN)
        return Width(next(enough, LADDER[0]), None)
    buckets = count(start, stop, asked * unit)
    if buckets <= MOST_DRAWN:
        return Width(asked, None)
    few = (width for width in LADDER if width > asked and count(start, stop, width * unit) <= MOST_DRAWN)
    return Width(next(few, LADDER[-1]), buckets)
