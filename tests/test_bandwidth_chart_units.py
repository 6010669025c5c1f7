"""The units of the bandwidth chart: in the address, on the axis, in the figures, and as a threshold."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from bandwidth import services
from bandwidth.units import Unit, write
from tests.bandwidth_chart import DEVICE, END, add_entries, address, drawn
from tests.browsing import open_exact, query_of, wait_until

pytestmark = pytest.mark.browser

CHART = "Chart.getChart(document.querySelector('canvas'))"
CHOSEN: dict[str, object] = {"unit": "kbit", "per": "second", "threshold": "1.5k"}


@pytest.fixture(autouse=True)
def entries() -> None:
    """Three minutes of data for one device, and an entry of another."""
    add_entries()


def axis(page: Page) -> list[str]:
    ticks: list[str] = page.evaluate(f"{CHART}.scales.y.ticks.map((tick) => tick.label)")
    return ticks


def row(page: Page, number: int) -> list[str]:
    """The figures of a direction: total, mean, peak and percentile."""
    texts: list[str] = page.locator(".figures tbody tr").nth(number).locator("td b").all_inner_texts()
    return texts


def test_server_and_browser_write_alike(page: Page) -> None:
    page.goto("/charts/bandwidth")
    random_ = random.Random(17)
    counts = [
        *(
            base**power * part // 10_000
            for base in (1000, 1024)
            for power in range(1, 6)
            for part in (9_999, 10_000, 9_995)
        ),
        *(random_.randrange(10 ** random_.randrange(1, 26)) for _ in range(150)),
    ]
    cases = [
        (count, unit.value, divisor, rate)
        for count, unit in itertools.product(counts, Unit)
        for divisor, rate in ((1, False), (random_.randrange(1, 10**6), True))
    ]

    written: list[str] = page.evaluate(
        """async (cases) => {
            const { bytesEnglish } = await import("/static/units.js");
            return cases.map(([count, unit, divisor, rate]) => bytesEnglish(count, unit, { divisor, rate }));
        }""",
        [(str(count), *rest) for count, *rest in cases],
    )

    assert written == [write(count, Unit(unit), divisor=divisor, rate=rate) for count, unit, divisor, rate in cases]


@pytest.mark.parametrize(
    ("top", "unit", "divisor", "labels"),
    [
        (78, "bytes", 60, ["0 B/s", "0.2 B/s", "0.4 B/s", "0.6 B/s", "0.8 B/s", "1.0 B/s", "1.2 B/s", "1.4 B/s"]),
        (10, "MB", 1, ["0 MB", "0.000002 MB", "0.000004 MB", "0.000006 MB", "0.000008 MB", "0.000010 MB"]),
        (3, "bytes", 1, ["0 B", "2 B", "4 B", "6 B", "8 B", "10 B"]),
        (1_000_000, "bytes", 1, ["0 MB", "0.2 MB", "0.4 MB", "0.6 MB", "0.8 MB", "1.0 MB"]),
        (1_500, "binary", 1, ["0 KiB", "0.25 KiB", "0.50 KiB", "0.75 KiB", "1.00 KiB", "1.25 KiB", "1.50 KiB"]),
        (900 * 1024, "binary", 1, ["0 KiB", *(f"{128 * step:,} KiB" for step in range(1, 9))]),
        (60 * 10**6, "bits", 60, ["0 Mbit/s", *(f"{step} Mbit/s" for step in range(1, 9))]),
    ],
)
def test_ticks_are_round_in_the_unit_shown(page: Page, top: int, unit: str, divisor: int, labels: list[str]) -> None:
    services.store.add("ticks", END, top, 0)
    per = {"per": "second"} if divisor > 1 else {}

    page.goto(address(device_uuid="ticks", end_time=END, num_windows=1, unit=unit, **per))

    drawn(page)
    assert axis(page) == labels
    highest = page.evaluate(f"[{CHART}.scales.y.max, {CHART}.scales.y.ticks.at(-1).value]")
    assert highest[0] == highest[1] >= top


def test_the_unit_is_in_the_address_and_in_the_links(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, num_windows=3))
    drawn(page)
    page.get_by_label("Unit").select_option("kbit")
    page.wait_for_url("**unit=kbit")
    page.get_by_label("per", exact=True).select_option("second")
    page.wait_for_url("**per=second")
    page.get_by_label("Threshold, bits/s").fill("1.5k")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**threshold=1.5k**")
    assert {name: query_of(page)[name] for name in CHOSEN} == {name: [value] for name, value in CHOSEN.items()}
    expect(page.locator("#passed b")).to_have_text("1.5 kbit/s")

    page.reload()
    expect(page.get_by_label("Unit")).to_have_value("kbit")
    assert row(page, 1)[1] == "0.06987 kbit/s"
    page.get_by_role("link", name="Previous").click()
    page.wait_for_url(f"**end_time={END - 180}&**")
    assert query_of(page)["unit"] == ["kbit"]
    assert query_of(page)["threshold"] == ["1.5k"]
    for name in ("Next", "Now", "Previous"):
        href = page.get_by_role("link", name=name).get_attribute("href") or ""
        assert "unit=kbit&per=second&threshold=1.5k" in href

    for _ in range(4):
        page.go_back()
    expect(page.get_by_label("Unit")).to_have_value("")
    expect(page.locator(".figures")).to_contain_text("1.6 kB")
    page.go_forward()
    expect(page.get_by_label("Unit")).to_have_value("kbit")
    expect(page.locator(".figures")).to_contain_text("12.58 kbit")
    for name in ("JSON", "CSV"):
        href = page.get_by_role("link", name=name, exact=True).get_attribute("href") or ""
        assert page.request.get(href).status == 200


def test_what_else_was_typed_stays_when_the_unit_changes(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, num_windows=3))
    open_exact(page)
    page.get_by_label("Windows", exact=True).fill("7")

    page.get_by_label("Unit").select_option("B")

    expect(page.locator(".figures")).to_contain_text("1,572 B")
    expect(page.get_by_label("Windows", exact=True)).to_have_value("7")
    assert query_of(page)["num_windows"] == ["3"]


def test_the_list_of_devices_has_the_unit_too(page: Page) -> None:
    services.store.add("carry", END, 999_950, 1024**2)

    page.goto("/charts/bandwidth")
    expect(page.get_by_role("row", name="carry")).to_contain_text("1.0 MB")
    page.goto("/charts/bandwidth?unit=binary")
    expect(page.get_by_role("row", name="carry")).to_contain_text("976.5 KiB")
    expect(page.get_by_role("row", name="carry")).to_contain_text("1.0 MiB")
    page.get_by_role("link", name="carry").click()
    page.wait_for_url("**device_uuid=carry**")
    assert query_of(page)["unit"] == ["binary"]


def test_figures_of_a_line(page: Page) -> None:
    """Forty windows of 1 to 40 bytes per second, in no order: of these, the two highest are left out."""
    numbers = [(place * 7) % 40 + 1 for place in range(40)]
    for place, number in enumerate(numbers):
        services.store.add("steps", END - place * 10, number * 10, 0)

    page.goto(address(device_uuid="steps", end_time=END, window_time=10, num_windows=40, per="second"))
    assert row(page, 0) == ["8.2 kB", "20.5 B/s", "40 B/s", "38 B/s"]
    expect(page.locator("main")).to_contain_text("the highest window after the top 5 % are left out (nearest rank)")

    page.goto(address(device_uuid="steps", end_time=END, window_time=10, num_windows=40))
    assert row(page, 0) == ["8.2 kB", "205 B", "400 B", "380 B"]


@pytest.mark.parametrize(
    ("unit", "rate", "bytes_"), [("bytes", "25", 1500), ("bits", "0.2k", 1500), ("KiB", "1Ki", 61440)]
)
def test_a_threshold_is_a_line_and_told_in_words(page: Page, unit: str, rate: str, bytes_: float) -> None:
    services.store.add(DEVICE, END, 0, 1)  # 1501 bytes in the last window

    page.goto(address(device_uuid=DEVICE, end_time=END, num_windows=3, unit=unit, threshold=rate))

    chart = drawn(page)
    assert chart["names"] == ["to the server", "from the server", "threshold"]
    assert chart["lines"] == [[1, 7, 15], [2, 70, 1501], [bytes_] * 3]
    passed = 1 if bytes_ == 1500 else 0
    expect(page.locator("#passed")).to_contain_text(f"in 0 of 3 windows to the server, and in {passed} from the server")
    assert page.evaluate(f"{CHART}.scales.y.max") >= bytes_
    page.locator("canvas").hover()
    wait_until(page, f"{CHART}.tooltip.opacity === 1")
    hover: list[dict[str, Any]] = page.evaluate(f"{CHART}.tooltip.body")
    assert hover[2]["lines"] == [f"threshold: {page.locator('#passed b').inner_text()}"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"unit": "furlong"}, "unit must be one of bytes, binary, bits, B, kB"),
        ({"per": "minute"}, "per must be one of window, second."),
        ({"threshold": "-1"}, "threshold must be a number of bytes or bits per second such as 1500000, 1.5M or 1.5Mi."),
    ],
)
def test_what_is_wrong_is_said_in_words(page: Page, refusals: list[int], wrong: dict[str, str], words: str) -> None:
    refusals.append(400)
    page.goto(address(device_uuid=DEVICE, **wrong))
    expect(page.get_by_role("alert")).to_contain_text(words)


@pytest.mark.parametrize("name", CHOSEN)
def test_the_api_has_the_parameters_that_it_had(api: APIClient, name: str) -> None:
    answer = api.get("/api/bandwidth", {"device_uuid": DEVICE, name: CHOSEN[name]})
    assert answer.status_code == 400


def test_next_leads_to_now_and_not_beyond(page: Page, set_clock: Callable[[str], int]) -> None:
    set_clock("2026-01-01T00:30:20Z")
    link = page.get_by_role("link", name="Next")

    page.goto(address(device_uuid=DEVICE, end_time=END - 180, num_windows=3))
    link.click()
    page.wait_for_url(f"**end_time={END}&**")
    link.click()  # the next three windows would end after the present one
    page.wait_for_url(lambda url: "end_time" not in url)
    assert drawn(page)["labels"][-1] == END + 60
    expect(link).to_have_count(0)
    page.goto(address(device_uuid=DEVICE, end_time=END + 10_000, num_windows=3))
    expect(page.get_by_role("link", name="Previous")).to_have_count(1)
    expect(link).to_have_count(0)
