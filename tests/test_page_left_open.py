"""Live pages that are left open: a refresh disturbs nothing of what people have in hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from tests.browsing import ask, cut_off, hide, open_exact, wait_until
from timeseries_project.core.timestamps import MICROSECONDS
from transactions import services as transactions

pytestmark = pytest.mark.browser

SetClock = Callable[[str], int]
CHART = "Chart.getChart(document.querySelector('canvas'))"
PAGES = {
    "dashboard": "/",
    "bandwidth": "/charts/bandwidth?device_uuid=router-1&window_time=1&num_windows=60",
    "datapoints": "/charts/datapoints?device=thermometer-1&bucket=1m",
    "transactions": "/charts/transactions",
}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}


@pytest.fixture
def pass_time(page: Page, set_clock: SetClock) -> Callable[[int], None]:
    """A function that lets so many seconds pass, with new data each second, and refreshes the page after each."""
    begin = set_clock("2026-01-31T12:00:00Z")
    passed = 0

    def add_data() -> int:
        now = set_clock(f"2026-01-31T12:{passed // 60:02}:{passed % 60:02}Z")
        bandwidth.store.add("router-1", now, 1_000 + passed, 10_000)
        bandwidth.store.add(f"router-{2 + passed % 4}", now, 5_000 * (1 + passed % 3), 10)
        datapoints.store.add(now * MICROSECONDS, 20.0 + passed, "thermometer-1", "ada")
        transactions.window.add(now * 1_000, 1.5 + passed, now=now * 1_000)
        return now

    def wait(seconds: int) -> None:
        nonlocal passed
        for _ in range(seconds):
            passed += 1
            now = add_data()
            ask(page)
            wait_until(page, f"new Date(document.querySelector('#updated time').dateTime).getTime() === {now * 1000}")

    for minute in range(1, 121):
        datapoints.store.add((begin - 60 * minute) * MICROSECONDS, 19.0, "thermometer-1", "ada")
    add_data()
    return wait


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_minute_disturbs_neither_focus_nor_selection_nor_canvas(
    page: Page, pass_time: Callable[[int], None], path: str
) -> None:
    page.goto(path)
    page.evaluate("window.canvases = [...document.querySelectorAll('canvas')]")
    links = page.locator("#view a[href]")
    focused = links.last if links.count() else page.locator("#pause")
    focused.focus()
    page.evaluate("window.focused = document.activeElement")
    page.locator("#updated-word").select_text()

    pass_time(60)

    assert page.evaluate("document.activeElement === window.focused")
    assert page.evaluate("getSelection().toString()") == "Updated"
    assert page.evaluate("window.canvases.every((canvas) => canvas.isConnected)")


def test_a_summary_in_focus_stays_open_and_so(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto(PAGES["bandwidth"])
    page.locator("#table summary").focus()
    page.keyboard.press("Enter")

    pass_time(5)

    expect(page.locator("#table summary")).to_be_focused()
    expect(page.locator("#table")).to_have_attribute("open", "")
    page.keyboard.press("Enter")
    pass_time(1)
    expect(page.locator("#table")).not_to_have_attribute("open", "")


def test_an_open_select_stays_open(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto(PAGES["bandwidth"])
    unit = page.get_by_label("Unit")
    unit.select_option("kB")
    page.evaluate(
        "window.changed = 0; document.getElementById('unit').addEventListener('blur', () => window.changed++)"
    )
    unit.focus()
    page.evaluate("window.unit = document.getElementById('unit')")

    pass_time(5)

    assert page.evaluate("window.unit === document.getElementById('unit') && window.unit.isConnected")
    assert page.evaluate("window.changed") == 0  # what takes its focus closes it
    expect(unit).to_be_focused()
    expect(unit).to_have_value("kB")


def test_a_row_that_is_read_stays_selected_and_in_place(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto(PAGES["bandwidth"])
    page.locator("#table summary").click()
    row = page.locator("#windows tbody tr").nth(40)
    text = row.inner_text()
    row.select_text()

    pass_time(3)

    # Windows have gone at the top and come at the end, and this one is the same, though not the fortieth any more.
    assert page.evaluate("getSelection().toString()").split() == text.split()
    assert page.locator("#windows tbody tr").nth(40).inner_text() != text


@pytest.mark.parametrize("context_options", [PHONE])
def test_tables_and_the_page_stay_scrolled(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto(PAGES["datapoints"])
    page.locator("#table summary").click()
    page.evaluate("document.querySelector('#table .scroll').scrollLeft = 40")
    page.evaluate("scrollTo(0, 900)")
    before = page.evaluate("[document.querySelector('#table .scroll').scrollLeft, scrollY]")
    assert before == [40, 900]

    pass_time(5)

    assert page.evaluate("[document.querySelector('#table .scroll').scrollLeft, scrollY]") == before


def test_what_was_typed_while_the_server_was_away_is_kept(
    page: Page, pass_time: Callable[[int], None], failures: list[str]
) -> None:
    page.goto(PAGES["bandwidth"])
    open_exact(page)
    with cut_off(page, "/charts/bandwidth", failures):
        ask(page)
        expect(page.locator("#unreachable")).to_be_visible()
        page.get_by_label("Windows", exact=True).fill("12")
        page.get_by_label("Device").fill("router-")

    expect(page.locator("#unreachable")).to_be_hidden()
    pass_time(2)
    expect(page.get_by_label("Windows", exact=True)).to_have_value("12")
    expect(page.get_by_label("Device")).to_have_value("router-")


def test_what_is_typed_while_another_address_is_awaited_is_kept(
    page: Page, pass_time: Callable[[int], None], failures: list[str]
) -> None:
    page.goto(PAGES["bandwidth"])
    open_exact(page)
    with cut_off(page, "/charts/bandwidth", failures):
        page.get_by_label("Windows", exact=True).fill("3")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#unreachable")).to_be_visible()
        page.get_by_label("Window, seconds").fill("120")

    expect(page.locator("#unreachable")).to_be_hidden()
    expect(page.locator("#windows tbody tr")).to_have_count(3)
    expect(page.get_by_label("Window, seconds")).to_have_value("120")
    expect(page.get_by_label("Windows", exact=True)).to_have_value("3")


@pytest.mark.parametrize(
    ("name", "line"), [("bandwidth", 1), ("datapoints", 0), ("transactions", 1)], ids=["bandwidth", "data", "money"]
)
def test_a_hidden_line_stays_hidden(page: Page, pass_time: Callable[[int], None], name: str, line: int) -> None:
    page.goto(PAGES[name])
    if name == "transactions":
        page.get_by_label("Show").select_option("avg")
    page.evaluate(f"{CHART}.hide({line})")
    page.evaluate(f"window.lines = {CHART}.data.datasets")

    pass_time(3)

    assert page.evaluate(f"{CHART}.isDatasetVisible({line})") is False
    assert page.evaluate(f"window.lines.every((each, i) => {CHART}.data.datasets[i] === each)")


@pytest.mark.parametrize("name", ["bandwidth", "datapoints", "transactions"])
def test_a_tooltip_stays(page: Page, pass_time: Callable[[int], None], name: str) -> None:
    page.goto(PAGES[name])
    pass_time(2)
    page.locator("canvas").hover()
    wait_until(page, f"{CHART}.tooltip.opacity === 1")

    pass_time(3)

    assert page.evaluate(f"{CHART}.tooltip.opacity") == 1


def test_nothing_is_announced_that_has_not_changed(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto("/charts/datapoints?device=thermometer-1&start=2026-02-01")  # live, and without data: says so
    page.evaluate(
        """() => {
            window.announced = 0;
            const watch = new MutationObserver((found) => (window.announced += found.length));
            for (const region of document.querySelectorAll("[role=status], [role=alert]"))
                watch.observe(region, { childList: true, characterData: true, subtree: true });
            window.regions = [...document.querySelectorAll("[role=status], [role=alert]")];
        }"""
    )
    assert page.locator(".notice[role=status]").count() == 1

    pass_time(5)

    assert page.evaluate("window.announced") == 0
    assert page.evaluate("window.regions.every((region) => region.isConnected)")


def test_pause_holds_the_page_until_it_is_pressed_again(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto(PAGES["transactions"])
    pause = page.get_by_role("button", name="Pause")
    expect(pause).to_have_attribute("aria-pressed", "false")

    pause.click()

    expect(pause).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#updated")).to_contain_text("Paused, as of")
    asked: list[str] = []
    page.on("request", lambda request: None if "/static/" in request.url else asked.append(request.url))
    transactions.window.clear()
    hide(page, True)
    hide(page, False)
    with pytest.raises(AssertionError):  # longer than the page would wait before it refreshes
        expect(page.locator("dd").first).to_have_text("0", timeout=3_000)
    assert asked == []

    pause.click()

    expect(page.locator("dd").first).to_have_text("0")
    expect(page.locator("#updated")).to_contain_text("Updated")
    expect(pause).to_have_attribute("aria-pressed", "false")


def test_a_page_that_is_paused_still_follows_links(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto(PAGES["bandwidth"])
    page.get_by_role("button", name="Pause").click()
    open_exact(page)

    page.get_by_label("Windows", exact=True).fill("3")
    page.get_by_role("button", name="Show").click()

    expect(page.locator("#windows tbody tr")).to_have_count(3)
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#updated")).to_contain_text("Paused, as of")


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_a_page_left_open_holds_no_more_nodes_and_listeners(
    page: Page, pass_time: Callable[[int], None], path: str
) -> None:
    """The short form of `benchmarks/left_open.py`."""
    page.goto(path)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def held() -> dict[str, int]:
        session.send("HeapProfiler.collectGarbage")
        found = session.send("Performance.getMetrics")["metrics"]
        return {each["name"]: each["value"] for each in found if each["name"] in ("Nodes", "JSEventListeners")}

    pass_time(10)
    before = held()
    pass_time(30)
    after = held()
    assert after["JSEventListeners"] <= before["JSEventListeners"]
    assert after["Nodes"] <= before["Nodes"] * 1.02


@pytest.mark.parametrize("context_options", [{"reduced_motion": "reduce"}])
def test_who_wants_less_motion_sees_the_curve_move_in_steps(page: Page, pass_time: Callable[[int], None]) -> None:
    page.goto(PAGES["transactions"])
    ends = set()
    for _ in range(5):
        pass_time(1)
        ends.add(page.evaluate(f"{CHART}.scales.x.max"))
    assert len(ends) == 1
    # Meanwhile the last point, of now, has moved on by as many seconds and transactions as have passed.
    points = page.evaluate(f"{CHART}.data.datasets[0].data.slice(-2)")
    assert points[1]["x"] - points[0]["x"] == 5
    assert [point["y"] for point in points] == [0, 6]
