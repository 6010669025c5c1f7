"""In one answer all timestamps have one form, so that tables get a column of times and not of text."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from rest_framework.test import APIClient

from datapoints import services
from timeseries_project.api import listings
from timeseries_project.core import clock

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]

SECONDS, FRACTIONS = re.compile(r"[-\d]{10}T[:\d]{8}Z"), re.compile(r"[-\d]{10}T[:\d]{8}\.\d{6}Z")
WHOLE = [1769850000, 1769850900, 1769851800]
#: One of these has a fraction: the one in the middle of its device and user.
MIXED = [1769850000, 1769850900.25, 1769851800]


def post(api: APIClient, times: list[float], device: str = "d", user: str = "u") -> Any:
    body = [{"timestamp": time, "value": 1.5, "device": device, "user": user} for time in times]
    response = api.post("/datapoints", json.dumps(body if len(body) > 1 else body[0]), content_type="application/json")
    assert response.status_code == 201, response.content
    return response


def content(api: APIClient, url: str) -> str:
    response = api.get(url)
    assert response.status_code == 200, response.content
    return (b"".join(response.streaming_content) if response.streaming else response.content).decode()


def texts(answer: object) -> Iterator[str]:
    """Yield the timestamps of an answer."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            yield from [value] if name in ("timestamp", "first", "last") else texts(value)
    elif isinstance(answer, list):
        for item in answer:
            yield from texts(item)


def key_forms(api: APIClient, path: str) -> dict[str, set[str]]:
    """Return which forms the times of each key have in JSON."""
    return {
        next(iter(row.values())): {"fractions" if "." in text else "seconds" for text in texts(row)}
        for row in json.loads(content(api, path))
    }


def forms(api: APIClient, url: str) -> set[str]:
    """Return which of the two forms an answer has in JSON, and in CSV if it has rows."""
    lists_keys = re.fullmatch(r"/(devices|users)(\?.*)?", url)
    found = [] if lists_keys else [*texts(json.loads(content(api, url)))]
    if not re.fullmatch(r"/(devices|users)/[^?]*", url):
        found += re.findall(r"[^,\r\n]*T[^,\r\n]*Z", content(api, f"{url}{'&' if '?' in url else '?'}format=csv"))
    assert found
    assert all(SECONDS.fullmatch(text) or FRACTIONS.fullmatch(text) for text in found)
    return {"seconds" if SECONDS.fullmatch(text) else "fractions" for text in found}


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_listing_has_fractions_where_one_of_its_datapoints_has_one(api: APIClient, order: str) -> None:
    post(api, MIXED)
    post(api, WHOLE, device="e")
    assert forms(api, f"/datapoints?order={order}") == {"fractions"}
    assert forms(api, f"/datapoints?order={order}&device=e") == {"seconds"}
    assert forms(api, f"/datapoints?order={order}&end=1769850900") == {"seconds"}


def test_lists_of_keys_have_fractions_where_one_of_their_times_has_one(api: APIClient) -> None:
    post(api, MIXED, device="a")
    post(api, WHOLE, device="b")
    for url in ("/devices", "/users", "/devices/a", "/users/u", "/devices?limit=2", "/devices?search=b"):
        assert forms(api, url) == {"seconds"}, url
    post(api, [MIXED[1], WHOLE[2]], device="c", user="v")
    for url in ("/devices", "/users", "/devices/c", "/users/v", "/devices?limit=3", "/users?limit=2"):
        assert forms(api, url) == {"fractions"}, url
    assert key_forms(api, "/devices") == {"a": {"seconds"}, "b": {"seconds"}, "c": {"fractions"}}
    for url in ("/devices/b", "/users/u", "/devices?limit=2", "/devices?search=b", "/users?limit=1"):
        assert forms(api, url) == {"seconds"}, url


def test_a_list_that_is_read_while_it_is_sent_has_fractions(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent when the first of them comes could not be taken back."""
    monkeypatch.setattr(listings, "PORTION", 2)
    for device in "abcde":
        post(api, WHOLE, device=device)
    assert forms(api, "/devices") == {"fractions"}
    assert forms(api, "/devices?limit=5") == forms(api, "/users") == {"seconds"}
    answer = api.get("/devices?format=csv").streaming_content
    begun = next(answer)
    post(api, [MIXED[1] + 7_200], device="e")
    text = (begun + b"".join(answer)).decode()
    assert all(FRACTIONS.fullmatch(cell) for line in text.splitlines()[1:] for cell in line.split(",")[2:])


def test_a_datapoint_that_was_stored_is_answered_as_precisely_as_need_be(api: APIClient) -> None:
    assert [post(api, [time]).json()["timestamp"] for time in MIXED[:2]] == [
        "2026-01-31T09:00:00Z",
        "2026-01-31T09:15:00.250000Z",
    ]


@pytest.mark.parametrize("path", ["avg", "last", "moving_avg?window_size=2"])
def test_buckets_begin_with_whole_seconds(api: APIClient, path: str) -> None:
    post(api, MIXED)
    assert forms(api, f"/statistics/devices/d/{path}") == {"seconds"}


def test_seconds_of_the_history_are_whole(api: APIClient) -> None:
    assert forms(api, "/api/statistics/history") == {"seconds"}


@pytest.mark.parametrize("times", [WHOLE, MIXED, MIXED[::-1], [1769850000, 1769850000.000001, 1769850000.9]])
@pytest.mark.parametrize("url", ["/datapoints?device=d", "/datapoints?device=d&order=desc"])
def test_pandas_reads_a_column_of_times(api: APIClient, times: list[float], url: str) -> None:
    post(api, times)
    expected = sorted(times, reverse=url.endswith("desc"))
    table = pd.read_csv(io.StringIO(content(api, f"{url}&format=csv")), parse_dates=["timestamp"])
    rows = pd.DataFrame(json.loads(content(api, url))["results"])
    for column in (table["timestamp"], pd.to_datetime(rows["timestamp"])):
        assert isinstance(column.dtype, pd.DatetimeTZDtype)
        assert [time.timestamp() for time in column] == expected


@pytest.mark.parametrize("limit", ["", "&limit=10000"])
def test_pandas_reads_the_times_of_many_keys(api: APIClient, limit: str) -> None:
    count = 2_500
    times, names = [10**6 * i + 500_000 * (i == 2_000) for i in range(count)], [f"d{i:04}" for i in range(count)]
    services.datapoints_add(timestamp=times, value=[1.0] * count, device=names, user=["u"] * count, now=clock.now())
    table = pd.read_csv(
        io.StringIO(content(api, f"/devices?format=csv{limit}")), parse_dates=["first", "last"], index_col="device"
    )
    for column in ("first", "last"):
        assert isinstance(table[column].dtype, pd.DatetimeTZDtype)
    assert (table["first"] == table["last"]).all()
    assert table["last"]["d2000"] == pd.Timestamp(2000.5, unit="s", tz="UTC")
