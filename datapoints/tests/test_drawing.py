"""What a chart is drawn from agrees with the statistics that the API answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints import services
from datapoints.statistics import Aggregate, Fill
from timeseries_project.core.errors import UnknownKeyError
from timeseries_project.core.timestamps import MICROSECONDS

NOW = 10_000 * MICROSECONDS
times = st.integers(0, NOW)


@given(
    points=st.dictionaries(times, st.floats(-1e6, 1e6), min_size=1, max_size=20),
    bucket=st.none() | st.integers(1, 5_000),
    window_size=st.integers(1, 6),
    bounds=st.tuples(st.none() | times, st.none() | times),
)
def test_draws_what_the_statistics_answer(
    points: dict[int, float], bucket: int | None, window_size: int, bounds: tuple[int | None, int | None]
) -> None:
    start, end = bounds
    if start is not None and end is not None and start > end:
        start, end = end, start
    services.store.clear()
    for time, value in points.items():
        services.datapoint_add(timestamp=time, value=value, device="d", user="u", now=NOW)

    chosen = {"bucket": bucket, "window_size": window_size, "start": start, "end": end}
    drawn = services.chart_get(axis="user", key="u", **chosen, now=NOW)

    asked = {"bucket": drawn.width, "start": start, "end": end, "fill": Fill.NULL, "now": NOW}
    rows = services.statistics_list(axis="user", key="u", aggregate=Aggregate.AVG, **asked)
    starts, averages, counts = rows.columns(0, len(rows))
    moving = services.moving_average_list(axis="user", key="u", window_size=window_size, min_periods=None, **asked)
    np.testing.assert_array_equal(drawn.starts, starts.astype(np.int64))
    np.testing.assert_array_equal(drawn.averages, averages)
    np.testing.assert_array_equal(drawn.counts, counts)
    np.testing.assert_array_equal(drawn.moving_averages, moving.columns(0, len(moving))[1])
    assert (drawn.first, drawn.last) == (min(points), max(points))


def test_an_unknown_key_is_not_drawn() -> None:
    with pytest.raises(UnknownKeyError):
        services.chart_get(axis="device", key="d", bucket=None, window_size=4, start=None, end=None, now=NOW)
