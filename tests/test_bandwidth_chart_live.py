"""The bandwidth chart while it stays open: live updates, units, browser history, and downloads of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from bandwidth import services
from tests.bandwidth_chart import DEVICE, END, add_entries, address, drawn
from tests.browsing import open_exact, wait_until

pytestmark = pytest.mark.browser

CHART = "Chart.getChart(document.querySelector('canvas'))"
STAY = "window.stays = true"  # gone after a reload


@pytest.fixture(autouse=True)
def entries() -> None:
    """Three minutes of data for one device, and an entry of another."""
    add_entries()


def line_ends(page: Page) -> str:
    return f"{CHART}.data.datasets[0].data.at(-1)"


def axis(page: Page) -> list[str]:
    ticks: list[str] = page.evaluate(f"{CHART}.scales.y.ticks.map((tick) => tick.label)")
    return ticks


def test_a_chart_that_ends_now_shows_what_arrives(page: Page, set_clock: Callable[[str], int]) -> None:
    set_clock("2026-01-01T00:30:00Z")
    page.goto(address(device_uuid=DEVICE, num_windows=3))
    page.get_by_text("Windows as a table").click()
    page.evaluate(STAY)
    assert drawn(page)["lines"][0] == [1, 7, 15]

    services.store.add(DEVICE, END, 100, 0)
    wait_until(page, f"{line_ends(page)} === 115")

    # The table stays open, and the windows move on with the clock.
    expect(page.locator("#windows tbody tr").last).to_contain_text("115")
    set_clock("2026-01-01T00:31:00Z")
    wait_until(page, f"{CHART}.data.labels.at(-1) === {END + 60}")
    assert page.evaluate("window.stays") is True


def test_windows_that_are_over_keep_their_values(page: Page, set_clock: Callable[[str], int]) -> None:
    """A spike is seen in one window and stays in it; the API's windows end now, as they always did."""
    past = [1, 7, 15]
    set_clock("2026-01-01T00:30:01Z")
    page.goto(address(device_uuid=DEVICE, num_windows=4))
    for second in range(1, 60, 7):
        moment = set_clock(f"2026-01-01T00:30:{second:02}Z")
        services.store.add(DEVICE, moment, 1_000, 0)
        wait_until(page, f"{line_ends(page)} === {(second // 7 + 1) * 1_000}")
        chart = drawn(page)
        assert chart["lines"][0][:3] == past
        assert chart["labels"] == [END - 120, END - 60, END, END + 60]
    assert page.request.get(f"/api/bandwidth?device_uuid={DEVICE}").json()["end_time"] == moment

    set_clock("2026-01-01T00:31:01Z")
    wait_until(page, f"{CHART}.data.labels.at(-1) === {END + 120}")
    assert drawn(page)["lines"][0] == [7, 15, 9_000, 0]
    services.store.add(DEVICE, END - 60, 0, 1)  # late, so it is seen
    wait_until(page, f"{CHART}.data.datasets[1].data[0] === 71")


def test_the_window_that_is_not_over_is_marked(page: Page, set_clock: Callable[[str], int]) -> None:
    set_clock("2026-01-01T00:30:20Z")
    services.store.add(DEVICE, END + 10, 3, 4)
    page.goto(address(device_uuid=DEVICE, num_windows=3))
    assert drawn(page)["lines"] == [[7, 15, 3], [70, 1_500, 4]]
    page.get_by_text("Windows as a table").click()
    ends = page.locator("#windows tbody td:first-child").all_inner_texts()
    assert [end.endswith("so far") for end in ends] == [False, False, True]
    expect(page.locator("#open")).to_contain_text("The last window is not over yet")
    # Mean and percentile are of the two that are over.
    figures = page.locator(".figures tbody tr").first.locator("td b").all_inner_texts()
    assert figures == ["25 B", "11 B", "15 B", "15 B"]
    dashes = f"{CHART}.data.datasets[0].segment.borderDash"
    assert page.evaluate(f"[1, 2].map((place) => {dashes}({{ p1DataIndex: place }}) ?? [])") == [[], [4, 4]]

    box = page.locator("canvas").bounding_box()
    assert box is not None
    for place, marked in ((2, True), (0, False)):
        middle = page.evaluate(f"{CHART}.scales.x.getPixelForValue({END + 60 * (place - 1) - 20})")
        page.mouse.move(box["x"] + middle, box["y"] + box["height"] / 2)
        wait_until(page, f"{CHART}.tooltip.dataPoints?.[0].dataIndex === {place}")
        title = page.evaluate(f"{CHART}.tooltip.title")
        assert ("not over: the bytes so far" in title) is marked

    page.goto(address(device_uuid=DEVICE, end_time=END, num_windows=3))
    expect(page.locator("#open")).to_have_count(0)


def test_the_first_window_is_drawn_from_its_beginning(page: Page) -> None:
    """A line in steps begins at the first point, which is the end of the first window."""
    page.goto(address(device_uuid=DEVICE, end_time=END - 60, num_windows=1))
    drawn(page)
    place = page.evaluate(
        f"(({{ chartArea, ctx }}, point) => [(chartArea.left + point.x) / 2, point.y].map((at) => Math.round(at)))"
        f"({CHART}, {CHART}.getDatasetMeta(1).data[0])"
    )
    colour = page.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector("canvas");
            const ratio = devicePixelRatio;
            return [...canvas.getContext("2d").getImageData(x * ratio, y * ratio, 1, 1).data.slice(0, 3)];
        }""",
        place,
    )
    assert colour == [0xC2, 0x62, 0x0A]


def test_a_chart_with_an_end_is_not_asked_for_again(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END))
    expect(page.locator("#view")).not_to_have_attribute("data-refresh", "2")
    page.get_by_role("link", name="Now").click()
    expect(page.locator("#view")).to_have_attribute("data-refresh", "2")


def test_forth_and_back_without_a_reload(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=2))
    page.evaluate(STAY)
    open_exact(page)
    page.get_by_label("Windows", exact=True).fill("3")
    page.get_by_label("Windows", exact=True).press("Enter")
    page.wait_for_url("**num_windows=3")
    page.get_by_label("Device", exact=True).fill("router-2")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bandwidth of router-2")
    expect(page).to_have_title("router-2 – Bandwidth – Time-series statistics")

    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Bandwidth of router-1")
    expect(page.get_by_label("Device", exact=True)).to_have_value(DEVICE)
    page.go_back()
    expect(page.get_by_label("Windows", exact=True)).to_have_value("2")
    assert drawn(page)["lines"][0] == [7, 15]
    page.go_forward()
    expect(page.get_by_label("Windows", exact=True)).to_have_value("3")
    assert drawn(page)["lines"][0] == [1, 7, 15]
    assert page.evaluate("window.stays") is True


def test_a_refusal_in_place_is_said_in_words_and_mended(page: Page, refusals: list[int]) -> None:
    refusals.append(400)
    page.goto(address(device_uuid=DEVICE, end_time=END, num_windows=2))
    open_exact(page)
    page.get_by_label("Windows", exact=True).fill("0")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("num_windows must be from 1 to 10000.")
    expect(page.locator("canvas")).to_have_count(0)

    page.get_by_label("Windows", exact=True).fill("1")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("canvas")).to_be_visible()
    assert drawn(page)["lines"] == [[15], [1500]]


def test_units_and_rates_change_axis_hover_and_figures_alone(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=3))
    before = drawn(page)
    total, mean, peak, _ = page.locator(".figures tbody tr").nth(1).locator("td b").all()
    expect(total).to_have_text("1.6 kB")
    expect(mean).to_have_text("524 B")
    assert axis(page) == [f"{number} kB" for number in ("0", "0.2", "0.4", "0.6", "0.8", "1.0", "1.2", "1.4", "1.6")]

    page.get_by_label("Unit").select_option("B")
    expect(total).to_have_text("1,572 B")
    assert axis(page)[-1] == "1,600 B"

    page.get_by_label("Unit").select_option("kB")
    page.get_by_label("per", exact=True).select_option("second")
    expect(mean).to_have_text("0.008733 kB/s")  # 1572 bytes in 180 seconds
    expect(peak).to_have_text("0.025 kB/s")
    expect(total).to_have_text("1.572 kB")
    page.locator("canvas").hover()
    wait_until(page, f"{CHART}.tooltip.opacity === 1")
    tooltip: list[dict[str, Any]] = page.evaluate(f"{CHART}.tooltip.body")
    assert tooltip[1]["lines"] == ["from the server: 0.001167 kB/s"]

    after = drawn(page)
    assert (after["lines"], after["labels"]) == (before["lines"], before["labels"])


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}])
def test_times_are_the_viewers_with_utc_at_hand(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=3))
    end = page.locator(".span time").last
    expect(end).to_have_text("1 Jan 2026, 09:30:00")
    expect(end).to_have_attribute("title", "2026-01-01 00:30:00 UTC")
    page.locator("canvas").hover()
    wait_until(page, f"{CHART}.tooltip.opacity === 1")
    assert page.evaluate(f"{CHART}.tooltip.footer") == ["2026-01-01 00:28:00 UTC – 2026-01-01 00:29:00 UTC"]


def test_the_picture_is_what_is_drawn(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END))
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "bandwidth-router-1-20260101T0030Z-PT10M-bytes.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_server_that_cannot_be_reached_is_said_and_caught_up_with(
    page: Page, set_clock: Callable[[str], int], failures: list[str]
) -> None:
    set_clock("2026-01-01T00:30:00Z")
    page.goto(address(device_uuid=DEVICE, num_windows=3))

    def cut(route: Route) -> None:
        failures.append(route.request.url)
        route.abort("connectionrefused")

    page.route("**/charts/bandwidth*", cut)
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached since")
    services.store.add(DEVICE, END, 100, 0)
    page.unroute("**/charts/bandwidth*")

    expect(page.locator("#unreachable")).to_be_hidden()
    wait_until(page, f"{line_ends(page)} === 115")


def test_ten_thousand_devices_can_be_searched(page: Page) -> None:
    count = 10_000
    services.store.add_batch([f"sensor-{i:05}" for i in range(count)], [END] * count, [1] * count, [2] * count)
    page.goto("/charts/bandwidth")
    page.get_by_label("Device", exact=True).fill("09876")
    expect(page.locator("datalist option")).to_have_count(1)
    expect(page.locator("datalist option")).to_have_attribute("value", "sensor-09876")
