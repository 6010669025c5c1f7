"""Pages on phones and at 200 % zoom: the chart comes first, and nothing overlaps or is cut."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.accessibility import findings
from tests.browsing import query_of, wait_until
from tests.every_page import BROWSABLE, CHARTS, DEVICE, NAMES, OURS, PHONE, fill, of_device

pytestmark = pytest.mark.browser

ON_PHONE: dict[str, Any] = {"viewport": PHONE}
ZOOMED = [  # a window of 1440 px at 200 %, and a phone
    pytest.param({"viewport": {"width": 720, "height": 450}, "device_scale_factor": 2}, id="zoomed"),
    pytest.param({"viewport": PHONE, "device_scale_factor": 2}, id="phone"),
]
EVERY = {**OURS, **BROWSABLE, **{f"name-{place}": of_device("datapoints", name) for place, name in enumerate(NAMES)}}
#: Pairs of visible controls and texts that lie on each other.
OVERLAPPING = """() => {
    const all = [...document.querySelectorAll("a, button, input, select, summary, label, h1, h2, th, td, dt, dd, p")]
        .filter((element) => element.checkVisibility() && !element.closest(".unseen, .skip, dialog"));
    const boxes = all.map((element) => element.getBoundingClientRect());
    const pairs = [];
    all.forEach((one, i) => all.slice(i + 1).forEach((other, j) => {
        if (one.contains(other) || other.contains(one)) return;
        const [a, b] = [boxes[i], boxes[i + 1 + j]];
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > 1 && height > 1) pairs.push([one.outerHTML.slice(0, 60), other.outerHTML.slice(0, 60)]);
    }));
    return pairs;
}"""
#: Visible elements that reach beyond the window, unless they can be scrolled to.
CUT = """() => [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    const out = box.right > document.documentElement.clientWidth + 1 || box.left < -1;
    return element.checkVisibility() && box.width > 0 && out && !element.closest(".scroll, pre, .skip, .unseen");
}).map((element) => element.outerHTML.slice(0, 80))"""


@pytest.fixture(autouse=True)
def filled(now: int) -> None:
    """Data of the ten minutes before 12:00."""
    fill(now)


@pytest.mark.parametrize("context_options", ZOOMED)
@pytest.mark.parametrize("path", EVERY.values(), ids=EVERY)
def test_nothing_overlaps_is_cut_or_scrolls_sideways(page: Page, path: str) -> None:
    page.goto(path)
    wait_until(page, "document.readyState === 'complete'")
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert page.evaluate(OVERLAPPING) == []
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("context_options", [ON_PHONE])
@pytest.mark.parametrize("name", ["bandwidth", "datapoints"])
def test_on_a_phone_the_chart_comes_first_and_the_form_folds(page: Page, name: str) -> None:
    page.goto(CHARTS[name])
    field = page.get_by_label("Device", exact=True)
    expect(field).to_be_hidden()
    expect(page.locator("canvas")).to_be_in_viewport()

    page.get_by_text("Choose", exact=True).click()
    expect(field).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize("context_options", [ON_PHONE])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/charts/bandwidth", 200),
        ("/charts/datapoints", 200),
        (f"/charts/bandwidth?device_uuid={DEVICE}&num_windows=x", 400),
        ("/charts/datapoints?device=nobody", 404),
    ],
)
def test_the_form_is_open_if_there_is_something_to_choose(
    page: Page, path: str, status: int, refusals: list[int]
) -> None:
    refusals.extend([status] if status != 200 else [])
    page.goto(path)
    expect(page.get_by_label("Device", exact=True)).to_be_visible()


@pytest.mark.parametrize("context_options", [ON_PHONE])
def test_the_form_folds_when_the_choice_is_made(page: Page) -> None:
    page.goto("/charts/bandwidth")
    field = page.get_by_label("Device", exact=True)
    page.get_by_role("link", name=DEVICE).click()
    expect(page.locator("canvas")).to_be_visible()
    expect(field).to_be_hidden()

    page.go_back()
    expect(field).to_be_visible()
    field.fill(DEVICE)
    field.press("Enter")
    expect(page.locator("canvas")).to_be_visible()
    expect(field).to_be_hidden()
    expect(page.locator("#choose > summary")).to_be_focused()


@pytest.mark.parametrize("context_options", [ON_PHONE])
def test_the_form_stays_open_under_the_hands_of_who_fills_it_in(page: Page) -> None:
    page.goto(CHARTS["bandwidth"])
    page.get_by_text("Choose", exact=True).click()
    unit = page.get_by_label("Unit")
    unit.focus()
    unit.select_option("bits")
    page.wait_for_url(lambda address: "unit=bits" in address)
    wait_until(page, "document.getElementById('chart-data').textContent.includes('bits')")
    expect(unit).to_be_visible()
    expect(unit).to_be_focused()
    assert query_of(page)["unit"] == ["bits"]


@pytest.mark.parametrize("context_options", [ON_PHONE])
def test_the_form_stands_open_when_the_phone_is_turned(page: Page) -> None:
    page.goto(CHARTS["bandwidth"])
    field = page.get_by_label("Device", exact=True)
    page.set_viewport_size({"width": 740, "height": 360})
    expect(field).to_be_visible()
    expect(page.locator("#choose > summary")).to_be_hidden()
    page.set_viewport_size(PHONE)
    expect(field).to_be_hidden()


@pytest.mark.parametrize("context_options", [ON_PHONE])
def test_the_key_for_choosing_opens_the_form(page: Page) -> None:
    page.goto(CHARTS["datapoints"])
    wait_until(page, "document.readyState === 'complete'")
    page.keyboard.press("/")
    expect(page.get_by_label("Device", exact=True)).to_be_focused()
