"""The datapoints chart by the calendar of a zone: buckets drawn where they begin, and times as its clocks show them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import query_of, wait_until
from tests.datapoints_chart import DEVICE, add, address, at, drawn

pytestmark = [
    pytest.mark.browser,
    # The viewer is far away, so that their own zone shows nowhere.
    pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}]),
]

CHART = "Chart.getChart(document.querySelector('canvas'))"
BERLIN: dict[str, object] = {"device": DEVICE, "bucket": "1d", "tz": "Europe/Berlin", "window_size": 1}


@pytest.fixture(autouse=True)
def points(set_clock: Callable[[str], int]) -> None:
    """A value each day at noon in Berlin around the change of clocks in March, and one in each month before."""
    set_clock("2026-04-01T12:00:00Z")
    for month in ("2025-11", "2025-12", "2026-01", "2026-02"):
        add(f"{month}-15T12:00:00Z", 1)
    for day in range(26, 32):
        add(f"2026-03-{day}T10:00:00Z", day)


def table(page: Page) -> list[str]:
    page.locator("#table summary").click()
    starts: list[str] = page.locator("#buckets tbody tr td:first-child").all_inner_texts()
    return starts


def places(page: Page) -> list[float]:
    """Where the points of the first line are drawn, from left to right."""
    found: list[float] = page.evaluate(f"{CHART}.getDatasetMeta(0).data.map((point) => point.x)")
    return found


def test_days_across_a_change_of_clocks(page: Page) -> None:
    page.goto(address(**BERLIN, start="2026-03-27T23:00:00Z", end="2026-03-31T22:00:00Z"))

    chart = drawn(page)
    assert chart["lines"][0] == [28, 29, 30, 31]
    assert chart["labels"] == [
        at(time) for time in ("2026-03-27T23:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z", "2026-03-30T22:00Z")
    ]
    widths = [after - before for before, after in pairwise(places(page))]
    assert widths[1] / widths[0] == pytest.approx(23 / 24, rel=1e-3)
    assert widths[2] == pytest.approx(widths[0], rel=1e-3)
    assert chart["ticks"] == ["28 Mar 2026", "29 Mar 2026", "30 Mar 2026", "31 Mar 2026"]
    assert table(page) == [
        "28 Mar 2026, 00:00:00 +01:00",
        "29 Mar 2026, 00:00:00 +01:00",
        "30 Mar 2026, 00:00:00 +02:00",
        "31 Mar 2026, 00:00:00 +02:00",
    ]
    expect(page.locator("#buckets th").first).to_have_text("Start, Europe/Berlin")
    expect(page.locator(".span")).to_contain_text(
        "From 28 Mar 2026, 00:00:00 +01:00 up to, but not including, 1 Apr 2026, 00:00:00 +02:00: "
        "4 datapoints in 4 buckets of 1d"
    )


def test_months_are_as_long_as_they_are(page: Page) -> None:
    page.goto(address(**{**BERLIN, "bucket": "1mo"}))

    chart = drawn(page)
    assert chart["lines"][0] == [1, 1, 1, 1, 28.5, None]
    widths = [after - before for before, after in pairwise(places(page))]
    assert [width / widths[1] for width in widths[:3]] == pytest.approx([30 / 31, 1, 1], rel=1e-3)
    assert widths[3] / widths[1] == pytest.approx(28 / 31, rel=1e-3)
    assert chart["ticks"] == ["1 Nov 2025", "1 Dec 2025", "1 Jan 2026", "1 Feb 2026", "1 Mar 2026", "1 Apr 2026"]
    assert page.evaluate(f"{CHART}.options.scales.x.title.text") == [
        "Start of bucket",
        "1 Nov 2025 – 1 Apr 2026, Europe/Berlin",
    ]


def test_hover_tells_the_span_in_the_zone_and_in_utc(page: Page) -> None:
    page.goto(address(**BERLIN, start="2026-03-27T23:00:00Z", end="2026-03-31T22:00:00Z"))
    drawn(page)
    box = page.locator("canvas").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + places(page)[1], box["y"] + box["height"] / 2)

    wait_until(page, f"{CHART}.tooltip.opacity === 1")
    tooltip: dict[str, Any] = page.evaluate(f"(({{ title, footer }}) => ({{ title, footer }}))({CHART}.tooltip)")
    assert tooltip["title"] == ["from 29 Mar 2026, 00:00:00 +01:00", "before 30 Mar 2026, 00:00:00 +02:00"]
    assert tooltip["footer"] == ["[2026-03-28 23:00:00 UTC, 2026-03-29 22:00:00 UTC)"]


def test_zone_is_in_step_with_form_address_and_links(page: Page) -> None:
    page.goto(address(device=DEVICE))
    page.get_by_label("Bucket").fill("1mo")
    page.get_by_label("Zone").fill("Asia/Kathmandu")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**tz=Asia%2FKathmandu**")

    assert query_of(page) == {"device": [DEVICE], "bucket": ["1mo"], "tz": ["Asia/Kathmandu"], "window_size": ["4"]}
    assert drawn(page)["labels"][0] == at("2025-10-31T18:15:00Z")
    href = page.locator("#averages-json").get_attribute("href")
    assert href is not None
    answer = page.request.get(href)
    assert answer.status == 200
    assert [at(row["timestamp"]) for row in answer.json()] == drawn(page)["labels"]
    assert parse_qs(urlsplit(href).query)["tz"] == ["Asia/Kathmandu"]

    page.go_back()

    expect(page.get_by_label("Zone")).to_have_value("")
    assert "tz" not in query_of(page)


def test_a_zone_without_a_bucket_is_that_of_the_times_shown(page: Page) -> None:
    """The widths that fit a day are alike in every zone: the answer of the API has them without one."""
    page.goto(address(device=DEVICE, tz="America/New_York", start="2026-03-31T04:00:00Z", end="2026-04-01T04:00:00Z"))

    expect(page.locator(".span")).to_contain_text("buckets of 15m, a width that fits the range")
    assert drawn(page)["ticks"][0] == "00:00"
    assert table(page)[0] == "31 Mar 2026, 00:00:00 −04:00"
    href = page.locator("#averages-json").get_attribute("href")
    assert href is not None
    assert "tz" not in parse_qs(urlsplit(href).query)
    assert page.request.get(href).status == 200

    page.goto(address(device=DEVICE, tz="America/New_York"))
    expect(page.locator(".span")).to_contain_text("buckets of 1d")
    assert table(page)[0] == "15 Nov 2025, 00:00:00 −05:00"


def test_an_offset_moves_the_buckets(page: Page) -> None:
    page.goto(address(device=DEVICE, bucket="7d", offset="4d", start="2026-03-20T00:00:00Z"))

    assert drawn(page)["labels"][0] == at("2026-03-16T00:00:00Z")  # a Monday
    expect(page.get_by_label("Offset")).to_have_value("4d")
    href = page.locator("#averages-json").get_attribute("href")
    assert href is not None
    assert [at(row["timestamp"]) for row in page.request.get(href).json()] == drawn(page)["labels"]


def test_bars_of_unequal_months_neither_overlap_nor_leave_the_plot(page: Page) -> None:
    page.goto(address(**{**BERLIN, "bucket": "1mo"}))
    page.get_by_label("Averages as", exact=True).select_option("bar")

    bars = page.evaluate(f"{CHART}.getDatasetMeta(0).data.map(({{ x, width }}) => [x - width / 2, x + width / 2])")
    area = page.evaluate(f"(({{ left, right }}) => [left, right])({CHART}.chartArea)")
    assert all(before[1] <= after[0] + 0.01 for before, after in pairwise(bars[:5]))
    assert area[0] <= bars[0][0] + 0.01
    assert bars[4][1] <= area[1]


@pytest.mark.parametrize("refusals", [[400]])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tz": "berlin"}, "tz must be the name of an IANA time zone, such as Europe/Berlin; 'berlin' is none."),
        ({"tz": "europe/berlin"}, "tz must be the name of an IANA time zone; write Europe/Berlin."),
        ({"offset": "4d"}, "offset needs a bucket, than which it must be shorter."),
        ({"bucket": "1mo", "offset": "4d"}, "offset needs buckets of s, m, h or d"),
        ({"bucket": "1d", "offset": "1h", "tz": "UTC"}, "offset must not be given together with tz"),
    ],
)
def test_what_is_wrong_is_said_in_words(page: Page, wrong: dict[str, object], words: str) -> None:
    page.goto(address(device=DEVICE, **wrong))

    expect(page.get_by_role("alert")).to_contain_text(words)
