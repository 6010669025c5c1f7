"""What is replaced in Django and DRF does what it replaced, and leaves no garbage."""

from __future__ import annotations

import gc
import hashlib
import inspect
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.db import connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders
from django.middleware.security import SecurityMiddleware
from django.test import Client
from django.utils.datastructures import CaseInsensitiveMapping
from django.views import View
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from timeseries_project.api import framework
from timeseries_project.api.framework import LeanHandler, Utf8Request
from timeseries_project.tests.processes import run_alone

#: What was read when it was replaced, by a digest of its source. If one differs: read what the new version does, make
#: the replacement in `api/framework.py` or `api/views.py` do the same, and put the new digest here.
REPLACED = {
    BaseHandler.load_middleware: "a1fb7ee5f8586195",
    BaseHandler.get_response: "3d6a79b124c2cccb",
    BaseHandler._get_response: "ec767cf1bf0296fa",  # type: ignore[attr-defined]  # the stubs lack it
    WSGIRequest.__init__: "484035aace3128a9",
    HttpResponseBase.__init__: "02085fb94d60a0e9",
    HttpResponse.__init__: "7b59f02a4ec510bf",
    ResponseHeaders.__setitem__: "ec78a9c6b2bc2b8c",
    CaseInsensitiveMapping.__init__: "2c88d0f4d00553ba",
    SecurityMiddleware.process_request: "3373d262748cbe3e",
    SecurityMiddleware.process_response: "3822bd0d5f79f4a3",
    View.setup: "929dcb75314be459",
    Request.__init__: "b1a5b4832249bb31",
    Request._load_data_and_files: "dc128683cce3b9ee",
    Response.rendered_content.fget: "7e84b67b1c8377e7",  # type: ignore[attr-defined]  # a property
    APIView.dispatch: "3472ce1459213705",
    APIView.finalize_response: "cbcaead2dd2d71f6",
    APIView.options: "0a12b395b775487b",
    ViewSetMixin.as_view: "160126b8e40a7039",
    ViewSetMixin.initialize_request: "9d98a99b5f5a3657",
}


@pytest.mark.parametrize(("replaced", "digest"), REPLACED.items(), ids=lambda given: getattr(given, "__qualname__", ""))
def test_the_framework_is_as_it_was_when_it_was_replaced(replaced: Any, digest: str) -> None:
    assert hashlib.sha256(inspect.getsource(replaced).encode()).hexdigest()[:16] == digest


def environ(method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    path, _, query = path.partition("?")
    typed = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))} if body else {}
    return {
        **typed,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "HTTP_ACCEPT": "*/*",
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
    }


def made_handler() -> LeanHandler:
    handler = LeanHandler()
    handler.load_middleware()
    return handler


@pytest.fixture(scope="module")
def handler() -> LeanHandler:
    return made_handler()


READS = [
    ("GET", "/api/statistics"),
    ("HEAD", "/api/statistics"),
    ("OPTIONS", "/api/statistics"),
    ("PUT", "/api/statistics"),
    ("GET", "/api/statistics?window=0"),
    ("GET", "/api/statistics/?window=5&format=json"),
    ("GET", "/devices?format=csv"),
    ("GET", "/devices?format=api"),
    ("GET", "/devices/a/b/"),
    ("GET", "/nope"),
    ("GET", "/healthz"),
    ("HEAD", "/readyz"),
    ("OPTIONS", "/readyz"),
    ("GET", "/api/docs/"),
    ("GET", "/api/docs/?nope"),
    ("GET", "/api/schema/?format=json"),
    ("GET", "/static/style.css"),
    ("GET", "/static/nope.css"),
    ("GET", "/charts/bandwidth"),
    ("POST", "/charts/bandwidth"),
    ("POST", "/datapoints"),
]


@pytest.mark.parametrize(("method", "path"), READS)
def test_answers_are_those_of_the_frameworks_own_handler(
    handler: LeanHandler, client: Client, method: str, path: str
) -> None:
    """Django's test client has the framework's handler; both share the middleware and the views."""
    given = environ(method, path)
    lean = handler.get_response(Utf8Request(given))
    whole = client.generic(method, path, b"", "application/json", headers={"Accept": "*/*", "Host": "localhost"})
    assert lean.status_code == whole.status_code
    if lean.streaming:
        contents = [b"".join(answer.streaming_content) for answer in (lean, whole)]  # type: ignore[attr-defined]
        lean.close()
    else:
        contents = [answer.content for answer in (lean, whole)]  # type: ignore[attr-defined]
    ours, theirs = (re.sub(rb'"csrfToken": "\w+"', b"", content) for content in contents)  # a new one each time
    assert method == "HEAD" or ours == theirs  # the test client cuts the content of a HEAD
    assert {**lean.headers, "X-Request-ID": ""} == {**whole.headers, "X-Request-ID": ""}


def test_nothing_is_configured_that_the_handler_leaves_out(handler: LeanHandler) -> None:
    assert handler._view_middleware == handler._template_response_middleware == []  # type: ignore[attr-defined]
    assert {database["ENGINE"] for database in connections.settings.values()} == {"django.db.backends.dummy"}
    assert not any(database["ATOMIC_REQUESTS"] for database in connections.settings.values())


def test_only_routes_without_keys_are_remembered(handler: LeanHandler) -> None:
    for path in ("/api/statistics", "/api/statistics/", "/devices/a", "/nope", "/static/x", "//", "/devices"):
        handler.get_response(Utf8Request(environ("GET", path)))
    assert {"/api/statistics", "/api/statistics/", "/devices"} <= set(handler._matches)
    assert not {"/devices/a", "/nope", "/static/x", "//"} & set(handler._matches)


@contextmanager
def no_garbage() -> Iterator[None]:
    """Fail if what happens meanwhile leaves objects that only the garbage collector frees."""
    gc.collect()
    gc.disable()
    try:
        yield
        found = gc.collect()
    finally:
        gc.enable()
    assert not found


#: Requests that are made again and again, with their bodies; a time stands where `%d` does.
REPEATED = [
    ("GET", "/api/statistics", b""),
    ("GET", "/healthz", b""),
    ("GET", "/devices?format=csv", b""),
    ("GET", "/statistics/devices/kept/avg?start=1700000000&end=1700009000", b""),
    ("POST", "/api/transactions", b'{"amount": 1, "timestamp": %d}'),
    ("POST", "/datapoints?on_duplicate=skip", b'{"timestamp": 1, "value": 2, "device": "kept", "user": "u"}'),
]


def leave_no_garbage() -> None:
    handler = made_handler()
    stored = b'{"timestamp": 1700000000, "value": 2, "device": "kept", "user": "u"}'
    for method, path, body in REPEATED:
        body = body % (time.time_ns() // 10**6) if b"%d" in body else body
        for _ in range(3):  # caches fill
            handler.get_response(Utf8Request(environ("POST", "/datapoints", stored)))
            handler.get_response(Utf8Request(environ(method, path, body)))
        with no_garbage():
            for _ in range(3):
                assert handler.get_response(Utf8Request(environ(method, path, body))).status_code in (200, 201), path


def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    """In a process of its own, where threads that other tests have begun leave nothing either."""
    run_alone(__name__, "leave_no_garbage")


def test_a_response_has_what_those_of_the_framework_have() -> None:
    ours, theirs = framework.Response({"a": 1}, 201, {"X-A": "b"}), HttpResponse(status=201, headers={"X-A": "b"})
    ours.fill(b"{}", "application/json")
    missing = set(vars(theirs)) - set(vars(ours))
    assert not missing
    assert ours.headers == {"X-A": "b", "Content-Type": "application/json", "Content-Length": "2"}
    assert json.loads(ours.content) == {}
    assert (ours.status_text, ours.reason_phrase, ours.charset) == ("Created", "Created", "utf-8")


def test_a_request_has_what_those_of_the_framework_have() -> None:
    for method, path in (("GET", "/devices"), ("post", "/datapoints?a=1"), ("GET", "/")):
        ours, theirs = Utf8Request(environ(method, path)), WSGIRequest(environ(method, path))
        assert (ours.path, ours.path_info, ours.method) == (theirs.path, theirs.path_info, theirs.method)
        assert ours.get_full_path() == theirs.get_full_path()
        assert not set(vars(theirs)) - set(vars(ours)) - {"content_type", "content_params"}


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb"])
def test_headers_are_checked_before_they_are_kept(value: str) -> None:
    with pytest.raises(ValueError, match="newlines"):
        framework.stored({"X-A": value})
