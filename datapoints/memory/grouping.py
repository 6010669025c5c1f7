"""The points of a batch, grouped by series. Knows no framework."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datapoints.memory.grouping_kernels import gather_series, sort_by_code
from datapoints.memory.names import Pair
from timeseries_project.core.arrays import Keys, run_lengths, stable_order
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
    order = _by_series(devices, users)
    if oldest and len(times) and times.min() < oldest:
        order = order[times[order] >= oldest]
    sorted_times, sorted_values = np.empty(len(order), dtype=np.int64), np.empty(len(order))
    starts = np.empty(len(order), dtype=np.int64)
    count, back = gather_series(order, times, values, devices.codes, users.codes, sorted_times, sorted_values, starts)
    starts = starts[:count]
    lengths = run_lengths(starts, len(order))
    names, others = devices.codes[order[starts]].tolist(), users.codes[order[starts]].tolist()
    pairs = [*zip(map(devices.names.__getitem__, names), map(users.names.__getitem__, others), strict=True)]
    if back:
        again = stable_order(sorted_times, np.repeat(np.arange(count), lengths))
        order, sorted_times, sorted_values = order[again], sorted_times[again], sorted_values[again]
    return GroupedPoints(sorted_times, sorted_values, pairs, lengths, None if _stands(order, len(times)) else order)


def _by_series(devices: Keys, users: Keys) -> Integers:
    """Return the rows by device, then by user, each series in the order in which it came. O(rows + names)."""
    order: Integers = np.arange(len(devices))
    for keys in (users, devices):
        if len(keys.names) > 1:
            before, order = order, np.empty_like(order)
            sort_by_code(keys.codes, before, np.zeros(len(keys.names) + 1, dtype=np.int64), order)
    return order


def _stands(order: Integers, rows: int) -> bool:
    """Return whether an order leaves all rows where they are."""
    return len(order) == rows and bool((order[1:] > order[:-1]).all())
