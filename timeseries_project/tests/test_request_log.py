"""The id of a request, and its line in the log."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from datapoints import services as datapoints
from datapoints import views
from timeseries_project.ops import logs
from timeseries_project.tests.problems import problem

MADE = re.compile(r"[0-9a-f]{32}")
SECRET = "s3cr3t"


class Lines:
    """The lines of the log, in one of its formats."""

    def __init__(self, form: str) -> None:
        self.stream = StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(logs.FORMATTERS[form]())

    def texts(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.texts()]


@pytest.fixture
def form() -> str:
    """The format of the lines; tests parametrise it."""
    return "json"


@pytest.fixture
def log(form: str) -> Iterator[Lines]:
    """The log that this test writes."""
    lines = Lines(form)
    logging.getLogger().addHandler(lines.handler)
    yield lines
    logging.getLogger().removeHandler(lines.handler)


def fail(*args: object, **kwargs: object) -> None:
    raise RuntimeError("the reason\nof two lines")


class TestRequestId:
    @pytest.mark.parametrize("given", ["a", "A.b_c-9", "f" * 128, "00000000-0000-4000-8000-000000000000"])
    @pytest.mark.parametrize("path", ["/healthz", "/nope", "/", "/static/style.css"])
    def test_a_sane_one_is_taken_and_returned(self, api: APIClient, given: str, path: str) -> None:
        response = api.get(path, headers={"X-Request-ID": given})
        response.close()
        assert response["X-Request-ID"] == given

    @pytest.mark.parametrize("given", ["", " ", "a b", "f" * 129, "a,b", "a\nb", "ü", "<script>", "a;b", "a/b", "a\n"])
    def test_another_is_ignored(self, api: APIClient, given: str) -> None:
        assert MADE.fullmatch(api.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"])

    def test_each_request_has_its_own(self, api: APIClient) -> None:
        assert len({api.get("/healthz")["X-Request-ID"] for _ in range(100)}) == 100

    @pytest.mark.parametrize("headers", [{}, {"Host": "evil.example"}, {"Accept": "text/html"}])
    def test_refusals_have_one(self, api: APIClient, headers: dict[str, str]) -> None:
        assert MADE.fullmatch(api.get("/nope", headers=headers)["X-Request-ID"])

    def test_a_failure_names_it(self, api: APIClient, monkeypatch: pytest.MonkeyPatch, log: Lines) -> None:
        monkeypatch.setattr(views.services, "keys_portions", fail)
        response = api.get("/devices", headers={"X-Request-ID": "mine-1"})
        assert "mine-1" in problem(response, 500)["detail"]
        failed, answered = log.parsed()
        assert (failed["level"], failed["message"], failed["request_id"]) == ("error", "A request failed", "mine-1")
        assert failed["traceback"].endswith("RuntimeError: the reason\nof two lines")
        assert (answered["status"], answered["request_id"]) == (500, "mine-1")


class TestLine:
    def test_says_what_was_asked_and_answered(self, api: APIClient, log: Lines) -> None:
        with override_settings(LOG_REQUESTS="all"):
            response = api.get("/devices/none?search=x", headers={"X-Request-ID": "mine-2"})
        [line] = log.parsed()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
        assert 0 < line.pop("duration_ms") < 60_000
        assert line == {
            "level": "info",
            "logger": "timeseries_project.requests",
            "message": "A request was answered",
            "request_id": "mine-2",
            "method": "GET",
            "path": "/devices/none",
            "route": "/devices/{device}",
            "status": 400,
            "bytes": len(response.content),
            "client": "127.0.0.1",
        }

    @pytest.mark.parametrize(
        ("setting", "statuses"),
        [("none", []), ("errors", [500]), ("refused", [404, 500]), ("all", [200, 404, 500])],
    )
    def test_the_setting_says_which_requests_have_one(
        self, api: APIClient, monkeypatch: pytest.MonkeyPatch, log: Lines, setting: str, statuses: list[int]
    ) -> None:
        monkeypatch.setattr(views.services, "keys_portions", fail)
        with override_settings(LOG_REQUESTS=setting):
            for path in ("/healthz", "/nope", "/devices"):
                api.get(path)
        assert [line["status"] for line in log.parsed() if "status" in line] == statuses

    def test_is_quiet_by_default(self, api: APIClient, log: Lines) -> None:
        for path in ("/", "/nope", "/devices?limit=x"):
            api.get(path)
        assert log.texts() == []

    @pytest.mark.parametrize("form", ["json", "text"])
    def test_clients_cannot_write_lines_of_their_own(self, api: APIClient, log: Lines) -> None:
        nasty = '/devices/a\r\n{"level": "error"}\x1b[31m\x00\x85\u2028\x9b"ü'
        with override_settings(LOG_REQUESTS="all"):
            api.generic("GE\nT", nasty.replace("\u2028", "%E2%80%A8").replace("\x85", "%C2%85"))
            api.get("/devices/%0D%0A%1B%5B31m%C2%85%E2%80%A8%C2%9B")
        assert len(log.texts()) == 2
        for line in log.texts():
            assert line.isascii()
            assert line.isprintable()

    def test_is_bounded(self, api: APIClient, log: Lines) -> None:
        with override_settings(LOG_REQUESTS="all"):
            api.generic("M" * 10_000, "/devices/" + "x" * 10_000)
        [line] = log.texts()
        assert len(line) < 2_000

    def test_has_no_secrets(self, api: APIClient, log: Lines) -> None:
        body = json.dumps({"timestamp": 1, "value": 1, "device": SECRET, "user": SECRET})
        headers = {"Authorization": f"Bearer {SECRET}", "Cookie": f"session={SECRET}", "Referer": f"/{SECRET}"}
        with override_settings(LOG_REQUESTS="all"):
            api.post(f"/datapoints?token={SECRET}", body, content_type="application/json", headers=headers)
            api.post("/datapoints", body, content_type="application/json", headers=headers)
        assert len(log.texts()) == 2
        assert SECRET not in log.stream.getvalue()

    def test_of_a_long_answer_comes_at_its_end(self, api: APIClient, log: Lines) -> None:
        datapoints.store.add(1_000_000, 1.0, "long", "u")
        with override_settings(LOG_REQUESTS="all"):
            response = api.get("/statistics/devices/long/avg?end=1971-01-01", headers={"X-Request-ID": "mine-3"})
            sent = 0
            for part in response.streaming_content:
                assert log.texts() == []
                sent += len(part)
            response.close()
        [line] = log.parsed()
        assert (line["status"], line["bytes"], line["request_id"]) == (200, sent, "mine-3")

    def test_of_an_answer_that_broke_off_has_the_reason(
        self, api: APIClient, log: Lines, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        datapoints.store.add(1_000_000, 1.0, "long", "u")
        response = api.get("/statistics/devices/long/avg?end=1971-01-01", headers={"X-Request-ID": "mine-4"})
        monkeypatch.setattr(datapoints.BucketRows, "columns", fail)
        with pytest.raises(RuntimeError):
            list(response.streaming_content)
        response.close()
        [line] = log.parsed()
        assert (line["message"], line["request_id"]) == ("An answer broke off", "mine-4")
        assert "RuntimeError: the reason" in line["traceback"]

    @pytest.mark.parametrize(("path", "static"), [("/static/style.css", True), ("/healthz", False)])
    def test_counts_the_bytes_of_every_kind_of_answer(
        self, api: APIClient, log: Lines, path: str, static: bool
    ) -> None:
        with override_settings(LOG_REQUESTS="all"):
            response = api.get(path)
            length = int(response["Content-Length"])
            response.close()
            api.head(path).close()
        assert [line["bytes"] for line in log.parsed()] == [length, 0]
        assert log.parsed()[0]["route"] == ("/static/{path}" if static else path)
