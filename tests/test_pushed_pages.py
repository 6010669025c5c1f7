"""Live pages of the production server: it pushes what is new, and pages ask where it cannot."""

from __future__ import annotations

import json
import time

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browsing import hide, media_types, wait_until
from tests.served import Served

pytestmark = pytest.mark.browser

PATH = "/charts/datapoints?device=d&bucket=1h"
POINTS = ".span"


@pytest.fixture
def live_server_url(server: Served) -> str:
    """The server whose pages are opened."""
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture(autouse=True)
def one_point(server: Served) -> None:
    """Begin with one datapoint of the device."""
    assert server.request("DELETE", "/devices/d/datapoints")[0] == 204
    add(server)


def add(server: Served) -> None:
    item = {"timestamp": time.time(), "value": 1, "device": "d", "user": "u"}
    assert server.request("POST", "/datapoints", json.dumps(item), Content_Type="application/json")[0] == 201


def test_one_request_brings_all_news(page: Page, server: Served) -> None:
    page.goto(PATH)
    page.evaluate("window.view = document.getElementById('view')")
    kinds = media_types(page, "?device=d")
    for count in (2, 3, 4):
        add(server)
        expect(page.locator(POINTS)).to_contain_text(f"{count} datapoints in 1 bucket")

    assert kinds == ["text/event-stream, text/html;q=0.9"]
    assert page.evaluate("window.view === document.getElementById('view')")
    assert page.locator("#unreachable").is_hidden()


def test_a_hidden_page_closes_its_stream_and_opens_it_again(page: Page, server: Served) -> None:
    page.goto(PATH)
    kinds = media_types(page, "?device=d")
    add(server)
    expect(page.locator(POINTS)).to_contain_text("2 datapoints")
    with page.expect_event("requestfailed") as closed:
        hide(page, True)
    assert "ERR_ABORTED" in (closed.value.failure or "")
    add(server)

    hide(page, False)

    expect(page.locator(POINTS)).to_contain_text("3 datapoints")
    assert len(kinds) == 2


def test_pause_closes_the_stream(page: Page, server: Served) -> None:
    page.goto(PATH)
    add(server)
    expect(page.locator(POINTS)).to_contain_text("2 datapoints")

    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Pause").click()
    add(server)
    page.get_by_role("button", name="Pause").click()

    expect(page.locator(POINTS)).to_contain_text("3 datapoints")


def test_a_proxy_that_collects_answers_makes_the_page_ask(page: Page, server: Served) -> None:
    kept: list[Route] = []
    page.route(
        lambda url: "/charts/" in url,
        lambda route: (
            kept.append(route) if "event-stream" in route.request.headers.get("accept", "") else route.continue_()
        ),
    )
    page.goto(PATH)
    kinds = media_types(page, "?device=d")
    add(server)

    expect(page.locator(POINTS)).to_contain_text("2 datapoints")

    assert kinds[:2] == ["text/event-stream, text/html;q=0.9", "text/html"]
    assert page.locator("#unreachable").is_hidden()
    add(server)
    expect(page.locator(POINTS)).to_contain_text("3 datapoints")
    assert kinds.count("text/html") == len(kinds) - 1


def test_eight_windows_side_by_side_starve_none(page: Page, server: Served) -> None:
    """A browser opens six connections to a host: four windows have streams, and the others ask."""
    pages = [page, *(page.context.new_page() for _ in range(7))]
    kinds = [media_types(each, "?device=d") for each in pages]
    for each in pages:
        each.goto(PATH)
    for count in (2, 3):
        add(server)
        for each in pages:
            expect(each.locator(POINTS)).to_contain_text(f"{count} datapoints")
    assert sum(kind[-1].startswith("text/event-stream") for kind in kinds) == 4
    # One that closes leaves its place to another.
    holders = "(await navigator.locks.query()).held.map((lock) => lock.clientId)"
    before = page.evaluate(f"async () => {holders}")
    assert len(before) == 4
    next(each for each, kind in zip(pages[1:], kinds[1:], strict=True) if "event-stream" in kind[-1]).close()
    page.evaluate(
        f"""async (before) => {{
            while ({holders}.every((id) => before.includes(id))) await new Promise((done) => setTimeout(done, 50));
        }}""",
        before,
    )
    for each in pages[1:]:
        each.close()


def test_the_page_tells_until_when_nothing_has_changed(page: Page, server: Served) -> None:
    def stream(route: Route) -> None:
        if "event-stream" not in route.request.headers.get("accept", ""):
            route.continue_()
            return
        text = route.fetch(headers={"Accept": "text/html"}).text().replace("\n", "\ndata: ")
        route.fulfill(body=f"data: {text}\n\n: 2030-01-31T12:00:00Z\n\n", content_type="text/event-stream")

    page.route(lambda url: "/charts/" in url, stream)
    page.goto(PATH)
    wait_until(page, "document.querySelector('#updated time').dateTime === '2030-01-31T12:00:00Z'")
    page.unroute_all(behavior="wait")
