"""What is newest, over HTTP: the newest datapoint of a device or user, and listings that begin with the newest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from datapoints.tests.requests import POINT, post, stored
from timeseries_project.tests.problems import problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]


def at(minute: int, device: str = "d", user: str = "u", **more: Any) -> dict[str, Any]:
    return POINT | {"timestamp": f"2026-01-31T10:{minute:02}:00Z", "device": device, "user": user} | more


def times(response: Any) -> list[str]:
    return [point["timestamp"][14:16] for point in response.json()["results"]]


class TestLatest:
    def test_a_device_and_a_user_have_their_newest_datapoint(self, api: APIClient) -> None:
        assert post(api, [at(2, "a", "v", value=-3), at(3, "b", "u", value=7), at(1, "a", "u")]).status_code == 201
        assert api.get("/devices/a").json() == {
            "device": "a",
            "count": 2,
            "first": "2026-01-31T10:01:00Z",
            "last": "2026-01-31T10:02:00Z",
            "latest": {"timestamp": "2026-01-31T10:02:00Z", "value": -3, "user": "v"},
        }
        assert api.get("/users/u").json()["latest"] == {"timestamp": "2026-01-31T10:03:00Z", "value": 7, "device": "b"}

    def test_of_several_it_is_the_last_by_the_other_key(self, api: APIClient) -> None:
        names = ["b", "é", "a", "Z"]
        post(api, [at(5, "d", name, value=i) for i, name in enumerate(names)] + [at(4, "d", "😀")])
        post(api, [at(5, name, "u", value=i) for i, name in enumerate(names)] + [at(4, "😀", "u")])
        assert api.get("/devices/d").json()["latest"] == {"timestamp": "2026-01-31T10:05:00Z", "value": 1, "user": "é"}
        assert api.get("/users/u").json()["latest"]["device"] == "é"

    def test_a_late_datapoint_is_not_the_latest_and_a_deleted_one_is_no_more(self, api: APIClient) -> None:
        post(api, [at(5, user="gone"), at(3, user="u")])
        post(api, at(4, user="late"))
        assert api.get("/devices/d").json()["latest"]["user"] == "gone"
        api.delete("/users/gone/datapoints")
        assert api.get("/devices/d").json()["latest"]["user"] == "late"
        api.delete("/devices/d/datapoints")
        problem(api.get("/devices/d"), 404)

    def test_what_retention_has_passed_is_not_the_latest(
        self, api: APIClient, settings: Any, set_clock: Callable[[str], int]
    ) -> None:
        settings.RETENTION_SECONDS = 3_600
        post(api, POINT | {"timestamp": "2026-01-31T11:30:00Z"})
        assert api.get("/devices/d").json()["latest"]["timestamp"] == "2026-01-31T11:30:00Z"
        set_clock("2026-01-31T13:00:00Z")
        problem(api.get("/devices/d"), 404)


class TestTheNewestFirst:
    @pytest.fixture(autouse=True)
    def points(self, api: APIClient) -> None:
        assert post(api, [at(i, device, user) for i in range(5) for device in "ab" for user in "uv"]).status_code == 201

    def test_all_three_descend(self, api: APIClient) -> None:
        assert api.get("/datapoints?order=desc").json()["results"] == stored(api)[::-1]
        assert api.get("/datapoints?order=asc").json() == api.get("/datapoints").json()

    @pytest.mark.parametrize("limit", [1, 3, 4, 19, 20])
    @pytest.mark.parametrize("form", ["json", "csv"])
    def test_parts_follow_one_another_by_cursor_and_by_link(self, api: APIClient, limit: int, form: str) -> None:
        whole = api.get(f"/datapoints?order=desc&format={form}")
        url: str | None = f"/datapoints?limit={limit}&order=desc&format={form}"
        seen: list[Any] = []
        while url:
            response = api.get(url)
            rows = response.json()["results"] if form == "json" else response.content.splitlines()[1:]
            assert len(rows) <= limit
            seen += rows
            url = response["Link"].split(">")[0][1:] if "Link" in response else None
        assert seen == (whole.json()["results"] if form == "json" else whole.content.splitlines()[1:])
        assert len(seen) == 20

    def test_filters_and_range_are_those_of_the_other_order(self, api: APIClient) -> None:
        chosen = "device=b&user=v&start=2026-01-31T10:01:00Z&end=2026-01-31T10:04:00Z"
        assert times(api.get(f"/datapoints?order=desc&{chosen}")) == ["03", "02", "01"]
        assert times(api.get(f"/datapoints?order=desc&limit=2&{chosen}")) == ["03", "02"]
        assert times(api.get("/datapoints?order=desc&device=nope")) == []

    @pytest.mark.parametrize(
        ("order", "rest"), [("asc", ["02", "03", "04", "09"]), ("desc", ["02", "01", "00", "00 a day before"])]
    )
    def test_a_cursor_stays_right_while_datapoints_come_and_go_at_both_ends(
        self, api: APIClient, order: str, rest: list[str]
    ) -> None:
        first = api.get(f"/datapoints?user=u&order={order}&limit=4").json()
        day_before = {"timestamp": "2026-01-30T10:00:00Z"}
        post(api, [at(9, "a"), at(0, "a") | day_before])
        api.delete("/devices/b/datapoints")  # of the first part, and of what follows, every other datapoint
        following = api.get(f"/datapoints?user=u&order={order}&cursor={first['next']}").json()["results"]
        assert [
            p["timestamp"][14:16] + " a day before" * (p["timestamp"] == day_before["timestamp"]) for p in following
        ] == rest
        assert {p["device"] for p in following} == {"a"}

    def test_a_cursor_stays_right_when_its_datapoint_is_deleted(self, api: APIClient) -> None:
        first = api.get("/datapoints?order=desc&limit=6").json()
        last = first["results"][-1]
        assert (last["device"], last["user"]) == ("b", "u")
        api.delete("/devices/b/datapoints")
        rest = api.get(f"/datapoints?order=desc&cursor={first['next']}").json()["results"]
        assert [(p["timestamp"][14:16], p["device"], p["user"]) for p in rest] == [
            (f"0{minute}", "a", user) for minute in (3, 2, 1, 0) for user in "vu"
        ]

    @pytest.mark.parametrize(("order", "other"), [("asc", "desc"), ("desc", "asc")])
    def test_a_cursor_of_the_other_order_is_refused(self, api: APIClient, order: str, other: str) -> None:
        cursor = api.get(f"/datapoints?limit=1&order={order}").json()["next"]
        body = problem(api.get(f"/datapoints?limit=1&order={other}&cursor={cursor}"), 400)
        assert [error["field"] for error in body["errors"]] == ["cursor"]
        assert f"order={order}" in body["detail"]

    @pytest.mark.parametrize("order", ["", "DESC", "descending", "1"])
    def test_there_are_two_orders(self, api: APIClient, order: str) -> None:
        assert "asc, desc" in problem(api.get(f"/datapoints?order={order}"), 400)["detail"]

    def test_what_retention_has_passed_is_not_listed(
        self, api: APIClient, settings: Any, set_clock: Callable[[str], int]
    ) -> None:
        post(api, POINT | {"timestamp": "2026-01-31T11:30:00Z"})
        settings.RETENTION_SECONDS = 3_600
        set_clock("2026-01-31T12:10:00Z")
        assert times(api.get("/datapoints?order=desc")) == ["30"]
