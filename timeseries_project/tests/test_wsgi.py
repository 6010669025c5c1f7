"""WSGI requests that a server may pass on but the test client never sends."""

from __future__ import annotations

import json

import pytest
from django.test import override_settings

from datapoints import services
from timeseries_project.tests.environs import LINE, call


@pytest.mark.parametrize("path", ["/devices/%FF/datapoints", "/statistics/devices/a%C3/avg", "/%80", "/%ED%A0%80"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_path_that_is_not_utf8_is_refused(path: str, method: str) -> None:
    services.store.add(1, 1.0, "%FF", "u")
    status, headers, body = call(method, path)
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert "UTF-8" in body["detail"]
    assert len(services.keys_list(axis="device")) == 1


@pytest.mark.parametrize("path", ["/devices/%C3%BC%E2%9C%93/datapoints", "/devices/%25FF/datapoints"])
def test_a_path_that_is_utf8_names_its_key(path: str) -> None:
    for key in ("ü✓", "%FF", "other"):
        services.store.add(1, 1.0, key, "u")
    assert call("DELETE", path)[0] == 204
    assert len(services.keys_list(axis="device")) == 2


@pytest.mark.parametrize("charset", ["hex", "utf-16", "idna", "undefined", "unheard-of", "latin-1"])
def test_the_charset_of_a_body_is_not_that_of_the_query(charset: str) -> None:
    media_type = f"application/json; charset={charset}"
    status, _, body = call("GET", "/datapoints?device=%C3%BC", CONTENT_TYPE=media_type)
    assert (status, body) == (200, {"results": [], "next": None})
    assert call("POST", "/datapoints?on_duplicate=sk%69p", b"{}", CONTENT_TYPE=media_type)[0] == 415


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"[]"),
        ("application/x-ndjson", LINE),
        ("text/csv", b"timestamp,value,device,user\n7,1,t,u\n"),
    ],
)
def test_a_body_that_was_cut_off_is_no_smaller_batch(media_type: str, body: bytes) -> None:
    status, _, problem = call("POST", "/datapoints", body, CONTENT_TYPE=media_type, CONTENT_LENGTH=str(len(body) + 1))
    assert (status, problem["detail"]) == (400, f"The body ends after {len(body)} of {len(body) + 1} bytes.")
    assert services.keys_list(axis="device") == []


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "+10", "1_0", "10, 10", "٣"])
@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_a_length_that_is_none(length: str, media_type: str) -> None:
    status, _, problem = call("POST", "/datapoints", LINE, CONTENT_TYPE=media_type, CONTENT_LENGTH=length)
    assert (status, "Content-Length" in problem["detail"]) == (400, True)
    assert services.keys_list(axis="device") == []


def test_a_length_beyond_all_limits() -> None:
    assert call("POST", "/datapoints", LINE, CONTENT_TYPE="application/json", CONTENT_LENGTH="9" * 50)[0] == 413


def test_a_chunked_body_that_the_server_does_not_hand_over_is_no_empty_batch() -> None:
    environ = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": "application/x-ndjson"}
    assert call("POST", "/datapoints", b"", **environ)[0] == 400


@pytest.mark.parametrize("target", ["http://127.0.0.1/healthz", "HTTPS://x:1/healthz", "http://[::1]/healthz"])
def test_a_target_in_absolute_form_means_its_path(target: str) -> None:
    assert call("GET", target)[0] == 200


@pytest.mark.parametrize("target", ["healthz", "*", "127.0.0.1:80", "//", "ftp://x/healthz"])
@pytest.mark.parametrize("debug", [True, False])
def test_other_targets_are_unknown_routes(target: str, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        status, headers, _ = call("OPTIONS", target)
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("query", ["device=%FF", "%80=1", "device=a%C3"])
def test_a_query_that_is_not_utf8_is_refused(query: str) -> None:
    assert call("GET", f"/datapoints?{query}")[0] == 400


@pytest.mark.parametrize(
    ("value", "posted"),
    [("text/html; a*=bogus''x", 415), ("application/json; a*=bogus''%FF", 201), ("a*=hex''%FF; b", 415),
     ("application/json; charset*=hex''utf-8", 415)],
)  # fmt: skip
def test_a_header_with_an_unknown_charset_in_it(value: str, posted: int) -> None:
    assert call("GET", "/devices", HTTP_ACCEPT=f"{value}, application/json")[0] == 200
    assert call("GET", "/nope", HTTP_ACCEPT=value)[0] == 404
    assert call("POST", "/datapoints", LINE, CONTENT_TYPE=value)[0] == posted


def test_answers_tell_their_length() -> None:
    _, headers, body = call("GET", "/healthz")
    assert headers["Content-Length"] == str(len(json.dumps(body, separators=(",", ":"))))
    assert "Content-Length" not in call("DELETE", "/api/transactions")[1]
