"""Bucket widths for charts: chosen for a range of time so that the buckets can be told apart.

Plain Python; knows no framework. Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from typing import NamedTuple

from datapoints.divisions import Division
from timeseries_project.core.spans import Span

_SHORT = (
    *(Span(1, "s"), Span(5, "s"), Span(15, "s")),
    *(Span(1, "m"), Span(5, "m"), Span(15, "m")),
    *(Span(1, "h"), Span(6, "h")),
    Span(1, "d"),
)
#: The widths to choose from: those in which people think of time. The last one suits five centuries.
LADDER = (*_SHORT, Span(7, "d"), Span(30, "d"), Span(90, "d"), Span(366, "d"))
#: The same for whoever thinks of time in a zone, or by the calendar.
CALENDAR_LADDER = (*_SHORT, Span(1, "w"), Span(1, "mo"), Span(3, "mo"), Span(1, "y"))

#: The least number of buckets where the width is chosen for the user: so few that a device that reports now and then
#: leaves no gaps.
LEAST_CHOSEN = 60
#: The largest number of buckets in any chart; beyond it a wider bucket is drawn.
MOST_DRAWN = 2_000


class Width(NamedTuple):
    """The division to draw; and, if the requested width is too narrow, how many buckets of it there would be."""

    division: Division
    too_many: int | None


def suitable(start: int, stop: int, asked: Span | None, tz: str | None = None, offset: int = 0) -> Width:
    """Return the division with which to draw start <= time < stop: `asked`, unless it is None or too narrow.

    If it is None: the widest of the ladder that gives at least LEAST_CHOSEN buckets, else the narrowest. If it is too
    narrow: the next of the ladder that gives at most MOST_DRAWN, else the widest. O(1).

    >>> day = 86_400_000_000
    >>> str(suitable(0, day, None).division.span), str(suitable(0, 9_999 * day, None, "Asia/Tokyo").division.span)
    ('15m', '3mo')
    >>> suitable(0, day, Span(1, "h")).too_many
    >>> width = suitable(0, day, Span(1, "s"))
    >>> str(width.division.span), width.too_many
    ('1m', 86400)
    """
    ladder = [_division(span, tz, offset) for span in _ladder(asked, tz)]
    if asked is None:
        enough = (division for division in reversed(ladder) if division.buckets_in(start, stop) >= LEAST_CHOSEN)
        return Width(next(enough, ladder[0]), None)
    chosen = _division(asked, tz, offset)
    buckets = chosen.buckets_in(start, stop)
    if buckets <= MOST_DRAWN:
        return Width(chosen, None)
    few = (wider for wider in ladder if wider.nominal > chosen.nominal and wider.buckets_in(start, stop) <= MOST_DRAWN)
    return Width(next(few, ladder[-1]), buckets)


def _ladder(asked: Span | None, tz: str | None) -> tuple[Span, ...]:
    return LADDER if tz is None and (asked is None or asked.seconds is not None) else CALENDAR_LADDER


def _division(span: Span, tz: str | None, offset: int) -> Division:
    """Return a division; a zone makes no difference to the widths that are shorter than a day."""
    return Division(span, None if span.unit in ("s", "m", "h") else tz, offset)
