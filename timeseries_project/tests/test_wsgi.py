"""What a WSGI server may hand over that the test client never sends."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from datapoints import services
from timeseries_project.wsgi import application


def call(method: str, path: str, body: bytes = b"", **environ: str) -> tuple[int, dict[str, str], Any]:
    """Call the application as a server does; return status, headers, parsed body."""
    path, _, query = path.partition("?")
    answered: list[Any] = []
    chunks = application(
        {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            **environ,
        },
        lambda status, headers: answered.extend((status, headers)),
    )
    text = b"".join(chunks)
    return int(answered[0].split()[0]), dict(answered[1]), json.loads(text) if text else None


@pytest.mark.parametrize("path", ["/devices/%FF/datapoints", "/statistics/devices/a%C3/avg", "/%80", "/%ED%A0%80"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_path_that_is_not_utf8_is_refused(path: str, method: str) -> None:
    services.store.add(1, 1.0, "%FF", "u")
    status, headers, body = call(method, path)
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert "UTF-8" in body["detail"]
    assert len(services.keys_list("device")) == 1


@pytest.mark.parametrize("path", ["/devices/%C3%BC%E2%9C%93/datapoints", "/devices/%25FF/datapoints"])
def test_a_path_that_is_utf8_names_its_key(path: str) -> None:
    for key in ("ü✓", "%FF", "other"):
        services.store.add(1, 1.0, key, "u")
    assert call("DELETE", path)[0] == 204
    assert len(services.keys_list("device")) == 2


@pytest.mark.parametrize("charset", ["hex", "utf-16", "idna", "undefined", "unheard-of", "latin-1"])
def test_the_charset_of_a_body_is_not_that_of_the_query(charset: str) -> None:
    media_type = f"application/json; charset={charset}"
    status, _, body = call("GET", "/datapoints?device=%C3%BC", CONTENT_TYPE=media_type)
    assert (status, body) == (200, {"results": [], "next": None})
    assert call("POST", "/datapoints?on_duplicate=sk%69p", b"{}", CONTENT_TYPE=media_type)[0] == 415


def test_a_body_shorter_than_declared_is_read_as_it_is() -> None:
    assert call("POST", "/datapoints", b"[]", CONTENT_TYPE="application/json", CONTENT_LENGTH="10")[0] == 201


@pytest.mark.parametrize("length", ["", "x", "-1", "1e3"])
def test_a_length_that_is_none_is_an_empty_body(length: str) -> None:
    assert call("POST", "/datapoints", b"[]", CONTENT_TYPE="application/json", CONTENT_LENGTH=length)[0] == 400
