"""Outlines of many devices or users at once: sums of some spans of time, from the kept sums of quarter-hours.

Plain Python and NumPy; knows no framework.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from datapoints.interface import MOST_OUTLINED, QUARTER_HOUR, Axis, Outlines
from datapoints.memory.expiry import Expiring
from timeseries_project.core.offload import give_way

#: Series that are read while the lock is held, about.
SERIES_AT_ONCE = 512


class Outlining(Expiring):
    """The part of a store that reads outlines."""

    def outlines(
        self, axis: Axis, keys: Sequence[str], *, start: int, width: int, count: int, oldest: int = 0
    ) -> Outlines:
        """Return the sums of `count` spans of each key. O(the quarter-hours of its series in there), in portions."""
        found = Outlines.empty(len(keys), count)
        low, high = -(-max(start, oldest) // QUARTER_HOUR), (start + width * count) // QUARTER_HOUR
        for places in self._portions(axis, keys):
            some = [keys[place] for place in places]
            with self._lock:
                self._series(axis, some)  # waits until no large batch is being written to one
                series = [self._names.series(axis, [key]) for key in some]
                lengths = [len(each) for each in series]
                joined = np.concatenate(series)
                rows = self._pool.count_sums(joined, low, high)
                sums = self._pool.sums(joined, low, high)
            owners = np.repeat(np.repeat(places, lengths), rows)
            found.add(owners, sums.numbers * QUARTER_HOUR - start, width, sums.counts, sums.highs + sums.lows)
            give_way()
        return found

    def _portions(self, axis: Axis, keys: Sequence[str]) -> Iterator[list[int]]:
        """Yield the places of keys, so many that they have some hundred series; without those that have too many."""
        places: list[int] = []
        series = 0
        for place, key in enumerate(keys):
            members = len(self._names.members[axis].get(key, ()))
            if not 0 < members <= MOST_OUTLINED:
                continue
            places.append(place)
            series += members
            if series >= SERIES_AT_ONCE:
                yield places
                places, series = [], 0
        if places:
            yield places
