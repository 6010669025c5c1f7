"""Text that strangers send does not stay in memory: no long text, and only a bounded amount of short text."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from timeseries_project.tests.environs import call
from timeseries_project.tests.headers import BROWSER

PATHS = ("/healthz", "/devices", "/datapoints", "/statistics/devices/{0}/avg", "/{0}", "/static/{0}", "/", "/sign-in")
MARK = "chosen-by-a-stranger"


def hostile(number: int, length: int, mark: str = MARK) -> dict[str, str]:
    """Return headers with unique values, nearly all of which are parsed or looked up somewhere."""
    value = f"{mark}-{number}-" + "x" * length
    return {
        "CONTENT_TYPE": f"{value}/json; charset={value[: length // 2]}; a*={value[:30]}''b",
        "HTTP_ACCEPT": f"{BROWSER}, a/{value}" if number % 20 == 1 else f"a/{value};q=0.1, */*",
        "HTTP_ACCEPT_ENCODING": value,
        "HTTP_ACCEPT_LANGUAGE": value,
        "HTTP_AUTHORIZATION": f"Bearer {value}",
        "HTTP_CONTENT_ENCODING": value,
        "HTTP_COOKIE": f"timeseries_token={value}; {value}=1",
        "HTTP_HOST": value if number % 3 else "127.0.0.1",
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": value,
        "HTTP_IF_MODIFIED_SINCE": value,
        "HTTP_IF_NONE_MATCH": f'"{value}"',
        "HTTP_ORIGIN": f"http://{value}",
        "HTTP_X_FORWARDED_FOR": f"{value}, {value}",
        "HTTP_X_REQUEST_ID": value,
        "REMOTE_ADDR": value,
    }


def send(numbers: range, length: int, mark: str = MARK) -> None:
    """Send a request for each number, each with unique headers, path, query and method."""
    for number in numbers:
        headers = hostile(number, length, mark)
        text = headers["HTTP_X_REQUEST_ID"]
        method = f"{text[:200]}" if number % 7 == 0 else ("GET", "POST")[number % 5 == 0]
        path = PATHS[number % len(PATHS)].format(text)
        query = ("", f"?{text}=1", f"?format={text}", f"?next=/{text}", f"?device={text}")[number % 5 if path else 0]
        assert call(method, path + query, b"", **headers)[0] < 500


@pytest.fixture(autouse=True)
def guarded() -> Iterator[None]:
    """Enable everything that examines a request: tokens, rates, proxies, any host."""
    options: dict[str, Any] = {
        "API_TOKENS": ("a-token-that-is-good",),
        "TRUSTED_PROXIES": 1,
        "CORS_ORIGINS": ("https://page.example",),
        "ALLOWED_HOSTS": [*("127.0.0.1", "testserver"), ".x"],
    }
    with override_settings(**options):
        yield


@pytest.mark.parametrize(("hosts", "count"), [(["127.0.0.1"], 300), (["*"], 2_000)])
def test_two_thousand_requests_leave_nothing(hosts: list[str], count: int) -> None:
    with override_settings(ALLOWED_HOSTS=hosts):
        send(range(100), 1_900, "warm")
        gc.collect()
        tracemalloc.start()
        try:
            send(range(count), 1_900)  # 46 MB of text for 2,000
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert held < 500_000


def test_what_is_short_is_kept_within_bounds() -> None:
    send(range(300), 30, "warm")
    gc.collect()
    tracemalloc.start()
    try:
        send(range(800), 30)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2_000_000


def test_no_text_of_it_is_found_anywhere() -> None:
    with override_settings(ALLOWED_HOSTS=["*"]):
        send(range(120), 1_900)
    gc.collect()
    assert found() == []


def found() -> list[str]:
    """Return the marked texts that some object still refers to, except in this module."""
    texts: list[str] = []
    seen: set[int] = set()
    todo: list[Any] = gc.get_objects()
    while todo:
        item = todo.pop()
        for held in gc.get_referents(item):
            if issubclass(type(held), str | bytes):  # not isinstance, which would evaluate lazy objects
                text = bytes(held).decode("latin-1") if issubclass(type(held), bytes) else str(held)
                if MARK in text and len(text) > 1_000:
                    texts.append(f"{type(item).__name__}: {text[:60]}")
            elif not gc.is_tracked(held) and id(held) not in seen and issubclass(type(held), dict | tuple | list):
                seen.add(id(held))
                todo.append(held)
    return texts
