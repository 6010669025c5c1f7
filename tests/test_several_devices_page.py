"""Several devices or users in one chart, in a real browser: the legend, the tooltip, the form, and what is saved."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from tests.accessibility import LOOKS, findings
from tests.bandwidth_chart import END, NASTY, add_entries, drawn
from tests.browsing import query_of, saved, wait_until
from tests.datapoints_chart import WHOLE, add_points

pytestmark = pytest.mark.browser

UUID = "3f2b7c1e-9a4d-4c7e-8b1f-2d6a9e0c5b77"
CHART = "Chart.getChart(document.querySelector('canvas'))"
#: What is seen of colours by people of normal sight, with protanopia, deuteranopia and tritanopia (Machado 2009).
SIGHTS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.fixture(autouse=True)
def data() -> None:
    """Devices of both apps, one of which has a long name, and one whose data are of long ago."""
    add_entries()
    bandwidth.store.add(UUID, END, 50, 60)
    bandwidth.store.add("old", 1_524_818_000, 5, 6)
    datapoints.store.clear()
    add_points()


def chart_of(*devices: str, **more: object) -> str:
    parameters = {"device_uuid": devices, "end_time": END, "num_windows": 3, **more}
    return f"/charts/bandwidth?{urlencode(parameters, doseq=True)}"


def hidden(page: Page) -> list[str]:
    """Return the labels of the lines that are hidden."""
    labels: list[str] = page.evaluate(
        f"{CHART}.data.datasets.filter((line, place) => !{CHART}.isDatasetVisible(place)).map((line) => line.label)"
    )
    return labels


def test_a_line_that_is_hidden_stays_so_when_data_come_and_devices_go(
    page: Page, set_clock: Callable[[str], int]
) -> None:
    set_clock("2026-01-01T00:30:00Z")
    page.goto(chart_of("router-2", "router-1", UUID).replace(f"end_time={END}", ""))
    button = page.get_by_role("button", name="router-1, to the server")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert hidden(page) == ["router-1, to the server"]

    bandwidth.store.add("router-1", END, 100, 0)
    wait_until(page, f"{CHART}.data.datasets[2].data.at(-1) === 115")
    assert hidden(page) == ["router-1, to the server"]
    expect(button).to_be_focused()

    page.get_by_role("link", name="Remove router-2").click()
    wait_until(page, f"{CHART}.data.datasets.length === 4")
    assert hidden(page) == ["router-1, to the server"]
    button.click()
    assert hidden(page) == []


def test_the_tooltip_has_the_largest_first(page: Page) -> None:
    page.goto(chart_of("router-2", "router-1", direction="to"))
    page.locator("canvas").hover(position={"x": 20, "y": 50})
    box = page.locator("canvas").bounding_box()
    assert box is not None
    for place, names in ((1, ["router-1", "router-2"]), (2, ["router-2", "router-1"])):
        x = page.evaluate(f"{CHART}.scales.x.getPixelForValue({END - 60 * (2 - place) - 20})")
        page.mouse.move(box["x"] + x, box["y"] + box["height"] / 2)
        wait_until(page, f"{CHART}.tooltip.dataPoints?.[0].dataIndex === {place}")
        lines = page.evaluate(f"{CHART}.tooltip.body.flatMap((part) => part.lines)")
        assert [line.split(",")[0] for line in lines] == names


def test_long_names_are_short_and_in_full_on_hover(page: Page) -> None:
    page.goto(chart_of(UUID, "router-1"))
    button = page.get_by_role("button", name="3f2b7c1e-9a4…d6a9e0c5b77, to the server")
    expect(button).to_have_attribute("title", f"{UUID}, to the server")
    expect(page.locator(".chips bdi").first).to_have_attribute("title", UUID)
    expect(page.locator("canvas")).to_have_attribute(
        "aria-label",
        f"Bytes per window to and from the server of {UUID} and router-1; the table below has the figures.",
    )


def test_devices_are_added_and_removed_in_the_form(page: Page) -> None:
    page.goto(chart_of("router-1"))
    page.evaluate("window.stays = true")
    page.get_by_label("Compare with").fill("router-2")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**device_uuid=router-2**")
    assert query_of(page)["device_uuid"] == ["router-1", "router-2"]
    expect(page.locator(".chips li")).to_have_count(2)

    more = page.get_by_label("Add a device")
    expect(more).to_have_value("")
    more.press_sequentially("3f2b")
    suggested = page.locator("#more_device_uuid-keys option")
    expect(suggested).to_have_count(1)  # of all at first, while nothing is typed yet
    expect(suggested).to_have_attribute("value", UUID)
    more.fill(UUID)
    more.press("Enter")
    expect(page.locator(".chips li")).to_have_count(3)
    assert query_of(page)["device_uuid"] == ["router-1", "router-2", UUID]

    page.get_by_role("link", name="Remove router-1").click()
    expect(page.locator(".chips li")).to_have_count(2)
    page.get_by_role("link", name="Remove router-2").click()
    expect(page.get_by_label("Device", exact=True)).to_have_value(UUID)
    expect(page.get_by_label("Compare with")).to_have_value("")
    assert [len(line) for line in drawn(page)["lines"]] == [3, 3]
    page.go_back()
    expect(page.locator(".chips li")).to_have_count(2)
    assert page.evaluate("window.stays") is True


def test_the_direction_applies_at_once(page: Page) -> None:
    page.goto(chart_of("router-1", "router-2"))
    page.get_by_label("Bytes", exact=True).select_option("sum")
    wait_until(page, f"{CHART}.data.datasets.length === 2")
    assert query_of(page)["direction"] == ["sum"]
    assert drawn(page)["lines"] == [[3, 77, 1_515], [0, 0, 197]]
    page.reload()
    expect(page.get_by_label("Bytes", exact=True)).to_have_value("sum")


@pytest.mark.parametrize("context_options", [{"java_script_enabled": False}])
def test_without_scripts_devices_are_added_and_removed(page: Page) -> None:
    page.goto(chart_of("router-1", "router-2"))
    page.get_by_label("Add a device").fill(UUID)
    page.get_by_role("button", name="Show").click()
    assert [name for name in query_of(page)["device_uuid"] if name] == ["router-1", "router-2", UUID]
    page.get_by_role("link", name="Remove router-2").click()
    assert query_of(page)["device_uuid"] == ["router-1", UUID]
    expect(page.locator("#lines tbody")).to_have_count(2)


@pytest.mark.parametrize(
    ("context_options", "words"),
    [
        ({"locale": "en-GB", "timezone_id": "Europe/Berlin"}, "27 April 2018"),
        ({"locale": "en-GB", "timezone_id": "Asia/Tokyo"}, "28 April 2018"),
    ],
)
def test_the_day_of_the_latest_data_is_that_of_the_reader(page: Page, words: str) -> None:
    bandwidth.store.clear()
    bandwidth.store.add("old", 1_524_848_400, 5, 6)  # 17:00 UTC
    bandwidth.store.add("router-1", END, 1, 1)
    for devices in (["old"], ["router-1", "old"]):
        page.goto(chart_of(*devices))
        expect(page.locator(".notice.nothing")).to_contain_text(f"Its latest are of {words}. ")


def test_the_picture_says_what_it_shows(page: Page) -> None:
    page.goto(chart_of("router-1", UUID, unit="bits", per="second"))
    texts = """(() => {
        window.texts = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
            if (!this.canvas.isConnected) texts.push(text);
            return write.call(this, text, ...where);
        };
    })()"""
    page.evaluate(texts)
    name, content = saved(page, "PNG")
    assert name == "bandwidth-router-1-3f2b7c1e-9a4d-4c7e-8b1f-2d6a9e0c5b77-20260101T0030Z-PT3M-bits-per-second.png"
    assert content.startswith(b"\x89PNG")
    written = " ".join(page.evaluate("texts"))
    assert "Bandwidth of router-1 and 3f2b7c1e-9a4…d6a9e0c5b77" in written
    assert "After Jan 1, 2026" in written
    assert "UTC" in written
    assert "Bits per second" in written
    assert "3f2b7c1e-9a4…d6a9e0c5b77, from the server" in written


def test_datapoints_of_several(page: Page) -> None:
    page.goto(f"/charts/datapoints?{urlencode(WHOLE)}")
    page.get_by_label("Compare with").fill("thermometer-2")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("button", name="thermometer-2")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query)["device"] == ["thermometer-1", "thermometer-2"]
    chart = drawn(page)
    assert chart["lines"] == [[20, 26, 28, None, 40, 50], [None, None, None, None, 70, None]]

    page.get_by_label("Show", exact=True).select_option("moving_avg")
    page.get_by_role("button", name="Show").click()
    wait_until(page, f"{CHART}.data.datasets[0].data[1] === 23")
    page.get_by_role("link", name="Remove thermometer-2").click()
    expect(page.get_by_label("Device", exact=True)).to_have_value("thermometer-1")
    assert drawn(page)["names"] == ["average", "moving average over 2"]


def test_suggestions_are_of_the_kind_that_is_compared(page: Page) -> None:
    page.goto("/charts/datapoints?user=ada")
    more = page.get_by_label("Compare with")
    more.press_sequentially("a")
    expect(page.locator("#more_user-keys option")).to_have_attribute("value", "ada")
    page.get_by_label("Of a").select_option("device")
    expect(more).to_be_hidden()  # there is no comparing of devices with users


@pytest.mark.parametrize("context_options", LOOKS)
@pytest.mark.parametrize("app", ["bandwidth", "datapoints"])
def test_eight_are_accessible_and_fit(page: Page, app: str) -> None:
    names = [NASTY, "W" * 255, UUID, *(f"router-{number}" for number in range(5))]
    for number, name in enumerate(names):
        bandwidth.store.add(name, END, number * 1_000, 2**53 - 1)
        datapoints.store.add(END * 10**6, number, name, "ada")
    key = "device_uuid" if app == "bandwidth" else "device"
    end = (
        {"end_time": END, "threshold": "5M"} if app == "bandwidth" else {"end": "2026-01-01T00:31:00Z", "bucket": "1m"}
    )
    page.goto(f"/charts/{app}?{urlencode({key: names, **end}, doseq=True)}")
    expect(page.locator(".legend button")).to_have_count(16 if app == "bandwidth" else 8)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("context_options", [{"color_scheme": scheme} for scheme in ("light", "dark")])
def test_colours_are_told_apart_by_everybody(page: Page) -> None:
    """As far apart as CIE76 says that no pair is confused, and with a contrast of 3 : 1 on the page."""
    page.goto("/")
    values = page.evaluate(
        """() => {
            const style = getComputedStyle(document.documentElement);
            return ["page", ...Array(8).keys()].map((name) =>
                style.getPropertyValue(name === "page" ? "--page" : `--line-${name}`).trim());
        }"""
    )
    ground, *colours = [_linear(value) for value in values]
    assert [colour for colour in colours if _contrast(colour, ground) < 3] == []
    for sight, matrix in SIGHTS.items():
        seen = [_lab([sum(w * c for w, c in zip(row, colour, strict=True)) for row in matrix]) for colour in colours]
        near = min(
            sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5 for a, b in itertools.combinations(seen, 2)
        )
        assert near > 12, sight


def _linear(value: str) -> list[float]:
    parts = [int(value[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _luminance(colour: list[float]) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), colour, strict=True))


def _contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


#: From linear sRGB to the CIE's X, Y and Z, each as a part of that of white.
_TO_XYZ = (
    (0.4339530, 0.3762195, 0.1898430),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0177578, 0.1094756, 0.8727744),
)


def _lab(colour: list[float]) -> list[float]:
    parts = [sum(weight * max(part, 0) for weight, part in zip(row, colour, strict=True)) for row in _TO_XYZ]
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in parts)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
