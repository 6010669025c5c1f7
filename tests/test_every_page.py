"""Every page, at each width and in each colour scheme: axe finds nothing serious, and nothing overflows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from tests.accessibility import LOOKS, findings
from tests.bandwidth_chart import NASTY
from timeseries_project.core import clock
from timeseries_project.tests.headers import POLICY
from transactions import services as transactions

pytestmark = pytest.mark.browser

END = 1_767_227_400  # 2026-01-01T00:30:00Z
OURS = [
    "/",
    "/charts/bandwidth",
    f"/charts/bandwidth?device_uuid=router-1&end_time={END}",
    "/charts/datapoints",
    "/charts/bandwidth?sort=-last&search=w",
    "/charts/datapoints?device=router-1",
    "/charts/datapoints?listed=user&sort=datapoints",
    f"/charts/datapoints?user={'W' * 255}&bucket=1s&window_size=1",
    "/charts/transactions",
]
#: The background of the page, and the colours of the other links and the name in its header.
COLOURS = """["body", "nav a:not([aria-current])", ".brand"].map((name, i) => {
    const style = getComputedStyle(document.querySelector(name));
    return i ? style.color : style.backgroundColor;
})"""
FRAMEWORKS = ["/datapoints", "/api/docs/"]


@pytest.fixture(params=["empty", "filled"])
def stores(request: pytest.FixtureRequest) -> None:
    """A service without data, and one with data under names that are hard to show."""
    if request.param == "empty":
        return
    now = clock.now()
    for name in ("router-1", NASTY, "W" * 255):
        bandwidth.entry_add(device_id=name, timestamp=END, bytes_ts=2**53 - 1, bytes_fs=7, now=now // 10**6)
        datapoints.datapoint_add(timestamp=now, value=-1234.5678, device=name, user=name, now=now)
    transactions.transaction_record(amount=1e150, timestamp=now // 1_000, now=now // 1_000)


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize("path", OURS)
def test_our_pages_are_accessible_and_fit(page: Page, path: str, refusals: list[int]) -> None:
    response = page.goto(path)
    assert response is not None
    if response.status == 404:  # the chart of an unknown key says so, and must be just as accessible
        refusals.append(404)
    assert response.status in (200, 404)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize(("path", "status"), [("/datapoints", 200), ("/metrics", 200), ("/devices/a/datapoints", 405)])
def test_the_browsable_api_is_accessible_and_fits(page: Page, path: str, status: int, refusals: list[int]) -> None:
    """Swagger UI is not accessible: it nests buttons in buttons, which the page around it cannot change."""
    refusals.extend([status] if status >= 400 else [])
    page.goto(path)
    if status == 405:
        page.get_by_role("button", name="DELETE").click()
        expect(page.get_by_role("dialog")).to_contain_text(f"DELETE {path}")
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("context_options", LOOKS)
def test_swagger_ui_fits_with_an_operation_open(page: Page) -> None:
    page.goto("/api/docs/")
    operation = page.locator("#operations-datapoints-datapoints_create")
    operation.locator(".opblock-summary-control").click()
    expect(operation.locator(".responses-table")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_swagger_ui_itself_follows_the_scheme(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/api/docs/")
    summary = page.locator(".opblock-summary-path").first
    expect(summary).to_have_css("color", "rgb(228, 230, 230)")
    page.emulate_media(color_scheme="light")
    expect(summary).to_have_css("color", "rgb(59, 65, 81)")


@pytest.mark.parametrize("path", ["/datapoints", "/nope", "/api/docs/"])
def test_every_page_has_the_colours_of_the_dashboard_in_each_scheme(page: Page, path: str, refusals: list[int]) -> None:
    """Also when the scheme changes while the page is open."""
    refusals.extend([404] if path == "/nope" else [])
    seen: dict[str, list[list[str]]] = {}
    for address in ("/", path):
        page.goto(address)
        expect(page.locator("h1, h2").first).to_be_visible()
        seen[address] = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            seen[address].append(page.evaluate(COLOURS))
    assert seen["/"] == seen[path]
    assert seen["/"][0] != seen["/"][1]


@pytest.mark.parametrize("path", [*OURS, *FRAMEWORKS])
def test_one_strict_policy_and_an_icon_everywhere(api: APIClient, path: str) -> None:
    page = api.get(path, HTTP_ACCEPT="text/html")
    assert page["Content-Security-Policy"] == POLICY
    text = page.content.decode()
    assert 'rel="icon"' in text or 'rel="shortcut icon"' in text
    assert " style=" not in text
    assert "<style" not in text
