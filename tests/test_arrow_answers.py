"""Answers of rows as Arrow IPC streams: what JSON says, in columns of fixed types, for each list."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from rest_framework.exceptions import NotAcceptable
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.api.answers import SENDING
from timeseries_project.api.arrow.writing import END
from timeseries_project.core import clock
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.tests.problems import problem
from transactions import services as transactions

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
TIME, DOUBLE, COUNT, KEY = pa.timestamp("us", tz="UTC"), pa.float64(), pa.int64(), pa.string()
BUCKETS = {"timestamp": TIME, "value": DOUBLE, "count": COUNT}
MOVING = {"timestamp": TIME, "value": DOUBLE}
SUMMARY = {"count": COUNT, "first": TIME, "last": TIME}
BYTES = {"bytes_ts": COUNT, "bytes_fs": COUNT}

#: An address of every operation that answers rows, by its path in the schema; and the columns of the answer.
LISTS: dict[str, tuple[list[str], dict[str, pa.DataType]]] = {
    "/datapoints": (
        ["/datapoints", "/datapoints?order=desc&limit=3", "/datapoints?device=nobody"],
        {"timestamp": TIME, "value": DOUBLE, "device": KEY, "user": KEY},
    ),
    "/devices": (["/devices", "/devices?search=nothing"], {"device": KEY, **SUMMARY}),
    "/users": (["/users", "/users?limit=1"], {"user": KEY, **SUMMARY}),
    "/statistics/{axis}/{aggregate}": (
        [
            *(f"/statistics/devices/a,%22b/{name}" for name in ("avg", "count", "first", "stddev")),
            "/statistics/devices/a,%22b/avg?start=2031-01-01",
        ],
        BUCKETS,
    ),
    "/statistics/devices/{device}/{aggregate}": (["/statistics/devices/a,%22b/max?bucket=1d&tz=Europe/Paris"], BUCKETS),
    "/statistics/users/{user}/{aggregate}": (
        ["/statistics/users/ada/sum?fill=none", "/statistics/users/ada/count"],
        BUCKETS,
    ),
    "/statistics/devices/{device}/percentile": (["/statistics/devices/a,%22b/percentile?q=0.5"], BUCKETS),
    "/statistics/users/{user}/percentile": (["/statistics/users/ada/percentile?q=1"], BUCKETS),
    "/statistics/devices/{device}/moving_avg": (["/statistics/devices/a,%22b/moving_avg?window_size=2"], MOVING),
    "/statistics/users/{user}/moving_avg": (
        [
            "/statistics/users/ada/moving_avg?window_size=3&min_periods=1",
            "/statistics/users/ada/moving_avg?window_size=1&end=1971-01-01",
        ],
        MOVING,
    ),
    "/api/bandwidth": (
        ["/api/bandwidth?device_uuid=r1", "/api/bandwidth?device_uuid=r1&end_time=7&window_time=60&num_windows=3"],
        {"timestamp": TIME, **BYTES},
    ),
    "/api/bandwidth/entries": (
        ["/api/bandwidth/entries", "/api/bandwidth/entries?device_uuid=nobody"],
        {"device_id": KEY, "timestamp": TIME, **BYTES},
    ),
    "/api/bandwidth/devices": (
        ["/api/bandwidth/devices", "/api/bandwidth/devices?search=nothing"],
        {"device_id": KEY, "count": COUNT, "first": TIME, "last": TIME, **BYTES},
    ),
    "/api/statistics/history": (
        ["/api/statistics/history"],
        {"timestamp": TIME, "count": COUNT, "sum": DOUBLE, "min": DOUBLE, "max": DOUBLE},
    ),
}
ADDRESSES = [(address, columns) for addresses, columns in LISTS.values() for address in addresses]


def fill(now: int) -> None:
    """Store something of everything: fractions of seconds, gaps, keys that CSV quotes, and entries of one instant."""
    points = [
        (-9_000, 1.5, 'a,"b', "ada"),
        (-9_000, 2.25, "Ω", "ada"),
        (-1_800, -3.0, 'a,"b', "ada"),
        (0, 1e150, "c", "bob"),
    ]
    times = [(now + age) * MICROSECONDS + 250_000 * (age == 0) for age, *_ in points]
    _, values, devices, users = map(list, zip(*points, strict=True))
    datapoints.datapoints_add(timestamp=times, value=values, device=devices, user=users, now=clock.now())
    entries = {"device_id": ["r1", "r1", "r2"], "timestamp": [now - 30, now - 30, 0], "bytes_ts": [1, 2, 2**53 - 1]}
    bandwidth.entries_add(**entries, bytes_fs=[0, 5, 6], now=clock.now_s())
    transactions.transactions_record(
        amount=[1.5, -2.5, 7.0], timestamp=[now * 1_000, now * 1_000, now * 1_000 - 9_000], now=clock.now_ms()
    )


def content(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content) if response.streaming else response.content


def stream(api: APIClient, address: str) -> bytes:
    response = api.get(address, headers={"Accept": MEDIA_TYPE})
    assert response["Content-Type"] == MEDIA_TYPE
    return content(response)


def table(text: bytes) -> pa.Table:
    """Read a stream that must be whole."""
    assert text.endswith(END)
    assert len(text) % 8 == 0
    with pa.ipc.open_stream(text) as reader:
        found = reader.read_all()
    found.validate(full=True)
    return found


def instant(value: Any) -> datetime:
    """Return a time as JSON has it, as text or in epoch seconds."""
    return datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)


def expected(answer: Any, columns: dict[str, pa.DataType]) -> list[dict[str, Any]]:
    """Return the rows of an answer in JSON, with their times as such."""
    rows = answer if isinstance(answer, list) else answer.get("results", answer.get("data"))
    return [{name: instant(row[name]) if kind == TIME else row[name] for name, kind in columns.items()} for row in rows]


def test_every_list_of_rows_is_here(api: APIClient) -> None:
    """An operation whose answer in JSON is an array, or has one, answers Arrow too, and is compared below."""
    schema = json.loads(api.get("/api/schema/?format=json").content)

    def has_rows(answer: dict[str, Any]) -> bool:
        described = answer["application/json"]["schema"]
        if name := described.get("$ref", "").rpartition("/")[2]:
            described = schema["components"]["schemas"][name]
        members = described.get("properties", {}).values()
        return "array" in (described.get("type"), *(member.get("type") for member in members))

    answers = {
        path: item["get"]["responses"]["200"]["content"] for path, item in schema["paths"].items() if "get" in item
    }
    lists = {path for path, answer in answers.items() if "application/json" in answer and has_rows(answer)}
    lists.remove("/query")  # whose results are of statements, in the one form that clients of InfluxDB read
    assert lists == {path for path, answer in answers.items() if MEDIA_TYPE in answer}
    assert lists == set(LISTS) - {"/statistics/{axis}/{aggregate}"}


@pytest.mark.storages("redis", "cluster")
@pytest.mark.parametrize(("address", "columns"), ADDRESSES, ids=[address for address, _ in ADDRESSES])
def test_a_stream_says_what_json_says(api: APIClient, now: int, address: str, columns: dict[str, pa.DataType]) -> None:
    fill(now)
    answer = api.get(address)
    found = table(stream(api, address))
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == columns
    assert found.to_pylist() == expected(json.loads(content(answer)), columns)
    with_format = api.get(address + ("&" if "?" in address else "?") + "format=arrow")
    assert content(with_format) == stream(api, address)
    assert with_format.headers.get("Link", "").replace("&format=arrow", "") == answer.headers.get("Link", "")


def test_an_empty_answer_has_the_schema_of_a_full_one(api: APIClient, now: int) -> None:
    fill(now)
    for full, empty in (
        ("/datapoints", "/datapoints?device=nobody"),
        ("/devices", "/devices?search=nothing"),
        ("/statistics/users/ada/avg", "/statistics/users/ada/count?end=1971-01-01"),
        ("/api/bandwidth/entries", "/api/bandwidth/entries?device_uuid=nobody"),
    ):
        tables = [table(stream(api, address)) for address in (full, empty)]
        assert tables[0].schema.equals(tables[1].schema, check_metadata=True)
        assert tables[0].num_rows > 0 == tables[1].num_rows


def test_what_is_missing_is_null_and_never_nan(api: APIClient, now: int) -> None:
    fill(now)
    values = table(stream(api, "/statistics/users/ada/avg"))["value"]
    assert values.null_count > 0
    assert not any(value != value for value in values.to_pylist())
    counts = table(stream(api, "/statistics/users/ada/avg"))["count"]
    assert (counts.null_count, 0 in counts.to_pylist()) == (0, True)


def read_by_pandas(text: bytes) -> list[dict[str, Any]]:
    frame = pa.ipc.open_stream(text).read_pandas()
    assert str(frame.dtypes["timestamp"]) == "datetime64[us, UTC]"
    rows: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{name: v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for name, v in row.items()} for row in rows]


def read_by_polars(text: bytes) -> list[dict[str, Any]]:
    frame = pl.read_ipc_stream(io.BytesIO(text))
    assert frame.schema["timestamp"] == pl.Datetime("us", "UTC")
    return frame.to_dicts()


def read_by_duckdb(text: bytes) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.from_arrow(pa.ipc.open_stream(text)).to_arrow_table()
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


@pytest.mark.parametrize("read", [read_by_pandas, read_by_polars, read_by_duckdb])
@pytest.mark.parametrize("address", ["/datapoints", "/statistics/users/ada/avg", "/api/bandwidth/entries"])
def test_every_reader_reads_the_same(
    api: APIClient, now: int, address: str, read: Callable[[bytes], list[dict[str, Any]]]
) -> None:
    fill(now)
    text = stream(api, address)
    assert read(text) == table(text).to_pylist()


def test_parts_of_a_listing_follow_one_another(api: APIClient, now: int) -> None:
    fill(now)
    for address in ("/datapoints?limit=1", "/api/bandwidth/entries?limit=1", "/devices?limit=1"):
        whole = table(stream(api, address.partition("?")[0])).to_pylist()
        rows: list[Any] = []
        following: str | None = address
        while following:
            response = api.get(following, headers={"Accept": MEDIA_TYPE})
            rows += table(content(response)).to_pylist()
            following = response.headers["Link"].partition(">")[0].lstrip("<") if "Link" in response.headers else None
        assert rows == whole
        assert len(rows) > 1


def test_a_long_list_is_sent_in_batches_as_it_is_read(api: APIClient, now: int) -> None:
    names = [f"d{i:05}" for i in range(2_500)]
    datapoints.datapoints_add(
        timestamp=[1] * 2_500, value=[1.0] * 2_500, device=names, user=["u"] * 2_500, now=clock.now()
    )
    bandwidth.entries_add(
        device_id=names, timestamp=[1] * 2_500, bytes_ts=[1] * 2_500, bytes_fs=[1] * 2_500, now=clock.now_s()
    )
    for path, field in (("/devices", "device"), ("/api/bandwidth/devices", "device_id")):
        text = stream(api, path)
        assert [batch.num_rows for batch in pa.ipc.open_stream(text)] == [1_000, 1_000, 500]
        assert table(text)[field].to_pylist() == names


@pytest.mark.storages("redis", "cluster")
def test_bytes_have_64_bits_and_more_is_refused(api: APIClient, now: int) -> None:
    """JSON has integers of any size, a column has not: rather no answer than one that is wrong, or of another type."""
    most = [2**53 - 1] * 1_024 + [1_023]  # 2**63 - 1 in all
    device: dict[str, Any] = {"device_id": ["r"] * len(most), "timestamp": [now] * len(most)}
    bandwidth.entries_add(**device, bytes_ts=most, bytes_fs=[0] * len(most), now=clock.now_s())
    addresses = ("/api/bandwidth?device_uuid=r", "/api/bandwidth/entries", "/api/bandwidth/devices")
    for address in addresses:
        assert table(stream(api, address))["bytes_ts"].to_pylist()[-1] == 2**63 - 1
    bandwidth.entry_add(device_id="r", timestamp=now, bytes_ts=1, bytes_fs=0, now=clock.now_s())
    for address in addresses:
        assert str(2**63) in api.get(address).content.decode()
        detail = problem(api.get(address, headers={"Accept": MEDIA_TYPE}), 406)["detail"]
        assert "64 bits" in detail
        assert "JSON or CSV" in detail


def test_windows_that_end_before_any_time_of_arrow_are_refused(api: APIClient, now: int) -> None:
    fill(now)
    address = "/api/bandwidth?device_uuid=r1&window_time=2147483647&num_windows="
    assert table(stream(api, f"{address}4000")).num_rows == 4_000  # 270,000 years
    assert len(api.get(f"{address}10000").json()["data"]) == 10_000
    problem(api.get(f"{address}10000", headers={"Accept": MEDIA_TYPE}), 406)


def test_errors_stay_problems(api: APIClient, now: int) -> None:
    for address, status in (
        ("/datapoints?limit=0", 400),
        ("/statistics/users/nobody/avg", 404),
        ("/api/statistics", 406),
        ("/healthz", 406),
        ("/nowhere", 404),
    ):
        problem(api.get(address, headers={"Accept": MEDIA_TYPE}), status)
    problem(api.get("/api/statistics?format=arrow"), 406)
    assert MEDIA_TYPE in problem(api.get("/datapoints", headers={"Accept": "image/png"}), 406)["detail"]


def test_the_browsable_page_offers_it(api: APIClient, now: int) -> None:
    page = api.get("/devices", headers={"Accept": "text/html"}).content.decode()
    assert "format=arrow" in page


def test_head_and_tags_are_as_in_the_other_forms(api: APIClient, now: int) -> None:
    fill(now)
    for address in ("/datapoints", "/devices", "/statistics/users/ada/avg", "/api/bandwidth/entries"):
        got = api.get(address, headers={"Accept": MEDIA_TYPE})
        assert got["ETag"] != api.get(address)["ETag"]
        assert got["Vary"] == "Accept, Accept-Encoding"
        again = api.get(address, headers={"Accept": MEDIA_TYPE, "If-None-Match": got["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", got["ETag"])
        head = api.head(address, headers={"Accept": MEDIA_TYPE})
        assert {**head.headers, "X-Request-ID": ""} == {**got.headers, "X-Request-ID": ""}


def test_a_sum_found_midway_breaks_the_answer_off_without_an_end(api: APIClient, now: int) -> None:
    names = [f"d{i:05}" for i in range(2_500)] + ["x"] * 1_025
    sums = [1] * 2_500 + [2**53 - 1] * 1_025
    bandwidth.entries_add(
        device_id=names, timestamp=[now] * len(names), bytes_ts=sums, bytes_fs=sums, now=clock.now_s()
    )
    response = api.get("/api/bandwidth/devices?format=arrow")
    parts = []
    with pytest.raises(NotAcceptable, match="64 bits"):
        parts.extend(iter(response.streaming_content))
    assert len(parts) == 3  # the schema and two portions
    assert not parts[-1].endswith(END)


@pytest.mark.parametrize("fill", ["null", "zero", "linear"])
def test_millions_of_buckets_take_little_memory(api: APIClient, now: int, fill: str) -> None:
    """Three million buckets are 72 MB in Arrow; of these only a slice is there at once, in Python as in Arrow."""
    for second in (0, 3_000_000):
        datapoints.store.add(second * MICROSECONDS, 2.0, "long", "u")
    response = api.get(f"/statistics/devices/long/avg?bucket=1s&end=3000000&fill={fill}&format=arrow")
    assert response.status_code == 200
    sizes, arrow = [], []
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        for part in response.streaming_content:
            sizes.append(len(part))
            arrow.append(pa.total_allocated_bytes() - before)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 70_000_000
    assert max(sizes) < SENDING
    assert max(arrow) < SENDING
    assert peak < 8_000_000
