"""Small curves beside rows of a list, and names of rows that can be read: markup without any style of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from timeseries_project.web.pages import time_element

#: Values of a curve, and the size of its picture in pixels; it keeps a pixel away from the edges.
POINTS = 24
STEP, HEIGHT = 4, 22
WIDTH = STEP * (POINTS - 1) + 2
#: The spans that curves may have, in seconds.
HOUR, DAY = 3_600, 86_400
#: Names from this length on are shortened in their middle where there is no room, and keep this much at the end.
LONG_NAME, NAME_END = 17, 6

#: Names such as UUIDs, which are cut between any two characters without harm.
_PLAIN = re.compile(r"[!-~]+")

Value = float | None


class OutlineSpan(NamedTuple):
    """The time that all curves of a page show: `POINTS` windows of a length, the last of which ends at `end`."""

    end: int
    length: int
    is_now: bool

    @property
    def title(self) -> SafeString:
        """Name the span, for a heading."""
        span = "hour" if self.length * POINTS == HOUR else "24 h"
        if self.is_now:
            return format_html("Last {}", span)
        return format_html("{} to {}", span.capitalize(), mark_safe(time_element(self.end, form="day")))  # noqa: S308


def span_of(lasts: Iterable[int], firsts: Iterable[int], now: int, *, of_sums: bool) -> OutlineSpan:
    """Return the last day or, if nothing has come since, the day up to the newest data.

    Times are epoch seconds, and windows end at multiples of their length, which sums include and averages do not. Of
    sums only windows that are over are shown, as the present one would look like a fall; and no more than an hour if
    that holds all data.

    >>> span_of([90_000], [10], now=100_000, of_sums=True), span_of([7_205], [7_000], now=10**9, of_sums=True)
    (OutlineSpan(end=97200, length=3600, is_now=True), OutlineSpan(end=7350, length=150, is_now=False))
    """
    newest = max(lasts, default=now)
    is_now = newest > now - DAY
    is_short = of_sums and min(firsts, default=0) > (now if is_now else newest) - HOUR + HOUR // POINTS
    length = (HOUR if is_short else DAY) // POINTS
    if not of_sums:
        return OutlineSpan((max(now, newest) if is_now else newest) // length * length + length, length, is_now)
    return OutlineSpan(now // length * length if is_now else -(-newest // length) * length, length, is_now)


def outline(values: Sequence[Value], low: float, high: float) -> SafeString:
    """Draw values between two bounds as a picture of lines, one for each run of values; nothing if there are none.

    >>> print(outline([0.0, 0.0, 0.0, 1.0], 0.0, 1.0))
    <svg class="outline" width="94" height="22" aria-hidden="true"><polyline points="1,21 9,21 13,1"/></svg>
    >>> outline([None, None], 0, 1)
    ''
    """
    lines: list[list[str]] = []
    scale = (HEIGHT - 2) / (high - low) if high > low else 0.0
    heights = [
        None if value is None else round(HEIGHT - 1 - (value - low) * scale) if scale else HEIGHT // 2
        for value in values
    ]
    for at, height in enumerate(heights):
        if height is None:
            continue
        before = heights[at - 1] if at else None
        after = heights[at + 1] if at + 1 < len(heights) else None
        point = f"{1 + STEP * at},{height}"
        if before is None:
            lines.append([point, point] if after is None else [point])  # a value alone is a dot
        elif not before == height == after:
            lines[-1].append(point)
    if not lines:
        return SafeString("")
    drawn = format_html_join("", '<polyline points="{}"/>', ((" ".join(points),) for points in lines))
    start = '<svg class="outline" width="{}" height="{}" aria-hidden="true">{}</svg>'
    return format_html(start, WIDTH, HEIGHT, drawn)


def name_link(name: str, url: str) -> SafeString:
    """Return a link of a row's name. A long one that is plain is in two parts, the first of which gives way.

    >>> print(name_link("router-1", "/x"))
    <a href="/x" title="router-1"><bdi>router-1</bdi></a>
    >>> print(name_link("cf4844bc-a107-4e0a", "/x"))
    <a href="/x" title="cf4844bc-a107-4e0a" aria-label="cf4844bc-a107-4e0a"><bdi>cf4844bc-a10</bdi><b>7-4e0a</b></a>
    """
    if len(name) < LONG_NAME or not _PLAIN.fullmatch(name):
        return format_html('<a href="{0}" title="{1}"><bdi>{1}</bdi></a>', url, name)
    start, end = name[:-NAME_END], name[-NAME_END:]
    link = '<a href="{}" title="{}" aria-label="{}"><bdi>{}</bdi><b>{}</b></a>'
    return format_html(link, url, name, name, start, end)
