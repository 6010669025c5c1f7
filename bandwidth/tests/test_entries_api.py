"""Bandwidth taken out over HTTP: rows by device and instant, part by part, and sent in again elsewhere."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from bandwidth import services
from timeseries_project.tests.problems import problem

END = 1769850000
MOST = 2**53 - 1
PATH = "/api/bandwidth/entries"

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]


def add(api: APIClient, *entries: tuple[str, int, int, int]) -> None:
    names = ("device_id", "timestamp", "bytes_ts", "bytes_fs")
    body = [dict(zip(names, entry, strict=True)) for entry in entries]
    response = api.post("/api/bandwidth", json.dumps(body), content_type="application/json")
    assert response.status_code == 201, response.content


def listed(api: APIClient, query: str = "") -> list[tuple[Any, ...]]:
    response = api.get(f"{PATH}?{query}")
    assert response.status_code == 200, response.content
    return [tuple(row.values()) for row in json.loads(response.content)["results"]]


def parts(api: APIClient, query: str) -> list[list[dict[str, Any]]]:
    """Follow a listing from part to part, in JSON by its cursors, in CSV by its links."""
    found, url = [], f"{PATH}?{query}"
    while True:
        response = api.get(url)
        assert response.status_code == 200, response.content
        if "format=csv" in url:
            found.append(list(csv.DictReader(io.StringIO(response.content.decode()))))
            following = response["Link"].split(">")[0][1:] if "Link" in response else None
        else:
            answer = json.loads(response.content)
            assert list(answer) == ["results", "next"]
            assert ("Link" in response) == (answer["next"] is not None)
            found.append(answer["results"])
            following = f"{PATH}?{query}&cursor={answer['next']}" if answer["next"] else None
        if following is None:
            return found
        url = following


def test_a_row_has_device_instant_and_bytes(api: APIClient) -> None:
    add(api, ("a", END, 3, 5))
    assert api.get(PATH).json() == {
        "results": [{"device_id": "a", "timestamp": END, "bytes_ts": 3, "bytes_fs": 5}],
        "next": None,
    }
    assert api.get(f"{PATH}?format=csv").content.decode() == (
        f"device_id,timestamp,bytes_ts,bytes_fs\r\na,{END},3,5\r\n"
    )


def test_entries_of_one_instant_are_added_up_exactly_beyond_64_bits(api: APIClient) -> None:
    add(api, *[("a", END, MOST, MOST - i) for i in range(3_000)], ("a", END + 1, 0, 0), ("b", END, 1, 2))
    total = sum(MOST - i for i in range(3_000))
    assert total > 2**64
    assert listed(api) == [("a", END, 3_000 * MOST, total), ("a", END + 1, 0, 0), ("b", END, 1, 2)]
    assert api.get(f"{PATH}?format=csv").content.decode().splitlines()[1] == f"a,{END},{3_000 * MOST},{total}"


def test_rows_are_in_order_of_device_and_time(api: APIClient) -> None:
    names = ["b", "Z", "é", "a", "😀"]
    add(api, *[(name, END - i, i, 0) for i in (3, 1, 2, 0) for name in names])
    assert [row[:2] for row in listed(api)] == [(name, END - i) for name in sorted(names) for i in (3, 2, 1, 0)]


def test_a_device_and_a_range_with_its_start_and_without_its_end(api: APIClient) -> None:
    add(api, *[(name, END + i, 1, 1) for name in "ab" for i in (-2, -1, 0, 1)])
    assert [row[:2] for row in listed(api, f"device_uuid=b&start={END - 1}&end={END + 1}")] == [
        ("b", END - 1),
        ("b", END),
    ]
    assert [row[:2] for row in listed(api, f"start={END}&end={END + 1}")] == [("a", END), ("b", END)]
    assert listed(api, f"start={END}&end={END}") == listed(api, "start=253402300799") == []
    assert len(listed(api, "end=253402300799&start=0")) == 8


def test_an_unknown_device_has_no_rows_as_in_the_listing_of_datapoints(api: APIClient) -> None:
    nothing = {"results": [], "next": None}
    assert api.get(f"{PATH}?device_uuid=nope").json() == api.get("/datapoints?device=nope").json() == nothing
    assert api.get(f"{PATH}?format=csv").content == b"device_id,timestamp,bytes_ts,bytes_fs\r\n"


@pytest.mark.parametrize("limit", [1, 2, 7, 23, 24, 25])
@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("device", ["", "&device_uuid=d1"])
def test_parts_follow_one_another_and_give_all_once(api: APIClient, limit: int, form: str, device: str) -> None:
    add(api, *[(f"d{i % 3}", END - i // 2, i, 1) for i in range(48)])
    [whole] = parts(api, f"format={form}{device}")
    assert len(whole) == len({(row["device_id"], row["timestamp"]) for row in whole})
    found = parts(api, f"limit={limit}&format={form}{device}")
    assert [row for part in found for row in part] == whole
    assert [len(part) for part in found[:-1]] == [limit] * (len(found) - 1)


def test_a_cursor_stays_right_while_entries_come_and_go(api: APIClient) -> None:
    add(api, *[(name, END + i, 1, 1) for name in "bdf" for i in range(3)])
    first = api.get(f"{PATH}?limit=5").json()
    assert [(row["device_id"], row["timestamp"] - END) for row in first["results"]][-1] == ("d", 1)
    services.device_delete(device_id="b")
    services.device_delete(device_id="d")
    add(api, ("a", END, 1, 1), ("d", END, 1, 1), ("d", END + 1, 1, 1), ("d", END + 4, 1, 1), ("e", END, 1, 1))
    rest = listed(api, f"cursor={first['next']}")
    assert [(device, second - END) for device, second, *_ in rest] == [
        *(("d", 4), ("e", 0)),
        *(("f", i) for i in range(3)),
    ]


def test_what_is_taken_out_can_be_sent_in_again(api: APIClient) -> None:
    add(api, *[(f"d{i % 7}", END - i % 31, i, MOST // 8 - i) for i in range(900)])
    before = listed(api, "limit=10000"), api.get("/api/bandwidth?device_uuid=d3").content
    text = api.get(f"{PATH}?limit=10000&format=csv").content
    services.store.clear()
    response = api.generic("POST", "/api/bandwidth", text, content_type="text/csv")
    assert response.json() == {"created": len(before[0])}
    assert (listed(api, "limit=10000"), api.get("/api/bandwidth?device_uuid=d3").content) == before


def test_what_retention_has_passed_is_not_listed(api: APIClient, now: int, settings: Any) -> None:
    add(api, ("a", now - 3_601, 1, 1), ("a", now - 3_600, 2, 2), ("gone", now - 4_000, 3, 3))
    settings.RETENTION_SECONDS = 3_600
    assert listed(api) == [("a", now - 3_600, 2, 2)]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=10001", "limit=1.0", "limit=", "start=-1", "start=x", "end=1.5", "start=2&end=1"),
        *("device_uuid=", "device_uuid=%00", "cursor=", "cursor=x", "cursor=WzFd", "device=a", "start=1&start=2"),
    ],
)
def test_invalid_parameters(api: APIClient, query: str) -> None:
    assert problem(api.get(f"{PATH}?{query}"), 400)["errors"]


def test_a_cursor_may_say_anything(api: APIClient) -> None:
    add(api, ("b", END, 1, 1))
    far = f'["b",1{"0" * 30}]'
    for text, rows in (('["b",-5]', 1), ('["",1]', 1), ('["b",1.5]', None), (far, 0), ('["é",0]', 0)):
        cursor = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
        for device in ("", "device_uuid=b&"):
            if rows is None:
                problem(api.get(f"{PATH}?{device}cursor={cursor}"), 400)
            else:
                assert len(listed(api, f"{device}cursor={cursor}")) == rows


def test_a_page_for_people(api: APIClient) -> None:
    add(api, *[("a", END - i, 1, 1) for i in range(1_200)])
    page = api.get(f"{PATH}?limit=1100", headers={"Accept": "text/html"}).content.decode()
    assert "Bandwidth entries" in page
    assert "Showing the first 1,000 of 1,100 items" in page
