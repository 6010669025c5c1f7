"""Corrections over HTTP: ranges of time that are deleted, and values that are replaced."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services
from datapoints.interface import QUARTER_HOUR, OnDuplicate, Store, ViewChangedError
from datapoints.redis.store import RedisStore
from datapoints.tests.points import another, put_batch, values
from datapoints.tests.requests import BATCH, POINT, post, post_raw, stored
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.problems import fields, problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]

#: Times of the last day before noon, in quarter-hours and their quarters: epoch seconds.
NOON = 1_769_860_800
times = st.integers(0, 4 * 96).map(lambda n: NOON - n * 225) | st.integers(0, 1_800).map(lambda n: NOON - n)
points = st.tuples(times, st.sampled_from("de"), st.sampled_from("uv"))
bodies = st.dictionaries(points, values, min_size=1, max_size=40)
AGGREGATES = ("avg", "sum", "count", "min", "max", "stddev", "first", "last", "median", "p99")


def batch(found: dict[tuple[int, str, str], float]) -> list[dict[str, Any]]:
    return [{"timestamp": t, "value": v, "device": device, "user": user} for (t, device, user), v in found.items()]


def everything(api: APIClient) -> list[tuple[int, bytes]]:
    """Return all answers to questions about two devices and two users."""
    paths = ["/datapoints", "/datapoints?user=v", "/devices", "/users?format=csv"]
    for key in ("devices/d", "devices/e", "users/u", "users/v"):
        paths.append(f"/{key}")
        paths += [f"/statistics/{key}/{aggregate}?fill=none" for aggregate in AGGREGATES]
        paths += [f"/statistics/{key}/avg", f"/statistics/{key}/avg?bucket=1m&fill=linear&start={NOON - 3_600}"]
        paths.append(f"/statistics/{key}/moving_avg?window_size=5&min_periods=2")
    answers = [api.get(path) for path in paths]
    return [(answer.status_code, b"".join(answer)) for answer in answers]


class TestDeletingARange:
    @pytest.fixture(autouse=True)
    def a_batch(self, api: APIClient) -> None:
        assert post(api, BATCH).status_code == 201
        others = [POINT | {"device": "e"}, POINT | {"user": "v"}, POINT | {"device": "e", "user": "v"}]
        assert post(api, others).status_code == 201

    def minutes(self, api: APIClient, query: str = "device=d&user=u") -> list[int]:
        return [int(p["timestamp"][14:16]) for p in api.get(f"/datapoints?{query}").json()["results"]]

    @pytest.mark.parametrize("path", ["/devices/d/datapoints?", "/users/u/datapoints?", "/datapoints?device=d&user=u&"])
    def test_from_its_start_up_to_before_its_end(self, api: APIClient, path: str) -> None:
        response = api.delete(path + "start=2026-01-31T10:10:00Z&end=2026-01-31T10:30:00Z")
        assert (response.status_code, response.content) == (204, b"")
        assert self.minutes(api) == [*range(10), *range(30, 60)]
        assert api.delete(path + "end=2026-01-31T10:05:00Z").status_code == 204
        assert self.minutes(api) == [*range(5, 10), *range(30, 60)]
        assert api.delete(path + "start=2026-01-31T10:50:00.000001Z&end=2027-01-01").status_code == 204
        assert self.minutes(api) == [*range(5, 10), *range(30, 51)]
        assert [b["count"] for b in api.get("/statistics/devices/d/count").json()][:4] == [5, 0, 15, 6]
        mine = [p["timestamp"] for p in api.get("/datapoints?device=d").json()["results"]]
        summary = {"device": "d", "count": len(mine), "first": mine[0], "last": mine[-1]}
        assert summary in api.get("/devices").json()

    def test_touches_only_what_fits_all_that_is_given(self, api: APIClient) -> None:
        def left() -> set[tuple[str, str]]:
            return {(p["device"], p["user"]) for p in stored(api)}

        assert api.delete("/datapoints?device=e&user=v&start=2026-01-31&end=2026-02-01").status_code == 204
        assert left() == {("d", "u"), ("d", "v"), ("e", "u")}
        assert api.delete("/datapoints?user=v").status_code == 204
        assert left() == {("d", "u"), ("e", "u")}
        assert api.delete("/datapoints?device=d").status_code == 204
        assert left() == {("e", "u")}
        assert api.delete("/datapoints?device=d&user=u").status_code == 204
        assert [device["device"] for device in api.get("/devices").json()] == ["e"]

    @pytest.mark.parametrize(
        "path",
        ["/devices/d/datapoints?", "/users/u/datapoints?", "/datapoints?device=d&", "/datapoints?user=u&device=d&"],
    )
    def test_that_is_empty_deletes_nothing(self, api: APIClient, path: str) -> None:
        before = everything(api)
        for query in ("start=2026-01-31T10:10:00Z&end=2026-01-31T10:10:00Z", "start=2030-01-01", "end=2026-01-31"):
            assert api.delete(path + query).status_code == 204
        problem(api.delete(path + "start=2026-01-31T10:10:00Z&end=2026-01-31T10:09:00Z"), 400)
        problem(api.delete(path + "start=2026-01-31T10:10:00Z&limit=5"), 400)
        assert everything(api) == before

    @pytest.mark.parametrize("path", ["/devices/nope/datapoints", "/users/nope/datapoints"])
    def test_of_who_is_unknown_is_no_error(self, api: APIClient, path: str) -> None:
        assert api.delete(f"{path}?start=2026-01-31").status_code == 204
        assert api.delete("/datapoints?device=nope&user=u&end=2026-02-01").status_code == 204
        assert api.delete("/datapoints?device=d&user=nope").status_code == 204
        assert len(stored(api)) == 63

    @pytest.mark.parametrize("query", ["", "?start=2026-01-31", "?start=2026-01-01&end=2027-01-01"])
    def test_of_everybody_is_refused(self, api: APIClient, query: str) -> None:
        assert fields(problem(api.delete(f"/datapoints{query}"), 400)) == ["device", "user"]
        problem(api.delete("/datapoints?device="), 400)
        assert len(stored(api)) == 63

    def test_makes_room(self, api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services.store, "max_points", 63)
        monkeypatch.setattr(services.store, "max_series", 4)
        problem(post(api, POINT | {"timestamp": "2026-01-31T09:00:00Z"}), 507)
        assert api.delete("/datapoints?device=d&user=u&end=2026-01-31T10:10:00Z").status_code == 204
        assert post(api, BATCH[:10]).json() == {"created": 10}
        problem(post(api, POINT | {"device": "f"}), 507)
        assert api.delete("/datapoints?device=e&user=v").status_code == 204
        assert post(api, POINT | {"device": "f"}).status_code == 201


@drawn(60)
@given(found=bodies, cut=st.tuples(times, times), keys=st.sampled_from([("d", None), (None, "u"), ("d", "u")]))
def test_what_was_deleted_has_never_been(
    api: APIClient,
    found: dict[tuple[int, str, str], float],
    cut: tuple[int, int],
    keys: tuple[str | None, str | None],
) -> None:
    """Every answer is byte for byte the same as if the datapoints had not been sent."""
    start, end = sorted(cut)
    device, user = keys
    gone = {k for k in found if start <= k[0] < end and device in (None, k[1]) and user in (None, k[2])}
    services.store.clear()
    assert post(api, batch({k: v for k, v in found.items() if k not in gone})).status_code == 201
    never = everything(api)
    services.store.clear()
    assert post(api, batch(found)).status_code == 201
    query = "&".join(f"{name}={key}" for name, key in zip(("device", "user"), keys, strict=True) if key)
    assert api.delete(f"/datapoints?{query}&start={start}&end={end}").status_code == 204
    assert everything(api) == never


class TestReplacing:
    def test_one(self, api: APIClient) -> None:
        answers = [post(api, POINT | {"value": value}, "?on_duplicate=replace") for value in (1.0, 2.0)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert [answer.json() for answer in answers] == [{"created": 1, "replaced": 0}, {"created": 0, "replaced": 1}]
        assert stored(api) == [POINT | {"value": 2.0}]

    def test_a_batch_counts_each_item_once_and_the_last_of_several_wins(self, api: APIClient) -> None:
        assert post(api, POINT).status_code == 201
        later = POINT | {"timestamp": "2026-01-31T11:00:01Z"}
        sent = [later | {"value": 1.0}, POINT | {"value": 2.0}, later | {"value": 3.0}, POINT | {"value": 4.0}]
        assert post(api, sent, "?on_duplicate=replace").json() == {"created": 1, "replaced": 3}
        assert [p["value"] for p in stored(api)] == [4.0, 3.0]
        assert api.get("/statistics/devices/d/sum").json()[0]["value"] == 7.0

    def test_comes_in_every_format(self, api: APIClient) -> None:
        assert post(api, POINT).status_code == 201
        row = "timestamp,value,device,user\n2026-01-31T11:00:00Z,{},d,u\n"
        answer = post_raw(api, row.format(7), "text/csv", "?on_duplicate=replace")
        assert answer.json() == {"created": 0, "replaced": 1}
        assert stored(api) == [POINT | {"value": 7.0}]

    def test_a_fault_stores_nothing(self, api: APIClient) -> None:
        assert post(api, POINT).status_code == 201
        sent = [POINT | {"value": 1}, POINT | {"timestamp": "2026-01-31T13:00:00Z"}]
        problem(post(api, sent, "?on_duplicate=replace"), 422)
        problem(post(api, [POINT | {"value": 1}, POINT | {"value": "x"}], "?on_duplicate=replace"), 400)
        problem(post(api, POINT, "?on_duplicate=overwrite"), 400)
        assert stored(api) == [POINT]

    def test_needs_no_room(self, api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        assert post(api, BATCH).status_code == 201
        monkeypatch.setattr(services.store, "max_points", 60)
        monkeypatch.setattr(services.store, "max_series", 1)
        changed = [point | {"value": -point["value"]} for point in BATCH]
        assert post(api, changed, "?on_duplicate=replace").json() == {"created": 0, "replaced": 60}
        problem(post(api, [*changed, POINT], "?on_duplicate=replace"), 507)
        assert [p["value"] for p in stored(api)] == [-float(i) for i in range(60)]


@drawn(60)
@given(old=bodies, new=bodies)
def test_what_was_replaced_has_never_been(
    api: APIClient, old: dict[tuple[int, str, str], float], new: dict[tuple[int, str, str], float]
) -> None:
    services.store.clear()
    assert post(api, batch(old | new)).status_code == 201
    never = everything(api)
    services.store.clear()
    assert post(api, batch(old)).status_code == 201
    counts = post(api, batch(new), "?on_duplicate=replace").json()
    assert counts == {"created": len(new.keys() - old.keys()), "replaced": len(new.keys() & old.keys())}
    assert everything(api) == never


class TestOpenViews:
    """What is read in several steps is read anew if something was taken away in between."""

    @pytest.fixture
    def store(self) -> Store:
        store = services.store
        for i in range(40):
            store.add(i * QUARTER_HOUR // 4, 1.0, "d", "u")
        return store

    def test_fail_after_a_range_was_deleted(self, store: Store) -> None:
        with store.view("device", "d") as view:
            assert view.sums(0, 10 * QUARTER_HOUR).counts.sum() == 40
            assert self.elsewhere().delete("user", "u", start=QUARTER_HOUR, end=3 * QUARTER_HOUR) == 8
            with pytest.raises(ViewChangedError):
                view.points(0, 10 * QUARTER_HOUR)

    def test_fail_after_a_value_was_replaced(self, store: Store) -> None:
        with store.view("device", "d") as view:
            assert view.sums(0, 10 * QUARTER_HOUR).counts.sum() == 40
            assert put_batch(self.elsewhere(), [(39 * QUARTER_HOUR // 4, 2.0, "d", "u")], OnDuplicate.REPLACE) == 0
            with pytest.raises(ViewChangedError):
                view.points(0, 10 * QUARTER_HOUR)

    def test_go_on_after_a_value_was_replaced_by_itself(self, store: Store) -> None:
        with store.view("device", "d") as view:
            put_batch(self.elsewhere(), [(QUARTER_HOUR, 1.0, "d", "u")], OnDuplicate.REPLACE)
            assert len(view.points(0, 10 * QUARTER_HOUR)[0]) == 40

    @staticmethod
    def elsewhere() -> Store:
        """Return the store as another process has it; in memory there is but one."""
        store = services.store
        return another(store._storage) if isinstance(store, RedisStore) else store
