"""Ranges, keys and paper where a chart has several devices: what works for one works for all of them together."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from bandwidth import services as bandwidth
from tests import datapoints_chart
from tests.bandwidth_chart import END, add_entries
from tests.browsing import query_of, wait_until

pytestmark = pytest.mark.browser

CHART = "Chart.getChart(document.querySelector('canvas'))"
DEVICES = ["router-1", "router-2"]
THERMOMETERS = ["thermometer-1", "thermometer-2"]
WORDS = {"locale": "en-GB", "timezone_id": "UTC"}


@pytest.fixture(autouse=True)
def data(set_clock: Callable[[str], int]) -> None:
    """Three minutes of entries, and two hours of datapoints."""
    set_clock("2026-01-31T12:00:00Z")
    add_entries()
    datapoints_chart.add_points()


def hour(*devices: str, **more: object) -> str:
    parameters = {"device_uuid": devices, "end_time": END, "window_time": 60, "num_windows": 60, **more}
    return f"/charts/bandwidth?{urlencode(parameters, doseq=True)}"


def morning(*devices: str, **more: object) -> str:
    range_ = {"start": "2026-01-31T10:00:00Z", "end": "2026-01-31T11:30:00Z", "bucket": "15m"}
    return f"/charts/datapoints?{urlencode({'device': devices, **range_, **more}, doseq=True)}"


def drag(page: Page, *times: float) -> None:
    """Drag with the mouse from one time to another."""
    page.locator("canvas").scroll_into_view_if_needed()
    ends = page.evaluate(
        f"""(times) => {{
            const {{ canvas, scales, chartArea: area }} = {CHART};
            const box = canvas.getBoundingClientRect();
            return times.map((time) => [box.x + scales.x.getPixelForValue(time), box.y + (area.top + area.bottom) / 2]);
        }}""",
        times,
    )
    page.mouse.move(*ends[0])
    page.mouse.down()
    page.mouse.move(*ends[1], steps=4)
    page.mouse.up()


def test_a_zoom_keeps_the_devices_and_what_is_hidden(page: Page) -> None:
    page.goto(hour(*DEVICES, direction="to", unit="bits"))
    page.get_by_role("button", name="router-2").click()

    drag(page, END - 1_300, END - 300)
    page.wait_for_url("**window_time=15&**")
    wait_until(page, f"{CHART}.options.span === 15")

    query = query_of(page)
    assert (query["device_uuid"], query["direction"], query["unit"]) == (DEVICES, ["to"], ["bits"])
    assert page.evaluate(f"{CHART}.data.datasets.map((line, i) => {CHART}.isDatasetVisible(i))") == [True, False]
    page.locator("canvas").dblclick()
    wait_until(page, f"{CHART}.options.span === 60")
    assert query_of(page)["device_uuid"] == DEVICES


def test_a_zoom_into_buckets_keeps_the_devices(page: Page) -> None:
    page.goto(morning(*THERMOMETERS, curve="moving_avg", window_size=2))
    first = datapoints_chart.FIRST
    drag(page, first + 1_800, first + 4_500)
    wait_until(page, "!location.search.includes('bucket=')")
    query = query_of(page)
    assert (query["device"], query["curve"], "bucket" in query) == (THERMOMETERS, ["moving_avg"], False)
    expect(page.locator(".legend button")).to_have_count(2)


@pytest.mark.parametrize(
    ("url", "name", "devices"),
    [(hour(*DEVICES), "device_uuid", DEVICES), (morning(*THERMOMETERS), "device", THERMOMETERS)],
    ids=["bandwidth", "datapoints"],
)
def test_links_to_other_ranges_keep_the_devices(page: Page, url: str, name: str, devices: list[str]) -> None:
    page.goto(url)
    for link in ("1 h", "All", "← Previous", "Next →", "Now"):
        page.goto(url)
        page.get_by_role("link", name=link, exact=True).click()
        wait_until(page, f"!location.href.endsWith({url!r})")
        assert query_of(page)[name] == devices
        expect(page.locator(".chips li")).to_have_count(2)
        expect(page.locator("canvas")).to_be_visible()


@pytest.mark.parametrize("url", [hour(*DEVICES), morning(*THERMOMETERS)], ids=["bandwidth", "datapoints"])
def test_copied_links_name_all(page: Page, url: str) -> None:
    page.goto(url)
    for kind in ("live", "frozen"):
        link = page.locator("#copy").get_attribute(f"data-{kind}") or ""
        query = parse_qs(urlsplit(link).query)
        assert query.get("device_uuid", query.get("device")) in (DEVICES, THERMOMETERS)
        assert ("end_time" in query or "end" in query) == (kind == "frozen")


@pytest.mark.parametrize("context_options", [WORDS])
def test_keys_lead_through_the_points_of_all_devices(page: Page) -> None:
    page.goto(hour(*DEVICES, num_windows=3))
    page.get_by_role("button", name="router-1, from the server").click()
    box = page.locator("#plot")
    box.focus()
    for key, name, bytes_sent in (
        ("End", "router-1, to the server", "15 B"),
        ("ArrowDown", "router-2, to the server", "99 B"),  # the hidden line is passed over
        ("ArrowDown", "router-2, from the server", "98 B"),
        ("ArrowLeft", "router-2, from the server", "0 B"),
    ):
        page.keyboard.press(key)
        expect(page.locator("#points-spoken")).to_contain_text(f"{name}: {bytes_sent}")

    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    expect(page.get_by_label("Add a device")).to_be_focused()


def test_at_eight_no_key_leads_to_a_field_for_one_more(page: Page) -> None:
    page.goto(hour(*(f"d{number}" for number in range(7)), "router-1"))
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement === document.body")


@pytest.mark.parametrize("refusals", [[400]])
def test_too_many_are_refused_in_words(page: Page) -> None:
    page.goto(hour(*DEVICES))
    more = [("device_uuid", f"d{number}") for number in range(9)]
    page.evaluate("(url) => (location.href = url)", f"/charts/bandwidth?{urlencode(more)}")
    expect(page.locator(".problem")).to_contain_text("is given 9 times; one chart shows at most 8.")
    expect(page.locator(".chips li")).to_have_count(8)


@pytest.mark.parametrize("context_options", [{"color_scheme": "dark"}])
@pytest.mark.parametrize("url", [hour(*DEVICES), morning(*THERMOMETERS)], ids=["bandwidth", "datapoints"])
def test_paper_names_the_lines_and_cuts_nothing(page: Page, url: str) -> None:
    page.goto(url)
    names = page.locator(".legend button").all_inner_texts()
    page.get_by_role("button", name=names[0], exact=True).click()
    page.set_viewport_size({"width": 680, "height": 1000})
    page.emulate_media(media="print")
    for name in names[1:]:
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=names[0], exact=True)).to_be_hidden()
    for gone in (".chips", "#one_more", ".links-of"):
        expect(page.locator(gone).first).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 680


def test_a_list_keeps_all_unknown_devices_while_it_is_searched(page: Page, refusals: list[int]) -> None:
    refusals += [404, 404]
    bandwidth.store.add("another", END, 1, 1)
    page.goto("/charts/bandwidth?device_uuid=nobody&device_uuid=nowhere")
    page.get_by_label("Search devices").fill("another")
    page.get_by_label("Search devices").press("Enter")
    expect(page.locator("#listed tbody tr")).to_have_count(1)
    assert query_of(page)["device_uuid"] == ["nobody", "nowhere"]
