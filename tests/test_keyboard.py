"""Pages by keyboard alone: the way to the content, points of charts that are spoken, and single keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django.fixtures import Settings

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from tests.accessibility import LOOKS, findings
from tests.browsing import ask, query_of, shown_at, wait_until
from tests.every_page import BROWSABLE, CHARTS, DEVICE, FORMS, NAMES, OURS, fill, of_device
from timeseries_project.core.timestamps import MICROSECONDS, render

pytestmark = pytest.mark.browser

SetClock = Callable[[str], int]
CHART = "Chart.getChart(document.querySelector('canvas'))"
WORDS = {"locale": "en-GB", "timezone_id": "Europe/Berlin"}
EVERY = {**OURS, **BROWSABLE, "docs": "/api/docs/"}


@pytest.fixture(autouse=True)
def filled(now: int) -> None:
    """Data of the ten minutes before 12:00."""
    fill(now)


def spoken(page: Page) -> str:
    return page.locator("#points-spoken").text_content() or ""


def press(page: Page, *keys: str) -> str:
    """Press keys; return what is spoken then."""
    for key in keys:
        page.keyboard.press(key)
    return spoken(page)


def chart_box(page: Page) -> Locator:
    return page.get_by_role("application").first


@pytest.mark.parametrize("path", EVERY.values(), ids=EVERY)
def test_the_first_key_leads_to_the_content(page: Page, path: str) -> None:
    page.goto(path)
    wait_until(page, "document.readyState === 'complete'")
    expect(page.locator("#content").locator("a, button, input, select").first).to_be_visible()  # a script's, on one
    address = page.url

    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to the content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")

    expect(page.locator("#content")).to_be_focused()
    assert page.url == address if path != "/api/docs/" else page.url.removesuffix("#content") == address
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('content').contains(document.activeElement)")


def test_signing_in_has_the_way_to_the_content_too(page: Page, settings: Settings) -> None:
    settings.API_TOKENS = ("good-token",)
    page.goto("/sign-in")
    expect(page.get_by_label("API token")).to_be_focused()  # the page is about it
    page.locator(".skip").focus()
    expect(page.locator(".skip")).to_be_in_viewport()
    assert page.locator("a, button, input:not([type=hidden])").first.inner_text() == "Skip to the content"
    assert findings(page) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "Dashboard"),
        (CHARTS["bandwidth"], "Bandwidth"),
        ("/charts/datapoints/", "Datapoints"),
        (CHARTS["transactions"], "Transactions"),
        ("/api/docs/", "API"),
        ("/datapoints", None),
    ],
)
def test_the_navigation_says_where_one_is(page: Page, path: str, name: str | None) -> None:
    page.goto(path)
    current = page.get_by_role("navigation", name="Main").locator("[aria-current=page]")
    assert current.all_inner_texts() == ([name] if name else [])


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize("path", [*OURS.values(), *BROWSABLE.values()], ids=[*OURS, *BROWSABLE])
def test_whatever_has_the_focus_shows_it(page: Page, path: str) -> None:
    page.goto(path)
    wait_until(page, "document.readyState === 'complete'")
    hidden = []
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
                const element = document.activeElement;
                const { outlineStyle, outlineWidth } = getComputedStyle(element);
                const box = element.getBoundingClientRect();
                const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
                const shown = outlined && box.width > 1 && box.height > 1;
                return element === document.body ? null : [element.outerHTML.slice(0, 80), shown];
            }"""
        )
        if found is None:
            break
        hidden += [] if found[1] else [found[0]]
    assert hidden == []


@pytest.mark.parametrize("context_options", [WORDS])
def test_arrow_keys_speak_the_points_of_a_chart(page: Page) -> None:
    page.goto(of_device("bandwidth", DEVICE))
    chart_box(page).focus()
    expect(chart_box(page)).to_have_accessible_description(
        "Left and right arrow keys move through the points, up and down arrow keys between the lines."
    )
    first = "after 31 Jan 2026, 12:50:00 CET, up to 31 Jan 2026, 12:51:00 CET, "
    second = "after 31 Jan 2026, 12:51:00 CET, up to 31 Jan 2026, 12:52:00 CET, "
    last = "after 31 Jan 2026, 12:59:00 CET, up to 31 Jan 2026, 13:00:00 CET, "

    assert press(page, "ArrowRight") == f"{first}to the server: 1.1 MB (1,112,000 bytes)"
    assert press(page, "ArrowRight") == f"{second}to the server: 992.0 kB (992,000 bytes)"
    assert press(page, "ArrowDown") == f"{second}from the server: 60.0 kB (60,000 bytes)"
    assert press(page, "ArrowDown") == spoken(page)  # there is no third line
    assert press(page, "End").startswith(f"{last}")
    so_far = press(page, "ArrowRight", "ArrowUp")  # there is no later one
    assert so_far == f"{last}not over: the bytes so far, to the server: 32.0 kB (32,000 bytes)"
    assert press(page, "Home") == f"{first}to the server: 1.1 MB (1,112,000 bytes)"
    assert press(page, "PageDown").startswith(second)  # a tenth of ten
    assert press(page, "PageUp", "ArrowLeft").startswith(first)
    assert findings(page) == []


def test_the_point_is_shown_as_under_the_pointer_until_it_is_left(page: Page) -> None:
    page.goto(of_device("bandwidth", DEVICE))
    chart_box(page).focus()
    press(page, "End")
    assert page.evaluate(f"{CHART}.tooltip.opacity") == 1
    assert page.evaluate(f"{CHART}.getActiveElements().map((point) => [point.datasetIndex, point.index])") == [[0, 9]]

    page.keyboard.press("Escape")
    assert page.evaluate(f"[{CHART}.tooltip.opacity, {CHART}.getActiveElements().length]") == [0, 0]
    expect(chart_box(page)).to_be_focused()
    press(page, "End", "ArrowLeft")
    page.keyboard.press("Tab")
    assert page.evaluate(f"[{CHART}.tooltip.opacity, {CHART}.getActiveElements().length]") == [0, 0]
    page.keyboard.press("Shift+Tab")
    press(page, "ArrowLeft")  # goes on where it was
    assert page.evaluate(f"{CHART}.getActiveElements()[0].index") == 7


def test_a_refresh_loses_neither_the_place_nor_speaks(page: Page, set_clock: SetClock) -> None:
    page.goto(of_device("bandwidth", DEVICE))
    chart_box(page).focus()
    words = press(page, "End", "ArrowLeft", "ArrowLeft", "ArrowDown")
    title = page.evaluate(f"{CHART}.tooltip.title")

    for minute in (1, 2, 3):
        now = set_clock(f"2026-01-31T12:0{minute}:00Z")
        bandwidth.store.add(DEVICE, now, 5, 6)
        ask(page)
        wait_until(page, f"{CHART}.data.labels.at(-1) === {now}")

    assert page.evaluate(f"{CHART}.tooltip.title") == title
    assert page.evaluate(f"{CHART}.getActiveElements().map((point) => [point.datasetIndex, point.index])") == [[1, 4]]
    assert spoken(page) == words
    assert press(page, "ArrowRight", "ArrowLeft") == words
    now = set_clock("2026-01-31T13:00:00Z")  # the window has gone: the first one is the nearest
    ask(page)
    wait_until(page, f"{CHART}.data.labels.at(-1) === {now}")
    assert page.evaluate(f"{CHART}.getActiveElements()[0].index") == 0


def test_values_that_are_missing_are_told_once(page: Page, set_clock: SetClock) -> None:
    set_clock("2026-01-31T12:05:00Z")
    page.goto(f"{of_device('datapoints', DEVICE)}&bucket=1m&window_size=2")
    chart_box(page).focus()
    assert press(page, "End").count("no value") == 2  # of the average, and of the moving one
    assert press(page, "ArrowDown").count("moving average over 2: no value") == 1
    assert page.evaluate(f"{CHART}.tooltip.opacity") == 1


def test_many_lines_are_walked_through_but_for_hidden_ones(page: Page) -> None:
    page.goto(of_device("bandwidth", DEVICE))
    page.locator("#pause").click()
    page.evaluate(
        f"""() => {{
            const chart = {CHART};
            const {{ datasets, labels }} = chart.data;
            for (let i = 2; i < 16; i++) datasets.push({{ label: `line ${{i}}`, data: labels.map(() => i) }});
            chart.update();
            chart.hide(2);
        }}"""
    )
    chart_box(page).focus()
    heard = [press(page, "ArrowDown").rpartition(": ")[0].rpartition(", ")[2] for _ in range(16)]
    assert heard[:3] == ["to the server", "from the server", "line 3"]
    assert heard[-3:] == ["line 14", "line 15", "line 15"]


def test_samples_beside_a_gap_are_one_point_each(page: Page, set_clock: SetClock) -> None:
    """A curve that was interrupted has a value of no use there, at the time of the next sample."""
    page.goto("/")
    for second, points in ((2, 4), (30, 84)):
        now = set_clock(f"2026-01-31T12:00:{second:02}Z")
        for number in range(points):
            datapoints.store.add(now * MICROSECONDS - number, 20.0, DEVICE, "ada")
        shown_at(page, render(now * MICROSECONDS))
    curve = "Chart.getChart('datapoints-chart').data.datasets[0].data.slice(-3).map((point) => point.y)"
    assert page.evaluate(curve) == [2, None, 3]

    page.locator("#datapoints-plot").focus()
    last = press(page, "End")
    before = press(page, "ArrowLeft")
    assert last.endswith("points per second: 3")
    assert before.endswith("points per second: 2")


def test_bars_that_lie_are_walked_through_up_and_down(page: Page) -> None:
    page.goto("/")
    page.locator("#bandwidth-plot").focus()
    press(page, "ArrowDown")
    first = page.evaluate("Chart.getChart('bandwidth-chart').getActiveElements()[0].index")
    press(page, "ArrowDown")
    second = page.evaluate("Chart.getChart('bandwidth-chart').getActiveElements()[0].index")
    press(page, "ArrowRight")
    active = page.evaluate("Chart.getChart('bandwidth-chart').getActiveElements()[0]")
    assert (first, second, active["index"], active["datasetIndex"]) == (0, 1, 1, 1)


@pytest.mark.parametrize("name", NAMES, ids=["dollar", "tag", "arabic", "long"])
@pytest.mark.parametrize("chart", FORMS)
def test_a_device_is_announced_by_its_name(page: Page, chart: str, name: str) -> None:
    """Also when it is chosen on a page that is open already."""
    page.goto(of_device(chart, DEVICE))
    page.get_by_label("Device", exact=True).fill(name)
    page.get_by_role("button", name="Show").click()
    expect(page.locator("h1 bdi")).to_have_text(name)
    label = page.locator("canvas").get_attribute("aria-label") or ""
    assert label.endswith(f" {name}; the table below has the figures.")
    expect(page.get_by_role("application")).to_have_accessible_name(label)
    page.reload()
    assert page.locator("canvas").get_attribute("aria-label") == label
    assert page.locator("h1 b").count() == 0
    assert findings(page) == []


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize("path", [*OURS.values(), *BROWSABLE.values()], ids=[*OURS, *BROWSABLE])
def test_a_list_of_keys_opens_and_gives_the_focus_back(page: Page, path: str) -> None:
    page.goto(path)
    button = page.get_by_role("button", name="Keys")
    link = page.get_by_role("navigation", name="Main").get_by_role("link").first
    expect(button).to_be_visible()
    link.focus()
    page.keyboard.press("?")

    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    expect(dialog.locator("dl").first).to_contain_text("This list")
    assert findings(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(link).to_be_focused()
    button.click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("context_options", [WORDS])
def test_single_keys_do_what_the_page_offers(page: Page) -> None:
    page.goto(of_device("bandwidth", DEVICE))
    wait_until(page, "document.readyState === 'complete'")
    pause = page.locator("#pause")
    page.keyboard.press("p")
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("p")
    expect(pause).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("u")
    expect(page.locator("#updated [data-zone]")).to_have_text("UTC")
    page.keyboard.press("u")
    expect(page.locator("#updated [data-zone]")).to_have_text("Europe/Berlin")
    page.keyboard.press("[")
    expect(page.get_by_role("link", name="Next")).to_be_visible()
    assert "end_time" in query_of(page)
    page.keyboard.press("]")
    page.wait_for_url(lambda address: "end_time" not in address)
    page.keyboard.press("/")
    expect(page.get_by_label("Device", exact=True)).to_be_focused()
    assert page.get_by_label("Device", exact=True).input_value() == DEVICE  # and the slash is not typed


def test_keys_do_nothing_where_one_types_or_with_modifiers(page: Page) -> None:
    page.goto(of_device("bandwidth", DEVICE))
    wait_until(page, "document.readyState === 'complete'")
    page.get_by_label("Device", exact=True).focus()
    page.keyboard.type("?p/")
    page.get_by_label("Unit").focus()
    page.keyboard.press("p")
    page.locator("h1").click()
    for keys in ("Control+p", "Alt+p", "Meta+p", "Control+Shift+?"):
        page.keyboard.press(keys)
    page.get_by_role("button", name="Keys").click()
    page.keyboard.press("p")

    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
    assert page.get_by_label("Device", exact=True).input_value() == f"?p/{DEVICE}"


def test_keys_can_be_turned_off_for_good(page: Page) -> None:
    page.goto("/charts/transactions")
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    for _ in range(2):
        for key in ("?", "p"):
            page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
        page.reload()

    page.get_by_role("button", name="Keys").click()
    page.get_by_role("checkbox").check()
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
