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

#: Buckets in a chart whose width nobody chose, at most.
MOST_CHOSEN = 500
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

    Then it is the narrowest of the ladder that keeps the buckets few enough, and the widest if none does. O(1).
    """
    if asked is None:
        return Width(_narrowest(start, stop, 0, MOST_CHOSEN, unit), None)
    buckets = count(start, stop, asked * unit)
    if buckets <= MOST_DRAWN:
        return Width(asked, None)
    return Width(_narrowest(start, stop, asked, MOST_DRAWN, unit), buckets)


def _narrowest(start: int, stop: int, above: int, most: int, unit: int) -> int:
    return next(
        (width for width in LADDER if width > above and count(start, stop, width * unit) <= most),
        LADDER[-1],
    )
