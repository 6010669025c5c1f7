"""Statistics over HTTP: buckets from the first datapoint to now, fills, windows, ranges, long answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services
from datapoints.interface import QUARTER_HOUR
from datapoints.statistics import Aggregate, Fill
from datapoints.tests import oracle
from timeseries_project.core import clock, timestamps
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.problems import fields, problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]

AGGREGATES = [aggregate.value for aggregate in Aggregate]


def add(*points: tuple[str, float], device: str = "d", user: str = "u") -> None:
    for text, value in points:
        assert services.store.add(timestamps.parse(f"2026-01-31T{text}Z"), value, device, user)


def get(api: APIClient, query: str) -> Any:
    response = api.get(f"/statistics/{query}")
    assert response.status_code == 200, response.content
    return msgspec.json.decode(b"".join(response.streaming_content) if response.streaming else response.content)


def values(api: APIClient, query: str) -> list[float | None]:
    return [row["value"] for row in get(api, query)]


@pytest.fixture
def hours() -> None:
    """Three datapoints in 11:00, one in 11:15 and one in 11:45; now is 12:00."""
    add(("11:00:00", 10), ("11:07:00", 20), ("11:14:59.999999", 30), ("11:15:00", 40), ("11:50:00", 60))


@pytest.mark.usefixtures("hours")
class TestAverages:
    def test_every_bucket_from_the_first_datapoint_to_now(self, api: APIClient) -> None:
        assert get(api, "devices/d/avg") == [
            {"timestamp": "2026-01-31T11:00:00Z", "value": 20.0, "count": 3},
            {"timestamp": "2026-01-31T11:15:00Z", "value": 40.0, "count": 1},
            {"timestamp": "2026-01-31T11:30:00Z", "value": None, "count": 0},
            {"timestamp": "2026-01-31T11:45:00Z", "value": 60.0, "count": 1},
            {"timestamp": "2026-01-31T12:00:00Z", "value": None, "count": 0},
        ]

    def test_to_the_last_datapoint_if_the_skew_puts_it_later(
        self, api: APIClient, set_clock: Callable[[str], int]
    ) -> None:
        set_clock("2026-01-31T12:14:58Z")
        add(("12:15:02", 1))
        assert get(api, "users/u/avg")[-1] == {"timestamp": "2026-01-31T12:15:00Z", "value": 1.0, "count": 1}

    def test_over_all_series_of_the_key(self, api: APIClient) -> None:
        add(("11:00:00", 40), user="v")
        assert values(api, "devices/d/avg")[0] == 25
        assert values(api, "users/u/avg")[0] == 20
        assert values(api, "users/v/avg")[0] == 40

    @pytest.mark.parametrize(
        ("fill", "expected"),
        [
            ("null", [20, 40, None, 60, None]),
            ("zero", [20, 40, 0, 60, 0]),
            ("previous", [20, 40, 40, 60, 60]),
            ("linear", [20, 40, 50, 60, None]),
            ("none", [20, 40, 60]),
        ],
    )
    def test_fills(self, api: APIClient, fill: str, expected: list[float | None]) -> None:
        assert values(api, f"devices/d/avg?fill={fill}") == expected

    @pytest.mark.parametrize(
        ("bucket", "expected"),
        [
            ("1h", [("11:00:00", 32), ("12:00:00", None)]),
            ("30m", [("11:00:00", 25), ("11:30:00", 60), ("12:00:00", None)]),
            ("1800s", [("11:00:00", 25), ("11:30:00", 60), ("12:00:00", None)]),
            ("20m", [("11:00:00", 25), ("11:20:00", None), ("11:40:00", 60), ("12:00:00", None)]),
            ("1d", [("00:00:00", 32)]),
        ],
    )
    def test_buckets_of_any_width(self, api: APIClient, bucket: str, expected: list[tuple[str, float]]) -> None:
        answer = get(api, f"devices/d/avg?bucket={bucket}")
        assert [(row["timestamp"][11:19], row["value"]) for row in answer] == expected

    def test_buckets_line_up_with_the_epoch(self, api: APIClient) -> None:
        starts = [timestamps.parse(r["timestamp"]) for r in get(api, "devices/d/avg?bucket=7d")]
        assert [start % (7 * 86_400_000_000) for start in starts] == [0]


@pytest.mark.usefixtures("hours")
class TestMovingAverages:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("window_size=1", [20, 40, None, 60, None]),
            ("window_size=2", [None, 30, None, None, None]),
            ("window_size=2&min_periods=1", [20, 30, 40, 60, 60]),
            ("window_size=2&fill=zero", [None, 30, 20, 30, 30]),
            ("window_size=2&fill=previous", [None, 30, 40, 50, 60]),
            ("window_size=2&fill=linear", [None, 30, 45, 55, None]),
            ("window_size=2&fill=none", [None, 30, 50]),
            ("window_size=5", [None] * 5),
            ("window_size=6&min_periods=3", [None, None, None, 40, 40]),
            ("window_size=2147483647", [None] * 5),
            ("window_size=2147483647&min_periods=2", [None, 30, 30, 40, 40]),
            ("window_size=3&bucket=30m&min_periods=2", [None, 42.5, 42.5]),
        ],
    )
    def test_means_of_the_last_buckets(self, api: APIClient, query: str, expected: list[float | None]) -> None:
        assert values(api, f"devices/d/moving_avg?{query}") == expected
        assert values(api, f"users/u/moving_avg?{query}") == expected

    def test_rows_hold_timestamp_and_value(self, api: APIClient) -> None:
        assert get(api, "devices/d/moving_avg?window_size=1")[0] == {
            "timestamp": "2026-01-31T11:00:00Z",
            "value": 20.0,
        }

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "window_size=",
            "window_size=0",
            "window_size=-1",
            "window_size=1.5",
            "window_size=1.0",
            "window_size=abc",
            "window_size=1e3",
            "window_size=+1",
            "window_size=%20",
            "window_size=٣",
            "window_size=2147483648",
            f"window_size={10**30}",
            "window_size=1" + "0" * 5_000,
            "window_size=2&window_size=2",
            "window_size=2&windowsize=2",
        ],
    )
    def test_a_window_size_that_is_none(self, api: APIClient, query: str) -> None:
        for key in ("devices/d", "users/u", "devices/unknown"):
            body = problem(api.get(f"/statistics/{key}/moving_avg?{query}"), 400)
            assert body["errors"]

    @pytest.mark.parametrize("periods", ["0", "3", "x", "", "-1"])
    def test_min_periods_that_are_none(self, api: APIClient, periods: str) -> None:
        body = problem(api.get(f"/statistics/devices/d/moving_avg?window_size=2&min_periods={periods}"), 400)
        assert fields(body) == ["min_periods"]

    def test_a_spike_leaves_no_trace(self, api: APIClient) -> None:
        add(*((f"1{i // 4}:{i % 4 * 15:02}:00", 1e16 if i == 0 else 1.0) for i in range(8)), device="spiky")
        assert values(api, "devices/spiky/moving_avg?window_size=2")[:8] == [None, (1e16 + 1) / 2, *[1.0] * 6]


@pytest.mark.usefixtures("hours")
class TestAggregates:
    @pytest.mark.parametrize(
        ("aggregate", "first", "empty"),
        [
            ("avg", 20, None),
            ("min", 10, None),
            ("max", 30, None),
            ("sum", 60, None),
            ("count", 3, 0),
            ("stddev", (200 / 3) ** 0.5, None),
            ("first", 10, None),
            ("last", 30, None),
            ("median", 20, None),
            ("p95", 29, None),
            ("p99", 29.8, None),
        ],
    )
    def test_of_full_and_empty_buckets(self, api: APIClient, aggregate: str, first: float, empty: float | None) -> None:
        answer = get(api, f"devices/d/{aggregate}")
        assert [row["count"] for row in answer] == [3, 1, 0, 1, 0]
        assert answer[0]["value"] == pytest.approx(first)
        assert [answer[2]["value"], answer[4]["value"]] == [empty, empty]

    def test_first_and_last_of_one_instant_go_by_the_other_key(self, api: APIClient) -> None:
        for user, value in (("y", 2), ("x", 1), ("z", 3)):
            add(("11:30:00", value), user=user)
        assert values(api, "devices/d/first")[2] == 1
        assert values(api, "devices/d/last")[2] == 3

    @pytest.mark.parametrize("fill", ["null", "zero", "previous", "linear"])
    def test_a_count_has_no_gap_to_fill(self, api: APIClient, fill: str) -> None:
        assert values(api, f"devices/d/count?fill={fill}") == [3, 1, 0, 1, 0]
        assert values(api, "devices/d/count?fill=none") == [3, 1, 1]

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("path", ["devices/d/mode", "users/never seen/mode/", "devices/a/b/mode", "devices/d/AVG"])
    def test_an_unknown_one_is_told_those_that_there_are(self, api: APIClient, path: str, method: str) -> None:
        path = f"/statistics/{path}"
        detail = problem(api.generic(method, path), 404)["detail"]
        for name in (*AGGREGATES, "moving_avg"):
            assert f" {name}" in detail
        page = api.generic(method, path, headers={"Accept": "text/html"})
        assert page.status_code == 404
        assert ", ".join(AGGREGATES) in page.content.decode()

    def test_a_name_of_an_unknown_one_is_cut_and_escaped(self, api: APIClient) -> None:
        assert len(problem(api.get(f"/statistics/devices/d/{'x' * 5_000}"), 404)["detail"]) < 400
        page = api.get("/statistics/devices/d/<b>", headers={"Accept": "text/html"})
        assert "<b>&" not in page.content.decode()
        assert "&#x27;&lt;b&gt;&#x27;" in page.content.decode()


class TestPercentile:
    @pytest.mark.usefixtures("hours")
    def test_has_the_shape_of_the_other_aggregates(self, api: APIClient) -> None:
        rows = get(api, "devices/d/percentile?q=0.25")
        assert [(row["value"], row["count"]) for row in rows] == [(15, 3), (40, 1), (None, 0), (60, 1), (None, 0)]
        for query in (
            "bucket=1h",
            "bucket=1mo",
            "bucket=1d&tz=Asia/Kolkata",
            "fill=linear",
            "fill=none",
            "start=2026-01-31T11:15:00Z&end=2026-01-31T11:20:00Z",
        ):
            for q, name in ((0.5, "median"), (0.95, "p95"), (0.99, "p99"), (0, "min"), (1, "max")):
                for key in ("devices/d", "users/u"):
                    assert get(api, f"{key}/percentile?q={q}&{query}") == get(api, f"{key}/{name}?{query}")
        lines = api.get("/statistics/users/u/percentile?q=0.25&format=csv").content.decode().splitlines()
        assert lines[:2] == ["timestamp,value,count", "2026-01-31T11:00:00Z,15.0,3"]

    @pytest.mark.parametrize("q", ["", "x", "-0.1", "1.1", "95", "nan", "1e999", "0.5%20", "0,5", "9" * 6_000])
    def test_a_fraction_is_needed(self, api: APIClient, q: str) -> None:
        add(("11:00:00", 1))
        body = problem(api.get(f"/statistics/devices/d/percentile?q={q}"), 400)
        assert fields(body) == ["q"]
        assert "from 0 to 1, such as 0.95 for the 95th percentile" in body["detail"]

    def test_belongs_to_the_percentile_alone(self, api: APIClient) -> None:
        add(("11:00:00", 1))
        assert fields(problem(api.get("/statistics/users/u/percentile"), 400)) == ["q"]
        for aggregate in ("avg", "median", "p95"):
            body = problem(api.get(f"/statistics/devices/d/{aggregate}?q=0.5"), 400)
            assert "q is not a parameter here" in body["detail"]
        body = problem(api.get("/statistics/devices/d/percentil"), 404)
        assert "percentile" in body["detail"]
        problem(api.get("/statistics/devices/none/percentile?q=0.5"), 404)


@drawn(100)
@given(
    st.lists(st.floats(-1e150, 1e150) | st.sampled_from([0, 1e150, -1e150, 5e-324]), min_size=1, max_size=30),
    st.floats(0, 1) | st.sampled_from(["0.999", "1", "0", "1e-9", ".5", "1."]),
)
def test_a_percentile_is_that_of_numpy(api: APIClient, values: list[float], q: float | str) -> None:
    services.store.clear()
    for i, value in enumerate(values):
        add((f"11:00:{i:02}", value + 0.0))
    assert get(api, f"devices/d/percentile?q={q}")[0]["value"] == np.quantile(values, float(q))


class TestRanges:
    NOW = "2026-01-31T12:00:00Z"
    QUERIES = [f"{a}?bucket=5m" for a in AGGREGATES] + [
        f"{operation}bucket={bucket}&fill={fill}"
        for operation in ("avg?", "moving_avg?window_size=3&", "moving_avg?window_size=4&min_periods=1&")
        for bucket in ("15m", "10m", "30m")
        for fill in Fill
    ]

    @pytest.mark.parametrize("query", QUERIES)
    @given(
        minutes=st.lists(st.integers(0, 300), min_size=1, max_size=12, unique=True),
        start=st.none() | st.integers(-30, 400),
        length=st.none() | st.integers(0, 200),
    )
    @drawn(15, least=4)
    def test_choose_whole_buckets_and_change_no_value(
        self, api: APIClient, query: str, minutes: list[int], start: int | None, length: int | None
    ) -> None:
        services.store.clear()
        base = timestamps.parse("2026-01-31T06:00:00Z")
        minute = 60_000_000
        for i, m in enumerate(minutes):
            services.store.add(base + m * minute, float(i), "d", f"u{i % 2}")
        low = None if start is None else base + start * minute
        high = None if length is None else (low or base) + length * minute
        cut = "".join(
            f"&{name}={timestamps.render(at)}" for name, at in (("start", low), ("end", high)) if at is not None
        )
        width = int(query.split("bucket=")[1].split("&")[0][:-1]) * minute
        expected = [
            row
            for row in get(api, f"devices/d/{query}")
            if (low is None or timestamps.parse(row["timestamp"]) + width > low)
            and (high is None or timestamps.parse(row["timestamp"]) < high)
            and (low is None or low != high)
        ]
        assert get(api, f"devices/d/{query}{cut}") == expected

    def test_outside_the_data_there_is_nothing(self, api: APIClient) -> None:
        add(("11:00:00", 1))
        for query in (
            "start=2026-02-01",
            "end=2026-01-31T11:00:00Z",
            "start=2026-01-31T11:20:00Z&end=2026-01-31T11:20:00Z",
            "start=9999-12-31T23:59:59Z",
            "start=253402300799",
        ):
            for fill in Fill:
                assert get(api, f"devices/d/avg?{query}&fill={fill}") == []
                assert get(api, f"devices/d/moving_avg?window_size=2&{query}&fill={fill}") == []

    @pytest.mark.parametrize(
        "query",
        [
            "bucket=0s",
            "bucket=15",
            "bucket=1.5h",
            "bucket=-1m",
            "bucket=1.5w",
            "bucket=367d",
            "bucket=",
            "bucket=15M",
            "bucket=1٣m",
            "bucket=15m%0A",
            "bucket=99999999999999999999d",
            "fill=evil",
            "fill=",
            "fill=NULL",
            "start=x",
            "end=",
            "start=-1",
            "start=nan",
            "start=1e999",
            "start=2026-02-01&end=2026-01-01",
            "start=1&start=2",
            "window_size=2",
            "Bucket=15m",
        ],
    )
    def test_invalid_parameters(self, api: APIClient, query: str) -> None:
        add(("11:00:00", 1))
        for url in (f"devices/d/avg?{query}", f"users/u/p99?{query}", f"devices/unknown/sum?{query}"):
            assert problem(api.get(f"/statistics/{url}"), 400)["errors"]

    def test_too_many_buckets_are_refused(self, api: APIClient) -> None:
        services.store.add(0, 1.0, "d", "u")
        body = problem(api.get("/statistics/devices/d/avg?bucket=1s"), 400)
        assert "bucket" in body["detail"]
        assert "start" in body["detail"]
        assert fields(body) == ["bucket"]

    @pytest.mark.parametrize("fill", list(Fill))
    def test_a_short_range_of_a_huge_series_is_answered(self, api: APIClient, fill: Fill) -> None:
        services.store.add(0, 1e16, "d", "u")
        services.store.add(timestamps.parse(self.NOW) - 3_000_000, 3.0, "d", "u")
        query = f"bucket=1s&start=2026-01-31T11:59:57Z&fill={fill}"
        assert values(api, f"devices/d/avg?{query}")[0] == 3.0
        averages = values(api, f"devices/d/moving_avg?{query}&window_size=1")
        assert averages[0] == 3.0


class TestLongAnswers:
    def test_a_quarter_hour_each_since_2000(self, api: APIClient) -> None:
        first = timestamps.parse("2000-01-01")
        services.store.add(first, 1.0, "d", "u")
        services.store.add(clock.now(), 3.0, "d", "u")
        answer = get(api, "devices/d/avg")
        expected = (clock.now() - first) // QUARTER_HOUR + 1
        assert len(answer) == expected > 900_000
        assert answer[0] == {"timestamp": "2000-01-01T00:00:00Z", "value": 1.0, "count": 1}
        assert answer[1] == {"timestamp": "2000-01-01T00:15:00Z", "value": None, "count": 0}
        assert answer[-1] == {"timestamp": "2026-01-31T12:00:00Z", "value": 3.0, "count": 1}
        starts = np.array([row["timestamp"][:-1] for row in answer], dtype="datetime64[s]")
        assert (np.diff(starts).astype(int) == 900).all()
        averages = get(api, "devices/d/moving_avg?window_size=1000000&min_periods=2")
        assert len(averages) == expected
        assert [row["value"] for row in averages[-2:]] == [None, 2.0]

    def test_the_longest_that_must_come_comes(self, api: APIClient) -> None:
        services.store.add(0, 1.0, "d", "u")
        response = api.get("/statistics/devices/d/avg")
        assert response.streaming
        size = sum(len(chunk) for chunk in response.streaming_content)
        buckets = clock.now() // QUARTER_HOUR + 1
        empty = len('{"timestamp":"2026-01-31T12:00:00Z","value":null,"count":0},')
        assert buckets > 1_900_000
        assert size == buckets * empty + 1 - len("null") + len("1.0")

    @pytest.mark.parametrize("rows", [1, 8191, 8192, 8193, 16385])
    def test_csv_and_json_say_the_same_in_slices_of_any_number(self, api: APIClient, rows: int) -> None:
        services.store.add(clock.now() - (rows - 1) * 1_000_000, 0.1, "d", "u")
        services.store.add(clock.now() - rows // 2 * 1_000_000, 1e-7, "d", "v")
        url = "/statistics/devices/d/avg?bucket=1s"
        as_json = get(api, "devices/d/avg?bucket=1s")
        response = api.get(url, headers={"Accept": "text/csv"})
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        text = (b"".join(response.streaming_content) if response.streaming else response.content).decode()
        as_csv = list(csv.DictReader(io.StringIO(text, newline="")))
        assert len(as_csv) == len(as_json) == rows
        for row, cells in zip(as_json, as_csv, strict=True):
            assert cells["timestamp"] == row["timestamp"]
            assert (float(cells["value"]) if cells["value"] else None) == row["value"]
            assert int(cells["count"]) == row["count"]

    def test_the_browsable_page_shows_the_first_thousand(self, api: APIClient) -> None:
        services.store.add(clock.now() - 5_000 * 1_000_000, 1.0, "d", "u")
        response = api.get("/statistics/devices/d/avg?bucket=1s", headers={"Accept": "text/html"})
        text = response.content.decode()
        assert "first 1,000 of 5,001 items" in text
        assert text.count("&quot;count&quot;") == 1_000


@drawn(60)
@given(
    points=st.lists(
        st.tuples(st.integers(0, 40), st.one_of(st.floats(-1e3, 1e3), st.sampled_from([1e16, -1e16, 1e150]))),
        min_size=1,
        max_size=30,
        unique_by=lambda p: p[0],
    ),
    cut=st.integers(0, 30),
    gone=st.lists(st.integers(0, 40), max_size=10, unique=True),
)
def test_averages_are_exact_however_they_came_and_after_deletes(
    api: APIClient, points: list[tuple[int, float]], cut: int, gone: list[int]
) -> None:
    """Points arrive one by one and in batches, with others between that are deleted again."""
    services.store.clear()
    base = clock.now() - 12 * QUARTER_HOUR
    step = QUARTER_HOUR // 4
    for i in gone:
        services.store.add(base + i * step, 1e16, "gone", "u")
    body = [{"timestamp": (base + t * step) / 1e6, "value": v, "device": "d", "user": "u"} for t, v in points]
    for item in body[:cut]:
        assert api.post("/datapoints", json.dumps(item), content_type="application/json").status_code == 201
    assert api.post("/datapoints", json.dumps(body[cut:]), content_type="application/json").status_code == 201
    api.delete("/devices/gone/datapoints")
    buckets: dict[int, list[float]] = {}
    for t, v in points:
        buckets.setdefault((base + t * step) // QUARTER_HOUR, []).append(v)
    exact = oracle.averages(buckets)
    for row in get(api, "users/u/avg?fill=none"):
        number = timestamps.parse(row["timestamp"]) // QUARTER_HOUR
        assert row["value"] == exact[number]
        assert row["count"] == len(buckets[number])


@pytest.mark.parametrize("value", [-1.2345678901234568e-300, -2.2250738585072014e-308, -1.2345678901234567e149])
def test_values_that_take_the_most_room_are_written_whole(api: APIClient, value: float) -> None:
    start = clock.now() - 10_000 * QUARTER_HOUR
    for i in range(0, 10_000, 3):
        services.store.add(start + i * QUARTER_HOUR, value, "d", "u")
    for query in ("avg", "avg?fill=previous", "moving_avg?window_size=1", "min"):
        answer = values(api, f"devices/d/{query}")
        assert answer[:9_999:3] == [value] * 3_333
