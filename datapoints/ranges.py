"""The ranges of time that the datapoints page leads to: presets, steps, and one twice as long.

Times are microseconds since the Unix epoch. A range that ends now is an address of its own: `range=1h` is the last hour
whenever it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from datapoints.divisions import Division
from datapoints.serializers import MAX_RANGE
from timeseries_project.core import timestamps
from timeseries_project.core.spans import Span
from timeseries_project.core.summation import Integers
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.web.ranges import choices, goes_on

LAST_TIME = timestamps.parse("9999-12-31")
#: What is left to the page to choose where a link leads to a range of another length.
FITTING = {"bucket": None, "offset": None}

Url = Callable[..., str]
Query = dict[str, Any]


class Drawing(Protocol):
    """What a chart shows, of one device or user or of several: its buckets, and the oldest and newest datapoint."""

    @property
    def division(self) -> Division:
        """The buckets."""

    @property
    def starts(self) -> Integers:
        """Where the buckets begin, in epoch seconds."""

    @property
    def stop(self) -> int:
        """Where the last bucket ends, in epoch seconds."""

    @property
    def first(self) -> int:
        """The time of the oldest datapoint, in or out of the range."""

    @property
    def last(self) -> int:
        """The time of the newest one."""


def start_of(query: Query, now: int) -> int | None:
    """Return the start of the range that a query asks for; None for the first datapoint."""
    length: Span | None = query["range"]
    start: int | None = query["start"]
    if length is None:
        return start
    assert length.seconds is not None  # RangeField takes no units of the calendar
    return max(_floor(now) - length.seconds * MICROSECONDS, 0)


def _floor(time: int) -> int:
    return time // MICROSECONDS * MICROSECONDS


def _after(last: int) -> int:
    """Return the first whole second after a datapoint."""
    return _floor(last) + MICROSECONDS


class Ranges:
    """The range that a page shows, and the addresses of others.

    `url` makes an address of what is to be changed in that of the page.
    """

    def __init__(self, query: Query, drawing: Drawing, now: int, url: Url) -> None:
        self._url = url
        self._now = _floor(now)
        self._drawing = drawing
        self._is_live = query["end"] is None
        self._start = start_of(query, now)
        self._end: int = self._now if self._is_live else query["end"]
        begin = drawing.first if self._start is None else self._start
        self._span = max(self._end - begin, 1)
        self._last = _after(drawing.last)
        self._has_length = self._start is not None and self._start < self._end

    def latest(self, last: int) -> str:
        """Return the address of a range of the same length that ends with a datapoint; without a length, of all."""
        if not self._has_length:
            return self._to()
        return self._to(start=max(_after(last) - self._span, 0), end=_after(last))

    def links(self) -> dict[str, Any]:
        """Return the addresses of other ranges; those of another length leave the buckets to the page."""
        whole = self._all()
        seconds = self._span // MICROSECONDS if self._has_length and self._is_live else None
        return {
            "presets": choices(
                lambda seconds: self._to(range=Span(seconds, "s"), **FITTING),
                self._to(**whole, **FITTING),
                seconds,
                shows_all=whole == {"start": self._start, "end": None if self._is_live else self._end},
            ),
            "latest": self.latest(self._drawing.last) if self._has_length else self._to(**whole),
            "previous": self._previous() if self._has_length else None,
            "next": self._next() if self._has_length else None,
            "now": self._live(self._span) if self._has_length and not self._is_live else None,
            "live_link": self._live(self._span) if self._has_length else self._to(),
            "frozen": self._frozen(),
            "zoom_out": self._wider() if self._has_length else None,
        }

    def _to(self, **changes: object) -> str:
        """Return an address; of the range, what is not named is left out."""
        return self._url(**{"range": None, "start": None, "end": None, **changes})

    def _live(self, span: int, **changes: object) -> str:
        """Return the address of a range of this length that ends now."""
        seconds = -(-span // MICROSECONDS)
        if seconds > MAX_RANGE:
            return self._to(start=max(self._now - span, 0), **changes)
        return self._to(range=Span(seconds, "s"), **changes)

    def _all(self) -> dict[str, int | None]:
        first, last = self._drawing.first, self._drawing.last
        if goes_on(first // MICROSECONDS, last // MICROSECONDS, self._now // MICROSECONDS):
            return {"start": None, "end": None}
        return {"start": _floor(first), "end": self._last}

    def _previous(self) -> str | None:
        assert self._start is not None
        return self._to(start=max(self._start - self._span, 0), end=self._start) if self._start > 0 else None

    def _next(self) -> str | None:
        """Return the range after the one shown: up to now at most, and then live."""
        if self._end >= self._now:
            return None
        ahead = self._end + self._span
        return self._to(start=self._end, end=ahead) if ahead < self._now else self._live(self._span)

    def _wider(self) -> str | None:
        """Return a range twice as long around the same middle, or up to now; None if there is nothing more to see."""
        assert self._start is not None
        if self._start <= self._drawing.first and self._end >= min(self._last, self._now):
            return None
        begin, end = self._start - self._span // 2, self._end + self._span // 2
        if self._is_live or end >= self._now:
            return self._live(2 * self._span, **FITTING)
        return self._to(start=max(_floor(begin), 0), end=_floor(end), **FITTING)

    def _frozen(self) -> str:
        """Return the address of what is shown now: from the first bucket to the last one, in these buckets."""
        drawing = self._drawing
        if not len(drawing.starts):
            return self._to(start=self._start, end=max(self._end, self._start or 0))
        division = drawing.division
        edges = {"start": int(drawing.starts[0]) * MICROSECONDS, "end": min(drawing.stop * MICROSECONDS, LAST_TIME)}
        return self._to(**edges, bucket=division.span, offset=division.offset or None)
