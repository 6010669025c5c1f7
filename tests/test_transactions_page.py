"""The transactions page as a person uses it, in a real browser."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Callable
from io import StringIO

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from tests.browsing import cut_off, drawn, figures, hide, saved, shown_at, wait_until
from transactions import services

pytestmark = pytest.mark.browser

PATH = "/charts/transactions"
SetClock = Callable[[str], int]


def record(now: int, *amounts: float) -> None:
    for amount in amounts:
        services.window.add(now * 1000, amount, now=now * 1000)


def test_shows_statistics_and_rates(page: Page, now: int) -> None:
    record(now, 1.5, 2.5, 1000.0)

    page.goto(PATH)

    assert figures(page) == {
        "Count": "3",
        "Sum": "1,004.00",
        "Average": "334.67",
        "Minimum": "1.50",
        "Maximum": "1,000.00",
        "Count per second": "0.05",
        "Sum per second": "16.73",
    }
    assert page.locator("dd data").nth(2).get_attribute("value") == repr(1004 / 3)


def test_posted_transaction_appears_without_a_reload(page: Page) -> None:
    page.goto(PATH)
    page.evaluate("window.untouched = true")
    expect(page.locator("dd").first).to_have_text("0")

    timestamp = page.evaluate("Date.now()")
    assert page.request.post("/api/transactions", data={"amount": 12.3, "timestamp": timestamp}).status == 201

    expect(page.locator("dd").first).to_have_text("1")
    expect(page.locator(".empty")).to_have_count(0)
    assert page.evaluate("window.untouched") is True


def test_curve_holds_a_sample_of_each_time_asked(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    record(now, 1.0, 4.0)
    page.goto(PATH)
    record(set_clock("2026-01-31T12:00:02Z"), 10.0)
    shown_at(page, "2026-01-31T12:00:02Z")

    assert drawn(page, "chart") == {"transactions": [[now, 2], [now + 2, 3]]}
    page.get_by_label("Show").select_option("Sum")
    assert drawn(page, "chart") == {"sum": [[now, 5], [now + 2, 15]]}
    page.get_by_label("Show").select_option("Average between minimum and maximum")
    assert drawn(page, "chart") == {
        "average": [[now, 2.5], [now + 2, 5]],
        "minimum": [[now, 1], [now + 2, 1]],
        "maximum": [[now, 4], [now + 2, 10]],
    }

    shown_at(page, "2026-01-31T12:00:02Z")

    expect(page.get_by_label("Show")).to_have_value("avg")
    assert drawn(page, "chart")["average"] == [[now, 2.5], [now + 2, 5]]


def test_curve_goes_back_ten_minutes(page: Page, set_clock: SetClock) -> None:
    for minute in range(0, 13, 3):
        now = set_clock(f"2026-01-31T12:{minute:02}:00Z")
        if minute:
            shown_at(page, f"2026-01-31T12:{minute:02}:00Z")
        else:
            page.goto(PATH)

    times = [time for time, value in drawn(page, "chart")["transactions"] if value is not None]
    assert times == [now - 540, now - 360, now - 180, now]


def test_clock_that_is_set_back_takes_back_what_lay_ahead(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    for moment in ("2026-01-31T12:00:04Z", "2026-01-31T12:00:08Z", "2026-01-31T12:00:04Z"):
        set_clock(moment)
        shown_at(page, moment)

    assert drawn(page, "chart") == {"transactions": [[now, 0], [now + 4, 0]]}


def test_no_average_of_no_transactions(page: Page, now: int) -> None:
    page.goto(PATH)

    assert [figures(page)[name] for name in ("Count", "Sum", "Average", "Minimum", "Maximum")] == [*"00", *"–––"]
    page.get_by_label("Show").select_option("avg")
    assert drawn(page, "chart") == {name: [[now, None]] for name in ("average", "minimum", "maximum")}


@pytest.mark.parametrize(
    ("amount", "text"), [(1e150, "1E150"), (-999_999_999.0, "-999,999,999"), (0.000123, "0.000123"), (-0.5, "-0.5")]
)
def test_large_and_small_amounts_stay_readable(page: Page, now: int, amount: float, text: str) -> None:
    record(now, amount)

    page.goto(PATH)

    assert figures(page)["Sum"] == text
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Show").select_option("sum")
    assert drawn(page, "chart") == {"sum": [[now, amount]]}


def test_no_negative_zero_is_shown(page: Page, now: int) -> None:
    record(now, -5e-324)

    page.goto(PATH)

    assert figures(page)["Sum per second"] == "0"


def test_outage_is_said_and_leaves_a_gap(page: Page, failures: list[str], set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    record(now, 1.0)
    page.goto(PATH)

    with cut_off(page, PATH, failures):
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached since")
        assert drawn(page, "chart") == {"transactions": [[now, 1]]}
        record(set_clock("2026-01-31T12:00:06Z"), 1.0)

    expect(page.locator("dd").first).to_have_text("2")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert drawn(page, "chart") == {"transactions": [[now, 1], [now + 6, None], [now + 6, 2]]}


def test_hidden_tab_asks_nothing_and_catches_up_when_seen(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    asked: list[str] = []
    hide(page, True)
    # Static files do not count: the browser fetches the icon at any time.
    page.on("request", lambda request: None if "/static/" in request.url else asked.append(request.url))
    record(set_clock("2026-01-31T12:01:00Z"), 1.0)

    # Longer than a visible page waits before it refreshes.
    with pytest.raises(AssertionError):
        expect(page.locator("dd").first).to_have_text("1", timeout=3_000)
    assert asked == []
    hide(page, False)

    expect(page.locator("dd").first).to_have_text("1")
    assert drawn(page, "chart") == {"transactions": [[now, 0], [now + 60, None], [now + 60, 1]]}


def test_hover_tells_the_moment_and_the_value(page: Page, now: int) -> None:
    record(now, 1.0, 2.0)
    page.goto(PATH)
    box = page.locator("#chart").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] / 2)

    wait_until(page, "Chart.getChart('chart').tooltip.opacity === 1")
    tooltip = page.evaluate("Chart.getChart('chart').tooltip")
    assert [line["lines"] for line in tooltip["body"]] == [["transactions: 2"]]
    assert tooltip["footer"] == ["2026-01-31 12:00:00 UTC"]


def test_table_and_csv_hold_the_samples(page: Page, set_clock: SetClock) -> None:
    set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    page.get_by_text("Samples as a table").click()
    record(set_clock("2026-01-31T12:00:02.5Z"), 0.1, 0.2)
    shown_at(page, "2026-01-31T12:00:02Z")

    expect(page.locator("#samples tbody tr").nth(0).locator("td")).to_have_text(
        ["Jan 31, 2026, 12:00:00 PM", "0", "0", "–", "–", "–"]
    )
    expect(page.locator("#samples tbody tr").nth(1).locator("td")).to_have_text(
        ["Jan 31, 2026, 12:00:02 PM", "2", "0.3", "0.15", "0.1", "0.2"]
    )
    name, content = saved(page, "CSV")
    assert name == "transactions-20260131T120002Z-PT3S.csv"
    assert list(csv.reader(StringIO(content.decode(), newline=""))) == [
        ["timestamp", "count", "sum", "avg", "min", "max"],
        ["2026-01-31T12:00:00.000Z", "0", "0", "", "", ""],
        ["2026-01-31T12:00:02.500Z", "2", "0.30000000000000004", "0.15000000000000002", "0.1", "0.2"],
    ]


def test_picture_can_be_saved(page: Page) -> None:
    page.goto(PATH)

    name, content = saved(page, "PNG")

    assert re.fullmatch("transactions-[0-9]{8}T[0-9]{4,6}Z-PT[0-9]+S-count.png", name)
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    assert content.startswith(b"\x89PNG")
    drawn_width, drawn_height = page.evaluate("[chart.width, chart.height]")
    assert width == drawn_width
    assert height > drawn_height  # by a heading, the range and the quantity


def test_empty_service_shows_a_command_that_works(page: Page) -> None:
    page.goto(PATH)

    command = page.locator("pre").inner_text().replace("curl", "curl --silent --fail", 1)
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)

    expect(page.locator("dd").first).to_have_text("1")
    expect(page.locator("pre")).to_have_count(0)


def test_command_that_is_being_selected_stays_so(page: Page, set_clock: SetClock) -> None:
    set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    page.locator("pre").select_text()
    before = page.evaluate("getSelection().toString()")

    set_clock("2026-01-31T12:00:02Z")
    shown_at(page, "2026-01-31T12:00:02Z")

    assert before.startswith("curl ")
    assert page.evaluate("getSelection().toString()") == before


@pytest.mark.parametrize("context_options", [{"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}])
@pytest.mark.parametrize("amount", [None, 1.0, -1e150 / 3])
def test_fits_a_phone(page: Page, now: int, amount: float | None) -> None:
    if amount is not None:
        record(now, amount)

    page.goto(PATH)
    page.get_by_text("Samples as a table").click()
    expect(page.locator("#samples tbody tr")).to_have_count(1)

    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("context_options", [{"color_scheme": "dark"}])
def test_follows_the_colour_scheme(page: Page) -> None:
    page.goto(PATH)
    colour = "Chart.getChart('chart').data.datasets[0].borderColor"
    dark = page.evaluate(colour)

    page.emulate_media(color_scheme="light")

    assert dark == "#4cb3e6"
    wait_until(page, f"{colour} === '#0f7bb5'")


def test_reads_well_aloud(page: Page) -> None:
    page.goto(PATH)

    headings = page.locator("h1, h2").evaluate_all("all => all.map((one) => one.tagName)")
    assert headings == ["H1", "H2"]
    expect(page.get_by_role("img", name="The statistics of the last 60 seconds")).to_be_visible()
    expect(page.get_by_role("combobox", name="Show")).to_be_visible()
    assert page.locator("[aria-live], [role=status]").count() == 0


def test_other_formats_are_refused_and_unknown_parameters_passed_over(api: APIClient) -> None:
    assert api.get(PATH, {"utm_source": "x"}).status_code == 200
    refused = api.get(PATH, {"format": "csv"})
    assert refused.status_code == 406
    assert refused["Content-Type"] == "application/problem+json"
    assert api.get(PATH, {"format": "html"}).status_code == 200
