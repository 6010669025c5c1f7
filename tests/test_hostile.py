"""Hostile bodies, requests and framing, against the production server and against Django's handler in this process.

Each gets the expected status, a refusal gets problem details, and nothing that was refused is stored. At the end the
process still answers, and its log is empty.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import pytest
from rest_framework.test import APIClient

from datapoints import services
from tests.hostile.bodies import BODIES, LINES, Body
from tests.hostile.framing import FRAMED, NO_HTTP
from tests.hostile.requests import REQUESTS, Request
from tests.served import Served
from timeseries_project.tests.environs import environ_of
from timeseries_project.tests.problems import PROBLEM, members
from timeseries_project.wsgi import application

#: Words of Python and the framework that no answer may contain.
_INNARDS = re.compile(rb"Traceback|File \"|site-packages|settings\.[A-Z]")
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One server for all requests, so that the next request notices what one has broken."""
    with Served(MAX_BODY_BYTES="2000000") as served:
        served.wait()
        yield served
        assert served.request("GET", "/healthz")[0] == 200
        status, _, log = served.stopped()
        assert (status, log) == (0, "")


def forget(server: Served) -> None:
    """Delete what an accepted request stored."""
    for device in json.loads(server.request("GET", "/devices")[2]):
        path = "".join(f"%{byte:02x}" for byte in device["device"].encode())
        assert server.request("DELETE", f"/devices/{path}/datapoints")[0] == 204


def check(status: int, head: bytes, body: bytes) -> None:
    """Check what must hold for every answer."""
    assert status < 500
    assert not _INNARDS.search(body)
    assert b"set-cookie" not in head.lower()
    assert b"evil.example" not in head
    if status >= 400:
        assert PROBLEM.encode() in head
        members(json.loads(body), status)


class TestBodies:
    @pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
    def test_in_production(self, server: Served, body: Body) -> None:
        status, response, content = server.request("POST", "/datapoints", body.content, Content_Type=body.media_type)
        assert status == body.status, content
        check(status, bytes(response.headers), content)
        if status >= 400:
            assert server.request("GET", "/devices")[2] == b"[]"
        else:
            forget(server)

    @pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
    def test_in_process(self, api: APIClient, body: Body) -> None:
        response = api.generic("POST", "/datapoints", body.content, content_type=body.media_type)
        assert response.status_code == body.status
        check(response.status_code, response.serialize_headers(), response.content)
        assert response.status_code < 400 or services.totals_get().points == 0

    @pytest.mark.parametrize("path", ["/api/bandwidth", "/api/transactions"])
    @pytest.mark.parametrize("body", [b for b in BODIES if b.status == 400], ids=lambda body: body.name)
    def test_of_the_other_apps(self, api: APIClient, path: str, body: Body) -> None:
        response = api.generic("POST", path, body.content, content_type=body.media_type)
        assert response.status_code == 400
        check(response.status_code, response.serialize_headers(), response.content)


class TestLines:
    @pytest.mark.parametrize("path", ["/write", "/api/v2/write"])
    @pytest.mark.parametrize("body", LINES, ids=lambda body: body.name)
    def test_in_production(self, server: Served, path: str, body: Body) -> None:
        expected = 400 if not body.content and path != "/write" else body.status
        status, response, content = server.request("POST", path, body.content, Content_Type=body.media_type)
        assert status == expected, content
        assert not _INNARDS.search(content)
        assert b"set-cookie:" not in bytes(response.headers).lower()
        if status >= 400:
            assert json.loads(content).keys() & {"error", "message"}
            assert len(content) < 100_000
            assert server.request("GET", "/devices")[2] == b"[]"
        else:
            forget(server)

    @pytest.mark.parametrize("body", LINES, ids=lambda body: body.name)
    def test_in_process(self, api: APIClient, body: Body) -> None:
        response = api.generic("POST", "/write", body.content, content_type=body.media_type)
        assert response.status_code == body.status
        assert b"set-cookie:" not in response.serialize_headers().lower()
        assert response.status_code < 400 or services.totals_get().points == 0


class TestRequests:
    @pytest.mark.parametrize("request_", [*REQUESTS, *FRAMED], ids=lambda request: request.name)
    def test_in_production(self, server: Served, request_: Request) -> None:
        answer = server.raw(request_.content)
        assert statuses(answer) == request_.statuses, answer[-500:]
        head, _, body = answer.rpartition(b"\r\n\r\n")
        check(request_.statuses[-1], head, body)
        if request_.statuses[-1] >= 400:
            assert server.request("GET", "/devices")[2] == b"[]"
        else:
            forget(server)

    @pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
    def test_in_process(self, request_: Request) -> None:
        answered: list[str] = []
        headers: list[tuple[str, str]] = []

        def start(status: str, given: list[tuple[str, str]]) -> None:
            answered.append(status)
            headers.extend(given)

        body = b"".join(application(environ_of(request_.content), start))
        status = int(answered[0].split()[0])
        assert status == request_.statuses[-1], body[-500:]
        assert not any("\r" in text or "\n" in text for header in headers for text in header)
        check(status, repr(headers).encode(), body)
        assert status < 400 or services.totals_get().points == 0

    @pytest.mark.parametrize("request_", NO_HTTP, ids=lambda request: request.name)
    def test_that_are_no_http(self, server: Served, request_: Request) -> None:
        answer = server.raw(request_.content)
        assert statuses(answer) == request_.statuses, answer[-500:]
        head, _, body = answer.rpartition(b"\r\n\r\n")
        check(request_.statuses[-1], head, body)
        assert server.request("GET", "/devices")[2] == b"[]"


def statuses(answer: bytes) -> tuple[int, ...]:
    """Return the statuses of the answers on one connection."""
    return tuple(map(int, _STATUS.findall(answer)))


FORMULAS = [
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example","x")',
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\u2009=1",
    'a,"b"',
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_comes_back_as_the_text_that_it_is(api: APIClient, formula: str) -> None:
    rows = io.StringIO()
    csv.writer(rows).writerows([("timestamp", "value", "device", "user"), (1, 2, formula, formula)])
    assert api.generic("POST", "/datapoints", rows.getvalue(), content_type="text/csv").status_code == 201
    for path, column in (("/datapoints", "user"), ("/devices", "device"), ("/users", "user")):
        [row] = csv.DictReader(io.StringIO(api.get(f"{path}?format=csv").content.decode(), newline=""))
        assert row[column] == formula
    assert api.get("/datapoints").json()["results"][0]["device"] == formula
