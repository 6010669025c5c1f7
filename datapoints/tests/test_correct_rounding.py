"""Sums and averages over HTTP are rounded once, however the points came and whatever answers them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import questions, services
from datapoints.interface import QUARTER_HOUR
from datapoints.questions import MAX_REACH
from datapoints.statistics import Fill
from datapoints.tests import oracle
from datapoints.tests.points import add_batch, values
from timeseries_project.core import clock
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.problems import fields, problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]

SECOND = 1_000_000
#: Points a third of a bucket of five minutes apart, so that buckets of any width hold several.
STEP = 100 * SECOND

points = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abc"), values), min_size=1, max_size=25)


def answered(api: APIClient, query: str) -> list[Any]:
    response = api.get(f"/statistics/{query}")
    assert response.status_code == 200, response.content
    rows: list[Any] = msgspec.json.decode(response.content)
    return rows


@pytest.mark.parametrize("at_once", [True, False])
def test_what_cancels_leaves_what_is_small(api: APIClient, at_once: bool) -> None:
    start = clock.now() // QUARTER_HOUR * QUARTER_HOUR - QUARTER_HOUR
    body = [
        {"timestamp": (start + i * SECOND) / 1e6, "value": value, "device": "d", "user": "u"}
        for i, value in enumerate([1e60, 1e30, 1.0, -1e30, -1e60])
    ]
    for part in [body] if at_once else body:
        assert api.post("/datapoints", json.dumps(part), content_type="application/json").status_code == 201
    for bucket in ("15m", "5m", "1h"):
        [total] = answered(api, f"devices/d/sum?bucket={bucket}&fill=none")
        [average] = answered(api, f"devices/d/avg?bucket={bucket}&fill=none")
        assert (total["value"], average["value"], average["count"]) == (1.0, 0.2, 5)


@pytest.mark.parametrize("portion", [questions.PORTION, 2])
@given(drawn_points=points, cuts=st.lists(st.integers(0, 25), max_size=3))
@drawn(150, least=10)
def test_sums_and_averages_are_the_nearest_doubles(
    api: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    portion: int,
    drawn_points: list[tuple[int, str, float]],
    cuts: list[int],
) -> None:
    monkeypatch.setattr(questions, "PORTION", portion)
    services.store.clear()
    base = clock.now() // QUARTER_HOUR * QUARTER_HOUR - 8 * QUARTER_HOUR
    batch = list({(base + i * STEP, user): (value, "d", user) for i, user, value in drawn_points}.items())
    rows = [(time, *rest) for (time, _), rest in batch]
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True):
        if some := rows[begin:end]:
            assert add_batch(services.store, some, skip=False) == len(some)
    for bucket, width in (("15m", QUARTER_HOUR), ("30m", 2 * QUARTER_HOUR), ("5m", QUARTER_HOUR // 3)):
        buckets: dict[int, list[float]] = {}
        for time, value, _, _ in rows:
            buckets.setdefault(time // width, []).append(value)
        known = oracle.averages(buckets)
        totals = answered(api, f"devices/d/sum?bucket={bucket}&fill=none")
        assert [row["value"] for row in totals] == [oracle.total(buckets[number]) for number in sorted(buckets)]
        for fill in (Fill.NULL, Fill.ZERO, Fill.PREVIOUS, Fill.LINEAR):
            expected = oracle.filled(known, clock.now() // width, fill)
            query = f"bucket={bucket}&fill={fill}"
            assert [row["value"] for row in answered(api, f"devices/d/avg?{query}")] == [y for _, y in expected]
            for size, least in ((3, 3), (4, 1)):
                averages = answered(api, f"devices/d/moving_avg?window_size={size}&min_periods={least}&{query}")
                assert [row["value"] for row in averages] == [y for _, y in oracle.moving(expected, size, least)]


def test_lines_over_too_many_buckets_are_refused(api: APIClient) -> None:
    services.store.add(0, 1.0, "d", "u")
    services.store.add(clock.now(), 2.0, "d", "u")
    query = f"bucket=1s&start={clock.now() // SECOND - 10}&fill"
    body = problem(api.get(f"/statistics/devices/d/moving_avg?window_size={MAX_REACH + 1}&{query}=linear"), 400)
    assert fields(body) == ["window_size"]
    assert len(answered(api, f"devices/d/moving_avg?window_size={MAX_REACH + 1}&{query}=previous")) == 11
    assert len(answered(api, f"devices/d/moving_avg?window_size=1000&{query}=linear")) == 11
