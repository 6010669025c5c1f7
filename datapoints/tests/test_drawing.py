"""What a chart is drawn from agrees with the statistics that the API answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datapoints import services
from datapoints.statistics import Aggregate, Fill
from timeseries_project.core.errors import UnknownKeyError
from timeseries_project.core.spans import Span
from timeseries_project.core.timestamps import MICROSECONDS

NOW = 10_000 * MICROSECONDS
times = st.integers(0, NOW)
LATER = 12_000 * 86_400 * MICROSECONDS
DAYS = 600 * 86_400 * MICROSECONDS


@given(
    points=st.dictionaries(times, st.floats(-1e6, 1e6), min_size=1, max_size=20),
    bucket=st.none() | st.integers(1, 5_000).map(lambda seconds: Span(seconds, "s")),
    window_size=st.integers(1, 6),
    bounds=st.tuples(st.none() | times, st.none() | times),
)
def test_draws_what_the_statistics_answer(
    points: dict[int, float], bucket: Span | None, window_size: int, bounds: tuple[int | None, int | None]
) -> None:
    start, end = bounds
    if start is not None and end is not None and start > end:
        start, end = end, start
    services.store.clear()
    for time, value in points.items():
        services.datapoint_add(timestamp=time, value=value, device="d", user="u", now=NOW)

    check(points, {"bucket": bucket, "window_size": window_size, "start": start, "end": end}, NOW)


@given(
    points=st.dictionaries(st.integers(LATER - DAYS, LATER), st.floats(-1e6, 1e6), min_size=1, max_size=20),
    bucket=st.none() | st.builds(Span, st.integers(1, 3), st.sampled_from(["h", "d", "w", "mo", "y"])),
    tz=st.none() | st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/Santiago"]),
    bounds=st.tuples(*[st.none() | st.integers(LATER - DAYS, LATER)] * 2),
)
def test_draws_what_the_statistics_answer_by_the_calendar_of_a_zone(
    points: dict[int, float], bucket: Span | None, tz: str | None, bounds: tuple[int | None, int | None]
) -> None:
    start, end = bounds
    if start is not None and end is not None and start > end:
        start, end = end, start
    services.store.clear()
    for time, value in points.items():
        services.datapoint_add(timestamp=time, value=value, device="d", user="u", now=LATER)
    check(points, {"bucket": bucket, "tz": tz, "window_size": 3, "start": start, "end": end}, LATER)


def check(points: dict[int, float], chosen: dict[str, Any], now: int) -> None:
    drawn = services.chart_get(axis="user", key="u", **chosen, now=now)

    window_size = chosen["window_size"]
    asked = {name: chosen[name] for name in ("start", "end")} | {"fill": Fill.NULL, "now": now}
    asked |= {"bucket": drawn.division.span, "tz": drawn.division.tz}
    rows = services.statistics_list(axis="user", key="u", aggregate=Aggregate.AVG, **asked)
    starts, averages, counts = rows.columns(0, len(rows))
    moving = services.moving_average_list(axis="user", key="u", window_size=window_size, min_periods=None, **asked)
    np.testing.assert_array_equal(drawn.starts, starts.astype(np.int64))
    if len(starts):
        assert drawn.stop * MICROSECONDS == drawn.division.end(int(drawn.starts[-1]) * MICROSECONDS)
    np.testing.assert_array_equal(drawn.averages, averages)
    np.testing.assert_array_equal(drawn.counts, counts)
    np.testing.assert_array_equal(drawn.moving_averages, moving.columns(0, len(moving))[1])
    assert (drawn.first, drawn.last) == (min(points), max(points))


def test_an_unknown_key_is_not_drawn() -> None:
    with pytest.raises(UnknownKeyError):
        services.chart_get(axis="device", key="d", bucket=None, window_size=4, start=None, end=None, now=NOW)
