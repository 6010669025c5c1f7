"""Clients of InfluxDB write datapoints, and read errors in the shapes that they know."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from datapoints import services
from timeseries_project.api import throttling
from timeseries_project.env import Rate
from timeseries_project.storage.errors import StorageUnavailableError
from timeseries_project.tests.headers import BROWSER

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis")]

#: Lines as Telegraf's plugins write them.
TELEGRAF = (Path(__file__).parent / "telegraf.lines").read_bytes()
PATHS = ["/write", "/api/v2/write"]
SECOND = 1_769_860_800  # 2026-01-31T12:00:00Z


def write(
    api: APIClient, body: str | bytes, path: str = "/write", media_type: str = "text/plain", **headers: str
) -> Any:
    return api.generic("POST", path, body, content_type=media_type, headers=headers or None)


def stored(api: APIClient) -> list[tuple[str, float, str, str]]:
    return [tuple(point.values()) for point in api.get("/datapoints?limit=10000").json()["results"]]


class TestWriting:
    @pytest.mark.parametrize("path", ["/write?db=d&rp=r&consistency=one", "/api/v2/write/?bucket=b&org=o&orgID=1"])
    def test_each_field_is_stored(self, api: APIClient, path: str) -> None:
        response = write(api, f'cpu,host=a,cpu=cpu0 user=1.5,idle=2i,note="x",value=t {SECOND}000000000', path)
        assert (response.status_code, response.content) == (204, b"")
        assert stored(api) == [
            ("2026-01-31T12:00:00Z", 1.0, "a", "cpu,cpu=cpu0"),
            ("2026-01-31T12:00:00Z", 2.0, "a", "cpu_idle,cpu=cpu0"),
            ("2026-01-31T12:00:00Z", 1.5, "a", "cpu_user,cpu=cpu0"),
        ]

    def test_duplicates_are_replaced_in_a_body_and_between_bodies(self, api: APIClient) -> None:
        for body in (f"m,host=a f=1 {SECOND}\nm,host=a f=2,f=3 {SECOND}", f"m,host=a f=4 {SECOND}"):
            assert write(api, body, "/write?precision=s").status_code == 204
        assert stored(api) == [("2026-01-31T12:00:00Z", 4.0, "a", "m_f")]

    def test_a_time_that_is_left_out_is_now_to_the_precision(self, api: APIClient, set_clock: Any) -> None:
        set_clock("2026-01-31T12:34:56.789012")
        for precision in ("ns", "ms", "s", "h"):
            assert write(api, f"{precision},host=a value=1", f"/write?precision={precision}").status_code == 204
        times = {user: time for time, _, _, user in stored(api)}
        assert times == {
            "ns": "2026-01-31T12:34:56.789012Z",
            "ms": "2026-01-31T12:34:56.789000Z",
            "s": "2026-01-31T12:34:56.000000Z",
            "h": "2026-01-31T12:00:00.000000Z",
        }

    @pytest.mark.parametrize("media_type", ["text/plain; charset=utf-8", "application/octet-stream", ""])
    def test_types_of_clients_are_taken(self, api: APIClient, media_type: str) -> None:
        assert write(api, "m,host=a f=1", media_type=media_type).status_code == 204
        assert len(stored(api)) == 1

    def test_gzip_is_taken(self, api: APIClient) -> None:
        assert write(api, gzip.compress(b"m,host=a f=1"), Content_Encoding="gzip").status_code == 204
        assert len(stored(api)) == 1

    @pytest.mark.parametrize("path", PATHS)
    def test_lines_of_telegraf(self, api: APIClient, path: str) -> None:
        assert write(api, TELEGRAF, path).status_code == 204
        found = {(device, user): value for _, value, device, user in stored(api)}
        assert len(found) == 82
        assert found["web-1", "cpu_usage_idle,cpu=cpu0"] == 94.1
        assert found["sda1", "disk_used_percent,fstype=ext4,host=web-1,mode=rw,path=/var/lib/x y"] == 26.5
        assert found["web-1", "mqtt_consumer,topic=sensors/kitchen/temperature"] == 21.5
        assert found["web-1", "docker_container_status_oomkilled,container_name=api=1"] == 0.0
        assert ("web-1", "root") in found  # procstat: one datapoint of its fields is left
        assert found["web-1", "kernel_boot_time"] == 1769000000

    def test_text_alone_stores_nothing(self, api: APIClient) -> None:
        for body in ('m,host=a s="x"', "# nothing", "\n"):
            for path in PATHS:
                assert write(api, body, path).status_code == 204
        assert stored(api) == []

    def test_an_empty_body_is_answered_as_there(self, api: APIClient) -> None:
        assert write(api, "").status_code == 204
        response = write(api, "", "/api/v2/write")
        assert response.status_code == 400
        assert response.json()["code"] == "invalid"

    def test_a_large_body_is_stored(self, api: APIClient) -> None:
        lines = "\n".join(f"m,host=h{i % 100} f={i},g={i}i {SECOND - i // 100}" for i in range(20_000))
        assert write(api, lines, "/write?precision=s").status_code == 204
        assert services.totals_get().points == 40_000
        for device in range(0, 100, 33):
            services.datapoints_delete(axis="device", key=f"h{device}")
        assert services.totals_get().points == 38_400


class TestErrors:
    def test_of_version_1(self, api: APIClient) -> None:
        response = write(api, "m,host=a f=1\nm f=1\n\nm,host=a f=x\xe4")
        assert response.status_code == 400
        assert response.headers["Content-Type"] == "application/json"
        answer = response.json()
        assert answer["error"].startswith("line 2 has neither a tag `device` nor a tag `host`")
        assert answer["error"].endswith("(1 more)")
        assert [fault["line"] for fault in answer["errors"]] == [2, 4]
        assert response.headers["X-Influxdb-Error"] == answer["error"]
        assert stored(api) == []

    def test_of_version_2(self, api: APIClient) -> None:
        response = write(api, "m,host=a f=1\n\nm,host=a f=\n", "/api/v2/write")
        assert response.status_code == 400
        answer = response.json()
        assert (answer["code"], answer["line"]) == ("invalid", 3)
        assert answer["message"].startswith("line 3 has ")
        assert response.headers["X-Platform-Error-Code"] == "invalid"
        assert stored(api) == []

    def test_the_future_names_the_line(self, api: APIClient) -> None:
        body = f'# x\nm,host=a f=1 {SECOND}\nm,host=a s="\n",f=1,g=2 {SECOND + 60}\n'
        response = write(api, body, "/api/v2/write?precision=s")
        assert response.status_code == 422
        answer = response.json()
        assert (answer["code"], answer["line"], len(answer["errors"])) == ("unprocessable entity", 3, 2)
        assert "precision of the request is s" in answer["message"]
        assert stored(api) == []
        assert write(api, f"m,host=a f=1 {SECOND + 5}", "/write?precision=s").status_code == 204

    @pytest.mark.parametrize("query", ["precision=x", "precision=", "precision=s&precision=s", "unknown=1", "format=x"])
    @pytest.mark.parametrize("path", PATHS)
    def test_wrong_parameters(self, api: APIClient, path: str, query: str) -> None:
        response = write(api, "m,host=a f=1", f"{path}?{query}")
        assert response.status_code == (406 if "format" in query else 400)
        assert ("error" if path == "/write" else "message") in response.json()
        assert stored(api) == []

    @pytest.mark.parametrize(
        ("media_type", "headers"),
        [
            ("application/x-www-form-urlencoded", {}),
            ("multipart/form-data; boundary=x", {}),
            ("application/json", {}),
            ("text/plain; charset=utf-16", {}),
            ("text/plain", {"Content-Encoding": "br"}),
            ("text/plain", {"Sec-Fetch-Site": "cross-site"}),
            ("", {"Origin": "http://evil.example"}),
        ],
    )
    def test_other_types_and_pages_elsewhere_are_refused(
        self, api: APIClient, media_type: str, headers: dict[str, str]
    ) -> None:
        response = write(api, "m,host=a f=1", "/api/v2/write", media_type, **headers)
        assert (response.status_code, response.json()["code"]) == (415, "invalid")
        assert stored(api) == []

    def test_bodies_that_are_too_large(self, api: APIClient, settings: Settings) -> None:
        settings.MAX_BODY_BYTES = 10
        answer = write(api, "m,host=a f=1", "/api/v2/write")
        assert (answer.status_code, answer.json()["code"]) == (413, "request too large")

    def test_a_store_that_is_full(self, api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services.store, "max_points", 1, raising=False)
        monkeypatch.setattr(services.store, "_max_points", 1, raising=False)
        answer = write(api, "m,host=a f=1,g=2,h=3", "/api/v2/write")
        assert (answer.status_code, answer.json()["code"]) == (507, "unavailable")

    def test_the_rate_limit_says_when_to_come_again(self, api: APIClient, settings: Settings) -> None:
        throttling._limiter.cache_clear()
        settings.RATE_LIMIT = Rate(1, 60)
        assert write(api, "m,host=a f=1").status_code == 204
        answer = write(api, "m,host=a f=1", "/api/v2/write")
        assert (answer.status_code, answer.json()["code"]) == (429, "too many requests")
        assert int(answer.headers["Retry-After"]) > 0

    def test_a_storage_that_is_away_says_when_to_come_again(
        self, api: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object, **__: object) -> None:
            raise StorageUnavailableError

        monkeypatch.setattr(services.store, "add_batch", away)
        answer = write(api, "m,host=a f=1", "/api/v2/write")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"] == "1"

    def test_other_methods_and_people(self, api: APIClient) -> None:
        assert api.get("/api/v2/write").json()["code"] == "method not allowed"
        assert "error" in api.delete("/write").json()
        page = api.generic("POST", "/write", "m,host=a", content_type="text/plain", headers={"Accept": BROWSER})
        assert page.status_code == 400
        assert "line 1 has no field" in page.content.decode()
        assert "weather,device=thermometer-1" in page.content.decode()


class TestTokens:
    @pytest.fixture(autouse=True)
    def tokens(self, settings: Settings) -> None:
        settings.API_TOKENS = ["secret", "other"]

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        "header",
        ["Token secret", "token other", "Bearer secret", "Basic " + base64.b64encode(b"any:secret").decode()],
    )
    def test_in_the_header(self, api: APIClient, path: str, header: str) -> None:
        assert write(api, "m,host=a f=1", path, Authorization=header).status_code == 204

    def test_as_a_password_in_the_query(self, api: APIClient) -> None:
        assert write(api, "m,host=a f=1", "/write?u=any&p=secret").status_code == 204
        assert write(api, "m,host=a f=1", "/write?u=any&p=wrong").status_code == 401

    @pytest.mark.parametrize(
        "header",
        ["Token", "Token wrong", "Basic", "Basic !", "Basic " + base64.b64encode(b"secret:").decode(), "Digest secret",
         "Basic " + base64.b64encode(b"\xff\xfe:x").decode()],
    )  # fmt: skip
    def test_others_are_refused_in_the_shape_of_the_path(self, api: APIClient, header: str) -> None:
        answer = write(api, "m,host=a f=1", "/api/v2/write", Authorization=header)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "error" in write(api, "m,host=a f=1", "/write", Authorization=header).json()
        assert services.totals_get().points == 0

    @pytest.mark.parametrize("header", ["Token secret", "Basic " + base64.b64encode(b"any:secret").decode()])
    def test_elsewhere_only_bearers_count(self, api: APIClient, header: str) -> None:
        body = json.dumps({"timestamp": 1, "value": 1, "device": "d", "user": "u"})
        for path in ("/datapoints", "/datapoints?p=secret"):
            answer = api.generic("POST", path, body, content_type="application/json", headers={"Authorization": header})
            assert answer.status_code in (400, 401)
        assert services.totals_get().points == 0

    def test_statements_need_one_and_ping_none(self, api: APIClient) -> None:
        assert api.post("/query?q=CREATE DATABASE x").status_code == 401
        assert api.post("/query?q=CREATE DATABASE x&p=secret").status_code == 200
        assert api.get("/ping").status_code == 204


class TestQueriesAndPing:
    @pytest.mark.parametrize(
        "statement", ["CREATE DATABASE x", 'create  database "my db"', "CREATE DATABASE x WITH DURATION 1d;"]
    )
    def test_a_database_is_agreed_to(self, api: APIClient, statement: str) -> None:
        agreed = {"results": [{"statement_id": 0}]}
        assert api.get("/query", {"q": statement, "db": "x", "pretty": "true"}).json() == agreed
        for media_type, body in (
            ("application/x-www-form-urlencoded", "q=" + statement.replace(" ", "+").replace(";", "%3B")),
            ("application/json", ""),
        ):
            path = "/query/" if body else "/query?q=" + statement.replace(" ", "+").replace(";", "%3B")
            headers = {"Accept": "application/x-msgpack"}
            response = api.generic("POST", path, body, content_type=media_type, headers=headers)
            assert (response.status_code, response.json()) == (200, agreed)

    @pytest.mark.parametrize(
        "query",
        ["", "?q=", "?q=%00", "?q=SHOW DATABASES", "?q=CREATE DATABASE", "?q=CREATE DATABASE x; DROP DATABASE y"],
    )
    def test_anything_else_is_not_there(self, api: APIClient, query: str) -> None:
        for response in (api.get(f"/query{query}"), api.post(f"/query{query}", content_type="application/json")):
            assert response.status_code == 400
            assert "/statistics/devices/{device}/avg" in response.json()["error"]

    def test_forms_that_are_none(self, api: APIClient) -> None:
        form = "application/x-www-form-urlencoded"
        for body, media_type, status in (
            (b"q=\xff", form, 400),
            (b"&".join([b"a=b"] * 101), form, 400),
            (b"", "multipart/form-data; boundary=x", 415),
        ):
            response = api.generic("POST", "/query", body, content_type=media_type)
            assert response.status_code == status
            assert "error" in response.json()

    def test_ping(self, api: APIClient) -> None:
        for path in ("/ping", "/ping/", "/ping?verbose=false", "/ping?wait_for_leader=1s"):
            response = api.get(path)
            assert (response.status_code, response.content) == (204, b"")
            assert response.headers["X-Influxdb-Version"] == "1.8.0"
        assert api.head("/ping").status_code == 204
        assert api.get("/ping?verbose=true").json() == {"version": "1.8.0"}
