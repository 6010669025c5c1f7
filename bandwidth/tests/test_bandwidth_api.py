"""Bandwidth over HTTP: entries, windows, devices."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from bandwidth import services
from timeseries_project.tests.problems import fields, problem

END = 1769850000
ENTRY = {"device_id": "abc", "timestamp": END, "bytes_ts": 3, "bytes_fs": 5}
MOST = 2**53 - 1

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]


def post(api: APIClient, body: object) -> Any:
    return api.post("/api/bandwidth", json.dumps(body), content_type="application/json")


def windows(api: APIClient, query: str) -> list[tuple[int, int, int]]:
    response = api.get(f"/api/bandwidth?{query}")
    assert response.status_code == 200, response.content
    return [(w["timestamp"], w["bytes_ts"], w["bytes_fs"]) for w in json.loads(response.content)["data"]]


class TestEntries:
    def test_one_is_stored_and_answered(self, api: APIClient) -> None:
        response = post(api, ENTRY)
        assert (response.status_code, response.json()) == (201, ENTRY)
        assert windows(api, f"device_uuid=abc&end_time={END}&num_windows=1") == [(END, 3, 5)]

    def test_those_of_one_instant_add_up(self, api: APIClient) -> None:
        assert post(api, ENTRY).status_code == post(api, ENTRY).status_code == 201
        assert windows(api, f"device_uuid=abc&end_time={END}&num_windows=1") == [(END, 6, 10)]

    def test_a_batch_is_stored_whole(self, api: APIClient) -> None:
        batch = [ENTRY | {"timestamp": END - i} for i in range(90)]
        response = post(api, batch)
        assert (response.status_code, response.json()) == (201, {"created": 90})
        assert windows(api, f"device_uuid=abc&end_time={END}&num_windows=2") == [(END - 60, 90, 150), (END, 180, 300)]
        assert post(api, []).json() == {"created": 0}

    @pytest.mark.parametrize("bad", [{"timestamp": 1.5}, {"bytes_ts": -1}, {"bytes_fs": None}, {"device_id": " "}])
    def test_a_batch_with_a_bad_item_stores_nothing(self, api: APIClient, bad: dict[str, object]) -> None:
        body = problem(post(api, [ENTRY, ENTRY | bad]), 400)
        assert [(e["index"], e["field"]) for e in body["errors"]] == [(1, next(iter(bad)))]
        problem(api.get("/api/bandwidth?device_uuid=abc"), 404)

    @pytest.mark.parametrize("field", list(ENTRY))
    def test_a_missing_or_null_field(self, api: APIClient, field: str) -> None:
        assert fields(problem(post(api, {n: v for n, v in ENTRY.items() if n != field}), 400)) == [field]
        assert fields(problem(post(api, ENTRY | {field: None}), 400)) == [field]

    @pytest.mark.parametrize("field", ["timestamp", "bytes_ts", "bytes_fs"])
    @pytest.mark.parametrize("value", ["12", True, 1.5, -1, -1e300, -(10**400), [], "2026-01-31"])
    def test_what_is_no_whole_number_from_zero(self, api: APIClient, field: str, value: object) -> None:
        assert fields(problem(post(api, ENTRY | {field: value}), 400)) == [field]

    @pytest.mark.parametrize("field", ["bytes_ts", "bytes_fs"])
    @pytest.mark.parametrize("value", [2**53, 1e300, 10**400])
    def test_more_bytes_than_are_exact(self, api: APIClient, field: str, value: object) -> None:
        assert fields(problem(post(api, ENTRY | {field: value}), 400)) == [field]

    @pytest.mark.parametrize("value", [0, 0.0, -0.0, 1.0, 1e15, MOST])
    def test_whole_numbers_however_spelt(self, api: APIClient, value: float) -> None:
        response = post(api, ENTRY | {"bytes_ts": value})
        assert response.status_code == 201
        assert response.content.startswith(b'{"device_id":"abc","timestamp":%d,"bytes_ts":%d,' % (END, int(value)))

    def test_an_integer_device_is_its_decimal_string(self, api: APIClient) -> None:
        assert post(api, ENTRY | {"device_id": 2**70}).json()["device_id"] == str(2**70)

    @pytest.mark.parametrize("ahead", [6, 3600, 10**9, 2**53, 10**400])
    def test_the_future_is_refused(self, api: APIClient, now: int, ahead: int) -> None:
        assert fields(problem(post(api, ENTRY | {"timestamp": now + ahead}), 422)) == ["timestamp"]
        problem(post(api, [ENTRY, ENTRY | {"timestamp": now + ahead}]), 422)
        assert services.devices_list() == []

    def test_milliseconds_are_told_so(self, api: APIClient, now: int) -> None:
        assert "milliseconds" in problem(post(api, ENTRY | {"timestamp": now * 1000}), 422)["detail"]

    def test_the_allowed_skew_counts_at_once(self, api: APIClient, now: int) -> None:
        assert post(api, ENTRY | {"timestamp": now + 5}).status_code == 201

    def test_other_media_types_are_refused(self, api: APIClient) -> None:
        for media_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
            body = problem(api.generic("POST", "/api/bandwidth", "x", content_type=media_type), 415)
            assert "Content-Type: application/json" in body["detail"]


class TestWindows:
    @pytest.fixture(autouse=True)
    def entries(self, api: APIClient) -> None:
        for timestamp in (END, END - 60, END - 59, END - 600, END + 1):
            post(api, ENTRY | {"timestamp": timestamp})

    def test_an_entry_on_a_border_counts_once_in_the_window_it_ends(self, api: APIClient) -> None:
        found = windows(api, f"device_uuid=abc&end_time={END}")
        assert [end for end, _, _ in found] == [END - 60 * i for i in range(9, -1, -1)]
        assert [to for _, to, _ in found] == [0] * 8 + [3, 6]
        assert [fro for _, _, fro in found] == [0] * 8 + [5, 10]

    def test_what_was_asked_is_answered_with_defaults_filled_in(self, api: APIClient, now: int) -> None:
        answer = api.get("/api/bandwidth?device_uuid=abc").json()
        assert list(answer) == ["device_uuid", "end_time", "window_time", "num_windows", "data"]
        assert (answer["end_time"], answer["window_time"], answer["num_windows"]) == (now, 60, 10)
        assert len(answer["data"]) == 10

    def test_each_parameter_matters(self, api: APIClient) -> None:
        assert windows(api, f"device_uuid=abc&end_time={END + 1}&window_time=1&num_windows=2") == [
            (END, 3, 5),
            (END + 1, 3, 5),
        ]

    def test_the_edges_of_the_parameters(self, api: APIClient) -> None:
        longest = windows(api, f"device_uuid=abc&end_time={END}&window_time={2**31 - 1}&num_windows=10000")
        assert len(longest) == 10_000
        assert longest[-1] == (END, 12, 20)
        assert longest[0][0] == END - 9_999 * (2**31 - 1)
        assert windows(api, "device_uuid=abc&end_time=0&num_windows=1") == [(0, 0, 0)]
        last = 253_402_300_799  # of the year 9999
        assert windows(api, f"device_uuid=abc&end_time={last}&num_windows=1") == [(last, 0, 0)]

    @pytest.mark.parametrize(
        ("end_time", "words"),
        [
            (END * 1_000, "looks like milliseconds, but epoch seconds are expected."),
            (END * 10**6, "looks like microseconds, but epoch seconds are expected."),
            (END * 10**9, "looks like nanoseconds, but epoch seconds are expected."),
            (253_402_300_800, "lies beyond the year 9999; epoch seconds are expected."),
            ("9" * 6_000, "lies beyond the year 9999; epoch seconds are expected."),
            ("2026-01-31", "must be a whole number of epoch seconds in digits, at least 0."),
        ],
    )
    def test_an_end_in_another_unit_is_told_so(self, api: APIClient, end_time: object, words: str) -> None:
        post(api, ENTRY)
        for path, name in (("/api/bandwidth", "end_time"), *(("/api/bandwidth/entries", n) for n in ("start", "end"))):
            body = problem(api.get(f"{path}?device_uuid=abc&{name}={end_time}"), 400)
            assert fields(body) == [name]
            assert words in body["detail"]

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "device_uuid=",
            "device_uuid=%20",
            "device_uuid=abc&device_uuid=abc",
            "device_uuid=abc&window_tme=5",
            *(
                f"device_uuid=abc&{name}={value}"
                for name in ("end_time", "window_time", "num_windows")
                for value in (
                    "",
                    "x",
                    "-1",
                    "1.0",
                    "1.5.2",
                    "+1",
                    "1e3",
                    "1_0",
                    "٣",
                    "%201",
                    "1%0A",
                    10**40,
                    "9" * 5_000,
                )
            ),
            "device_uuid=abc&num_windows=0",
            "device_uuid=abc&num_windows=10001",
            "device_uuid=abc&num_windows=1000000000",
            "device_uuid=abc&window_time=0",
            "device_uuid=abc&window_time=2147483648",
            f"device_uuid=abc&end_time={2**53}",
        ],
    )
    def test_invalid_parameters(self, api: APIClient, query: str) -> None:
        assert problem(api.get(f"/api/bandwidth?{query}"), 400)["errors"]

    def test_a_device_never_seen(self, api: APIClient) -> None:
        assert "nope" in problem(api.get("/api/bandwidth?device_uuid=nope"), 404)["detail"]

    def test_as_csv(self, api: APIClient) -> None:
        response = api.get(f"/api/bandwidth?device_uuid=abc&end_time={END}&num_windows=2&format=csv")
        assert response.content.decode() == f"timestamp,bytes_ts,bytes_fs\r\n{END - 60},3,5\r\n{END},6,10\r\n"

    def test_sums_beyond_64_bits_are_exact(self, api: APIClient) -> None:
        huge = ENTRY | {"device_id": "huge", "bytes_ts": MOST, "bytes_fs": MOST}
        assert post(api, [huge] * 3_000).status_code == 201
        assert windows(api, f"device_uuid=huge&end_time={END}&num_windows=1") == [(END, 3_000 * MOST, 3_000 * MOST)]
        response = api.get("/api/bandwidth/devices", headers={"Accept": "text/html"})
        assert str(3_000 * MOST) in response.content.decode()


class TestDevices:
    def test_are_listed_by_key_with_totals(self, api: APIClient) -> None:
        post(api, [ENTRY, ENTRY | {"timestamp": END - 10}, ENTRY | {"device_id": "B"}])
        assert api.get("/api/bandwidth/devices").json() == [
            {"device_id": "B", "count": 1, "first": END, "last": END, "bytes_ts": 3, "bytes_fs": 5},
            {"device_id": "abc", "count": 2, "first": END - 10, "last": END, "bytes_ts": 6, "bytes_fs": 10},
        ]
        as_csv = api.get("/api/bandwidth/devices?format=csv").content
        assert as_csv.splitlines()[0] == b"device_id,count,first,last,bytes_ts,bytes_fs"

    def test_none(self, api: APIClient) -> None:
        assert api.get("/api/bandwidth/devices").json() == []
        problem(api.get("/api/bandwidth/devices?page=1"), 400)
