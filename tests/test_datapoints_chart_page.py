"""The datapoints chart as a person meets it, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from datapoints import services
from timeseries_project import clock, timestamps

pytestmark = pytest.mark.browser

DEVICE = "thermometer-1"
NOW = "2026-01-31T12:00:00Z"
QUARTER = 900
NASTY = """<script>alert("x")</script>'s & "q" $& 🛰️ </title>/"""


def at(text: str) -> int:
    """Return epoch seconds."""
    return timestamps.parse(text) // timestamps.MICROSECONDS


FIRST = at("2026-01-31T10:00:00Z")


def add(text: str, value: float, device: str = DEVICE, user: str = "ada") -> None:
    services.store.add(timestamps.parse(text), value, device, user)


@pytest.fixture(autouse=True)
def points(now: int) -> None:
    """Two hours of quarter-hours up to now: an average of two, a gap, and one value of another device."""
    add("2026-01-31T10:00:00Z", 10)
    add("2026-01-31T10:05:00Z", 30)
    add("2026-01-31T10:15:00Z", 26)
    add("2026-01-31T10:30:00Z", 28)
    add("2026-01-31T11:00:00Z", 40)
    add("2026-01-31T11:15:00Z", 50)
    add("2026-01-31T11:00:00Z", 70, device="thermometer-2")


def address(**parameters: object) -> str:
    return f"/charts/datapoints?{urlencode(parameters)}"


WHOLE: dict[str, object] = {
    "device": DEVICE,
    "bucket": "15m",
    "window_size": 2,
    "start": "2026-01-31T10:00:00Z",
    "end": "2026-01-31T11:30:00Z",
}


def drawn(page: Page) -> dict[str, Any]:
    """Return what Chart.js draws on the page's first canvas."""
    return page.evaluate(
        """() => {
            const chart = Chart.getChart(document.querySelector("canvas"));
            return {
                names: chart.data.datasets.map((line) => line.label),
                lines: chart.data.datasets.map((line) => line.data),
                types: chart.data.datasets.map((line, i) => chart.getDatasetMeta(i).type),
                spans: chart.data.datasets.map((line, i) => chart.getDatasetMeta(i).dataset?.options.spanGaps ?? false),
                labels: chart.data.labels,
                ticks: chart.scales.x.ticks.map((tick) => tick.label),
            };
        }"""
    )


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript; Playwright's own waiting evaluates text, which the pages' policy forbids."""
    page.evaluate(
        f"""() => new Promise((resolve, reject) => {{
            setTimeout(() => reject(new Error("waited in vain")), 5000);
            const check = () => ({condition}) ? resolve() : requestAnimationFrame(check);
            check();
        }})"""
    )


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def test_draws_averages_with_gaps_and_their_moving_averages(page: Page) -> None:
    response = page.goto(address(**WHOLE))

    assert response is not None
    assert response.status == 200
    chart = drawn(page)
    assert chart["names"] == ["average", "moving average over 2"]
    assert chart["labels"] == [FIRST + QUARTER * i for i in range(6)]
    # By hand: (10 + 30) / 2 = 20, then 26, 28, nothing, 40, 50; of two each (20 + 26) / 2, (26 + 28) / 2, (40 + 50) / 2.
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


def test_key_is_searched(page: Page) -> None:
    page.goto("/charts/datapoints")
    page.get_by_label("Device", exact=True).fill("METER-2")

    expect(page.locator("#device-keys option")).to_have_count(1)
    expect(page.locator("#device-keys option")).to_have_attribute("value", "thermometer-2")

    page.get_by_label("Of a", exact=True).select_option("user")
    page.get_by_label("User", exact=True).fill("a")
    expect(page.locator("#user-keys option")).to_have_attribute("value", "ada")


def test_empty_control_leaves_its_parameter_out(page: Page) -> None:
    page.goto(address(**WHOLE))
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

    page.get_by_role("link", name="All", exact=True).click()
    page.wait_for_url(lambda url: "start" not in url)
    assert drawn(page)["types"] == ["bar", "line"]
    assert set(query_of(page)) == {"device", "bucket", "window_size"}


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
    page.wait_for_url("**start=2026-01-31T11%3A30%3A00Z")
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


def test_times_beyond_the_calendar_are_taken(page: Page) -> None:
    page.goto(address(device=DEVICE, start=FIRST, end=10**14))

    assert drawn(page)["labels"][0] == FIRST
    expect(page.get_by_role("link", name="Previous")).to_have_count(1)
    expect(page.get_by_role("link", name="Next")).to_have_count(0)


def test_bucket_is_chosen_to_suit_the_range(page: Page) -> None:
    page.goto(address(device=DEVICE))
    expect(page.locator(".span")).to_contain_text("buckets of 15s, a width that fits the range")
    assert len(drawn(page)["labels"]) == 481

    page.goto(address(device=DEVICE, start="2026-01-31T11:00:00Z", end="2026-01-31T11:08:00Z"))
    expect(page.locator(".span")).to_contain_text("480 buckets of 1s")
    expect(page.get_by_label("Bucket")).to_have_value("")


@pytest.mark.parametrize("bucket", ["15m", None])
def test_a_quarter_century_is_drawn_quickly(page: Page, set_clock: Callable[[str], int], bucket: str | None) -> None:
    set_clock("2026-10-23T00:00:00Z")
    add("2000-01-01", 1, device="old")
    begin = time.monotonic()

    page.goto(address(device="old", **({"bucket": bucket} if bucket else {})))
    chart = drawn(page)

    assert time.monotonic() - begin < 5
    if bucket is None:
        assert len(chart["labels"]) <= 500
        expect(page.locator("#coarsened")).to_have_count(0)
        return
    buckets = (clock.now() - timestamps.parse("2000-01-01")) // (QUARTER * timestamps.MICROSECONDS) + 1
    assert buckets > 940_000
    assert 500 < len(chart["labels"]) <= 2_000
    words = (
        f"Buckets of 15m would be {buckets:,}, more than can be told apart. Drawn are {len(chart['labels']):,} of 7d"
    )
    expect(page.locator("#coarsened")).to_contain_text(words)
    expect(page.get_by_label("Bucket")).to_have_value("15m")


def test_figures_and_table_tell_what_is_drawn(page: Page) -> None:
    page.goto(address(**WHOLE))
    drawn(page)

    expect(page.locator(".span")).to_contain_text("6 datapoints in 6 buckets of 15m")
    expect(page.locator("#mean")).to_have_text("30.6667")  # of (10 + 30 + 26 + 28 + 40 + 50) / 6
    expect(page.locator(".figures b")).to_have_text(["50", "20", "50", "45", "23", "45"])
    page.get_by_text("Buckets as a table").click()
    rows = page.locator("#buckets tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.nth(1).locator("td")).to_have_text(["2026-01-31 10:15:00", "26.0", "1", "23.0"])
    expect(rows.nth(3).locator("td")).to_have_text(["2026-01-31 10:45:00", "–", "0", "–"])


def test_words_and_table_need_no_javascript(api: APIClient) -> None:
    text = api.get(address(**WHOLE)).content.decode()

    assert "<td>2026-01-31 10:15:00</td><td>26.0</td><td>1</td><td>23.0</td>" in text
    assert "6 datapoints in 6 buckets of 15m" in text


@pytest.mark.parametrize("device", [DEVICE, NASTY])
def test_offers_what_is_shown_as_json_and_csv(page: Page, device: str) -> None:
    add("2026-01-31T10:15:00Z", 26, device=NASTY)
    page.goto(address(**{**WHOLE, "device": device}))
    averages, moving = drawn(page)["lines"]

    def linked(name: str) -> Any:
        return page.request.get(page.get_by_role("link", name=name, exact=True).get_attribute("href") or "")

    assert [row["value"] for row in linked("Averages as JSON").json()] == averages
    assert [row["value"] for row in linked("Moving averages as JSON").json()] == moving
    assert len(linked("Averages as CSV").text().splitlines()) == 1 + len(averages)
    assert linked("Moving averages as CSV").text().splitlines()[0] == "timestamp,value"


def test_offers_what_is_coarsened_in_the_width_drawn(page: Page) -> None:
    page.goto(address(device=DEVICE, bucket="1s"))

    href = page.get_by_role("link", name="Averages as JSON").get_attribute("href") or ""

    assert parse_qs(urlsplit(href).query)["bucket"] == ["5s"]
    assert len(page.request.get(href).json()) == len(drawn(page)["labels"])


def test_picture_is_saved(page: Page) -> None:
    page.goto(address(**WHOLE))
    drawn(page)

    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()

    assert saved.value.suggested_filename == "datapoints.png"


def test_without_a_key_devices_and_users_are_listed_with_links(page: Page) -> None:
    page.goto("/charts/datapoints")
    expect(page.locator("#users")).to_contain_text("ada")

    page.locator("#devices").get_by_role("link", name="thermometer-2").click()
    page.wait_for_url("**device=thermometer-2**")

    assert drawn(page)["lines"][0][0] == 70
    expect(page.get_by_label("Device", exact=True)).to_have_value("thermometer-2")


def test_a_range_without_the_keys_data_is_not_linked(page: Page) -> None:
    page.goto(address(start="2020-01-01", end="2020-01-02", bucket="1m"))

    page.locator("#users").get_by_role("link", name="ada").click()
    page.wait_for_url("**user=ada**")

    assert query_of(page) == {"user": ["ada"], "bucket": ["1m"], "window_size": ["4"]}


def test_a_thousand_keys_are_listed_at_most(page: Page) -> None:
    for number in range(1_001):
        add(NOW, 1, device=f"device-{number:04}")

    page.goto("/charts/datapoints")

    expect(page.locator("main")).to_contain_text("The first 1000 of 1003 devices.")
    expect(page.locator("#devices tbody tr")).to_have_count(1_000)


def test_empty_service_says_how_to_add_a_datapoint(page: Page, live_server_url: str) -> None:
    services.store.clear()

    page.goto("/charts/datapoints")

    expect(page.locator("pre")).to_contain_text(f"curl '{live_server_url}/datapoints'")
    expect(page.locator("#devices")).to_have_count(0)


@pytest.mark.parametrize("axis", ["device", "user"])
def test_unknown_key_is_said_in_words(page: Page, refusals: list[int], axis: str) -> None:
    refusals.append(404)

    response = page.goto(address(**{axis: "nowhere"}))

    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("alert")).to_contain_text(f"There are no datapoints of the {axis} 'nowhere'.")
    expect(page.locator(f"[name={axis}]")).to_have_value("nowhere")
    expect(page.locator("#devices")).to_contain_text("thermometer-2")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bucket": "15"}, "bucket must be a whole number and s, m, h or d"),
        ({"bucket": "367d"}, "bucket must be a whole number and s, m, h or d"),
        ({"window_size": "0"}, "window_size must be from 1 to 2147483647."),
        ({"window_size": "1.5"}, "window_size must be a whole number"),
        ({"start": "yesterday"}, "start must be an ISO 8601 date"),
        ({"end": "1969-01-01"}, "end lies before 1970."),
        ({"start": "2026-02-01", "end": "2026-01-01"}, "start must not be after end."),
        ({"device": " "}, "device must not be blank."),
        ({"user": "ada"}, "user must not be given together with device."),
        ({"buckets": "3"}, "buckets is not a parameter here"),
    ],
)
def test_wrong_parameter_is_said_in_words(page: Page, refusals: list[int], wrong: dict[str, str], words: str) -> None:
    refusals.append(400)

    response = page.goto(address(**{"device": DEVICE, **wrong}))

    assert response is not None
    assert response.status == 400
    expect(page.get_by_role("alert")).to_contain_text(words)
    for name, text in wrong.items():
        if name != "buckets":
            expect(page.locator(f"[name={name}]")).to_have_value(text)
            expect(page.locator(f"[name={name}]")).to_be_visible()


@pytest.mark.parametrize("axis", ["device", "user"])
def test_name_is_shown_as_the_text_it_is(page: Page, axis: str) -> None:
    add("2026-01-31T11:00:00Z", 1, **{axis: NASTY})

    page.goto("/charts/datapoints")
    page.locator(f"#{axis}s").get_by_role("link", name=NASTY).click()
    page.wait_for_url(f"**{axis}=**")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Datapoints of {axis} {NASTY}")
    expect(page).to_have_title(f"{NASTY} – Datapoints – Time-series statistics")
    expect(page.locator(f"[name={axis}]")).to_have_value(NASTY)
    expect(page.locator("canvas")).to_have_attribute(
        "aria-label", f"Averages and moving averages of the {axis} {NASTY}; the table below has the figures."
    )
    assert drawn(page)["lines"][0][0] == 1


@pytest.mark.parametrize("context_options", [{"viewport": {"width": 360, "height": 740}}])
@pytest.mark.parametrize("path", ["/", "/charts/datapoints", address(device="W" * 255), address(**WHOLE)])
def test_fits_a_phone(page: Page, path: str) -> None:
    add("2026-01-31T11:00:00Z", 1e150, device="W" * 255, user="W" * 255)

    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("context_options", [{"color_scheme": "dark"}])
@pytest.mark.parametrize("style", ["line", "bar"])
def test_follows_the_colour_scheme(page: Page, style: str) -> None:
    page.goto(address(**WHOLE))
    page.get_by_label("Averages as", exact=True).select_option(style)
    colour = "Chart.getChart(document.querySelector('canvas')).getDatasetMeta(0).data[0].options.backgroundColor"
    dark = page.evaluate(colour)

    page.emulate_media(color_scheme="light")

    wait_until(page, f"{colour} !== {dark!r}")


def test_form_is_used_by_keyboard(page: Page) -> None:
    page.goto(address(**WHOLE))
    page.get_by_label("Bucket").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("30m")
    page.keyboard.press("Enter")
    page.wait_for_url("**bucket=30m**")

    assert drawn(page)["lines"][0] == [22, 28, 45]
    expect(page.get_by_label("Bucket")).to_be_focused()


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json"])
def test_good_chart_is_html_whatever_is_accepted(api: APIClient, accept: str) -> None:
    answer = api.get(address(device=DEVICE), HTTP_ACCEPT=accept)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(("query", "status"), [({"device": "nowhere"}, 404), ({"end": "x"}, 400)])
def test_faults_are_problem_details_unless_html_is_preferred(
    api: APIClient, query: dict[str, str], status: int
) -> None:
    problem = api.get(address(**query), HTTP_ACCEPT="*/*")
    page = api.get(address(**query), HTTP_ACCEPT="text/html")

    assert (problem.status_code, page.status_code) == (status, status)
    assert problem["Content-Type"] == "application/problem+json"
    assert page["Content-Type"] == "text/html; charset=utf-8"
    assert page["Vary"] == "Accept"
