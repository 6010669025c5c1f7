"""Answers that a client has already: ETag, If-None-Match and 304."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from datapoints.interface import OnDuplicate
from timeseries_project.core import clock, timestamps
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.headers import BROWSER
from timeseries_project.tests.problems import problem
from transactions import services as transactions

QUARTER = 900
#: GETs of data; what each is about: one device, one user, or everything of an app.
OF_DEVICE = [
    "/statistics/devices/a/avg",
    "/statistics/devices/a/p95?fill=linear&bucket=1h",
    "/statistics/devices/a/moving_avg?window_size=2",
    "/statistics/devices/a/percentile?q=0.9",
    "/datapoints?device=a",
    "/datapoints?device=a&user=u",
    "/datapoints?device=a&order=desc",
    "/devices/a",
]
OF_USER = ["/statistics/users/u/avg", "/datapoints?user=u", "/users/u"]
OF_ALL = ["/datapoints?limit=2", "/devices", "/users?limit=1", "/devices?search=A"]
OF_BANDWIDTH = ["/api/bandwidth?device_uuid=a&end_time=2000000000", "/api/bandwidth/devices/a"]
PATHS = [
    *OF_DEVICE, *OF_USER, *OF_ALL, *OF_BANDWIDTH, "/api/bandwidth/devices", "/api/bandwidth/entries",
    "/api/bandwidth/entries?device_uuid=a", "/api/statistics", "/api/statistics/history"
]  # fmt: skip
#: Those whose version a store tells.
VERSIONED = [path for path in PATHS if path != "/api/statistics"]


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def known(api: APIClient, path: str, tag: str, **headers: str) -> bool:
    """Whether the client is told that it has the answer of this tag."""
    response = api.get(path, headers={"If-None-Match": tag, **headers})
    assert response.status_code in (200, 304)
    return response.status_code == 304


@pytest.fixture
def data(now: int) -> int:
    datapoints.store.add((now - 5 * QUARTER) * MICROSECONDS, 1.5, "a", "u")
    datapoints.store.add((now - 3 * QUARTER) * MICROSECONDS, 2.5, "a", "v")
    datapoints.store.add((now - 4 * QUARTER) * MICROSECONDS, 3.5, "b", "v")
    bandwidth.store.add("a", now - 5, 1, 2)
    bandwidth.store.add("b", now - 5, 1, 2)
    transactions.window.add(now * 1_000 - 500, 2.5, now=now * 1_000)
    return now


@pytest.mark.usefixtures("data")
class TestTags:
    @pytest.mark.parametrize("path", PATHS)
    def test_the_answer_that_a_client_has_is_not_sent_again(self, api: APIClient, path: str) -> None:
        first = api.get(path)
        response = api.get(path, headers={"If-None-Match": first["ETag"]})
        assert (response.status_code, response.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary"):
            assert response[name] == first[name]
        assert not {"Content-Length", "Content-Type", "Content-Encoding"} & {*response.headers}

    @pytest.mark.parametrize("path", VERSIONED)
    def test_nor_worked_out_again(self, api: APIClient, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        tag = api.get(path)["ETag"]
        for store in (datapoints.store, bandwidth.store):
            for name in ("view", "listing", "key", "key_portions", "windows", "device", "device_portions"):
                if hasattr(store, name):
                    monkeypatch.delattr(type(store), name)
        monkeypatch.delattr(type(transactions.window), "history")
        assert known(api, path, tag)

    @pytest.mark.parametrize("path", PATHS)
    def test_head_has_the_tag_of_get(self, api: APIClient, path: str) -> None:
        tag = api.get(path)["ETag"]
        assert api.head(path)["ETag"] == tag
        assert api.head(path, headers={"If-None-Match": tag}).status_code == 304

    @pytest.mark.parametrize("path", PATHS)
    def test_a_star_stands_for_any_answer(self, api: APIClient, path: str) -> None:
        response = api.get(path, headers={"If-None-Match": "*"})
        assert response.status_code == 304
        assert response["ETag"] == api.get(path)["ETag"]

    @pytest.mark.parametrize("tag", ["*", '"x"'])
    def test_what_is_not_there_or_refused_is_told_as_ever(self, api: APIClient, tag: str) -> None:
        for path, status in (
            ("/statistics/devices/nobody/avg", 404),
            ("/devices/nobody", 404),
            ("/statistics/devices/a/avg?bucket=1s&start=1970-01-01", 200),
            ("/statistics/devices/a/avg?fill=zero&bucket=x", 400),
            ("/api/bandwidth?device_uuid=nobody", 404),
            ("/nope", 404),
        ):
            response = api.get(path, headers={"If-None-Match": tag})
            if status == 200:
                assert response.status_code == (304 if tag == "*" else 200)
            else:
                problem(response, status)
                assert "ETag" not in response.headers

    def test_a_tag_goes_with_what_it_stood_for(self, api: APIClient) -> None:
        tags = {path: api.get(path)["ETag"] for path in ("/statistics/devices/a/avg", "/devices/a", *OF_BANDWIDTH)}
        api.delete("/devices/a/datapoints")
        api.delete("/api/bandwidth/devices/a")
        for path, tag in tags.items():
            problem(api.get(path, headers={"If-None-Match": tag}), 404)

    @pytest.mark.parametrize("tag", ["", '""', '"x"', "x", 'W/"x', ",,,", '"' * 3_000, "\\", '"x", ' * 1_000])
    def test_another_tag_or_garbage_gets_the_answer(self, api: APIClient, tag: str) -> None:
        for path in PATHS:
            assert not known(api, path, tag)

    def test_a_tag_may_be_one_of_a_list_and_need_not_be_weak(self, api: APIClient) -> None:
        for path in PATHS:
            tag = api.get(path)["ETag"]
            assert tag.startswith('W/"')
            assert known(api, path, f'"x", {tag}')
            assert known(api, path, tag.removeprefix("W/"))

    def test_formats_and_queries_have_tags_of_their_own(self, api: APIClient) -> None:
        tags = [
            api.get(f"/statistics/devices/a/avg{query}", headers={"Accept": accept})["ETag"]
            for query in ("", "?fill=zero", "?fill=linear")
            for accept in ("application/json", "text/csv")
        ]
        assert len(set(tags)) == 6
        assert not known(api, "/devices", api.get("/devices")["ETag"], Accept="text/csv")

    @pytest.mark.parametrize("form", ["json", "csv", "arrow"])
    def test_whatever_the_format_304_is_answered_without_content(self, api: APIClient, form: str) -> None:
        for path in {*PATHS} - {"/devices/a", "/users/u", "/api/bandwidth/devices/a", "/api/statistics"}:
            asked = f"{path}{'&' if '?' in path else '?'}format={form}"
            response = api.get(asked, headers={"If-None-Match": api.get(asked)["ETag"]})
            assert (response.status_code, response.content) == (304, b"")

    def test_an_answer_has_one_tag_compressed_or_not(self, api: APIClient) -> None:
        path = "/api/statistics/history"
        tags = {api.get(path, headers={"Accept-Encoding": encoding})["ETag"] for encoding in ("identity", "gzip")}
        assert len(tags) == 1
        assert known(api, path, *tags, **{"Accept-Encoding": "gzip"})

    def test_pages_have_none(self, api: APIClient) -> None:
        for path in [*PATHS, "/", "/charts/datapoints", "/healthz", "/metrics"]:
            assert "ETag" not in api.get(path, headers={"Accept": BROWSER, "If-None-Match": "*"}).headers

    def test_writes_do_not_ask_for_it(self, api: APIClient, data: int) -> None:
        point = {"timestamp": data, "value": 1, "device": "a", "user": "u"}
        headers = {"If-None-Match": "*"}
        assert api.post("/datapoints", point, content_type="application/json", headers=headers).status_code == 201
        assert api.delete("/devices/a/datapoints", headers=headers).status_code == 204

    def test_a_token_is_asked_for_first(self, api: APIClient) -> None:
        tag = api.get("/devices")["ETag"]
        with override_settings(API_TOKENS=("secret",), API_TOKENS_FOR_READS=True):
            problem(api.get("/devices", headers={"If-None-Match": tag}), 401)
            assert known(api, "/devices", tag, Authorization="Bearer secret")


class TestChanges:
    def test_of_another_device_or_user_leave_the_tag(self, api: APIClient, data: int) -> None:
        tags = {path: api.get(path)["ETag"] for path in (*OF_DEVICE, *OF_USER, *OF_BANDWIDTH)}
        datapoints.store.add(data * MICROSECONDS, 9.5, "b", "v")
        datapoints.store.delete("device", "b")
        bandwidth.store.add("b", data, 1, 2)
        bandwidth.store.delete("b")
        assert [path for path, tag in tags.items() if not known(api, path, tag)] == []

    def test_of_the_same_make_another(self, api: APIClient, data: int) -> None:
        tags = {path: api.get(path)["ETag"] for path in PATHS}
        datapoints.store.add(data * MICROSECONDS, 9.5, "a", "u")
        bandwidth.store.add("a", data, 1, 2)
        transactions.window.add(data * 1_000, 1.0, now=data * 1_000)
        assert [path for path, tag in tags.items() if known(api, path, tag)] == []

    def test_of_the_link_alone_too(self, api: APIClient, data: int) -> None:
        """In CSV the next part of a listing is named by a header only."""
        headers = {"Accept": "text/csv"}
        first = api.get("/devices?limit=2", headers=headers)
        datapoints.store.add(data * MICROSECONDS, 1.0, "c", "w")
        second = api.get("/devices?limit=2", headers={**headers, "If-None-Match": first["ETag"]})
        assert (second.content, "Link" in second.headers) == (first.content, True)

    def test_the_next_bucket_makes_another_unless_the_answer_ends_before(
        self, api: APIClient, data: int, set_clock: Callable[[str], int]
    ) -> None:
        live, ended = "/statistics/devices/a/avg", "/statistics/devices/a/avg?end=2026-01-31T12:00:00Z"
        tags = {path: api.get(path)["ETag"] for path in (live, ended)}
        set_clock("2026-01-31T12:14:59Z")
        assert known(api, live, tags[live])
        set_clock("2026-01-31T12:15:00Z")
        assert not known(api, live, tags[live])
        assert known(api, ended, tags[ended])

    def test_retention_makes_another_where_it_drops_something(
        self, api: APIClient, data: int, set_clock: Callable[[str], int]
    ) -> None:
        path = "/api/bandwidth/devices/a"
        with override_settings(RETENTION_SECONDS=10):
            tag = api.get(path)["ETag"]
            set_clock("2026-01-31T12:00:05Z")
            assert known(api, path, tag)
            bandwidth.store.add("a", data, 1, 1)
            tag = api.get(path)["ETag"]
            set_clock("2026-01-31T12:00:06Z")
            assert not known(api, path, tag)

    def test_figures_that_only_grow_old_keep_the_tag_until_one_is_too_old(
        self, api: APIClient, data: int, set_clock: Callable[[str], int]
    ) -> None:
        tag = api.get("/api/statistics")["ETag"]
        set_clock("2026-01-31T12:00:59.500Z")
        assert known(api, "/api/statistics", tag)
        set_clock("2026-01-31T12:00:59.501Z")
        assert not known(api, "/api/statistics", tag)


@pytest.mark.usefixtures("data")
@pytest.mark.storages("redis")
def test_over_a_shared_storage_the_content_decides(api: APIClient) -> None:
    for path in PATHS:
        first = api.get(path)
        assert known(api, path, first["ETag"])
    datapoints.store.add(1, 1.0, "a", "w")
    assert not known(api, "/devices/a", api.get("/devices")["ETag"])


BEGIN = timestamps.parse("2026-01-31T12:00:00Z")
KEYS = st.sampled_from("ab")
AGES = st.integers(0, 40).map(lambda step: step * QUARTER // 4)
STEPS = st.one_of(
    st.tuples(st.just("wait"), st.integers(-QUARTER, 4 * QUARTER), KEYS),
    st.tuples(st.just("add"), AGES, st.tuples(KEYS, KEYS)),
    st.tuples(st.just("batch"), AGES, st.lists(st.tuples(KEYS, KEYS), max_size=3)),
    st.tuples(st.just("replace"), AGES, st.lists(st.tuples(KEYS, KEYS), max_size=3)),
    st.tuples(st.just("range"), AGES, KEYS),
    st.tuples(st.just("delete"), st.sampled_from(["device", "user"]), KEYS),
    st.tuples(st.just("bytes"), AGES, KEYS),
    st.tuples(st.just("forget"), AGES, KEYS),
    st.tuples(st.just("amount"), st.integers(0, 59), KEYS),
)


class Life:
    """A service that lives through random steps; no clock is read but the one that is set here."""

    def __init__(self) -> None:
        self.now = BEGIN

    def step(self, kind: str, how: Any, what: Any) -> None:
        seconds = self.now // MICROSECONDS
        if kind == "wait":
            self.now += how * MICROSECONDS
        elif kind == "add":
            datapoints.store.add((seconds - how) * MICROSECONDS, 1.5, *what, oldest=datapoints.oldest_kept(self.now))
        elif kind in ("batch", "replace"):
            chosen = OnDuplicate.REPLACE if kind == "replace" else OnDuplicate.SKIP
            value = 3.5 if kind == "replace" else 2.5
            columns = {"timestamp": [(seconds - how) * MICROSECONDS] * len(what), "value": [value] * len(what)}
            devices, users = [device for device, _ in what], [user for _, user in what]
            datapoints.datapoints_add(**columns, device=devices, user=users, now=self.now, on_duplicate=chosen)
        elif kind == "range":
            begin = (seconds - how) * MICROSECONDS
            datapoints.store.delete("device", what, start=begin, end=begin + 1, oldest=datapoints.oldest_kept(self.now))
        elif kind == "delete":
            datapoints.store.delete(how, what, oldest=datapoints.oldest_kept(self.now))
        elif kind == "bytes":
            bandwidth.store.add(what, seconds - how, 1, 2, oldest=bandwidth.oldest_kept(seconds))
        elif kind == "forget":
            bandwidth.store.delete(what)
        else:
            transactions.window.add((seconds - how) * 1_000, 1.5, now=seconds * 1_000)


@pytest.mark.parametrize("retention", [None, 8 * QUARTER])
@drawn(100)
@given(st.lists(STEPS, max_size=15))
def test_who_is_told_to_have_the_answer_has_it(retention: int | None, steps: list[Any]) -> None:
    """Whenever 304 is answered, the whole answer is byte for byte the one that the tag was given for."""
    for clear in (datapoints.store.clear, bandwidth.store.clear, transactions.window.clear):
        clear()
    api, life = APIClient(), Life()
    given: dict[str, dict[str, bytes]] = {path: {} for path in [*PATHS, "/api/bandwidth?device_uuid=a"]}
    with pytest.MonkeyPatch.context() as patch, override_settings(RETENTION_SECONDS=retention):
        patch.setattr(clock, "now", lambda: life.now)
        for step in steps:
            life.step(*step)
            for path, answers in given.items():
                told = [tag for tag in answers if api.get(path, headers={"If-None-Match": tag}).status_code == 304]
                whole = api.get(path)
                for tag in told:
                    assert (whole.status_code, body(whole)) == (200, answers[tag])
                if whole.status_code == 200:
                    assert answers.setdefault(whole["ETag"], body(whole)) == body(whole)
