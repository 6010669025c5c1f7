"""Grouping of a batch by series: by device and user, each series ascending, equal points in the order they came."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from datapoints.memory.grouping import grouped
from timeseries_project.core.arrays import Keys
from timeseries_project.tests.drawn import drawn

rows = st.lists(st.tuples(st.integers(0, 6), st.sampled_from("abcd"), st.sampled_from("uvw")), max_size=40)


@drawn(300)
@given(rows, st.integers(0, 7))
@example([(1, "a", "u"), (2, "a", "u")], 0)
@example([(2, "a", "u"), (1, "a", "u")], 0)
@example([], 3)
def test_points_are_grouped_as_a_stable_sort_groups_them(batch: list[tuple[int, str, str]], oldest: int) -> None:
    times = np.array([time for time, _, _ in batch], dtype=np.int64)
    devices, users = Keys([device for _, device, _ in batch]), Keys([user for _, _, user in batch])
    points = grouped(times, np.arange(len(batch)) + 0.5, devices, users, oldest)

    def place(row: int) -> tuple[int, int, int]:
        time, device, user = batch[row]
        return devices.names.index(device), users.names.index(user), time

    order = sorted((row for row in range(len(batch)) if batch[row][0] >= oldest), key=place)
    pairs = [batch[row][1:] for row in order]
    assert points.times.tolist() == [batch[row][0] for row in order]
    assert points.values.tolist() == [row + 0.5 for row in order]
    assert points.pairs == [*dict.fromkeys(pairs)]
    assert points.lengths.tolist() == [pairs.count(pair) for pair in dict.fromkeys(pairs)]
    assert points.order is None if order == [*range(len(batch))] else points.order.tolist() == order  # type: ignore[union-attr]
