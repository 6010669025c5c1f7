"""Summaries of devices and users, computed from the columns of their series.

Plain Python and NumPy; knows no framework. Callers hold the store's lock.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datapoints.interface import Axis, KeySummary
from datapoints.memory.names import SeriesNames
from datapoints.memory.series import SeriesPool

#: The largest number of series summed up at once, for any number of keys, unless one key alone has more.
SERIES_SUMMED_UP = 65_536


def first_of(names: SeriesNames, axis: Axis, keys: Sequence[str]) -> int:
    """Return how many keys, counted from the first, can be summed up at once."""
    members = names.members[axis]
    sizes = np.cumsum([len(members.get(key, ())) for key in keys])
    return max(int(np.searchsorted(sizes, SERIES_SUMMED_UP, side="right")), 1)


def summed_up(pool: SeriesPool, names: SeriesNames, axis: Axis, keys: Sequence[str]) -> list[KeySummary]:
    """Return the summaries of keys that have points. O(their series)."""
    if not keys:
        return []
    series = names.series(axis, keys)
    lengths = np.array([len(names.members[axis][key]) for key in keys])
    starts = np.cumsum(lengths) - lengths
    columns = (
        np.add.reduceat(pool.counts[series], starts),
        np.minimum.reduceat(pool.firsts[series], starts),
        np.maximum.reduceat(pool.lasts[series], starts),
    )
    return list(map(KeySummary, keys, *(column.tolist() for column in columns)))
