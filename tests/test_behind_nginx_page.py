"""Every kind of page behind a real nginx, under /ts, in Chromium: no request leaves the prefix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.accessibility import findings
from tests.browsing import ask, query_of, wait_until
from tests.nginx import Site, site

pytestmark = pytest.mark.browser

TOKEN = "a-long-random-token"


@pytest.fixture(scope="module", params=["left on, header", "taken off, setting"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service that needs a token for everything."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("nginx")
        yield site(folder, stack, request.param, API_TOKENS=TOKEN, API_TOKENS_FOR_READS="true")


@pytest.fixture(scope="module")
def live_server_url(shown: Site) -> str:
    """The address that no request of a page may leave: the fixture `page` makes sure."""
    return shown.url


def sign_in(page: Page, shown: Site, target: str) -> None:
    page.goto(f"{shown.url}/sign-in?next=/ts{target}")
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{shown.url}{target}")


def post(shown: Site, path: str, item: object) -> None:
    headers = {"Content_Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    assert shown.request("POST", path, json.dumps(item), **headers)[0] == 201


def test_signing_in_and_out_stays_there(page: Page, shown: Site, refusals: list[int]) -> None:
    refusals += [401, 401]
    page.goto(f"{shown.url}/charts/datapoints?bucket=1h")
    page.get_by_role("alert").get_by_role("link", name="Sign in").click()
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{shown.url}/charts/datapoints?bucket=1h")
    [cookie] = page.context.cookies()
    assert (cookie["name"], cookie["path"]) == ("timeseries_token", "/ts")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{shown.url}/sign-in")
    assert page.context.cookies() == []
    page.goto(f"{shown.url}/")
    expect(page.locator(".response-info")).to_contain_text("HTTP 401 Unauthorized")


def test_every_link_of_the_dashboard_leads_somewhere(page: Page, shown: Site) -> None:
    sign_in(page, shown, "/")
    links = page.locator("a").evaluate_all("links => links.map((link) => link.href)")
    assert len(links) > 15
    for link in links:
        assert link.startswith(f"{shown.url}/")
        assert page.request.get(link).status == (405 if link.endswith("/api/transactions") else 200), link
    assert findings(page) == []


def test_the_charts_are_drawn_and_live(page: Page, shown: Site) -> None:
    sign_in(page, shown, "/charts/transactions")
    now = page.evaluate("Date.now()")
    wait_until(page, "Chart.getChart('chart')")
    post(shown, "/ts/api/transactions", {"amount": 5, "timestamp": now})
    ask(page)
    expect(page.locator("main dd").first).to_have_text("1")
    post(shown, "/ts/datapoints", {"timestamp": 1, "value": 3, "device": "shown/x", "user": "u"})
    page.goto(f"{shown.url}/charts/datapoints")
    page.get_by_role("link", name="shown/x").click()
    wait_until(page, "Chart.getChart('chart')")
    page.get_by_label("Bucket").fill("1d")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**bucket=1d**")
    assert urlsplit(page.url).path == "/ts/charts/datapoints"
    assert query_of(page)["device"] == ["shown/x"]
    assert page.evaluate("Chart.getChart('chart').data.datasets[0].data[0]") == 3
    with page.expect_download() as download:
        page.get_by_role("link", name="Averages as CSV", exact=True).click()
    assert download.value.path().read_bytes().startswith(b"timestamp,value,count\r\n")
    post(shown, "/ts/api/bandwidth", {"device_id": "b", "timestamp": 6000, "bytes_ts": 1, "bytes_fs": 2})
    page.goto(f"{shown.url}/charts/bandwidth?device_uuid=b&end_time=6000")
    wait_until(page, "Chart.getChart('chart')")
    page.get_by_role("link", name="Previous").click()
    page.wait_for_url(f"{shown.url}/charts/bandwidth?**end_time=5400**")
    post(shown, "/ts/api/bandwidth", {"device_id": "b", "timestamp": now // 1000, "bytes_ts": 1, "bytes_fs": 2})
    page.goto(f"{shown.url}/")
    wait_until(page, "Chart.getChart('bandwidth-chart') && Chart.getChart('datapoints-chart')")


def test_keys_are_suggested(page: Page, shown: Site) -> None:
    sign_in(page, shown, "/charts/bandwidth")
    entry = {"device_id": "suggested", "timestamp": 1, "bytes_ts": 1, "bytes_fs": 1}
    datapoint = {"device": "suggested", "timestamp": 1, "value": 1, "user": "u"}
    for app, path, item in (("bandwidth", "api/bandwidth", entry), ("datapoints", "datapoints", datapoint)):
        post(shown, f"/ts/{path}", item)
        page.goto(f"{shown.url}/charts/{app}")
        page.get_by_label("Device", exact=True).fill("sugg")
        wait_until(page, "[...document.querySelectorAll('option')].some((each) => each.value === 'suggested')")


def test_the_docs_page_tries_an_operation_out(page: Page, shown: Site) -> None:
    sign_in(page, shown, "/api/docs/")
    operation = page.locator("#operations-transactions-transactions_delete")
    operation.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("204")
    expect(operation.locator(".request-url")).to_contain_text(f"{shown.url}/api/transactions")


def test_the_form_of_the_browsable_page_sends(page: Page, shown: Site, refusals: list[int]) -> None:
    sign_in(page, shown, "/datapoints")
    page.get_by_role("button", name="POST").click()
    expect(page.locator(".response-info")).to_contain_text("HTTP 201 Created")
    assert page.url == f"{shown.url}/datapoints"
    page.locator("textarea").first.fill("{")
    refusals.append(400)
    page.get_by_role("button", name="POST").click()
    expect(page.locator(".response-info")).to_contain_text("HTTP 400 Bad Request")
    page.get_by_role("link", name="Time-series statistics").click()
    page.wait_for_url(f"{shown.url}/")
    refusals.append(404)
    page.goto(f"{shown.url}/nowhere")
    expect(page.locator(".response-info")).to_contain_text("There is nothing at this path.")
    page.get_by_role("link", name="Dashboard").click()
    page.wait_for_url(f"{shown.url}/")
