"""What is stored of devices and users, from the columns of their series.

Plain Python and NumPy; knows no framework. The store's lock is held.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datapoints.names import SeriesNames
from datapoints.protocol import Axis, KeySummary
from datapoints.series import SeriesPool

#: Series that are summed up at once, of however many keys, unless one key alone has more.
SERIES_SUMMED_UP = 65_536


def first_of(names: SeriesNames, axis: Axis, keys: Sequence[str]) -> int:
    """Return how many of these keys, from the first on, can be summed up at once."""
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
