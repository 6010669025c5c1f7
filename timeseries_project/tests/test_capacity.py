"""Capacity limits, retention and the deletion of bandwidth over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.tests.problems import problem

pytestmark = pytest.mark.usefixtures("now")

POINT = {"timestamp": "2026-01-31T11:00:00Z", "value": 20.5, "device": "d", "user": "u"}
ENTRY = {"device_id": "r", "timestamp": 1769850000, "bytes_ts": 3, "bytes_fs": 5}


def post(api: APIClient, path: str, body: object) -> Any:
    return api.post(path, json.dumps(body), content_type="application/json")


def points(*minutes: int, **fields: object) -> list[dict[str, object]]:
    return [POINT | fields | {"timestamp": f"2026-01-31T11:{minute:02}:00Z"} for minute in minutes]


def stored(api: APIClient) -> list[str]:
    return [p["timestamp"][14:16] for p in api.get("/datapoints").json()["results"]]


@pytest.mark.storages("redis", "cluster")
class TestDatapoints:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(datapoints.store, "max_points", 5)
        monkeypatch.setattr(datapoints.store, "max_series", 2)

    def test_one_too_many_is_refused_and_reads_go_on(self, api: APIClient) -> None:
        assert post(api, "/datapoints", points(0, 1, 2, 3, 4)).status_code == 201
        body = problem(post(api, "/datapoints", points(5)[0]), 507)
        assert "MAX_DATAPOINTS" in body["detail"]
        assert "5" in body["detail"]
        assert body["title"] == "Insufficient Storage"
        assert stored(api) == ["00", "01", "02", "03", "04"]
        assert api.get("/statistics/devices/d/avg").status_code == 200

    def test_a_refusal_is_no_news_for_the_log(self, api: APIClient, caplog: pytest.LogCaptureFixture) -> None:
        problem(post(api, "/datapoints", points(0, 1, 2, 3, 4, 5)), 507)
        assert caplog.records == []

    def test_a_batch_is_stored_whole_or_not_at_all(self, api: APIClient) -> None:
        assert post(api, "/datapoints", points(0, 1)).status_code == 201
        problem(post(api, "/datapoints", points(2, 3, 4, 5)), 507)
        assert stored(api) == ["00", "01"]
        assert post(api, "/datapoints", points(2, 3, 4)).json() == {"created": 3}

    def test_only_what_is_new_counts_where_duplicates_are_skipped(self, api: APIClient) -> None:
        skip = "/datapoints?on_duplicate=skip"
        assert post(api, skip, points(0, 1, 2, 3)).json() == {"created": 4, "skipped": 0}
        assert post(api, skip, points(0, 1, 2, 3, 4, 4)).json() == {"created": 1, "skipped": 5}
        assert post(api, skip, points(0, 1, 2, 3, 4)).json() == {"created": 0, "skipped": 5}
        problem(post(api, skip, points(0, 5)), 507)
        problem(post(api, skip, points(5)[0]), 507)

    def test_a_fault_of_the_request_is_answered_first(self, api: APIClient) -> None:
        assert post(api, "/datapoints", points(0, 1, 2, 3, 4)).status_code == 201
        problem(post(api, "/datapoints", points(0)[0]), 409)
        problem(post(api, "/datapoints", points(5, 5)), 409)
        problem(post(api, "/datapoints", points(5, 0)), 409)
        problem(post(api, "/datapoints", POINT | {"timestamp": "2026-01-31T13:00:00Z"}), 422)
        problem(post(api, "/datapoints", POINT | {"value": "x"}), 400)

    def test_series_are_pairs_of_a_device_and_a_user(self, api: APIClient) -> None:
        assert post(api, "/datapoints", points(0)[0]).status_code == 201
        assert post(api, "/datapoints", points(0, user="v")[0]).status_code == 201
        for refused in (points(0, device="e")[0], points(0, device="e"), points(1) + points(0, user="w")):
            assert "MAX_SERIES" in problem(post(api, "/datapoints", refused), 507)["detail"]
        assert post(api, "/datapoints", points(1, 2)).status_code == 201

    def test_after_a_delete_there_is_room(self, api: APIClient) -> None:
        assert post(api, "/datapoints", points(0, 1, 2) + points(3, 4, user="v")).status_code == 201
        problem(post(api, "/datapoints", points(5)), 507)
        assert api.delete("/users/v/datapoints").status_code == 204
        assert post(api, "/datapoints", points(5, 6, user="w")).status_code == 201
        problem(post(api, "/datapoints", points(7)), 507)

    def test_an_empty_batch_needs_no_room(self, api: APIClient) -> None:
        assert post(api, "/datapoints", points(0, 1, 2, 3, 4)).status_code == 201
        assert post(api, "/datapoints", []).json() == {"created": 0}


@pytest.mark.storages("redis", "cluster")
class TestBandwidth:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bandwidth.store, "max_entries", 3)
        monkeypatch.setattr(bandwidth.store, "max_devices", 2)

    def test_one_too_many_is_refused_and_reads_go_on(self, api: APIClient) -> None:
        assert post(api, "/api/bandwidth", [ENTRY] * 3).status_code == 201
        assert "MAX_BANDWIDTH_ENTRIES" in problem(post(api, "/api/bandwidth", ENTRY), 507)["detail"]
        assert api.get("/api/bandwidth/devices/r").json()["count"] == 3
        problem(post(api, "/api/bandwidth", ENTRY | {"timestamp": 2**40}), 422)
        problem(post(api, "/api/bandwidth", ENTRY | {"bytes_ts": -1}), 400)

    def test_a_batch_is_stored_whole_or_not_at_all(self, api: APIClient) -> None:
        problem(post(api, "/api/bandwidth", [ENTRY] * 4), 507)
        assert (
            "MAX_SERIES"
            in problem(post(api, "/api/bandwidth", [ENTRY | {"device_id": i} for i in range(3)]), 507)["detail"]
        )
        assert api.get("/api/bandwidth/devices").json() == []
        assert post(api, "/api/bandwidth", [ENTRY, ENTRY | {"device_id": "s"}]).status_code == 201
        assert "MAX_SERIES" in problem(post(api, "/api/bandwidth", ENTRY | {"device_id": "t"}), 507)["detail"]
        assert post(api, "/api/bandwidth", ENTRY).status_code == 201

    def test_after_a_delete_there_is_room(self, api: APIClient) -> None:
        assert post(api, "/api/bandwidth", [ENTRY] * 3).status_code == 201
        assert api.delete("/api/bandwidth/devices/r").status_code == 204
        assert post(api, "/api/bandwidth", [ENTRY | {"device_id": "s"}] * 3).status_code == 201
        problem(post(api, "/api/bandwidth", ENTRY), 507)


@pytest.mark.storages("redis", "cluster")
class TestDeletingBandwidth:
    def test_a_device_is_forgotten_as_if_it_had_never_been(self, api: APIClient) -> None:
        before = api.get("/api/bandwidth/devices").content
        assert post(api, "/api/bandwidth", [ENTRY] * 3).status_code == 201
        response = api.delete("/api/bandwidth/devices/r")
        assert (response.status_code, response.content) == (204, b"")
        assert api.get("/api/bandwidth/devices").content == before
        problem(api.get("/api/bandwidth/devices/r"), 404)
        problem(api.get("/api/bandwidth?device_uuid=r"), 404)
        assert post(api, "/api/bandwidth", ENTRY).status_code == 201
        assert api.get("/api/bandwidth/devices/r").json()["bytes_fs"] == 5

    def test_it_is_no_error_if_there_is_nothing(self, api: APIClient) -> None:
        assert api.delete("/api/bandwidth/devices/nobody").status_code == 204

    @pytest.mark.parametrize("key", ["a/b", "a/", "/a", "a b", "é", "100%", "devices"])
    def test_a_key_may_hold_anything(self, api: APIClient, key: str) -> None:
        others = [ENTRY | {"device_id": other} for other in ("a", "b", key + "x")]
        assert post(api, "/api/bandwidth", [*others, ENTRY | {"device_id": key}]).status_code == 201
        path = "".join(f"%{byte:02X}" for byte in key.encode())
        assert api.delete(f"/api/bandwidth/devices/{path}/").status_code == 204
        assert {d["device_id"] for d in api.get("/api/bandwidth/devices").json()} == {"a", "b", key + "x"}

    def test_unknown_parameters_are_refused(self, api: APIClient) -> None:
        problem(api.delete("/api/bandwidth/devices/r?all=1"), 400)


class TestRetention:
    @pytest.fixture(autouse=True)
    def an_hour(self) -> Iterator[None]:
        with override_settings(RETENTION_SECONDS=3_600):
            yield

    @pytest.mark.storages("redis", "cluster")
    def test_datapoints_go_in_whole_quarter_hours(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        assert post(api, "/datapoints", points(0, 14, 15, 59)).json() == {"created": 4, "expired": 0}
        assert stored(api) == ["00", "14", "15", "59"]
        set_clock("2026-01-31T12:14:59Z")
        assert stored(api) == ["00", "14", "15", "59"]
        set_clock("2026-01-31T12:15:00Z")
        assert stored(api) == ["15", "59"]
        listed = {"device": "d", "count": 2, "first": "2026-01-31T11:15:00Z", "last": "2026-01-31T11:59:00Z"}
        assert api.get("/devices").json() == [listed]
        latest = {"timestamp": "2026-01-31T11:59:00Z", "value": 20.5, "user": "u"}
        assert api.get("/devices/d").json() == {**listed, "latest": latest}
        buckets = api.get("/statistics/users/u/avg").json()
        assert [(b["timestamp"][11:16], b["count"]) for b in buckets] == [
            ("11:15", 1), ("11:30", 0), ("11:45", 1), ("12:00", 0), ("12:15", 0)
        ]  # fmt: skip
        set_clock("2026-01-31T13:00:00Z")
        assert (stored(api), api.get("/users").json()) == ([], [])
        problem(api.get("/statistics/users/u/avg"), 404)
        problem(api.get("/devices/d"), 404)
        assert datapoints.totals_get()[:3] == (0, 0, 0)

    @pytest.mark.storages("redis", "cluster")
    @pytest.mark.parametrize("query", ["", "?on_duplicate=skip", "?on_duplicate=replace"])
    def test_a_datapoint_that_is_too_old_is_not_stored_and_said_to_be_expired(self, api: APIClient, query: str) -> None:
        old = POINT | {"timestamp": "2026-01-31T10:59:59.999999Z"}
        for _ in range(2):  # nothing is stored, so the second is no duplicate
            response = post(api, f"/datapoints{query}", old)
            assert (response.status_code, response.content) == (204, b"")
        more = {"": {}, "?on_duplicate=skip": {"skipped": 0}, "?on_duplicate=replace": {"replaced": 0}}[query]
        answer = post(api, f"/datapoints{query}", [old, old, POINT])
        assert (answer.status_code, answer.json()) == (201, {"created": 1, **more, "expired": 2})
        assert post(api, f"/datapoints{query}", [old]).json() == {"created": 0, **more, "expired": 1}
        assert post(api, f"/datapoints{query}", []).json() == {"created": 0, **more, "expired": 0}
        assert stored(api) == ["00"]
        problem(post(api, f"/datapoints{query}", old | {"value": "x"}), 400)

    @pytest.mark.storages("redis", "cluster")
    def test_a_duplicate_is_not_expired(self, api: APIClient) -> None:
        old = POINT | {"timestamp": "2026-01-31T10:59:59Z"}
        assert post(api, "/datapoints", POINT).status_code == 201
        answer = post(api, "/datapoints?on_duplicate=skip", [POINT, old])
        assert answer.json() == {"created": 0, "skipped": 1, "expired": 1}
        answer = post(api, "/datapoints?on_duplicate=replace", [POINT | {"value": 7}, old])
        assert answer.json() == {"created": 0, "replaced": 1, "expired": 1}
        problem(post(api, "/datapoints", [POINT, old]), 409)

    @pytest.mark.storages("redis", "cluster")
    def test_an_entry_that_is_too_old_is_not_stored_and_said_to_be_expired(self, api: APIClient, now: int) -> None:
        old = ENTRY | {"timestamp": now - 3_601}
        response = post(api, "/api/bandwidth", old)
        assert (response.status_code, response.content) == (204, b"")
        problem(api.get("/api/bandwidth/devices/r"), 404)
        batch = [old, ENTRY | {"timestamp": now - 3_600}, old]
        assert post(api, "/api/bandwidth", batch).json() == {"created": 1, "expired": 2}
        assert api.get("/api/bandwidth/devices/r").json()["count"] == 1

    @pytest.mark.storages("redis", "cluster")
    def test_bandwidth_goes_by_the_second(self, api: APIClient, now: int, set_clock: Callable[[str], int]) -> None:
        ages = (3_601, 3_600, 3_599, 0)
        batch = [ENTRY | {"timestamp": now - age} for age in ages]
        assert post(api, "/api/bandwidth", batch).json() == {"created": 3, "expired": 1}
        device = api.get("/api/bandwidth/devices/r").json()
        assert (device["count"], device["first"], device["bytes_ts"]) == (3, now - 3_600, 9)
        windows = api.get(f"/api/bandwidth?device_uuid=r&end_time={now}&window_time=1800&num_windows=3").json()["data"]
        assert [w["bytes_ts"] for w in windows] == [3, 3, 3]
        assert set_clock("2026-01-31T12:00:01Z") == now + 1
        assert api.get("/api/bandwidth/devices").json()[0]["count"] == 2
        windows = api.get(f"/api/bandwidth?device_uuid=r&end_time={now}&window_time=1800&num_windows=3").json()["data"]
        assert [w["bytes_ts"] for w in windows] == [0, 3, 3]
        set_clock("2026-01-31T13:00:01Z")
        assert api.get("/api/bandwidth/devices").json() == []
        problem(api.get("/api/bandwidth?device_uuid=r"), 404)
        old = ENTRY | {"timestamp": now}
        assert post(api, "/api/bandwidth", old).status_code == 204
        assert api.get("/api/bandwidth/devices").json() == []
        assert bandwidth.overview_get().entries == 0
