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
        read = [(place, chunk.rows) for (place, _, _), chunk in zip(wanted, chunks, strict=True) if chunk is not None]
        _add(found, read, range(low, high), start, width)
        again = [(one, one[2] if chunk is None else chunk.following) for one, chunk in zip(wanted, chunks, strict=True)]
        wanted = [(place, series, at) for (place, series, _), at in again if at is not None and at < high]
    return found


def _add(found: Outlines, read: list[tuple[int, bytes]], numbers: range, start: int, width: int) -> None:
    """Add what was read of some series, each with the place of its key."""
    rows = table("s", [packed for _, packed in read])
    sizes = [len(packed) // (rows.itemsize * rows.shape[1]) for _, packed in read]
    owners = np.repeat(np.array([place for place, _ in read], dtype=np.int64), sizes)
    inside = (rows[:, 0] >= numbers.start) & (rows[:, 0] < numbers.stop)
    quarters, counts, highs, lows, _ = rows[inside].T
    times = quarters.astype(np.int64) * QUARTER_HOUR - start
    found.add(owners[inside], times, width, counts.astype(np.int64), highs + lows)
