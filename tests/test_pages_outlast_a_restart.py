"""Live pages whose server is stopped and started again: they say so, and catch up by themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, Response, expect

from tests.served import Served

pytestmark = pytest.mark.browser


class Restarted:
    """A production server that can be restarted on the same port."""

    def __init__(self) -> None:
        self._served = Served()
        self._served.wait()
        self.port = self._served.port

    def stop(self) -> None:
        self._served.stop()

    def start(self) -> None:
        self._served = Served(PORT=str(self.port))
        self._served.port = self.port
        self._served.wait()

    def end(self) -> None:
        """Let nothing of it run any more, even if it was not stopped or started well."""
        with self._served:
            pass

    def add_to_each_app(self, number: int) -> None:
        now = int(time.time())
        for path, item in (
            ("/datapoints", {"timestamp": time.time(), "value": number, "device": "d", "user": "u"}),
            ("/api/bandwidth", {"timestamp": now, "device_id": "d", "bytes_ts": number, "bytes_fs": 0}),
            ("/api/transactions", {"timestamp": now * 1_000, "amount": number}),
        ):
            assert self._served.request("POST", path, json.dumps(item), Content_Type="application/json")[0] == 201


@pytest.fixture(scope="module")
def server() -> Iterator[Restarted]:
    """A server for this module only."""
    server = Restarted()
    try:
        yield server
        server.stop()
    finally:
        server.end()


@pytest.fixture
def live_server_url(server: Restarted) -> str:
    """The server whose pages are opened."""
    return f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/", "#view"),
        ("/charts/bandwidth?device_uuid=d&window_time=3600", ".figures"),
        ("/charts/datapoints?device=d&bucket=1h", ".figures"),
        ("/charts/transactions", "#view"),
    ],
)
def test_a_page_outlasts_a_restart(
    page: Page, server: Restarted, failures: list[str], refusals: list[int], path: str, place: str
) -> None:
    def on_failure(request: Request) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):  # the page itself aborted it
            failures.append(request.url)

    def on_response(response: Response) -> None:
        if response.status == 404:  # it asked before the data were there again
            refusals.append(404)

    page.on("requestfailed", on_failure)
    page.on("response", on_response)
    server.add_to_each_app(1)
    page.goto(path)
    page.evaluate("window.stays = true")
    expect(page.locator("#unreachable")).to_be_hidden()

    server.stop()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached since")
    server.start()  # the data in memory are gone
    server.add_to_each_app(77_775)

    expect(page.locator("#unreachable")).to_be_hidden(timeout=20_000)
    expect(page.locator(place).first).to_contain_text("77,775", timeout=20_000)
    assert page.evaluate("window.stays") is True
