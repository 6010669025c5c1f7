"""Which clients accept gzip, and what is compressed for them."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from datapoints import services as datapoints
from timeseries_project.api import access, answers, compression, sessions
from timeseries_project.api.compression import accepts_gzip, compressed, compressed_parts
from timeseries_project.api.framework import Utf8Request
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.middleware import Middleware
from timeseries_project.tests.drawn import drawn
from timeseries_project.tests.environs import environ
from timeseries_project.tests.headers import BROWSER

ARROW = "application/vnd.apache.arrow.stream"


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "GZIP",
        "x-gzip",
        "gzip, deflate, br, zstd",
        "br;q=1.0, gzip;q=0.8, *;q=0.1",
        "*",
        "deflate, *;q=0.5",
        "gzip;q=0.001",
        " gzip ; q=0.5 ",
        "gzip;q=1.0,identity;q=0.5",
        "identity;q=0, gzip",
        "identity;q=0, *",
        "gzip,gzip;q=0,x-gzip",
        "garbage;;q, ,gzip",
        "gzip;q=x, x-gzip",
        'gzip;level="a,b;q=0"',
    ],
)
def test_gzip_is_accepted(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "identity",
        "br",
        "deflate, br",
        "gzip;q=0",
        "gzip;q=0.000",
        "gzip;q=0, *",
        "gzip;q=0;q=1, gzip;q=0",
        "*;q=0",
        "identity;q=0",
        "identity, gzip;q=0.5",
        "gzip;q=-1",
        "gzip;q=2",
        "gzip;q=nan",
        "gzip;q=inf",
        "gzip;q=x",
        "gzipped",
        "g zip",
        '"gzip"',
        "gzip" + " " * 5_000,
        "x," * 5_000 + "gzip",
        "x," * 100 + "gzip",  # beyond the parts that are read
    ],
)
def test_gzip_is_not_accepted(header: str) -> None:
    assert not accepts_gzip(header)


@drawn(500)
@given(st.text(st.sampled_from('gzip*identity;q=01.,- \t"\\x')))
def test_any_header_is_read(header: str) -> None:
    assert accepts_gzip(header) in (True, False)


@drawn(100)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_parts_are_compressed_as_the_whole_is(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert gzip.decompress(b"".join(compressed_parts(parts))) == whole == gzip.decompress(compressed(whole))


def test_a_part_is_compressed_when_it_is_taken() -> None:
    taken = 0

    def parts() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield os.urandom(500_000)

    compressing = compressed_parts(parts())
    assert len(next(compressing)) > 100_000
    assert taken <= 2


class TestAnswers:
    """What goes out, by the Accept-Encoding of the request; "device" has 100 buckets, and "long" more than a slice."""

    @pytest.fixture(autouse=True)
    def points(self, now: int) -> None:
        for age in range(100):
            datapoints.store.add((now - age * 900) * MICROSECONDS, 1.5, "device", "u")
        datapoints.store.add((now - 10_000 * 900) * MICROSECONDS, 1.5, "long", "u")

    def get(self, api: APIClient, path: str, encoding: str | None, **headers: str) -> Any:
        sent = {**headers, **({} if encoding is None else {"Accept-Encoding": encoding})}
        return api.get(path, headers=sent)

    @pytest.mark.parametrize("accept", ["application/json", "text/csv", ARROW, BROWSER])
    @pytest.mark.parametrize("path", ["/statistics/devices/device/avg", "/statistics/devices/long/avg"])
    def test_a_long_answer_is_the_same_in_gzip(self, api: APIClient, path: str, accept: str) -> None:
        plain, packed = (self.get(api, path, encoding, Accept=accept) for encoding in (None, "gzip"))
        assert "Content-Encoding" not in plain.headers
        assert packed["Content-Encoding"] == "gzip"
        content, whole = body(packed), body(plain)
        if accept != BROWSER:  # a page may say when it was made
            assert gzip.decompress(content) == whole
        assert len(content) < len(whole) / 2 or accept == ARROW
        assert plain["Vary"] == packed["Vary"] == "Accept, Accept-Encoding"
        assert plain["Content-Type"] == packed["Content-Type"]
        if not packed.streaming:
            assert packed["Content-Length"] == str(len(content))
        else:
            assert "Content-Length" not in packed.headers

    @pytest.mark.parametrize("encoding", [None, "", "identity", "br", "gzip;q=0", "*;q=0", "identity, gzip;q=0.1"])
    def test_who_does_not_accept_gzip_gets_none(self, api: APIClient, encoding: str | None) -> None:
        response = self.get(api, "/statistics/devices/device/avg", encoding)
        assert "Content-Encoding" not in response.headers
        assert len(response.json()) == 100
        assert response["Vary"] == "Accept, Accept-Encoding"

    def test_a_short_answer_goes_out_as_it_is(self, api: APIClient) -> None:
        for path in ("/api/statistics", "/healthz", "/devices/device"):
            response = self.get(api, path, "gzip")
            assert "Content-Encoding" not in response.headers
            assert response["Content-Length"] == str(len(response.content))

    @pytest.mark.parametrize(("length", "packed"), [(compression.SHORT, False), (compression.SHORT + 1, True)])
    def test_a_kilobyte_is_short(self, length: int, packed: bool) -> None:
        response = Middleware(lambda _: HttpResponse(b"x" * length))(request())
        assert response.has_header("Content-Encoding") is packed

    def test_very_long_content_is_compressed_in_parts_while_it_is_sent(self) -> None:
        content = os.urandom(10 * compression.LONG)
        response = compression.compress_long(request(), HttpResponse(content, status=201, headers={"Link": "x"}))
        assert isinstance(response, StreamingHttpResponse)
        assert (response.status_code, response["Link"], response.nbytes) == (201, "x", len(content))
        assert gzip.decompress(body(response)) == content

    def test_what_has_an_encoding_keeps_it(self) -> None:
        response = compression.compress_long(request(), HttpResponse(b"x" * 5_000, headers={"Content-Encoding": "br"}))
        assert (response["Content-Encoding"], len(response.content)) == ("br", 5_000)

    def test_head_says_what_get_says(self, api: APIClient) -> None:
        for path in ("/statistics/devices/device/avg", "/statistics/devices/long/avg", "/api/statistics"):
            got = self.get(api, path, "gzip")
            head = api.head(path, headers={"Accept-Encoding": "gzip"})
            names = {*got.headers, *head.headers} - {"X-Request-ID"}
            assert {name: head.headers.get(name) for name in names} == {name: got.headers.get(name) for name in names}

    def test_errors_and_pages_are_compressed_too(self, api: APIClient) -> None:
        for path in ("/", "/nope", "/charts/transactions"):
            response = self.get(api, path, "gzip", Accept=BROWSER)
            assert response["Content-Encoding"] == "gzip"
            assert b"</html>" in gzip.decompress(response.content)
        refused = api.post(
            "/datapoints", [{}] * 100, content_type="application/json", headers={"Accept-Encoding": "gzip"}
        )
        assert refused.status_code == 400
        assert len(json.loads(gzip.decompress(refused.content))["errors"]) == 100

    def test_the_budget_counts_what_is_held_and_is_given_back(self, api: APIClient) -> None:
        before = answers.under_way.held
        response = self.get(api, "/statistics/devices/long/avg", "gzip")
        assert answers.under_way.held > before
        assert gzip.decompress(body(response)).startswith(b"[")
        response.close()
        assert answers.under_way.held == before

    def test_a_page_beside_ours_cannot_guess_by_the_length(self, api: APIClient) -> None:
        """BREACH: what a cookie unlocks is not compressed for a page of another port or subdomain."""
        with override_settings(API_TOKENS=("secret",), API_TOKENS_FOR_READS=True):
            api.cookies[sessions.PLAIN] = sessions.issue(access.digest("secret"))
            for site, packed in (("same-site", False), ("cross-site", False), ("same-origin", True), ("none", True)):
                headers = {"Sec-Fetch-Site": site}
                response = self.get(api, "/statistics/devices/device/avg", "gzip", **headers)
                assert response.status_code == 200
                assert response.has_header("Content-Encoding") is packed


def request() -> Utf8Request:
    return Utf8Request(environ("GET", "/", HTTP_ACCEPT_ENCODING="gzip"))


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content
