"""The datapoints chart as a person uses it, in a real browser: what is drawn, and how to change it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from tests.browsing import open_exact, query_of, wait_until
from tests.datapoints_chart import DEVICE, FIRST, NOW, QUARTER, WHOLE, add, add_points, address, at, drawn
from timeseries_project.core import clock, timestamps

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def points(now: int) -> None:
    """Store the same points for each test, and set the clock to their end."""
    add_points()


def test_draws_averages_with_gaps_and_their_moving_averages(page: Page) -> None:
    response = page.goto(address(**WHOLE))

    assert response is not None
    assert response.status == 200
    chart = drawn(page)
    assert chart["names"] == ["average", "moving average over 2"]
    assert chart["labels"] == [FIRST + QUARTER * i for i in range(6)]
    # By hand: (10 + 30) / 2 = 20, then 26, 28, nothing, 40, 50.
    # Windows of two: (20 + 26) / 2 = 23, (26 + 28) / 2 = 27, (40 + 50) / 2 = 45; a window with the gap has no average.
    assert chart["lines"] == [[20, 26, 28, None, 40, 50], [None, 23, 27, None, None, 45]]
    assert chart["spans"] == [False, False]
    expect(page.get_by_role("heading", level=1)).to_have_text("Datapoints of device thermometer-1")


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({"device": "thermometer-2"}, [[70, None], [None, None]]),
        ({"bucket": "30m"}, [[22, 28, 45], [None, 25, 36.5]]),
        ({"window_size": 1}, [[20, 26, 28, None, 40, 50], [20, 26, 28, None, 40, 50]]),
        ({"window_size": 3}, [[20, 26, 28, None, 40, 50], [None, None, 74 / 3, None, None, None]]),
        ({"start": "2026-01-31T10:15:00Z"}, [[26, 28, None, 40, 50], [23, 27, None, None, 45]]),
        ({"end": "2026-01-31T10:45:00Z"}, [[20, 26, 28], [None, 23, 27]]),
    ],
)
def test_each_parameter_alters_the_chart(page: Page, changed: dict[str, object], lines: list[list[float]]) -> None:
    page.goto(address(**{**WHOLE, **changed}))

    assert drawn(page)["lines"] == lines


def test_a_users_datapoints_are_those_of_all_their_devices(page: Page) -> None:
    page.goto(address(**{**{k: v for k, v in WHOLE.items() if k != "device"}, "user": "ada"}))

    assert drawn(page)["lines"][0] == [20, 26, 28, None, 55, 50]
    expect(page.get_by_label("Of a", exact=True)).to_have_value("user")
    expect(page.get_by_label("User", exact=True)).to_have_value("ada")
    expect(page.get_by_label("Device", exact=True)).to_be_hidden()


def test_window_is_four_buckets_unless_given(page: Page) -> None:
    page.goto(address(device=DEVICE, window_size=""))

    assert drawn(page)["names"][1] == "moving average over 4"
    expect(page.get_by_label("Moving average over")).to_have_value("4")


def test_form_is_in_step_with_the_address_bar(page: Page) -> None:
    page.goto(address(**WHOLE))
    open_exact(page)
    page.get_by_label("Bucket").fill("30m")
    page.get_by_label("Moving average over").fill("3")
    page.get_by_label("End, UTC").fill("2026-01-31T11:00:00Z")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**bucket=30m**")

    assert query_of(page) == {
        "device": [DEVICE],
        "bucket": ["30m"],
        "window_size": ["3"],
        "start": ["2026-01-31T10:00:00Z"],
        "end": ["2026-01-31T11:00:00Z"],
    }
    assert drawn(page)["lines"][0] == [22, 28]

    page.go_back()

    expect(page.get_by_label("Bucket")).to_have_value("15m")
    expect(page.get_by_label("Moving average over")).to_have_value("2")
    expect(page.get_by_label("End, UTC")).to_have_value("2026-01-31T11:30:00Z")
    assert drawn(page)["lines"][0] == [20, 26, 28, None, 40, 50]

    page.go_forward()

    expect(page.get_by_label("Bucket")).to_have_value("30m")
    assert drawn(page)["lines"][0] == [22, 28]


def test_choice_of_device_or_user_is_in_step_with_the_address_bar(page: Page) -> None:
    page.goto(address(**WHOLE))
    page.get_by_label("Of a", exact=True).select_option("user")
    page.get_by_label("User", exact=True).fill("ada")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**user=ada**")
    assert "device" not in query_of(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Datapoints of user ada")

    page.go_back()

    expect(page.get_by_label("Of a", exact=True)).to_have_value("device")
    expect(page.get_by_label("Device", exact=True)).to_have_value(DEVICE)
    expect(page.get_by_label("User", exact=True)).to_be_hidden()

    page.go_forward()

    expect(page.get_by_label("Of a", exact=True)).to_have_value("user")
    expect(page.get_by_label("User", exact=True)).to_have_value("ada")


def test_empty_control_leaves_its_parameter_out(page: Page) -> None:
    page.goto(address(**WHOLE))
    open_exact(page)
    for label in ("Bucket", "Moving average over", "Start, UTC", "End, UTC"):
        page.get_by_label(label).fill("")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**device=thermometer-1")

    assert query_of(page) == {"device": [DEVICE]}
    assert drawn(page)["labels"][0] == FIRST


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}])
def test_times_are_shown_and_chosen_in_the_viewers_zone(page: Page) -> None:
    page.goto(address(**WHOLE))

    assert drawn(page)["ticks"][0] == "19:00"
    picker = page.get_by_label("End, your time")
    expect(picker).to_have_value("2026-01-31T20:30")
    open_exact(page)
    picker.fill("2026-01-31T20:00:00")
    expect(page.get_by_label("End, UTC")).to_have_value("2026-01-31T11:00:00Z")
    expect(page.locator(".span time").first).to_contain_text("19:00")
    expect(page.locator(".span time").first).to_have_attribute("title", "2026-01-31 10:00:00 UTC")


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}])
@pytest.mark.parametrize("text", ["2026-01-31T11:30", "2026-01-31 11:30:00", "2026-01-31T20:30:00+09:00", "1769859000"])
def test_picker_reads_times_as_the_server_does(page: Page, text: str) -> None:
    page.goto(address(**{**WHOLE, "end": text}))

    assert drawn(page)["labels"][-1] == at("2026-01-31T11:15:00Z")
    expect(page.get_by_label("End, your time")).to_have_value("2026-01-31T20:30")


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}])
def test_hover_tells_values_count_and_the_exact_span(page: Page) -> None:
    page.goto(address(**{**WHOLE, "end": "2026-01-31T10:45:00Z"}))
    drawn(page)
    box = page.locator("canvas").bounding_box()
    assert box is not None
    x = page.evaluate("Chart.getChart(document.querySelector('canvas')).getDatasetMeta(0).data[0].x")

    page.mouse.move(box["x"] + x + 2, box["y"] + box["height"] / 2)

    wait_until(page, "Chart.getChart(document.querySelector('canvas')).tooltip.opacity === 1")
    tooltip = page.evaluate(
        """() => {
            const { title, body, afterBody, footer } = Chart.getChart(document.querySelector('canvas')).tooltip;
            return { title, body: body.map((each) => each.lines), afterBody, footer };
        }"""
    )
    assert tooltip["body"] == [["average: 20"]]
    assert tooltip["afterBody"] == ["moving average over 2: no value", "datapoints: 2"]
    assert "19:00:00" in tooltip["title"][0]
    assert "19:15:00" in tooltip["title"][1]
    assert tooltip["footer"] == ["[2026-01-31 10:00:00 UTC, 2026-01-31 10:15:00 UTC)"]


def test_averages_are_drawn_as_bars_or_as_a_line(page: Page) -> None:
    page.goto(address(**WHOLE))
    assert drawn(page)["types"] == ["line", "line"]

    page.get_by_label("Averages as", exact=True).select_option("bar")
    assert drawn(page)["types"] == ["bar", "line"]
    assert page.evaluate("Chart.getChart(document.querySelector('canvas')).scales.y.min") == 0

    whole = page.get_by_role("link", name="All", exact=True)
    expect(whole).to_have_attribute("href", re.compile("averages=bar"))  # once the server has answered
    whole.click()
    page.wait_for_url(lambda url: "start" not in url)
    assert drawn(page)["types"] == ["bar", "line"]
    assert set(query_of(page)) == {"device", "window_size", "averages"}  # a bucket that fits


def test_lone_values_among_many_buckets_are_marked(page: Page) -> None:
    page.goto(address(**{**WHOLE, "bucket": "1m"}))

    radii = page.evaluate("Chart.getChart(document.querySelector('canvas')).data.datasets[0].pointRadius")
    values = drawn(page)["lines"][0]
    assert len(values) == 90
    assert [radius > 0 for radius in radii] == [value is not None for value in values]


def test_new_value_appears_without_a_reload(page: Page) -> None:
    page.goto(address(device=DEVICE, bucket="15m"))
    page.evaluate("window.sameDocument = true")
    assert drawn(page)["lines"][0][-1] is None

    answer = page.request.post("/datapoints", data={"timestamp": NOW, "value": 99, "device": DEVICE, "user": "ada"})

    assert answer.status == 201
    wait_until(page, "Chart.getChart(document.querySelector('canvas')).data.datasets[0].data.at(-1) === 99")
    assert page.evaluate("window.sameDocument") is True
    expect(page.locator(".figures")).to_contain_text("99")


def test_averages_come_first_in_the_legend(page: Page) -> None:
    page.goto(address(**WHOLE))
    drawn(page)

    items = page.evaluate(
        "Chart.getChart(document.querySelector('canvas')).legend.legendItems.map((item) => item.text)"
    )

    assert items == ["average", "moving average over 2"]


def test_live_only_while_nothing_ends_it(api: APIClient) -> None:
    live = api.get(address(device=DEVICE)).content.decode()
    ended = api.get(address(**WHOLE)).content.decode()

    assert 'data-refresh="2"' in live
    assert "data-refresh" not in ended


def test_steps_through_views(page: Page) -> None:
    page.goto(address(**{**WHOLE, "start": "2026-01-31T10:30:00Z", "end": "2026-01-31T11:00:00Z"}))
    assert drawn(page)["lines"][0] == [28, None]

    page.get_by_role("link", name="Previous").click()
    page.wait_for_url("**start=2026-01-31T10%3A00%3A00Z**")
    assert drawn(page)["lines"][0] == [20, 26]
    expect(page.get_by_label("Start, UTC")).to_have_value("2026-01-31T10:00:00Z")

    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**start=2026-01-31T10%3A30%3A00Z**")
    assert drawn(page)["lines"][0] == [28, None]

    page.get_by_role("link", name="Now", exact=True).click()
    page.wait_for_url("**range=30m")
    assert drawn(page)["labels"][-1] == at(NOW)


def test_range_without_data_leads_to_the_latest(page: Page) -> None:
    page.goto(address(**{**WHOLE, "start": "2026-01-31T11:30:00Z", "end": "2026-01-31T11:45:00Z"}))
    expect(page.locator(".notice")).to_contain_text("No data in the range shown.")

    page.locator("#latest").click()
    page.wait_for_url("**end=2026-01-31T11%3A15%3A01Z")

    assert drawn(page)["lines"][0][-1] == 50


@pytest.mark.parametrize("end", ["2020-01-01", "2026-01-31T10:00:00Z"])
def test_range_before_all_data_is_empty(page: Page, end: str) -> None:
    page.goto(address(device=DEVICE, end=end))

    expect(page.locator(".notice")).to_contain_text("No data in the range shown.")
    assert drawn(page)["lines"] == [[], []]


def test_the_last_second_of_the_year_9999_is_taken(page: Page) -> None:
    page.goto(address(device=DEVICE, start=FIRST, end=253_402_300_799))

    assert drawn(page)["labels"][0] == FIRST
    expect(page.get_by_role("link", name="Previous")).to_have_count(1)
    expect(page.get_by_role("link", name="Next")).to_have_count(0)


def test_bucket_is_chosen_to_suit_the_range(page: Page) -> None:
    page.goto(address(device=DEVICE))
    expect(page.locator(".span")).to_contain_text("6 datapoints in 121 buckets of 1m, a width that fits the range")
    assert len(drawn(page)["labels"]) == 121

    page.goto(address(device=DEVICE, start="2026-01-31T11:00:00Z", end="2026-01-31T11:08:00Z"))
    expect(page.locator(".span")).to_contain_text("96 buckets of 5s")
    expect(page.get_by_label("Bucket")).to_have_value("")


@pytest.mark.parametrize("bucket", ["15m", None])
def test_a_quarter_century_is_drawn_in_few_buckets(
    page: Page, set_clock: Callable[[str], int], bucket: str | None
) -> None:
    set_clock("2026-10-23T00:00:00Z")
    add("2000-01-01", 1, device="old")

    page.goto(address(device="old", **({"bucket": bucket} if bucket else {})))
    chart = drawn(page)

    if bucket is None:
        assert len(chart["labels"]) <= 500
        expect(page.locator("#coarsened")).to_have_count(0)
        return
    buckets = (clock.now() - timestamps.parse("2000-01-01")) // (QUARTER * timestamps.MICROSECONDS) + 1
    assert buckets > 940_000
    assert 500 < len(chart["labels"]) <= 2_000
    count = len(chart["labels"])
    words = f"This range has {buckets:,} buckets of 15m, too many to tell apart. The chart shows {count:,} of 7d"
    expect(page.locator("#coarsened")).to_contain_text(words)
    expect(page.get_by_label("Bucket")).to_have_value("15m")
