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
from timeseries_project.api.watching import PART
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


def known(page: Page, line: str = "transactions") -> dict[float, float]:
    """Return the points of a line that have a value."""
    return {time: value for time, value in drawn(page, "chart")[line] if value is not None}


def test_page_opens_with_its_ten_minutes(page: Page, set_clock: SetClock) -> None:
    """As they would be had it been open all the time: each moment is of the 60 s before it."""
    record(set_clock("2026-01-31T11:55:05Z"), 1.0, 4.0)
    record(set_clock("2026-01-31T11:55:25Z"), 10.0)
    now = set_clock("2026-01-31T12:00:03.5Z")

    page.goto(PATH)

    times = [*range(now - 593, now, 10), now]
    began = now - 298  # the first two, and 20 s later the third
    counts = [2 * (began < time <= began + 60) + (began + 20 < time <= began + 80) for time in times]
    assert sum(counts) == 18
    assert drawn(page, "chart") == {"transactions": list(map(list, zip(times, counts, strict=True)))}
    page.get_by_label("Show").select_option("Sum")
    assert known(page, "sum")[now - 263] == 15
    page.get_by_label("Show").select_option("Average between minimum and maximum")
    assert [known(page, line)[now - 263] for line in ("average", "minimum", "maximum")] == [5, 1, 10]
    assert now - 3 not in known(page, "average")
    page.get_by_text("Ten minutes as a table").click()
    expect(page.locator("#samples tbody tr")).to_have_count(61)
    expect(page.locator("#samples tbody tr").nth(33).locator("td")).to_have_text(
        ["Jan 31, 2026, 11:55:40 AM", "3", "15", "5", "1", "10"]
    )


def test_curve_goes_on_without_a_step(page: Page, set_clock: SetClock) -> None:
    record(set_clock("2026-01-31T11:59:30Z"), 1.0)
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    page.get_by_label("Show").select_option("Sum")
    record(now, 2.0)
    late = now - 15
    services.window.add(late * 1000, 4.0, now=now * 1000)
    set_clock("2026-01-31T12:00:12Z")
    shown_at(page, "2026-01-31T12:00:12Z")

    expect(page.get_by_label("Show")).to_have_value("sum")
    # What came late belongs to its time.
    expected = [[now - 20, 1], [now - 10, 5], [now, 5], [now + 10, 7], [now + 12, 7]]
    points = drawn(page, "chart")["sum"]
    assert points[-5:] == expected
    assert [time for time, _ in points] == sorted({time for time, _ in points})
    page.reload()
    page.get_by_label("Show").select_option("Sum")
    assert drawn(page, "chart")["sum"] == points


def test_curve_ends_with_what_the_figures_say(page: Page, set_clock: SetClock) -> None:
    """So does the table: what came within the present second counts already."""
    now = set_clock("2026-01-31T12:00:05.9Z")
    services.window.add(now * 1000 + 900, 3.0, now=now * 1000 + 900)
    page.goto(PATH)

    assert figures(page)["Count"] == "1"
    assert drawn(page, "chart")["transactions"][-2:] == [[now - 5, 0], [now, 1]]
    page.get_by_text("Ten minutes as a table").click()
    expect(page.locator("#samples tbody tr").last.locator("td").nth(2)).to_have_text("3")


def test_before_the_server_started_there_is_a_gap(
    page: Page, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = set_clock("2026-01-31T12:00:05Z")
    monkeypatch.setattr(services, "started", now - 25)
    page.goto(PATH)

    points = drawn(page, "chart")["transactions"]
    assert len(points) == 61
    assert known(page) == {now - 25: 0, now - 15: 0, now - 5: 0, now: 0}
    assert list(csv.reader(StringIO(saved(page, "CSV")[1].decode())))[1][0] == "2026-01-31T11:59:40.000Z"


def test_a_restart_takes_nothing_from_a_page_that_is_open(
    page: Page, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(set_clock("2026-01-31T11:59:55Z"), 1.0)
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)

    services.window.clear()
    monkeypatch.setattr(services, "started", now + 15)
    record(set_clock("2026-01-31T12:00:25Z"), 1.0)
    set_clock("2026-01-31T12:00:27Z")
    shown_at(page, "2026-01-31T12:00:27Z")

    assert drawn(page, "chart")["transactions"][-5:] == [
        [now - 10, 0],
        [now, 1],
        [now + 10, None],
        [now + 20, 0],
        [now + 27, 1],
    ]


def test_clock_that_is_set_back_takes_back_what_lay_ahead(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    for moment in ("2026-01-31T12:00:04Z", "2026-01-31T12:00:28Z", "2026-01-31T12:00:04Z"):
        set_clock(moment)
        shown_at(page, moment)

    assert list(known(page))[-2:] == [now, now + 4]


def test_a_refresh_is_small(api: APIClient, now: int) -> None:
    """The table that the page opens with is not sent again, and the curve is some thousand bytes."""
    for second in range(600):
        services.window.add((now - 600 + second) * 1000, 1.5, now=(now - 600 + second) * 1000)
    page = api.get(PATH).content
    part = api.get(PATH, **{PART: True}).content
    assert page.count(b"<tr>") == 61
    assert part.count(b"<tr>") == 0
    assert len(part) < 6_000


def test_no_average_of_no_transactions(page: Page, now: int) -> None:
    page.goto(PATH)

    assert [figures(page)[name] for name in ("Count", "Sum", "Average", "Minimum", "Maximum")] == [*"00", *"–––"]
    page.get_by_label("Show").select_option("avg")
    assert known(page, "average") == known(page, "minimum") == known(page, "maximum") == {}


@pytest.mark.parametrize(
    ("amount", "text"), [(1e150, "1E150"), (-999_999_999.0, "-999,999,999"), (0.000123, "0.000123"), (-0.5, "-0.5")]
)
def test_large_and_small_amounts_stay_readable(page: Page, now: int, amount: float, text: str) -> None:
    record(now - 1, amount)

    page.goto(PATH)

    assert figures(page)["Sum"] == text
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Show").select_option("sum")
    assert known(page, "sum")[now] == amount


def test_no_negative_zero_is_shown(page: Page, now: int) -> None:
    record(now, -5e-324)

    page.goto(PATH)

    assert figures(page)["Sum per second"] == "0"


def test_outage_is_said_and_what_was_missed_is_filled(page: Page, failures: list[str], set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    record(now - 1, 1.0)
    page.goto(PATH)

    with cut_off(page, PATH, failures):
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached since")
        assert list(known(page).items())[-1] == (now, 1)
        record(set_clock("2026-01-31T12:00:15Z"), 1.0)
        set_clock("2026-01-31T12:00:24Z")

    expect(page.locator("dd").first).to_have_text("2")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert list(known(page).items())[-4:] == [(now, 1), (now + 10, 1), (now + 20, 2), (now + 24, 2)]


def test_pause_is_filled_when_it_ends(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    page.get_by_role("button", name="Pause").click()
    record(set_clock("2026-01-31T12:00:15Z"), 1.0)
    set_clock("2026-01-31T12:02:00Z")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".updated time")).to_have_attribute("datetime", "2026-01-31T12:02:00Z")

    ones = [time for time, value in known(page).items() if value == 1]
    assert ones == [now + 20, now + 30, now + 40, now + 50, now + 60, now + 70]


def test_hidden_tab_asks_nothing_and_catches_up_when_seen(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    asked: list[str] = []
    hide(page, True)
    # Static files do not count: the browser fetches the icon at any time.
    page.on("request", lambda request: None if "/static/" in request.url else asked.append(request.url))
    record(set_clock("2026-01-31T12:00:55Z"), 1.0)
    set_clock("2026-01-31T12:01:00Z")

    # Longer than a visible page waits before it refreshes.
    with pytest.raises(AssertionError):
        expect(page.locator("dd").first).to_have_text("1", timeout=3_000)
    assert asked == []
    hide(page, False)

    expect(page.locator("dd").first).to_have_text("1")
    assert list(known(page).items())[-3:] == [(now + 40, 0), (now + 50, 0), (now + 60, 1)]


@pytest.mark.parametrize("context_options", [{"java_script_enabled": False}])
def test_table_is_there_without_javascript(page: Page, now: int) -> None:
    record(now - 1, 0.1, 0.2)
    page.goto(PATH)

    expect(page.locator("section noscript :visible")).to_contain_text("The table below has its figures.")
    page.locator("#table summary").click()
    expect(page.locator("#samples tbody tr")).to_have_count(60)
    expect(page.locator("#samples tbody tr").last.locator("td")).to_have_text(
        ["2026-01-31 12:00:00", "2", "0.3", "0.15", "0.1", "0.2"]
    )


@pytest.mark.storages("redis", "cluster")
def test_history_is_that_of_the_storage(api: APIClient, now: int) -> None:
    """Others may have counted before this process began: since the first that is held, at least."""
    record(now - 90, 1.0)
    moments = services.curve_get(now=now * 1000, span=600)
    assert [moment.time for moment in moments if moment.summary and moment.summary.count] == list(
        range(now - 80, now - 29, 10)
    )


@pytest.mark.storages("redis", "cluster")
def test_nothing_is_known_before_the_first(now: int, storage_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "started", now - 5)
    record(now - 90, 1.0)
    known = [moment.time for moment in services.curve_get(now=now * 1000, span=600) if moment.summary]
    assert known == ([now] if storage_kind == "memory" else [*range(now - 80, now, 10), now])


def test_hover_tells_the_moment_and_the_value(page: Page, now: int) -> None:
    record(now - 30, 1.0, 2.0)
    page.goto(PATH)
    box = page.locator("#chart").bounding_box()
    assert box is not None

    # Beside the newest point and beside the one of 40 s before, which do not lie at the edge of the canvas.
    for place, text, footer in ((-1, "transactions: 2", "12:00:00"), (-5, "transactions: 0", "11:59:20")):
        x = page.evaluate(f"Chart.getChart('chart').getDatasetMeta(0).data.at({place}).x")
        page.mouse.move(box["x"] + x - 2, box["y"] + box["height"] / 2)

        wait_until(page, f"Chart.getChart('chart').tooltip.footer?.[0] === '2026-01-31 {footer} UTC'")
        tooltip = page.evaluate("Chart.getChart('chart').tooltip")
        assert tooltip["opacity"] == 1
        assert [line["lines"] for line in tooltip["body"]] == [[text]]


def test_table_and_csv_follow(page: Page, set_clock: SetClock) -> None:
    set_clock("2026-01-31T12:00:00Z")
    page.goto(PATH)
    page.get_by_text("Ten minutes as a table").click()
    record(set_clock("2026-01-31T12:00:02.5Z"), 0.1, 0.2)
    set_clock("2026-01-31T12:00:04Z")
    shown_at(page, "2026-01-31T12:00:04Z")

    rows = page.locator("#samples tbody tr")
    expect(rows).to_have_count(61)
    expect(rows.nth(59).locator("td")).to_have_text(["Jan 31, 2026, 12:00:00 PM", "0", "0", "–", "–", "–"])
    expect(rows.nth(60).locator("td")).to_have_text(["Jan 31, 2026, 12:00:04 PM", "2", "0.3", "0.15", "0.1", "0.2"])
    name, content = saved(page, "CSV")
    assert name == "transactions-20260131T120004Z-PT9M54S.csv"
    lines = list(csv.reader(StringIO(content.decode(), newline="")))
    assert lines[0] == ["timestamp", "count", "sum", "avg", "min", "max"]
    assert lines[-2:] == [
        ["2026-01-31T12:00:00.000Z", "0", "0", "", "", ""],
        ["2026-01-31T12:00:04.000Z", "2", "0.30000000000000004", "0.15000000000000002", "0.1", "0.2"],
    ]


def test_picture_can_be_saved(page: Page) -> None:
    page.goto(PATH)

    name, content = saved(page, "PNG")

    assert re.fullmatch("transactions-[0-9]{8}T[0-9]{4,6}Z-PT(10M|9M5[0-9]S)-count.png", name)
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
    page.get_by_text("Ten minutes as a table").click()
    expect(page.locator("#samples tbody tr")).to_have_count(60)

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
