"""Outlines of many devices or users at once, against sums of the points themselves, over every kind of store."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints.interface import MOST_OUTLINED, QUARTER_HOUR, Axis, OnDuplicate, Store
from datapoints.memory import outlines as memory_outlines
from datapoints.redis import layout as redis_layout
from datapoints.tests.points import keys, put_batch
from timeseries_project.tests.drawn import drawn

pytestmark = pytest.mark.storages("redis", "cluster")

times = st.integers(0, 60).map(lambda number: number * QUARTER_HOUR // 3)
points = st.tuples(times, st.integers(-1000, 1000).map(float), keys, keys)


def oracle(
    stored: list[tuple[int, float, str, str]], place: int, key: str, start: int, width: int, count: int
) -> list[float | None]:
    averages: list[float | None] = []
    for begin in range(start, start + width * count, width):
        values = [point[1] for point in stored if point[place] == key and begin <= point[0] < begin + width]
        averages.append(sum(values) / len(values) if values else None)
    return averages


def test_outlines_against_the_points(new_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is read at once, and also where points before `oldest` are not dropped yet."""
    monkeypatch.setattr(memory_outlines, "SERIES_AT_ONCE", 3)
    monkeypatch.setattr(redis_layout, "KEYS_AT_ONCE", 2)
    monkeypatch.setattr(redis_layout, "BLOCKS_AT_ONCE", 2)

    @drawn(60)
    @given(
        st.lists(points, max_size=40, unique_by=lambda point: (point[0], *point[2:])),
        st.sampled_from(["device", "user"]),
        st.integers(0, 12),
        st.integers(1, 4),
        st.integers(1, 6),
        st.integers(0, 12),
    )
    def try_it(
        stored: list[tuple[int, float, str, str]], axis: Axis, first: int, quarters: int, count: int, oldest: int
    ) -> None:
        store = new_store()
        if stored:
            put_batch(store, stored, OnDuplicate.ERROR)
        start, width, oldest = first * QUARTER_HOUR, quarters * QUARTER_HOUR, oldest * QUARTER_HOUR
        asked = ["a", "nobody", "ü", "b"]
        place = 2 if axis == "device" else 3
        kept = [point for point in stored if point[0] >= oldest]
        answer = store.outlines(axis, asked, start=start, width=width, count=count, oldest=oldest).averages()
        assert answer == [oracle(kept, place, key, start, width, count) for key in asked]

    try_it()


def test_a_user_of_too_many_devices_has_no_outline(new_store: Callable[[], Store]) -> None:
    store = new_store()
    for user, devices in (("many", MOST_OUTLINED + 1), ("some", MOST_OUTLINED)):
        names = [f"{user}-{number:03}" for number in range(devices)]
        store.add_batch(np.zeros(devices, dtype=np.int64), np.full(devices, 2.0), names, [user] * devices)
    found = store.outlines("user", ["many", "some"], start=0, width=QUARTER_HOUR, count=1)
    assert found.averages() == [[None], [2.0]]
    assert found.counts.tolist() == [[0], [MOST_OUTLINED]]
