"""Pages on paper: black on white from dark screens too, nothing that only a screen can do, and nothing cut off."""

from __future__ import annotations

import re
import zlib

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import wait_until
from tests.every_page import BROWSABLE, CHARTS, DEVICE, NAMES, OURS, PHONE, fill, of_device

pytestmark = pytest.mark.browser

CHART = "Chart.getChart(document.querySelector('canvas'))"
WIDTH = 680  # of A4 between the margins, in CSS pixels
DARK = {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}}
LINE, DARK_LINE = "#0f7bb5", "#4cb3e6"  # the first line of a chart, on light pages and on dark ones
#: The visible elements that reach beyond the right edge of the paper.
CUT = """() => [...document.querySelectorAll("main *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility() && !element.closest(".unseen") && box.width > 0 && box.right > innerWidth + 1;
}).map((element) => element.outerHTML.slice(0, 80))"""
#: The visible elements that do something, or are there for it.
LIVING = """() => [...document.querySelectorAll(
        "header, footer, form, button, input, dialog, summary, #updated, noscript, .skip"
    )].filter((element) => element.checkVisibility()).map((element) => element.outerHTML.slice(0, 80))"""
LUMINANCE = """() => {
    const light = (text) => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
        return a === 0 ? 255 : 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const texts = [...document.querySelectorAll("main *")].filter((one) => one.checkVisibility() && hasText(one));
    return {
        page: Math.round(light(getComputedStyle(document.body).backgroundColor)),
        text: Math.max(...texts.map((element) => light(getComputedStyle(element).color))),
        heading: light(getComputedStyle(document.querySelector("h1")).color),
    };
}"""


@pytest.fixture(autouse=True)
def filled(now: int) -> None:
    """Data of the ten minutes before 12:00."""
    fill(now)


def put_on_paper(page: Page) -> None:
    """Show the page as it is printed on A4."""
    page.set_viewport_size({"width": WIDTH, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")


def colours_of(pdf: bytes) -> set[str]:
    """Return the colours with which a PDF draws lines and areas; charts are drawn in it as on their canvases."""
    found = set()
    for data in re.findall(rb"/FlateDecode[^>]*>> stream\n(.*?)\nendstream", pdf, re.DOTALL):
        for colour in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) (?:rg|RG)\b", zlib.decompress(data)):
            found.add("#" + bytes(round(float(part) * 255) for part in colour).hex())
    return found


@pytest.mark.parametrize("context_options", [DARK])
@pytest.mark.parametrize("path", [*OURS.values(), *BROWSABLE.values()], ids=[*OURS, *BROWSABLE])
def test_a_dark_page_is_black_on_white_without_what_needs_a_screen(page: Page, path: str) -> None:
    page.goto(path)
    assert page.evaluate(LUMINANCE)["page"] < 50

    put_on_paper(page)
    found = page.evaluate(LUMINANCE)
    assert (found["page"], found["heading"]) == (255, 0)
    assert found["text"] < 110  # a contrast of more than 4.5 : 1 for all
    assert page.evaluate(LIVING) == []
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


@pytest.mark.parametrize("context_options", [DARK])
@pytest.mark.parametrize("path", ["/", *CHARTS.values()], ids=["dashboard", *CHARTS])
def test_charts_are_drawn_for_paper_and_then_for_the_screen_again(page: Page, path: str) -> None:
    page.goto(path)
    colours = f"[{CHART}.data.datasets[0].borderColor, {CHART}.options.scales.x.ticks.color]"
    size = f"[{CHART}.width, {CHART}.height]"
    on_screen = [page.evaluate(colours), page.evaluate(size)]
    assert on_screen[0][0] == DARK_LINE
    page.evaluate(f"""() => addEventListener("beforeprint", () => (window.printed = [...{colours}, {CHART}.width]))""")

    printed = colours_of(page.pdf(format="A4"))

    assert page.evaluate("window.printed") == [LINE, "#59656d", WIDTH]
    assert LINE in printed
    assert DARK_LINE not in printed
    assert [page.evaluate(colours), page.evaluate(size)] == on_screen

    page.emulate_media(media="print")  # as browsers do that only tell of another medium
    wait_until(page, f"String({colours}) === '{LINE},#444444'")
    page.emulate_media(media="screen")
    wait_until(page, f"String({colours}) === '{','.join(on_screen[0])}'")


@pytest.mark.parametrize("context_options", [{"viewport": PHONE}])
def test_a_chart_of_a_phone_is_as_wide_as_the_paper(page: Page) -> None:
    page.goto(CHARTS["bandwidth"])
    page.evaluate(f"() => addEventListener('beforeprint', () => (window.width = {CHART}.width))")
    page.pdf(format="A4")
    assert page.evaluate("window.width") == WIDTH
    assert page.evaluate(f"{CHART}.width") < 360


@pytest.mark.parametrize("context_options", [{"locale": "en-GB", "timezone_id": "Europe/Berlin"}])
def test_paper_says_what_it_shows_and_when_it_was_printed(page: Page) -> None:
    page.clock.set_fixed_time("2026-01-31T12:07:30Z")
    page.goto(CHARTS["bandwidth"])
    expect(page.locator("#printed")).to_be_hidden()

    put_on_paper(page)

    expect(page.locator("#printed")).to_have_text(
        "Printed 31 Jan 2026, 13:07:30, Europe/Berlin. Figures as of 31 Jan 2026, 13:00:00. " + page.url
    )
    expect(page.locator("h1")).to_contain_text(DEVICE)
    expect(page.locator(".span")).to_contain_text(
        "After 31 Jan 2026, 12:50:00 up to and including 31 Jan 2026, 13:00:00"
    )


@pytest.mark.parametrize("context_options", [{"java_script_enabled": False}])
def test_paper_says_when_it_was_fetched_without_javascript(page: Page) -> None:
    page.goto(CHARTS["bandwidth"])
    put_on_paper(page)
    expect(page.locator("#printed")).to_have_text("As of 2026-01-31 12:00:00 UTC.")


@pytest.mark.parametrize("name", ["bandwidth", "datapoints", "transactions"])
def test_a_table_is_printed_if_it_is_open_with_its_headings_on_each_page(page: Page, name: str) -> None:
    page.goto(
        f"{CHARTS[name]}{'&num_windows=200' if name == 'bandwidth' else '&bucket=5s' if name == 'datapoints' else ''}"
    )
    table = page.locator("#table table")
    page.emulate_media(media="print")
    expect(page.locator("#table")).to_be_hidden()
    closed = page.pdf(format="A4").count(b"/Type /Page\n")

    page.emulate_media(media="screen")
    page.locator("#table summary").click()
    put_on_paper(page)

    expect(table).to_be_visible()
    expect(table.locator("thead")).to_have_css("display", "table-header-group")
    expect(table.locator("tbody tr").first).to_have_css("break-inside", "avoid")
    assert page.evaluate(CUT) == []
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every((box) => box.scrollWidth <= box.clientWidth)")
    if name != "transactions":
        assert page.pdf(format="A4").count(b"/Type /Page\n") > closed + 1


@pytest.mark.parametrize("name", NAMES, ids=["dollar", "tag", "arabic", "long"])
@pytest.mark.parametrize("chart", ["bandwidth", "datapoints"])
def test_no_name_is_cut(page: Page, chart: str, name: str) -> None:
    page.goto(of_device(chart, name))
    page.locator("#table summary").click()
    put_on_paper(page)
    expect(page.locator("h1 bdi")).to_have_text(name)
    assert page.evaluate(CUT) == []


def test_links_keep_their_words(page: Page) -> None:
    page.goto("/charts/bandwidth")
    put_on_paper(page)
    expect(page.get_by_role("link", name=DEVICE)).to_be_visible()
    assert page.locator("#listed tbody a").count() == 1 + len(NAMES)


def test_swagger_ui_is_printed_without_the_header(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/api/docs/")
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("body > header")).to_be_hidden()
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.locator(".opblock-summary-path").first).to_have_css("color", "rgb(59, 65, 81)")
