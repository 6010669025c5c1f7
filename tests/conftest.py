"""Fixtures of the browser tests: the project behind a real socket, Chromium, and a page that must report no errors."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.served import Served
from timeseries_project.wsgi import application

# A long timeout, because the machine may be busy; what never appears still fails.
expect.set_options(timeout=30_000)

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of ([45][0-9]{2}) ")


class QuietHandler(WSGIRequestHandler):
    """A handler that logs no requests."""

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="session")
def live_server_url() -> Iterator[str]:
    """Serve the project in this process, so that tests can fill its stores. pytest-django's needs a database."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A production server for all tests of a module."""
    with Served() as served:
        served.wait()
        yield served
        assert served.stop() == 0


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; without it the tests are skipped, or fail in CI."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        reason = "NO CHROMIUM ON THIS MACHINE: the pages were not tested; install it and run again."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Headless Chromium: if it is installed its shell, which has no windows and takes a third of the processor time."""
    program = shutil.which("chromium-headless-shell") or request.getfixturevalue("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def context_options() -> dict[str, Any]:
    """Options of the browser context that differ from the defaults; tests parametrise it."""
    return {}


@pytest.fixture
def refusals() -> list[int]:
    """The 4xx and 5xx statuses that the test expects, in order; the browser reports each on its console."""
    return []


@pytest.fixture
def failures() -> list[str]:
    """The addresses of requests that the test makes fail, one per request; the browser reports these too."""
    return []


@pytest.fixture
def page(
    browser: Browser,
    live_server_url: str,
    context_options: dict[str, Any],
    refusals: list[int],
    failures: list[str],
) -> Iterator[Page]:
    """An empty page; the test fails if the page reports unexpected errors or sends a request to another host."""
    found: list[str] = []
    refused: list[int] = []
    failed: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if match := _REFUSED.match(message.text):
            refused.append(int(match[1]))
        elif message.text.startswith("Failed to load resource: net::"):
            failed.append(message.location["url"])
        elif message.type == "error":
            found.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        if not request.url.startswith((f"{live_server_url}/", "data:")):
            found.append(f"another host: {request.url}")

    with browser.new_context(base_url=live_server_url, **context_options) as context:
        page = context.new_page()
        page.on("console", on_console)
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        page.on("request", on_request)
        yield page
    assert (found, refused, failed) == ([], refusals, failures)
