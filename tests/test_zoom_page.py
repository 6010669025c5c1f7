"""Ranges by hand on the chart pages, in a real browser: drags, presets, the exact part of the form, links to copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from bandwidth import ranges
from bandwidth import services as bandwidth
from tests import bandwidth_chart, datapoints_chart
from tests.accessibility import LOOKS, findings
from tests.bandwidth_chart import DEVICE, END
from tests.browsing import ask, open_exact, query_of, wait_until
from tests.datapoints_chart import DEVICE as THERMOMETER
from tests.datapoints_chart import WHOLE, at

pytestmark = pytest.mark.browser

CHART = "Chart.getChart(document.querySelector('canvas'))"
HOUR: dict[str, object] = {"device_uuid": DEVICE, "end_time": END, "window_time": 60, "num_windows": 60}
TOUCH: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(autouse=True)
def data(set_clock: Callable[[str], int]) -> None:
    """Three minutes of entries, and two hours of datapoints."""
    set_clock("2026-01-31T12:00:00Z")
    bandwidth_chart.add_entries()
    datapoints_chart.add_points()


def place_of(page: Page, time: float, height: float = 0.5) -> tuple[float, float]:
    """Return where a time is in the window."""
    page.locator("canvas").scroll_into_view_if_needed()
    x, y = page.evaluate(
        f"""([time, height]) => {{
            const {{ canvas, scales, chartArea: area }} = {CHART};
            const box = canvas.getBoundingClientRect();
            return [box.x + scales.x.getPixelForValue(time), box.y + area.top + area.height * height];
        }}""",
        [time, height],
    )
    return x, y


def drag(page: Page, start: float, end: float, *, drop: bool = True) -> None:
    """Drag with the mouse from one time to another."""
    page.mouse.move(*place_of(page, start))
    page.mouse.down()
    page.mouse.move(*place_of(page, end, 0.6), steps=4)
    if drop:
        page.mouse.up()


def pixel(page: Page, time: float) -> list[int]:
    """Return the colour of the chart at a time, near its top."""
    x, y = place_of(page, time, 0.45)
    return page.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector("canvas");
            const box = canvas.getBoundingClientRect();
            const at = [(x - box.x) * devicePixelRatio, (y - box.y) * devicePixelRatio].map(Math.round);
            return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
        }""",
        [x, y],
    )


def labels(page: Page) -> list[int]:
    found: list[int] = page.evaluate(f"{CHART}.data.labels")
    return found


def test_a_drag_zooms_in_to_windows_that_fit_and_each_zoom_is_an_address(page: Page) -> None:
    page.goto(bandwidth_chart.address(**HOUR, unit="kbit", per="second"))
    page.evaluate("window.stays = true")

    drag(page, END - 1_300, END - 300)
    page.wait_for_url("**window_time=15&**")

    query = query_of(page)
    first, last = int(query["end_time"][0]) - 15 * int(query["num_windows"][0]), int(query["end_time"][0])
    assert last % 15 == 0
    assert abs(first - (END - 1_300)) <= 15
    assert abs(last - (END - 300)) <= 15
    assert (query["unit"], query["per"]) == (["kbit"], ["second"])
    wait_until(page, f"{CHART}.data.labels.length === {query['num_windows'][0]}")
    assert labels(page)[-1] == last

    drag(page, last - 310, last - 180)
    page.wait_for_url("**window_time=2&**")
    page.go_back()
    wait_until(page, f"{CHART}.options.span === 15")
    page.go_back()
    wait_until(page, f"{CHART}.options.span === 60")
    page.go_forward()
    wait_until(page, f"{CHART}.options.span === 15")
    page.reload()
    wait_until(page, f"window.Chart && {CHART}?.options.span === 15")
    assert page.evaluate("window.stays") is None


@pytest.mark.parametrize("span", [30, 59, 60, 119, 121, 400])
def test_the_windows_of_a_zoom_are_those_that_the_server_would_choose(page: Page, span: int) -> None:
    page.goto(bandwidth_chart.address(device_uuid=DEVICE, end_time=END, window_time=1, num_windows=600))

    drag(page, END - span - 10, END - 10.5)
    page.wait_for_url(lambda url: "num_windows=600" not in url)

    query = query_of(page)
    length, count = int(query["window_time"][0]), int(query["num_windows"][0])
    assert abs(length * count - span) <= length + 2
    assert length in {ranges.fitting(length * count), ranges.fitting(max(length * count - length, 1))}


def test_the_smallest_zoom_is_one_window_of_a_second(page: Page) -> None:
    page.goto(bandwidth_chart.address(device_uuid=DEVICE, end_time=END, window_time=1, num_windows=4))

    drag(page, END - 1.8, END - 1.2)
    page.wait_for_url("**num_windows=1**")
    wait_until(page, f"{CHART}.data.labels.length === 1")
    assert query_of(page)["end_time"] == [str(END - 1)]

    drag(page, END - 1.6, END - 1.3)
    expect(page.locator(".span")).to_be_visible()
    assert labels(page) == [END - 1]


def test_a_drag_to_the_left_and_beyond_the_edge_is_a_range_too(page: Page) -> None:
    page.goto(bandwidth_chart.address(**HOUR))

    page.mouse.move(*place_of(page, END - 1_200))
    page.mouse.down()
    page.mouse.move(*place_of(page, END - 1_500), steps=3)
    page.mouse.move(2, 2, steps=3)
    page.mouse.up()
    page.wait_for_url("**window_time=30&**")

    assert abs(int(query_of(page)["end_time"][0]) - (END - 1_200)) <= 30
    assert query_of(page)["num_windows"] == ["80"]


def test_the_band_is_seen_while_it_is_dragged_and_escape_gives_it_up(page: Page) -> None:
    page.goto(bandwidth_chart.address(**HOUR))
    place_of(page, END)
    plain = pixel(page, END - 1_000)
    url = page.url

    drag(page, END - 1_500, END - 600, drop=False)
    wait_until(page, f"!{CHART}.animating")
    band = pixel(page, END - 1_000)
    assert band != plain
    assert pixel(page, END - 2_000) == plain
    services_add(END)  # a refresh meanwhile disturbs nothing
    page.evaluate(f"{CHART}.update()")
    assert pixel(page, END - 1_000) == band

    page.keyboard.press("Escape")
    assert pixel(page, END - 1_000) == plain
    page.mouse.move(*place_of(page, END - 300), steps=3)
    page.mouse.up()
    assert pixel(page, END - 400) == plain
    assert page.url == url


def services_add(time: int) -> None:
    bandwidth.store.add(DEVICE, time, 1, 1)


@pytest.mark.parametrize("button", ["left", "right"])
def test_a_click_and_another_button_choose_nothing(page: Page, button: Any) -> None:
    page.goto(bandwidth_chart.address(**HOUR))
    url = page.url

    page.mouse.move(*place_of(page, END - 1_500))
    page.mouse.down(button=button)
    page.mouse.move(*place_of(page, END - (600 if button == "right" else 1_499)), steps=3)
    page.mouse.up(button=button)

    page.get_by_text("Windows as a table").click()  # so that an answer would have had time
    assert page.url == url


def test_a_double_click_goes_back_to_the_range_before(page: Page) -> None:
    page.goto(bandwidth_chart.address(**HOUR))
    begin = page.url
    drag(page, END - 1_300, END - 300)
    page.wait_for_url("**window_time=15&**")
    wait_until(page, f"{CHART}.options.span === 15")

    page.mouse.dblclick(*place_of(page, END - 600))
    page.wait_for_url(begin)
    wait_until(page, f"{CHART}.options.span === 60")

    # That was no zoom, so from here on a double click shows twice as much.
    page.mouse.dblclick(*place_of(page, END - 600))
    page.wait_for_url("**window_time=120&num_windows=60**")
    assert query_of(page)["end_time"] == [str(END + 1_800)]
    page.go_back()
    page.wait_for_url(begin)


@pytest.mark.parametrize("reload", [False, True])
def test_a_double_click_on_datapoints(page: Page, reload: bool) -> None:
    page.goto(datapoints_chart.address(**WHOLE))
    begin = page.url
    drag(page, at("2026-01-31T10:20:00Z"), at("2026-01-31T10:50:00Z"))
    page.wait_for_url(lambda url: "bucket" not in url)
    query = query_of(page)
    assert query["start"][0].startswith("2026-01-31T10:19:5") or query["start"][0].startswith("2026-01-31T10:20:0")
    assert query["end"][0].startswith("2026-01-31T10:50:0")
    assert query["window_size"] == ["2"]
    expect(page.locator(".span")).to_contain_text("buckets of 15s, a width that fits the range")
    if reload:
        page.reload()
        wait_until(page, f"window.Chart && {CHART}")

    page.mouse.dblclick(*place_of(page, at("2026-01-31T10:30:00Z")))

    page.wait_for_url(begin)


def test_a_zoom_into_datapoints_up_to_the_last_bucket_holds_it(page: Page) -> None:
    page.goto(datapoints_chart.address(device=THERMOMETER, range="2h", bucket="15m", offset="5m"))
    last = labels(page)[-1]

    drag(page, last - 3_600, last + 10_000)
    page.wait_for_url(lambda url: "range" not in url)

    assert query_of(page)["end"] == ["2026-01-31T12:05:00Z"]
    assert "offset" not in query_of(page)


@pytest.mark.parametrize("context_options", [TOUCH])
def test_a_finger_zooms_sideways_and_scrolls_up_and_down(page: Page) -> None:
    page.goto(bandwidth_chart.address(**HOUR))
    session = page.context.new_cdp_session(page)
    url = page.url
    (x, y), (right, _) = place_of(page, END - 2_400), place_of(page, END - 600)
    before = page.evaluate("scrollY")

    swipe(session, (x, y), (x + 2, y - 200))
    wait_until(page, f"scrollY > {before} + 50")
    assert page.url == url

    (x, y), (right, _) = place_of(page, END - 2_400), place_of(page, END - 600)
    swipe(session, (x, y), (right, y))
    page.wait_for_url(lambda found: found != url)
    assert abs(int(query_of(page)["end_time"][0]) - (END - 600)) <= 60


def swipe(session: CDPSession, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Move a finger over the screen."""

    def send(kind: str, *points: tuple[float, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    send("touchStart", start)
    for step in range(1, 11):
        send("touchMove", tuple(a + (b - a) * step / 10 for a, b in zip(start, end, strict=True)))  # type: ignore[arg-type]
    send("touchEnd")


@pytest.mark.parametrize("context_options", [{"java_script_enabled": False}])
def test_presets_and_steps_work_without_javascript_and_nothing_dead_is_shown(page: Page) -> None:
    page.goto(bandwidth_chart.address(device_uuid=DEVICE))
    page.get_by_role("link", name="6 h", exact=True).click()
    assert query_of(page) == {"device_uuid": [DEVICE], "window_time": ["300"], "num_windows": ["72"]}
    expect(page.get_by_role("navigation", name="Ranges").locator("[aria-current]")).to_have_text("6 h")
    expect(page.get_by_label("Windows", exact=True)).to_be_hidden()
    open_exact(page)
    expect(page.get_by_label("Windows", exact=True)).to_have_value("72")
    expect(page.get_by_text("Copy link")).to_be_hidden()

    page.goto(datapoints_chart.address(device=THERMOMETER))
    page.get_by_role("link", name="24 h", exact=True).click()
    assert query_of(page)["range"] == ["1d"]
    page.get_by_role("link", name="Previous").click()
    assert query_of(page)["end"] == ["2026-01-30T12:00:00Z"]


def test_a_live_range_stays_live_and_is_kept_by_the_form(page: Page, set_clock: Callable[[str], int]) -> None:
    page.goto(datapoints_chart.address(device=THERMOMETER))
    page.get_by_role("link", name="1 h", exact=True).click()
    page.wait_for_url("**range=1h**")
    page.get_by_label("Bucket").fill("15m")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**bucket=15m**")
    assert query_of(page)["range"] == ["1h"]
    assert labels(page)[0] == at("2026-01-31T11:00:00Z")

    set_clock("2026-01-31T12:20:00Z")
    ask(page)

    wait_until(page, f"{CHART}.data.labels[0] === {at('2026-01-31T11:15:00Z')}")
    expect(page.locator("#view [aria-current]")).to_have_text("1 h")


def test_exact_stays_open_and_opens_for_what_is_wrong(page: Page, refusals: list[int]) -> None:
    page.goto(datapoints_chart.address(device=THERMOMETER, range="1h"))
    fields = page.get_by_label("Start, UTC")
    expect(fields).to_be_hidden()
    open_exact(page)
    expect(page.get_by_label("Range, up to now")).to_have_value("1h")

    # What is typed last is meant.
    fields.fill("2026-01-31T11:00:00Z")
    expect(page.get_by_label("Range, up to now")).to_have_value("")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**start=2026-01-31T11**")
    expect(fields).to_be_visible()
    page.get_by_role("link", name="6 h", exact=True).click()
    page.wait_for_url("**range=6h**")
    expect(fields).to_be_visible()
    expect(fields).to_have_value("")
    ask(page)
    expect(fields).to_be_visible()

    page.locator("#exact summary").click()
    expect(fields).to_be_hidden()
    refusals.append(400)
    page.evaluate(
        """(href) => {
            const link = document.querySelector(".presets a");
            link.href = href;
            link.click();
        }""",
        datapoints_chart.address(device=THERMOMETER, start="x"),
    )
    expect(page.get_by_role("alert")).to_contain_text("start must be an ISO 8601")
    expect(fields).to_be_visible()


def test_everything_chosen_survives_reload_back_and_forward(page: Page) -> None:
    page.goto(datapoints_chart.address(device=THERMOMETER, range="6h"))
    drawing = page.get_by_label("Averages as", exact=True)
    drawing.select_option("bar")
    page.wait_for_url("**averages=bar**")
    page.get_by_role("link", name="24 h", exact=True).click()
    page.wait_for_url("**range=1d**")
    assert query_of(page)["averages"] == ["bar"]

    page.reload()
    expect(drawing).to_have_value("bar")
    wait_until(page, f"window.Chart && {CHART}?.getDatasetMeta(0).type === 'bar'")
    page.go_back()
    page.wait_for_url("**range=6h**")
    expect(drawing).to_have_value("bar")
    page.go_back()
    expect(drawing).to_have_value("")
    wait_until(page, f"{CHART}.getDatasetMeta(0).type === 'line'")
    page.go_forward()
    expect(drawing).to_have_value("bar")
    wait_until(page, f"{CHART}.getDatasetMeta(0).type === 'bar'")
    drawing.select_option("")
    page.wait_for_url(lambda url: "averages" not in url)


@pytest.mark.parametrize("kind", ["live", "frozen"])
def test_a_link_is_copied(page: Page, kind: str, live_server_url: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(bandwidth_chart.address(device_uuid=DEVICE, num_windows=3, unit="KiB"))
    status = page.locator("#copied")
    expect(status).to_have_text("")
    expect(status).to_have_attribute("role", "status")

    page.get_by_role("button", name=f"Copy {kind} link").click()

    expect(status).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    ahead = bandwidth_chart.address(
        device_uuid=DEVICE,
        **({"end_time": at("2026-01-31T12:00:00Z")} if kind == "frozen" else {}),
        window_time=60,
        num_windows=3,
        unit="KiB",
    )
    assert copied == f"{live_server_url}{ahead}"
    expect(page.locator("#copy-text")).to_be_hidden()


def test_where_the_clipboard_is_refused_the_link_is_selected(page: Page, browser: Browser) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(datapoints_chart.address(device=THERMOMETER, range="1h"))

    page.get_by_role("button", name="Copy live link").click()

    field = page.get_by_label("Address to copy")
    expect(field).to_be_focused()
    selected = page.evaluate("document.activeElement.value.slice(0, document.activeElement.selectionEnd)")
    assert selected == page.evaluate("document.activeElement.value")
    assert "range=1h" in selected
    assert selected.startswith("http")
    expect(page.locator("#copied")).to_contain_text("Selected")
    ask(page)  # a refresh leaves it
    expect(field).to_be_focused()


def test_the_copied_link_is_that_of_the_range_shown_now(page: Page, set_clock: Callable[[str], int]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(datapoints_chart.address(device=THERMOMETER, range="1h", bucket="15m"))
    set_clock("2026-01-31T12:20:00Z")
    ask(page)
    wait_until(page, f"{CHART}.data.labels[0] === {at('2026-01-31T11:15:00Z')}")

    page.get_by_role("button", name="Copy frozen link").click()

    expect(page.locator("#copied")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "start=2026-01-31T11%3A15%3A00Z&end=2026-01-31T12%3A30%3A00Z" in copied


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize(
    "path",
    [
        f"/charts/bandwidth?device_uuid={DEVICE}&window_time=15&num_windows=60",
        f"/charts/datapoints?device={THERMOMETER}&range=1d&averages=bar",
    ],
    ids=["bandwidth", "datapoints"],
)
def test_ranges_are_accessible_and_fit(page: Page, path: str) -> None:
    page.goto(path)
    open_exact(page)
    page.evaluate("document.getElementById('copy-text').hidden = false")
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    bottom = page.locator("#parameters").bounding_box()
    updated = page.locator("#updated").bounding_box()
    assert bottom is not None
    assert updated is not None
    assert updated["y"] - bottom["y"] - bottom["height"] >= 12
