"""Listing and deleting datapoints over HTTP; devices and users."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from datapoints.tests.requests import POINT, post, stored
from timeseries_project.tests.problems import problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]


class TestListing:
    @pytest.fixture(autouse=True)
    def points(self, api: APIClient) -> None:
        for device, user in (("b", "u"), ("a", "v"), ("a", "u")):
            batch = [
                {"timestamp": f"2026-01-31T10:0{i}:00Z", "value": i, "device": device, "user": user} for i in range(5)
            ]
            assert post(api, batch).status_code == 201

    def places(self, api: APIClient, query: str) -> list[tuple[str, str, str]]:
        results = api.get(f"/datapoints?{query}").json()["results"]
        return [(p["timestamp"][14:16], p["device"], p["user"]) for p in results]

    def test_is_ordered_by_timestamp_device_and_user(self, api: APIClient) -> None:
        expected = [(f"0{i}", d, u) for i in range(5) for d, u in (("a", "u"), ("a", "v"), ("b", "u"))]
        assert self.places(api, "") == expected

    @pytest.mark.parametrize("limit", [1, 2, 4, 15, 16])
    def test_pages_give_all_once(self, api: APIClient, limit: int) -> None:
        seen: list[dict[str, Any]] = []
        url: str | None = f"/datapoints?limit={limit}"
        while url:
            response = api.get(url)
            seen += response.json()["results"]
            cursor = response.json()["next"]
            assert ("Link" in response) == (cursor is not None)
            url = response["Link"].split(">")[0][1:] if cursor else None
        assert seen == stored(api)

    def test_filters(self, api: APIClient) -> None:
        assert self.places(api, "device=a&user=u&limit=1") == [("00", "a", "u")]
        assert {u for _, _, u in self.places(api, "user=v")} == {"v"}
        assert {d for _, d, _ in self.places(api, "device=b")} == {"b"}
        assert self.places(api, "device=b&user=v") == self.places(api, "device=nope") == []

    def test_start_is_inclusive_and_end_exclusive(self, api: APIClient) -> None:
        query = "device=b&start=2026-01-31T10:01:00Z&end=2026-01-31T10:03:00Z"
        assert self.places(api, query) == [("01", "b", "u"), ("02", "b", "u")]
        assert self.places(api, "start=2099-01-01") == []

    def test_as_csv(self, api: APIClient) -> None:
        response = api.get("/datapoints?device=b&limit=2", headers={"Accept": "text/csv"})
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response.content.decode() == (
            "timestamp,value,device,user\r\n2026-01-31T10:00:00Z,0.0,b,u\r\n2026-01-31T10:01:00Z,1.0,b,u\r\n"
        )
        assert 'rel="next"' in response["Link"]

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=10001",
            "limit=-1",
            "limit=1.0",
            "limit=",
            "limit=1e3",
            "limit=٣",
            "limit=" + "9" * 5_000,
            "cursor=",
            "cursor=x",
            "cursor=WzFd",
            "cursor=%C3%BC",
            "start=x",
            "end=",
            "start=2&end=1",
            "start=2026-01-31T10:00:00+02:00",
            "device=",
            "device=" + "x" * 256,
            "devise=a",
            "device=a&device=b",
        ],
    )
    def test_invalid_parameters(self, api: APIClient, query: str) -> None:
        assert problem(api.get(f"/datapoints?{query}"), 400)["errors"]

    def test_an_unescaped_plus_is_named(self, api: APIClient) -> None:
        assert "%2B" in problem(api.get("/datapoints?start=2026-01-31T10:00:00+02:00"), 400)["detail"]


class TestKeysAndDeleting:
    @pytest.fixture(autouse=True)
    def points(self, api: APIClient) -> None:
        for i, (device, user) in enumerate((("b", "u"), ("a", "u"), ("a", "v"))):
            post(api, POINT | {"timestamp": f"2026-01-31T10:00:0{i}Z", "device": device, "user": user})

    def test_devices_and_users_are_listed_by_key(self, api: APIClient) -> None:
        assert api.get("/devices").json() == [
            {"device": "a", "count": 2, "first": "2026-01-31T10:00:01Z", "last": "2026-01-31T10:00:02Z"},
            {"device": "b", "count": 1, "first": "2026-01-31T10:00:00Z", "last": "2026-01-31T10:00:00Z"},
        ]
        assert [u["user"] for u in api.get("/users").json()] == ["u", "v"]
        assert api.get("/users?format=csv").content.startswith(b"user,count,first,last\r\nu,2,")

    def test_a_deleted_device_is_gone_from_its_users(self, api: APIClient) -> None:
        response = api.delete("/devices/a/datapoints")
        assert (response.status_code, response.content) == (204, b"")
        assert [(u["user"], u["count"]) for u in api.get("/users").json()] == [("u", 1)]
        problem(api.get("/statistics/devices/a/avg"), 404)
        problem(api.get("/statistics/users/v/avg"), 404)

    def test_a_deleted_user_is_gone_from_its_devices(self, api: APIClient) -> None:
        assert api.delete("/users/u/datapoints").status_code == 204
        assert [(d["device"], d["count"]) for d in api.get("/devices").json()] == [("a", 1)]

    def test_deleting_nothing_is_no_error(self, api: APIClient) -> None:
        for key in ("nope", "", "%00", "x" * 300, "%20"):
            assert api.delete(f"/devices/{key}/datapoints").status_code == 204
        assert len(stored(api)) == 3

    def test_a_deleted_point_may_come_again(self, api: APIClient) -> None:
        before = [api.get(url).content for url in ("/datapoints", "/devices", "/users", "/statistics/users/u/avg")]
        post(api, POINT | {"device": "x"})
        api.delete("/devices/x/datapoints")
        after = [api.get(url).content for url in ("/datapoints", "/devices", "/users", "/statistics/users/u/avg")]
        assert before == after
        assert post(api, POINT | {"device": "x"}).status_code == 201
