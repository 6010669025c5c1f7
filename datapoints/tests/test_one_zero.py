"""There is one zero: whatever is sent, and whatever is worked out of it, no answer shows -0."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services
from datapoints.statistics import Aggregate, Fill
from datapoints.tests.requests import POINT, post, post_raw, stored
from timeseries_project.core import timestamps
from timeseries_project.tests.drawn import drawn

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]

#: A negative zero in JSON or CSV; dates have a digit behind it.
NEGATIVE_ZERO = re.compile(r"(?<![0-9T])-0(?:\.0*)?(?:[eE][-+]?[0-9]+)?(?![.0-9])")
#: The smallest doubles, whose means and lines are rounded to zero, from either side.
TINY = (-0.0, 0.0, -5e-324, 5e-324, -1e-323, 1e-320, -1e-320)
STATISTICS = (*Aggregate, "percentile?q=0.3", "moving_avg?window_size=2", "moving_avg?window_size=7&min_periods=1")


def text(api: APIClient, path: str) -> str:
    response = api.get(path)
    assert response.status_code == 200, response.content
    content: bytes = response.content
    return content.decode()


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (json.dumps(POINT | {"value": -0.0}), "application/json"),
        (json.dumps([POINT | {"value": -0.0}]), "application/json"),
        (json.dumps(POINT).replace("20.5", "-0"), "application/x-ndjson"),
        (json.dumps(POINT).replace("20.5", "-1e-400"), "application/x-ndjson"),
        ("timestamp,value,device,user\n2026-01-31T11:00:00Z,-0.0,d,u\n", "text/csv"),
        ("timestamp,value,device,user\n2026-01-31T11:00:00Z,-0e5,d,u\n", "text/csv"),
    ],
)
def test_a_negative_zero_comes_in_as_zero(api: APIClient, body: str, media_type: str) -> None:
    response = post_raw(api, body, media_type)
    assert response.status_code == 201
    assert not NEGATIVE_ZERO.search(response.content.decode())
    assert str(stored(api)[0]["value"]) == "0.0"
    for path in ("/datapoints?format=csv", "/statistics/devices/d/min", "/statistics/users/u/sum?format=csv"):
        assert not NEGATIVE_ZERO.search(text(api, path)), path


@drawn(60)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(TINY)), min_size=1, max_size=8))
def test_none_is_worked_out(api: APIClient, points: list[tuple[int, float]]) -> None:
    services.store.clear()
    start = timestamps.parse("2026-01-31T10:00:00Z")
    sent = [
        POINT | {"timestamp": timestamps.render(start + hour * 900_000_000 + i * 1_000_000), "value": value}
        for i, (hour, value) in enumerate(points)
    ]
    assert post(api, sent).status_code == 201
    for aggregate in STATISTICS:
        for fill in Fill:
            for rest in ("", "&bucket=5m", "&format=csv"):
                path = f"/statistics/devices/d/{aggregate}{'&' if '?' in aggregate else '?'}fill={fill}{rest}"
                assert not NEGATIVE_ZERO.search(text(api, path)), path
