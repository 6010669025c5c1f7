"""What the last 60 seconds held, at each moment of some minutes: the statistics as they moved. Plain Python.

A moment is a whole second, and its statistics are of the 60 seconds before it. They are worked out from the history, so
that a page that is opened shows what it would show had it been open all the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from transactions.interface import Second, Summary

#: Seconds from one moment to the next; moments are multiples of it, and the last one is now.
STEP = 10
#: Seconds that a moment's statistics are of.
WINDOW = 60


class Known(NamedTuple):
    """A stretch of time, in seconds since the epoch, of which it is known what was counted; both ends belong to it."""

    first: int
    last: int


class Moment(NamedTuple):
    """The statistics at a second since the epoch; None where nothing is known of it."""

    time: int
    summary: Summary | None


def moments(span: int, now: int) -> list[int]:
    """Return the moments of the last `span` seconds, in order.

    >>> moments(30, 1_234)
    [1210, 1220, 1230, 1234]
    """
    first = (now - span) // STEP + 1
    return [*range(first * STEP, now, STEP), now]


def curve(history: Sequence[Second], times: Sequence[int], known: Sequence[Known]) -> list[Moment]:
    """Return the statistics at some moments, from the seconds of a history that has WINDOW ones before each.

    >>> seconds = [Second(time, 0, None, None, None) for time in range(100)]
    >>> seconds[30] = Second(30, 2, 5.0, 1.0, 4.0)
    >>> found = curve(seconds, [60, 90, 91, 100], [Known(0, 95)])
    >>> [moment.summary and moment.summary.sum for moment in found]
    [5.0, 5.0, 0.0, None]
    """
    begin = history[0].timestamp
    found = []
    for time in times:
        if any(first <= time <= last for first, last in known):
            found.append(Moment(time, _summary(history[time - WINDOW - begin : time - begin])))
        else:
            found.append(Moment(time, None))
    return found


def _summary(seconds: Sequence[Second]) -> Summary:
    """Return the statistics of some seconds together."""
    some = [second for second in seconds if second.count]
    if not some:
        return Summary(0.0, 0.0, 0.0, 0.0, 0)
    _, counts, sums, least, most = zip(*some, strict=True)
    return Summary.of(sums, count=sum(counts), least=min(least), most=max(most))
