"""The use case of lists of devices and users: the averages of many of them at once, good enough for small curves.

Times are microseconds since the Unix epoch, `now` included.
"""

from __future__ import annotations

from collections.abc import Sequence

from datapoints import services
from datapoints.interface import Axis


def outlines_list(
    *, axis: Axis, keys: Sequence[str], start: int, width: int, count: int, now: int
) -> list[list[float | None]]:
    """Return the averages of each key in `count` spans of `width` from `start` on, multiples of a quarter-hour.

    None where there are no points, and for keys of more than MOST_OUTLINED series. A shared storage is asked two or
    three times, however many keys there are.
    """
    oldest = services.oldest_kept(now)
    return services.store.outlines(axis, keys, start=start, width=width, count=count, oldest=oldest).averages()
