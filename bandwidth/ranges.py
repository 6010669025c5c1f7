"""The ranges of time that the bandwidth page leads to, as windows: presets, steps, and one twice as long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from bandwidth.serializers import MAX_WINDOWS
from timeseries_project.web.ranges import choices, goes_on

#: The lengths of windows that suit a range, in seconds: round on a clock, up to years of 52 weeks.
LENGTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200),
    *(86_400 * days for days in (1, 2, 7, 14, 28, 91, 364)),
)
#: The least number of windows in a range, unless these would be shorter than a second.
LEAST = 60

Url = Callable[..., str]


def window_end(time: int, length: int) -> int:
    """Return the end of the window that holds a second, if windows end at multiples of their length.

    >>> window_end(60, 60), window_end(61, 60)
    (60, 120)
    """
    return -(-time // length) * length


def end_that_shows(time: int, length: int, count: int, now: int) -> int | None:
    """Return where so many windows end that show a second: None, which is now, if it is among them and stays a while.

    So the oldest of several windows does not count: it is about to leave.

    >>> [end_that_shows(time, 60, 3, now=200) for time in (120, 121, 240, 241)]
    [120, None, None, 300]
    """
    present = window_end(now, length)
    stays = present - length * max(count - 1, 1) < time <= present
    return None if stays else window_end(time, length)


def fitting(span: int) -> int:
    """Return the longest of the lengths that gives a range of so many seconds enough windows.

    >>> fitting(900), fitting(86_400), fitting(3)
    (15, 900, 1)
    """
    return max((length for length in LENGTHS if span >= length * LEAST), default=LENGTHS[0])


class Windows(NamedTuple):
    """What chooses the windows of a page; without an end they end now."""

    end_time: int | None
    window_time: int
    num_windows: int

    @property
    def span(self) -> int:
        """The seconds shown."""
        return self.window_time * self.num_windows


def last(span: int) -> Windows:
    """Return windows for the last so many seconds.

    >>> last(900)
    Windows(end_time=None, window_time=15, num_windows=60)
    """
    length = fitting(span)
    return Windows(None, length, min(window_end(span, length) // length, MAX_WINDOWS))


def between(begin: int, end: int, now: int) -> Windows:
    """Return windows for the seconds begin < time <= end; those that reach the present window end now.

    >>> between(0, 3_600, 10_000)
    Windows(end_time=3600, window_time=60, num_windows=60)
    >>> between(0, 3_600, 3_600)
    Windows(end_time=None, window_time=60, num_windows=60)
    """
    length = fitting(end - begin)
    present = window_end(now, length)
    stop = min(window_end(end, length), present)
    count = max(stop // length - begin // length, 1)
    return Windows(None if stop == present else stop, length, min(count, MAX_WINDOWS))


def everything(oldest: int, newest: int, now: int) -> Windows:
    """Return windows for all entries from the oldest to the newest, or up to now if more are to be expected."""
    return between(oldest - 1, now if goes_on(oldest, newest, now) else newest, now)


def wider(shown: Windows, now: int) -> Windows | None:
    """Return windows for a range twice as long around the same middle, or up to now; None if it begins before 1970."""
    span = shown.span
    if shown.end_time is None:
        return last(2 * span) if now >= 2 * span else None
    begin, end = shown.end_time - span - span // 2, shown.end_time + span - span // 2
    if begin < 0:
        return None
    return between(begin, end, now) if end < now else last(2 * span)


def latest(shown: Windows, second: int, *, url: Url) -> str:
    """Return the address of as many windows, the last of which holds a second."""
    return url(end_time=window_end(second, shown.window_time))


def links(shown: Windows, oldest: int, newest: int, now: int, url: Url) -> dict[str, Any]:
    """Return the addresses of other ranges. `url` makes one of what it changes in that of the page.

    The oldest and the newest entry are those of all devices shown.
    """
    length, span = shown.window_time, shown.span
    present = window_end(now, length)
    end = present if shown.end_time is None else shown.end_time
    whole, out = everything(oldest, newest, now), wider(shown, now)

    def to(windows: Windows) -> str:
        return url(**windows._asdict())

    return {
        "presets": choices(
            lambda seconds: to(last(seconds)),
            to(whole),
            span if shown.end_time is None else None,
            shows_all=shown == whole,
        ),
        "latest": latest(shown, newest, url=url),
        "previous": url(end_time=end - span) if end >= span else None,
        "next": None if end >= present else url(end_time=end + span if end + span < present else None),
        "now": None if shown.end_time is None else url(end_time=None),
        "live_link": url(end_time=None),
        "frozen": url(end_time=end),
        "zoom_out": None if out is None else to(out),
    }
