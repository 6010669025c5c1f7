"""Times and numbers on all pages: in the reader's language, in their zone or in UTC as they choose, and labelled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from datapoints import services as datapoints
from tests.bandwidth_chart import DEVICE, END, add_entries, address
from tests.browsing import open_exact
from timeseries_project.core import timestamps
from transactions import services as transactions

pytestmark = pytest.mark.browser

BERLIN = {"timezone_id": "Europe/Berlin", "locale": "de-DE"}
CHART = "Chart.getChart(document.querySelector('canvas'))"
PATHS = [
    "/",
    "/charts/bandwidth",
    address(device_uuid=DEVICE, end_time=END),
    "/charts/datapoints",
    "/charts/datapoints?device=thermometer-1&bucket=15m",
    "/charts/transactions",
]


#: Times that are shown as such, and not as a date or in words.
EXACT = "time:not([data-ago], [data-day])"


@pytest.fixture(autouse=True)
def data(set_clock: Callable[[str], int]) -> None:
    """Something on each page, half an hour into 2026 in UTC."""
    now = set_clock("2026-01-01T00:30:00Z")
    add_entries()
    datapoints.store.add(timestamps.parse("2026-01-01T00:10:00Z"), 26106.54, "thermometer-1", "ada")
    transactions.transaction_record(amount=26106.54, timestamp=now * 1000 - 1, now=now * 1000)


def texts(page: Page, selector: str) -> list[str]:
    found: list[str] = page.locator(selector).all_text_contents()
    return found


def choose(page: Page, zone: str) -> None:
    page.get_by_label("Times in").select_option(zone)


@pytest.mark.parametrize("context_options", [BERLIN])
@pytest.mark.parametrize("path", PATHS)
def test_every_time_is_in_the_zone_that_is_chosen_and_labelled(page: Page, path: str) -> None:
    page.goto(path)
    url, times, exact = page.url, page.locator("main time"), page.locator(f"main {EXACT}")
    expect(times.first).to_be_attached()
    expect(page.locator("main").get_by_text("Europe/Berlin").first).to_be_attached()
    assert set(texts(page, "main [data-zone]:not([data-zone='your time'])")) == {"Europe/Berlin"}

    def written(shown: Locator, zone: ZoneInfo) -> list[str]:
        moments = [datetime.fromisoformat(time.get_attribute("datetime") or "") for time in shown.all()]
        return [f"{moment.astimezone(zone):%H:%M:%S}" for moment in moments]

    def titled(zone: ZoneInfo) -> bool:
        """Whether the titles of dates and of times in words tell the exact time in a zone."""
        shown = page.locator("main :is([data-ago], [data-day])")
        titles = [(time.get_attribute("title") or "").split(" · ")[0] for time in shown.all()]
        return all(text in title for text, title in zip(written(shown, zone), titles, strict=True))

    assert [text[-8:] for text in exact.all_text_contents()] == written(exact, ZoneInfo("Europe/Berlin"))
    assert titled(ZoneInfo("Europe/Berlin"))
    assert all((time.get_attribute("title") or "").endswith(" UTC") for time in times.all())
    words = "".join(time.inner_text() + (time.get_attribute("title") or "") for time in times.all())
    assert "01.01.2026, 01:" in words or "transactions" in path or path == "/"

    choose(page, "utc")

    assert [text[-8:] for text in exact.all_text_contents()] == written(exact, ZoneInfo("UTC"))
    assert titled(ZoneInfo("UTC"))
    assert "Europe/Berlin" not in "".join(texts(page, "main [data-zone]"))
    assert all((time.get_attribute("title") or "").endswith(" Europe/Berlin") for time in times.all())
    assert page.url == url  # it names instants, whoever reads it


@pytest.mark.parametrize("context_options", [BERLIN])
def test_the_choice_is_kept_and_shared_by_all_pages(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, num_windows=3))
    other = page.context.new_page()
    other.goto("/charts/bandwidth")
    title = f"{CHART}.options.scales.x.title.text[1]"
    ticks = f"{CHART}.scales.x.ticks.map((tick) => tick.label)"
    assert page.evaluate(title) == "01.01.2026, Europe/Berlin"
    assert page.evaluate(ticks) == ["01:27", "01:28", "01:29", "01:30"]
    expect(page.get_by_label("End, your time")).to_have_value("2026-01-01T01:30")

    choose(page, "utc")

    assert page.evaluate(title) == "01.01.2026, UTC"
    assert page.evaluate(ticks) == ["00:27", "00:28", "00:29", "00:30"]
    expect(page.get_by_label("End, UTC")).to_have_value("2026-01-01T00:30")
    open_exact(page)
    page.get_by_label("End, UTC").fill("2026-01-01T00:29:00")
    expect(page.get_by_label("End, epoch seconds")).to_have_value(str(END - 60))
    expect(other.locator("#listed [data-ago]").first).to_have_attribute(
        "title", "01.01.2026, 00:30:00 UTC · 01.01.2026, 01:30:00 Europe/Berlin"
    )
    expect(other.locator("#listed [data-day]").first).to_have_text("01.01.2026")
    expect(other.get_by_label("Times in")).to_have_value("utc")
    page.reload()
    expect(page.get_by_label("Times in")).to_have_value("utc")
    assert page.evaluate(title) == "01.01.2026, UTC"


@pytest.mark.parametrize("context_options", [{"timezone_id": "UTC", "locale": "en-US"}])
def test_there_is_no_choice_where_there_is_nothing_to_choose(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".updated")).to_contain_text("UTC")
    expect(page.locator("#clock")).to_be_hidden()


@pytest.mark.parametrize("context_options", [{**BERLIN, "java_script_enabled": False}])
def test_without_javascript_times_are_in_utc_and_say_so(page: Page) -> None:
    page.goto("/charts/bandwidth")
    expect(page.locator("#clock")).to_be_hidden()
    headings = page.locator("#listed thead th").all_inner_texts()
    assert [headings[2], headings[-1]] == ["Last seen, UTC", "First, UTC"]
    assert texts(page, "#listed [data-ago]") == ["2026-01-01 00:30:00", "2026-01-01 00:29:30"]
    page.goto(address(device_uuid=DEVICE, end_time=END, unit="KiB", per="second", threshold="1k"))
    expect(page.locator(".figures")).to_contain_text("1.535 KiB")
    expect(page.locator(".span")).to_contain_text("including 2026-01-01 00:30:00, UTC.")
    expect(page.get_by_label("Unit")).to_have_value("KiB")


@pytest.mark.parametrize(
    ("context_options", "sum_", "bytes_", "mean"),
    [
        ({"locale": "de-DE"}, "26.106,54", "1,6 kB", "26.106,5"),
        ({"locale": "en-US"}, "26,106.54", "1.6 kB", "26,106.5"),
        ({"locale": "ar-EG"}, "٢٦٬١٠٦٫٥٤", "١٫٦ kB", "٢٦٬١٠٦٫٥"),
    ],
)
def test_every_number_is_in_the_readers_language(page: Page, sum_: str, bytes_: str, mean: str) -> None:
    page.goto("/charts/transactions")
    expect(page.get_by_text(sum_, exact=True).first).to_be_visible()
    page.get_by_text("Ten minutes as a table").click()
    expect(page.locator("#samples tr").last.locator("td").nth(2)).to_have_text(sum_)
    page.goto("/")
    expect(page.locator("#busiest tr").nth(1)).to_contain_text(bytes_)
    page.goto("/charts/datapoints?device=thermometer-1&bucket=15m")
    expect(page.locator("#mean")).to_have_text(mean)
    page.get_by_text("Buckets as a table").click()
    expect(page.locator("#buckets td").nth(1)).to_have_text(sum_)
    page.goto(address(device_uuid=DEVICE, end_time=END))
    assert page.evaluate(f"{CHART}.scales.y.ticks.at(-1).label") == bytes_


def local_ticks(page: Page, zone: ZoneInfo) -> list[tuple[datetime, str]]:
    """The ticks of the time axis, on the clocks of a zone, and what is written at each."""
    found = page.evaluate(f"{CHART}.scales.x.ticks.map((tick) => [tick.value, tick.label])")
    return [(datetime.fromtimestamp(value, zone), label) for value, label in found]


ZONES = [
    pytest.param({"timezone_id": zone, "locale": "en-GB", "viewport": {"width": 1440, "height": 900}}, id=zone)
    for zone in ("Europe/Berlin", "Asia/Kolkata", "UTC", "Africa/Cairo", "America/New_York")
]


@pytest.mark.parametrize("context_options", ZONES)
@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25", "2026-04-24", "2026-03-08"])
@pytest.mark.parametrize("windows", [48, 20])
def test_ticks_are_round_on_both_sides_of_a_change_of_clocks(
    page: Page, context_options: dict[str, str], change: str, windows: int
) -> None:
    """Hours of two days, and days of twenty; in Cairo the day of the change begins at one o'clock."""
    zone = ZoneInfo(context_options["timezone_id"])
    middle = int(datetime.fromisoformat(change).replace(tzinfo=UTC).timestamp())
    length, step = (3600, 6) if windows == 48 else (86400, 48)

    page.goto(
        address(device_uuid=DEVICE, end_time=middle + length * windows // 2, window_time=length, num_windows=windows)
    )

    ticks = local_ticks(page, zone)
    begins_late = zone.key == "Africa/Cairo" and change == "2026-04-24"
    if length == 3600:
        assert all(time.hour % step == 0 or (begins_late and time.hour == 1) for time, _ in ticks)
        assert all(label.endswith(f"{time:%H:%M}") for time, label in ticks)
        assert 7 <= len(ticks) <= 12
    else:
        assert {time.hour for time, _ in ticks} <= ({0, 1} if begins_late else {0})
        assert {(after.date() - before.date()).days for (before, _), (after, _) in pairwise(ticks)} == {2}
        assert [label for _, label in ticks] == [f"{time.day} {time:%b}".replace("Sep", "Sept") for time, _ in ticks]
    assert {time.minute for time, _ in ticks} == {0}


def test_three_days_between_ticks(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=86_400, num_windows=35))
    days = [time.date() for time, _ in local_ticks(page, ZoneInfo("UTC"))]
    assert {(after - before).days for before, after in pairwise(days)} == {3}


def test_weeks_begin_on_mondays(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=86_400, num_windows=60))
    assert {time.weekday() for time, _ in local_ticks(page, ZoneInfo("UTC"))} == {0}
