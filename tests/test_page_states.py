"""What a page says of itself when all is not well: loading, empty, partial, stale, refused, signed out, unknown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from tests.accessibility import LOOKS, findings
from tests.browsing import ask, wait_until
from timeseries_project.core.timestamps import MICROSECONDS

pytestmark = pytest.mark.browser

LIVE = "/charts/bandwidth?device_uuid=router-1&window_time=60&num_windows=3"
TIME = r"\d\d:\d\d:\d\d"


@pytest.fixture(autouse=True)
def data(now: int) -> None:
    """A minute of a device's bytes, and a datapoint now."""
    bandwidth.store.add("router-1", now, 1_200, 3_400)
    for hours in range(3):
        datapoints.store.add((now - 3_600 * hours) * MICROSECONDS, 20.5, "thermometer-1", "ada")


def answer_with(page: Page, status: int, **headers: str) -> None:
    """Answer the page's further requests with a status."""
    page.route("**/charts/**", lambda route: route.fulfill(status=status, headers=headers, body="refused"))


def reads_well(page: Page) -> None:
    """Axe finds nothing, and nothing is wider than the window."""
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("context_options", LOOKS)
def test_loading_is_said_after_150_ms_and_not_before(page: Page) -> None:
    page.clock.install()
    page.goto(LIVE)
    held: list[Route] = []
    page.route("**/charts/**", lambda route: held.append(route))
    page.clock.pause_at(page.evaluate("Date.now() + 10"))
    loading = page.locator("#loading")

    page.get_by_role("link", name="Previous").click()
    page.clock.run_for(149)
    assert loading.inner_text() == ""
    page.clock.run_for(1)
    expect(loading).to_be_visible()
    expect(loading).to_have_text("Loading…")
    expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(1)
    expect(page.locator("#view")).to_have_attribute("aria-busy", "true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    held[-1].continue_()
    expect(loading).to_be_hidden()
    expect(page.locator("#view")).not_to_have_attribute("aria-busy", "true")


def test_address_and_view_change_together_however_late_the_text_of_an_answer_comes(page: Page) -> None:
    page.goto(LIVE)
    page.evaluate(
        """() => {
            const text = Response.prototype.text;
            window.answers = [];
            Response.prototype.text = async function () {
                await new Promise((resolve) => window.answers.push(resolve));
                return text.call(this);
            };
        }"""
    )
    before, entries = page.url, page.evaluate("history.length")

    page.get_by_role("link", name="Previous").click()
    wait_until(page, "window.answers.length")
    assert page.url == before

    page.evaluate("window.answers.forEach((come) => come())")
    page.wait_for_url("**end_time=**")
    assert page.get_by_role("link", name="Next").count() == 1
    assert page.evaluate("history.length") == entries + 1


def test_a_refresh_is_not_said_to_load(page: Page) -> None:
    page.clock.install()
    page.goto(LIVE)
    held: list[Route] = []
    page.route("**/charts/**", lambda route: held.append(route))
    ask(page)
    page.clock.run_for(1_000)

    expect(page.locator("#view")).not_to_have_attribute("aria-busy", "true")
    assert page.locator("#loading").count() == 0
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("context_options", LOOKS)
def test_empty(page: Page) -> None:
    page.goto("/charts/bandwidth?device_uuid=router-1&end_time=86400")

    said = page.locator(".notice[role=status]")
    expect(said).to_contain_text("No data in the windows shown. Its latest are of ")
    expect(said).to_contain_text(". Show this device’s latest data.")
    reads_well(page)


@pytest.mark.parametrize("context_options", LOOKS)
def test_partial(page: Page, set_clock: Callable[[str], int]) -> None:
    set_clock("2026-01-31T12:00:30Z")
    page.goto("/charts/datapoints?device=thermometer-1&bucket=1h")
    page.get_by_text("Buckets as a table").click()

    expect(page.locator(".span")).to_contain_text("The last bucket is not over yet")
    expect(page.locator("#buckets tbody tr").last).to_contain_text("so far")
    expect(page.locator("#buckets tbody")).to_contain_text("so far")
    dashes = """[0, 1].map((line) => [1, 2].map((end) =>
        Chart.getChart("chart").data.datasets[line].segment.borderDash({ p1DataIndex: end }) !== undefined))"""
    assert page.evaluate(dashes) == [[False, True]] * 2
    reads_well(page)
    page.goto("/charts/datapoints?device=thermometer-1&bucket=1h&end=2026-01-31T12:00:00")
    expect(page.locator("main")).not_to_contain_text("so far")


@pytest.mark.parametrize("context_options", LOOKS)
def test_partial_window(page: Page, set_clock: Callable[[str], int]) -> None:
    set_clock("2026-01-31T12:00:30Z")
    page.goto(LIVE)
    page.get_by_text("Windows as a table").click()

    expect(page.locator(".span")).to_contain_text("The last window is not over yet: its line is dashed")
    expect(page.locator("#windows tbody tr").last).to_contain_text("so far")
    marks = """[0, 1].map((line) => [1, 2].map((end) => {
        const { segment, hollow } = Chart.getChart("chart").data.datasets[line];
        return [segment.borderDash({ p1DataIndex: end }) !== undefined, hollow(end)];
    }))"""
    assert page.evaluate(marks) == [[[False, False], [True, True]]] * 2
    reads_well(page)

    set_clock("2026-01-31T12:01:01Z")  # now it is over, and the next one is not
    expect(page.locator(".span time").last).to_have_attribute("datetime", "2026-01-31T12:02:00Z")
    expect(page.locator("#windows tbody tr", has_text="so far")).to_have_count(1)
    page.goto(f"{LIVE}&end_time=1769860800")
    expect(page.locator("main")).not_to_contain_text("so far")


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo"}])
def test_the_times_of_a_notice_follow_the_clock_that_is_chosen(page: Page, refusals: list[int]) -> None:
    page.goto(LIVE)
    refusals.append(503)
    answer_with(page, 503, **{"Retry-After": "600"})
    ask(page)
    times = page.get_by_role("alert").locator("time")
    expect(times).to_have_count(2)
    before = times.first.inner_text()
    expect(times.first).to_have_text(page.locator("#updated time").inner_text())

    page.get_by_label("Times in").select_option("utc")

    expect(times.first).to_have_text(page.locator("#updated time").inner_text())
    assert times.first.inner_text() != before


@pytest.mark.parametrize("context_options", LOOKS)
def test_stale(page: Page, failures: list[str]) -> None:
    page.goto(LIVE)

    def cut(route: Route) -> None:
        failures.append(route.request.url)
        route.abort("connectionrefused")

    page.route("**/charts/**", cut)
    ask(page)

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server cannot be reached since")
    shown = page.locator("#updated time").inner_text()
    expect(alert).to_contain_text(f"What is shown is as of {shown}; trying again.")
    expect(page.locator("#updated")).to_contain_text(f"As of {shown}")
    page.evaluate("scrollTo(0, 500)")
    expect(alert).to_be_in_viewport()
    reads_well(page)
    page.unroute_all(behavior="wait")
    ask(page)
    expect(alert).to_have_count(0)
    expect(page.locator("#updated")).to_contain_text(f"Updated {shown}")


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (429, "Too many requests from here: the server asks to wait."),
        (403, "The server refuses to show this page (403)."),
        (503, "The server has no answer at the moment (503)."),
    ],
)
def test_refused(page: Page, refusals: list[int], status: int, words: str) -> None:
    page.goto(LIVE)
    page.evaluate("window.stays = true")
    refusals.append(status)
    answer_with(page, status, **{"Retry-After": "600"})
    with page.expect_response("**/charts/**"):
        ask(page)

    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("alert")).to_contain_text("What is shown is as of")
    expect(page.get_by_role("alert")).to_contain_text("trying again at")
    expect(page.locator(".figures")).to_contain_text("1.2 kB")
    assert page.evaluate("window.stays") is True
    reads_well(page)


@pytest.mark.parametrize("context_options", LOOKS)
def test_signed_out(page: Page, refusals: list[int]) -> None:
    refusals.append(401)
    page.goto(LIVE)
    answer_with(page, 401)
    ask(page)

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("You are signed out. A token is needed to see more; what is shown is as of")
    expect(alert.get_by_role("link", name="Sign in")).to_have_attribute(
        "href", "/sign-in?next=" + LIVE.replace("/", "%2F").replace("?", "%3F").replace("=", "%3D").replace("&", "%26")
    )
    reads_well(page)


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize("path", ["/charts/bandwidth?device_uuid=router-7", "/charts/datapoints?device=thermometer-7"])
def test_unknown(page: Page, refusals: list[int], path: str, now: int) -> None:
    refusals.append(404)
    page.goto(path)

    expect(page.get_by_role("alert")).to_contain_text("It is looked for every 10 s, and shown as soon as it has data.")
    expect(page.locator("table a").first).to_be_visible()
    reads_well(page)
    bandwidth.store.add("router-7", now, 5, 6)
    datapoints.store.add(now * MICROSECONDS, 1.0, "thermometer-7", "ada")
    ask(page)
    expect(page.locator("canvas")).to_be_visible()
    wait_until(page, "Chart.getChart('chart').data.datasets.length === 2")


def test_trouble_is_said_once(page: Page, refusals: list[int]) -> None:
    page.goto(LIVE)
    answer_with(page, 429)
    for _ in range(3):
        refusals.append(429)
        with page.expect_response("**/charts/**"):
            ask(page)
        expect(page.get_by_role("alert")).to_be_visible()
        page.evaluate(
            """() => {
                window.said ??= 0;
                window.watch ??= new MutationObserver((found) => (window.said += found.length));
                window.watch.observe(document.getElementById("unreachable"), { childList: true, subtree: true });
            }"""
        )
    assert page.evaluate("window.said") == 0
