"""The lists of devices and users in a browser: search while typing, sorting, pages, curves, times and long names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from tests.browsing import ask, query_of, shown_at, wait_until
from timeseries_project.web import lists

pytestmark = pytest.mark.browser

SetClock = Callable[[str], int]
UUIDS = [f"{number:08x}-a107-4e0a-84e1-fa04d76d{number:04x}" for number in range(120)]
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
ENGLISH: dict[str, Any] = {"locale": "en-US", "timezone_id": "UTC"}


@pytest.fixture
def now(set_clock: SetClock) -> int:
    """2026-01-31T12:00:00Z, with devices that were seen minutes, hours, days and years before."""
    now = set_clock("2026-01-31T12:00:00Z")
    for name, age in (("alpha", 5), ("beta", 180), ("gamma", 7_200), ("delta", 3 * 86_400), ("epsilon", 800 * 86_400)):
        for step in range(3):
            bandwidth.store.add(name, now - age - 3_600 * step, len(name) * (step + 1), 10)
            datapoints.store.add((now - age - 3_600 * step) * 10**6, 20.0 + step, name, f"user of {name}")
    return now


@pytest.fixture
def many(now: int) -> None:
    """More devices than one page has, with long names."""
    for number, name in enumerate(UUIDS):
        bandwidth.store.add(name, now - number, 1_000 + number, 1)


def names(page: Page) -> list[str]:
    return page.locator(".listing tbody tr").evaluate_all("(rows) => rows.map((row) => row.dataset.key)")


@pytest.mark.parametrize("path", ["/charts/bandwidth", "/charts/datapoints"])
def test_the_list_follows_what_is_typed_and_leaves_focus_and_caret(page: Page, now: int, path: str) -> None:
    page.goto(path)
    page.get_by_label("Device", exact=True).fill("half a name")
    field = page.get_by_label("Search devices")
    field.focus()
    field.press_sequentially("ELTA")
    expect(page.locator(".listing tbody tr")).to_have_count(1)
    assert names(page) == ["delta"]
    expect(page.locator("#found")).to_have_text("1 of 5 devices found:")
    assert query_of(page) == {"search": ["ELTA"]}
    field.press("Home")
    field.press("Delete")
    expect(page).to_have_url(f"{urlsplit(page.url).scheme}://{urlsplit(page.url).netloc}{path}?search=LTA")
    expect(field).to_be_focused()
    expect(field).to_have_value("LTA")
    assert field.evaluate("(input) => input.selectionStart") == 0
    expect(page.get_by_label("Device", exact=True)).to_have_value("half a name")
    field.fill("")
    expect(page.locator(".listing tbody tr")).to_have_count(5)
    assert query_of(page) == {}


def test_keys_in_quick_succession_ask_once(page: Page, now: int) -> None:
    page.goto("/charts/bandwidth")
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(urlsplit(route.request.url).query)
        route.continue_()

    page.route(lambda url: urlsplit(url).path == "/charts/bandwidth", note)
    page.evaluate(
        """() => {
            const field = document.getElementById("search");
            for (const text of ["g", "ga", "gam"]) {
                field.value = text;
                field.dispatchEvent(new Event("input", { bubbles: true }));
            }
        }"""
    )
    expect(page.locator(".listing tbody tr")).to_have_count(1)
    assert asked == ["search=gam"]
    page.unroute_all(behavior="wait")


def test_a_refresh_keeps_what_is_being_typed(page: Page, now: int, set_clock: SetClock) -> None:
    """A page may come between two keys; and nothing is exchanged but what has changed."""
    page.goto("/charts/bandwidth?search=l")
    field = page.get_by_label("Search devices")
    field.focus()
    page.evaluate("window.row = document.querySelector('.listing tbody tr')")
    page.evaluate("document.getElementById('search').value = 'lph'")  # a key whose pause is not over
    set_clock("2026-01-31T12:01:00Z")
    shown_at(page, "2026-01-31T12:01:00Z")
    expect(field).to_have_value("lph")
    expect(field).to_be_focused()
    expect(page.locator(".listing tbody tr").first.locator("[data-ago]")).to_have_text("1 min. ago")
    assert page.evaluate("window.row === document.querySelector('.listing tbody tr')")


def test_back_leads_from_a_chart_to_the_list_as_it_was(page: Page, now: int) -> None:
    page.goto("/charts/bandwidth?num_windows=5")
    page.get_by_role("link", name="Last seen").click()
    expect(page.locator("[aria-sort]")).to_have_attribute("aria-sort", "descending")
    page.get_by_label("Search devices").fill("ta")
    expect(page.locator(".listing tbody tr")).to_have_count(2)
    assert names(page) == ["beta", "delta"]
    page.get_by_role("link", name="delta").click()
    page.wait_for_url("**device_uuid=delta**")
    expect(page.locator("canvas")).to_be_visible()
    assert query_of(page)["num_windows"] == ["5"]
    page.go_back()
    expect(page.locator(".listing tbody tr")).to_have_count(2)
    assert names(page) == ["beta", "delta"]
    assert query_of(page) == {"num_windows": ["5"], "sort": ["-last"], "search": ["ta"]}
    expect(page.get_by_label("Search devices")).to_have_value("ta")
    page.reload()
    expect(page.get_by_label("Search devices")).to_have_value("ta")
    assert names(page) == ["beta", "delta"]


def test_headings_sort_by_keyboard_and_say_so(page: Page, now: int) -> None:
    page.goto("/charts/bandwidth")
    heading = page.locator("thead th", has=page.get_by_role("link", name="To the server"))
    expect(page.locator("thead th").first).to_have_attribute("aria-sort", "ascending")
    heading.get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert names(page) == ["epsilon", "alpha", "delta", "gamma", "beta"]
    expect(heading.get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert names(page) == ["beta", "alpha", "delta", "gamma", "epsilon"]
    expect(page.locator("[aria-sort]")).to_have_count(1)
    page.go_back()
    expect(heading).to_have_attribute("aria-sort", "descending")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("context_options", [{}, {"java_script_enabled": False}], ids=["script", "no-script"])
def test_pages_lead_to_one_another_with_and_without_javascript(page: Page) -> None:
    page.goto("/charts/bandwidth?sort=-bytes_ts")
    assert names(page) == UUIDS[:19:-1]
    page.get_by_role("link", name="Next →").click()
    expect(page.locator(".pages")).to_contain_text("101–125 of 125")
    assert names(page)[:15] == UUIDS[19:4:-1]
    page.get_by_role("link", name="← Previous").click()
    expect(page.locator(".pages")).to_contain_text("1–100 of 125")
    page.get_by_label("Search devices").fill("0000001")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".listing tbody tr")).to_have_count(17)
    assert query_of(page) == {"sort": ["-bytes_ts"], "search": ["0000001"]}


@pytest.mark.parametrize("context_options", [ENGLISH])
def test_times_are_words_with_the_exact_time_as_title_and_old_ones_are_muted(page: Page, now: int) -> None:
    page.goto("/charts/bandwidth?sort=-last")
    times = page.locator(".listing [data-ago]")
    assert times.all_inner_texts() == ["5 sec. ago", "3 min. ago", "2 hr. ago", "3 days ago", "2 yr. ago"]
    expect(times.nth(1)).to_have_attribute("title", "Jan 31, 2026, 11:57:00 AM UTC")
    muted = times.evaluate_all("(all) => all.map((time) => getComputedStyle(time).color)")
    assert muted[0] == muted[2] != muted[3] == muted[4]


@pytest.mark.parametrize("path", ["/charts/bandwidth", "/charts/datapoints", "/charts/datapoints?listed=user"])
def test_each_row_that_has_data_in_the_span_has_a_curve(page: Page, now: int, path: str) -> None:
    page.goto(path)
    curves = page.locator(".listing svg[aria-hidden=true] polyline")
    rows = page.locator(".listing tbody tr", has=page.locator("polyline"))
    expect(rows).to_have_count(3)
    expect(page.locator(".listing thead")).to_contain_text("Last 24 h")
    for place in range(3):
        box = curves.nth(place).bounding_box()
        assert box is not None
        assert box["width"] > 0
    stroke = curves.first.evaluate("(line) => getComputedStyle(line).stroke")
    page.emulate_media(color_scheme="dark")
    assert curves.first.evaluate("(line) => getComputedStyle(line).stroke") != stroke


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("context_options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_long_names_are_whole_or_shortened_in_their_middle(page: Page, context_options: dict[str, Any]) -> None:
    page.goto("/charts/bandwidth")
    link = page.get_by_role("link", name=UUIDS[7], exact=True)
    expect(link).to_have_attribute("title", UUIDS[7])
    expect(link).to_have_text(UUIDS[7])
    hidden = link.locator("bdi").evaluate("(start) => start.scrollWidth > start.clientWidth")
    assert hidden == (context_options is PHONE)
    end, box = link.locator("b").bounding_box(), link.bounding_box()
    assert end is not None
    assert box is not None
    assert end["x"] + end["width"] <= box["x"] + box["width"] + 1  # its last characters are seen
    heights = page.locator(".listing tbody tr").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
    assert max(heights) <= 2.2 * 16
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("context_options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_heading_and_names_stay_while_the_table_scrolls(page: Page) -> None:
    page.goto("/charts/bandwidth")
    region = page.get_by_role("region", name="Table of devices")
    region.scroll_into_view_if_needed()
    before = page.locator(".listing thead th").first.bounding_box()
    region.evaluate("(region) => region.scrollTo(60, 900)")
    wait_until(page, "document.querySelector('.scroll.rows').scrollTop > 800")
    assert page.locator(".listing thead th").first.bounding_box() == before
    expect(page.locator(".listing thead th").first).to_be_in_viewport()


def test_too_many_to_sort_are_said_in_a_sentence(page: Page, now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_COUNTED", 2)
    monkeypatch.setattr(lists, "MOST_SORTED", 3)
    page.goto("/charts/bandwidth?sort=-last")
    expect(page.locator("#unsorted")).to_have_text(
        "Sorted by name: there are more than 3 devices. Search to narrow down, and to sort by more."
    )
    expect(page.locator(".listing thead a")).to_have_count(0)
    page.get_by_label("Search devices").fill("ta")
    expect(page.locator("#unsorted")).to_have_count(0)
    expect(page.locator(".listing tbody tr")).to_have_count(2)
    assert names(page) == ["beta", "delta"]


def test_what_is_not_found_is_said_and_read_aloud(page: Page, now: int) -> None:
    page.goto("/charts/bandwidth")
    page.evaluate("window.found = document.getElementById('found')")
    page.get_by_label("Search devices").fill("<b>nothing")
    expect(page.get_by_role("status").filter(has_text="None of 5 devices")).to_contain_text("“<b>nothing”")
    assert page.evaluate("window.found === document.getElementById('found')")
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".listing tbody tr")).to_have_count(5)
    expect(page.get_by_label("Search devices")).to_have_value("")


def test_the_list_of_an_unknown_device_can_be_searched(page: Page, now: int, refusals: list[int]) -> None:
    refusals.extend([404, 404])
    page.goto("/charts/bandwidth?device_uuid=nowhere")
    page.get_by_label("Search devices").fill("gam")
    expect(page.locator(".listing tbody tr")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("'nowhere' was never seen")
    page.get_by_role("link", name="gamma").click()
    expect(page.locator("canvas")).to_be_visible()
    ask(page)
