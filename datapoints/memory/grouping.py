"""The points of a batch, grouped by series. Knows no framework."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datapoints.memory.names import Pair
from timeseries_project.core.arrays import Keys, run_lengths, run_starts, stable_order
from timeseries_project.core.summation import Floats, Integers


class GroupedPoints(NamedTuple):
    """Points series by series, ascending in each; equal ones in the order in which they came.

    `pairs` are the device and user of each series, `lengths` the numbers of its points. `order` is the place that each
    point had in the batch; None if they stand as they came.
    """

    times: Integers
    values: Floats
    pairs: list[Pair]
    lengths: Integers
    order: Integers | None

    def places(self, chosen: NDArray[np.bool_]) -> Integers:
        """Return the places in the batch of the chosen points."""
        return np.flatnonzero(chosen) if self.order is None else self.order[chosen]

    def last_of_equal(self) -> GroupedPoints:
        """Return the points without those that equal a later one. O(n)."""
        kept = np.ones(len(self.times), dtype=bool)
        kept[:-1] = self.times[1:] != self.times[:-1]
        kept[np.cumsum(self.lengths) - 1] = True
        if kept.all():
            return self
        lengths = np.add.reduceat(kept, np.cumsum(self.lengths) - self.lengths, dtype=np.int64)
        return GroupedPoints(self.times[kept], self.values[kept], self.pairs, lengths, self.places(kept))


def grouped(times: Integers, values: Floats, devices: Keys, users: Keys, oldest: int) -> GroupedPoints:
    """Group points by series, without those before `oldest`. O(n), or O(n log n) where those of a series do not ascend.

    >>> times, values = np.array([5, 9, 3]), np.array([0.5, 0.9, 0.3])
    >>> points = grouped(times, values, Keys(["a", "b", "a"]), Keys(["u", "u", "u"]), 0)
    >>> points.pairs, points.lengths.tolist(), points.times.tolist()
    ([('a', 'u'), ('b', 'u')], [2, 1], [3, 5, 9])
    """
    codes = devices.codes.astype(np.int64) * len(users.names) + users.codes
    order = stable_order(codes)
    if oldest and len(times) and times.min() < oldest:
        order = order[times[order] >= oldest]
    if _stands(order, len(times)):
        in_order, sorted_times, sorted_codes = None, times, codes
    else:
        in_order, sorted_times, sorted_codes = order, times[order], codes[order]
    back = sorted_times[1:] < sorted_times[:-1]
    if (back & (sorted_codes[1:] == sorted_codes[:-1])).any():
        again = stable_order(sorted_times, sorted_codes)
        in_order = order[again]
        sorted_times, sorted_codes = sorted_times[again], sorted_codes[again]
    if in_order is not None:
        values = values[in_order]
    starts = run_starts(sorted_codes) if len(sorted_codes) else sorted_codes
    places = zip(*(column.tolist() for column in np.divmod(sorted_codes[starts], len(users.names))), strict=True)
    pairs = [(devices.names[device], users.names[user]) for device, user in places]
    return GroupedPoints(sorted_times, values, pairs, run_lengths(starts, len(sorted_times)), in_order)


def _stands(order: Integers, rows: int) -> bool:
    """Return whether an order leaves all rows where they are."""
    return len(order) == rows and bool((order[1:] > order[:-1]).all())
