"""Outlines of many devices or users at once, from the sums of quarter-hours in a shared storage.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datapoints.interface import MOST_OUTLINED, QUARTER_HOUR, Axis, Outlines
from datapoints.redis.layout import Layout, Series
from datapoints.redis.reading import table


def read_outlines(
    layout: Layout, axis: Axis, keys: Sequence[str], start: int, width: int, count: int, oldest: int
) -> Outlines:
    """Return the sums of `count` spans of each key.

    One exchange for the series of all keys, one more for users in a cluster, and one for their sums, or some if there
    are thousands. What is added meanwhile may be seen in part.
    """
    found = Outlines.empty(len(keys), count)
    low, high = -(-max(start, oldest) // QUARTER_HOUR), (start + width * count) // QUARTER_HOUR
    wanted: list[tuple[int, Series, int]] = [
        (place, series, low)
        for place, members in enumerate(layout.members(axis, keys))
        if len(members) <= MOST_OUTLINED
        for series in members
        if series.figures.first // QUARTER_HOUR < high and series.figures.last // QUARTER_HOUR >= low
    ]
    while wanted:
        chunks = layout.read("s", [(series, at) for _, series, at in wanted], high)
        unread: list[tuple[int, Series, int]] = []
        for (place, series, at), chunk in zip(wanted, chunks, strict=True):
            if chunk is None:
                unread.append((place, series, at))
                continue
            numbers, counts, highs, lows, _ = table("s", [chunk.rows]).T
            inside = (numbers >= at) & (numbers < high)
            times = numbers[inside].astype(np.int64) * QUARTER_HOUR - start
            owners = np.full(len(times), place)
            found.add(owners, times, width, counts[inside].astype(np.int64), (highs + lows)[inside])
            if chunk.following is not None and chunk.following < high:
                unread.append((place, series, chunk.following))
        wanted = unread
    return found
