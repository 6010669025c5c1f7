"""What /metrics shows and what it must not: every request counted once, with few distinct labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from datapoints import views
from timeseries_project.core import clock
from timeseries_project.ops import metrics
from timeseries_project.tests.exposition import Samples
from timeseries_project.tests.problems import problem
from transactions import services as transactions

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
POINT = {"timestamp": 1, "value": 1, "device": "d", "user": "u"}
COUNT, OBSERVED = "http_requests_total", "http_request_duration_seconds_count"


@pytest.fixture
def grown(api: APIClient) -> Callable[..., float]:
    """A function that returns a series' growth since the test began."""
    before = Samples.ask(api)
    return lambda name, **labels: Samples.ask(api).value(name, **labels) - before.value(name, **labels)


def post(api: APIClient, path: str, item: object, **headers: Any) -> Any:
    return api.post(path, json.dumps(item), content_type="application/json", **headers)


class TestFormat:
    def test_what_options_tells_is_no_metric(self, api: APIClient) -> None:
        assert api.options("/metrics").json()["name"] == "Metrics"
        assert problem(api.options("/metrics?format=prometheus"), 406)["status"] == 406

    @pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
    @pytest.mark.parametrize("accept", ["*/*", "text/plain;version=0.0.4", "text/plain"])
    def test_is_prometheus_text(self, api: APIClient, path: str, accept: str) -> None:
        response = api.get(path, headers={"Accept": accept})
        assert response.status_code == 200
        assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert Samples.parse(response.content.decode()).value("timeseries_ready") == 1

    def test_is_openmetrics_for_who_prefers_it(self, api: APIClient) -> None:
        accept = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        response = api.get("/metrics", headers={"Accept": accept})
        assert response["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        families = {family.name: family.type for family in parse_openmetrics(response.content.decode())}
        assert families["http_requests"] == "counter"
        assert families["timeseries_build"] == "info"

    @pytest.mark.parametrize("name", ["prometheus", "openmetrics", "api"])
    def test_the_format_can_be_asked_for(self, api: APIClient, name: str) -> None:
        assert b"timeseries_datapoints" in api.get(f"/metrics?format={name}").content

    def test_a_browser_gets_a_page(self, api: APIClient) -> None:
        response = api.get("/metrics", headers={"Accept": BROWSER})
        assert response["Content-Type"] == "text/html; charset=utf-8"
        assert b"timeseries_datapoints 0.0" in response.content

    def test_head_has_no_body(self, api: APIClient) -> None:
        response = api.head("/metrics")
        assert (response.status_code, response.content) == (200, b"")

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_other_methods_are_refused(self, api: APIClient, method: str) -> None:
        response = getattr(api, method)("/metrics")
        problem(response, 405)
        assert response["Allow"] == "GET, HEAD, OPTIONS"

    def test_parameters_and_formats_are_checked_as_everywhere(self, api: APIClient) -> None:
        problem(api.get("/metrics?name[]=timeseries_ready"), 400)
        problem(api.get("/metrics?format=json"), 406)
        problem(api.get("/metrics", headers={"Accept": "text/csv"}), 406)


class TestRequests:
    @pytest.mark.parametrize(
        ("method", "path", "route", "status"),
        [
            ("GET", "/healthz", "/healthz", 200),
            ("HEAD", "/healthz/", "/healthz", 200),
            ("GET", "/", "/", 200),
            ("GET", "/devices", "/devices", 200),
            ("GET", "/devices/a/b", "/devices/{device}", 404),
            ("DELETE", "/devices/a%20b/datapoints", "/devices/{device}/datapoints", 204),
            ("GET", "/statistics/devices/x/avg", "/statistics/devices/{device}/{aggregate}", 404),
            ("GET", "/statistics/users/x/p99", "/statistics/users/{user}/{aggregate}", 404),
            ("GET", "/statistics/users/x/moving_avg", "/statistics/users/{user}/moving_avg", 400),
            ("GET", "/api/bandwidth/devices/x", "/api/bandwidth/devices/{device_id}", 404),
            ("GET", "/charts/bandwidth", "/charts/bandwidth", 200),
            ("POST", "/charts/bandwidth", "/charts/bandwidth", 405),
            ("PUT", "/datapoints", "/datapoints", 405),
            ("OPTIONS", "/datapoints", "/datapoints", 200),
            ("GET", "/api/docs/", "/api/docs", 200),
            ("GET", "/static/style.css", "/static/{path}", 200),
            ("GET", "/static/nope.css", "unknown", 404),
            ("GET", "/nope", "unknown", 404),
        ],
    )
    def test_are_counted_under_the_template_of_their_route(
        self, api: APIClient, grown: Callable[..., float], method: str, path: str, route: str, status: int
    ) -> None:
        response = api.generic(method, path)
        list(response.streaming_content if response.streaming else ())
        response.close()
        labels = {"method": method, "route": route, "status": status}
        assert (response.status_code, grown(COUNT, **labels), grown(OBSERVED, **labels)) == (status, 1, 1)

    def test_whatever_clients_invent_makes_no_new_series(self, api: APIClient) -> None:
        def series() -> int:
            return len(Samples.ask(api))

        api.get("/nope")
        api.generic("BREW", "/nope")
        api.get("/devices/x")
        before = series()
        for i in range(50):
            api.get(f"/nope-{i}")
            api.generic(f"BREW{i}", f"/nope-{i}")
            api.get(f"/devices/{i}")
        assert series() == before

    def test_unknown_methods_are_one(self, api: APIClient, grown: Callable[..., float]) -> None:
        for method in ("BREW", "Get-It", "PROPFIND"):
            api.generic(method, "/devices")
        assert grown(COUNT, method="other", route="/devices", status=405) == 3

    def test_what_middleware_refuses_is_counted(self, api: APIClient, grown: Callable[..., float]) -> None:
        problem(api.get("/devices", headers={"Host": "evil.example"}), 400)
        assert grown(COUNT, method="GET", route="unknown", status=400) == 1

    def test_failures_are_counted(
        self, api: APIClient, grown: Callable[..., float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(views.services, "keys_portions", lambda *args, **kwargs: 1 // 0)
        problem(api.get("/devices"), 500)
        assert grown(COUNT, method="GET", route="/devices", status=500) == 1

    def test_the_time_is_that_of_the_whole_answer(
        self, api: APIClient, grown: Callable[..., float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A long answer is counted when its last part has been sent, not its first."""
        now = 100.0
        monkeypatch.setattr(clock, "elapsed", lambda: now)
        datapoints.store.add(1_000_000, 1.0, "long", "u")
        route = "/statistics/devices/{device}/{aggregate}"
        response = api.get("/statistics/devices/long/avg?end=1971-01-01")
        assert response.streaming
        assert grown(OBSERVED, method="GET", route=route, status=200) == 0
        now = 103.0
        assert b"".join(response.streaming_content).endswith(b"]")
        response.close()
        response.close()
        assert grown(OBSERVED, method="GET", route=route, status=200) == 1
        assert grown("http_request_duration_seconds_sum", method="GET", route=route, status=200) == 3
        bucket = "http_request_duration_seconds_bucket"
        assert grown(bucket, method="GET", route=route, status=200, le="1.0") == 0
        assert grown(bucket, method="GET", route=route, status=200, le="5.0") == 1


class TestRefusedWrites:
    @pytest.mark.parametrize(
        ("reason", "body", "environ"),
        [
            ("invalid", b"{", {}),
            ("future", json.dumps(POINT | {"timestamp": "2999-01-01"}).encode(), {}),
            ("duplicate", json.dumps([POINT, POINT]).encode(), {}),
            ("unsupported", b"{}", {"content_type": "text/plain"}),
            ("unacceptable", b"{}", {"HTTP_ACCEPT": "image/png"}),
        ],
    )
    def test_are_counted_by_reason(
        self, api: APIClient, grown: Callable[..., float], reason: str, body: bytes, environ: Any
    ) -> None:
        api.post("/datapoints", body, **{"content_type": "application/json", **environ})
        found = {name: grown("timeseries_refused_writes_total", reason=name) for name in metrics.REASONS.values()}
        assert found == dict.fromkeys(found, 0) | {reason: 1}

    def test_a_body_that_is_too_large_is_one(self, api: APIClient, grown: Callable[..., float]) -> None:
        with override_settings(MAX_BODY_BYTES=5):
            problem(post(api, "/datapoints", POINT), 413)
        assert grown("timeseries_refused_writes_total", reason="too_large") == 1

    def test_reads_and_missing_routes_are_none(self, api: APIClient) -> None:
        def refused() -> dict[Any, float]:
            return {key: value for key, value in Samples.ask(api).items() if key[0].startswith("timeseries_refused")}

        before = refused()
        api.get("/devices?limit=x")
        api.post("/nope")
        api.put("/datapoints")
        post(api, "/datapoints", POINT)
        assert refused() == before
        assert len(before) == len(metrics.REASONS)


class TestState:
    def test_tells_what_is_held_and_what_was_accepted(self, api: APIClient, grown: Callable[..., float]) -> None:
        now = clock.now()
        points = [POINT, POINT | {"device": "e"}, POINT | {"timestamp": 2}]
        entries = [{"device_id": "r", "timestamp": 1, "bytes_ts": 1, "bytes_fs": 2}] * 3
        assert post(api, "/datapoints", points).status_code == 201
        assert post(api, "/api/bandwidth", entries).status_code == 201
        for age in (0, 1, 90_000):
            post(api, "/api/transactions", {"amount": 1, "timestamp": now // 1_000 - age})
        api.delete("/devices/e/datapoints")

        found = Samples.ask(api)
        assert {
            name: found.value(f"timeseries_{name}")
            for name in ("datapoints", "series", "devices", "users", "bandwidth_devices", "bandwidth_entries")
        } == {
            "datapoints": 2,
            "series": 1,
            "devices": 1,
            "users": 1,
            "bandwidth_devices": 1,
            "bandwidth_entries": 3,
        }
        assert found.value("timeseries_recent_transactions") == 2
        for app, accepted in (("datapoints", 3), ("bandwidth", 3), ("transactions", 2)):
            assert grown("timeseries_accepted_total", app=app) == accepted
        held = {app: found.value("timeseries_held_bytes", app=app) for app in ("datapoints", "bandwidth")}
        assert held == {
            "datapoints": datapoints.store.totals().nbytes,
            "bandwidth": bandwidth.store.usage().nbytes,
        }
        assert all(held.values())
        assert found.value("timeseries_held_bytes", app="transactions") == transactions.window.nbytes

    @pytest.mark.storages("redis")
    def test_what_retention_has_passed_is_not_accepted(self, api: APIClient, grown: Callable[..., float]) -> None:
        old, new = clock.now() // 1_000_000 - 7_200, clock.now() // 1_000_000
        with override_settings(RETENTION_SECONDS=3_600):
            for timestamp in (old, new):
                entry = {"device_id": "r", "timestamp": timestamp, "bytes_ts": 1, "bytes_fs": 2}
                post(api, "/datapoints", POINT | {"timestamp": timestamp})
                post(api, "/api/bandwidth", entry)
            for path, old_item, item in (
                ("/datapoints?on_duplicate=skip", POINT | {"timestamp": old}, POINT | {"timestamp": new}),
                ("/api/bandwidth", entry | {"timestamp": old}, entry),
            ):
                assert post(api, path, [old_item, old_item, item]).status_code == 201
        assert grown("timeseries_accepted_total", app="datapoints") == 1
        assert grown("timeseries_accepted_total", app="bandwidth") == 2

    def test_recent_transactions_are_those_of_the_moment(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        now = set_clock("2026-01-31T12:00:00Z")
        transactions.transaction_record(amount=1.0, timestamp=now * 1_000, now=now * 1_000)
        set_clock("2026-01-31T12:01:00Z")
        assert Samples.ask(api).value("timeseries_recent_transactions") == 1
        set_clock("2026-01-31T12:01:00.001Z")
        assert Samples.ask(api).value("timeseries_recent_transactions") == 0

    def test_the_process_is_measured_and_named(self, api: APIClient) -> None:
        names = {name for name, _ in Samples.ask(api)}
        assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"} <= names
        assert {"timeseries_build_info", "python_info"} <= names
