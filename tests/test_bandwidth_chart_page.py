"""The bandwidth chart as a person uses it, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import APIResponse, Page, expect
from rest_framework.test import APIClient

from bandwidth import services
from tests.bandwidth_chart import DEVICE, END, NASTY, add_entries, address, drawn
from tests.browsing import open_exact, query_of, wait_until

pytestmark = pytest.mark.browser

LAST_SECOND = 253_402_300_799  # of the year 9999


@pytest.fixture(autouse=True)
def entries() -> None:
    """Three minutes of data for one device, and an entry of another."""
    add_entries()


def test_draws_bytes_per_window_in_two_lines(page: Page) -> None:
    response = page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=3))

    assert response is not None
    assert response.status == 200
    chart = drawn(page)
    assert chart["names"] == ["to the server", "from the server"]
    assert chart["lines"] == [[1, 7, 15], [2, 70, 1500]]
    assert chart["labels"] == [END - 120, END - 60, END]
    expect(page.get_by_role("heading", level=1)).to_have_text("Bandwidth of router-1")
    expect(page.locator(".figures")).to_contain_text("1,572 bytes")


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({"device_uuid": "router-2"}, [[0, 0, 99], [0, 0, 98]]),
        ({"end_time": END - 60}, [[0, 1, 7], [0, 2, 70]]),
        ({"window_time": 30}, [[7, 5, 10], [70, 500, 1000]]),
        ({"num_windows": 2}, [[7, 15], [70, 1500]]),
    ],
)
def test_each_parameter_alters_the_chart(page: Page, changed: dict[str, object], lines: list[list[int]]) -> None:
    base = {"device_uuid": DEVICE, "end_time": END, "window_time": 60, "num_windows": 3}

    page.goto(address(**{**base, **changed}))

    assert drawn(page)["lines"] == lines


def test_form_is_in_step_with_the_address_bar(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=3))
    expect(page.get_by_label("End, epoch seconds")).to_have_value(str(END))

    open_exact(page)
    page.get_by_label("Window, seconds").fill("30")
    page.get_by_label("Windows", exact=True).fill("2")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**num_windows=2")

    assert query_of(page) == {
        "device_uuid": [DEVICE],
        "end_time": [str(END)],
        "window_time": ["30"],
        "num_windows": ["2"],
    }
    assert drawn(page)["lines"] == [[5, 10], [500, 1000]]

    page.go_back()

    expect(page.get_by_label("Window, seconds")).to_have_value("60")
    expect(page.get_by_label("Windows", exact=True)).to_have_value("3")


def test_empty_control_leaves_its_parameter_out(page: Page, set_clock: Callable[[str], int]) -> None:
    set_clock("2026-01-01T00:30:00Z")
    page.goto(address(device_uuid=DEVICE, end_time=END - 60))

    open_exact(page)
    page.get_by_label("End, epoch seconds").fill("")
    page.get_by_label("Window, seconds").fill("")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**num_windows=10")

    assert query_of(page) == {"device_uuid": [DEVICE], "num_windows": ["10"]}
    wait_until(page, f"Chart.getChart(document.querySelector('canvas')).data.labels.at(-1) === {END}")


def test_parameter_left_empty_in_the_address_takes_its_default(page: Page, set_clock: Callable[[str], int]) -> None:
    set_clock("2026-01-01T00:30:00Z")

    page.goto(address(device_uuid=DEVICE, end_time="", window_time="", num_windows=""))

    chart = drawn(page)
    assert chart["labels"] == [END - 60 * age for age in range(9, -1, -1)]
    expect(page.get_by_label("Window, seconds")).to_have_value("60")


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}])
def test_time_is_shown_and_chosen_in_the_viewers_zone(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=3))

    assert drawn(page)["ticks"] == ["09:27", "09:28", "09:29", "09:30"]
    picker = page.get_by_label("End, your time")
    expect(picker).to_have_value("2026-01-01T09:30")
    open_exact(page)
    picker.fill("2026-01-01T09:29:00")
    expect(page.get_by_label("End, epoch seconds")).to_have_value(str(END - 60))


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}])
def test_ticks_stand_at_round_times(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END + 7 * 10, window_time=10, num_windows=720))

    ticks = drawn(page)["ticks"]

    assert ticks[-1] == "09:30"
    assert {tick[-1] for tick in ticks} <= {"0", "5"}


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-GB"}])
def test_hover_tells_both_lines_and_the_windows_span(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=3))
    drawn(page)

    page.locator("canvas").hover()

    wait_until(page, "Chart.getChart(document.querySelector('canvas')).tooltip.opacity === 1")
    tooltip = page.evaluate("Chart.getChart(document.querySelector('canvas')).tooltip")
    assert [line["lines"] for line in tooltip["body"]] == [["to the server: 7 B"], ["from the server: 70 B"]]
    assert "09:28:00" in tooltip["title"][0]
    assert "09:29:00" in tooltip["title"][1]


def test_without_a_device_one_is_chosen_in_the_form(page: Page) -> None:
    page.goto("/charts/bandwidth")
    page.get_by_label("Device", exact=True).focus()
    expect(page.locator("datalist option")).to_have_count(2)

    page.get_by_label("Device", exact=True).fill("ROUTER-2")
    expect(page.locator("datalist option")).to_have_count(1)
    page.get_by_label("Device", exact=True).fill("router-2")
    open_exact(page)
    page.get_by_label("End, epoch seconds").fill(str(END))
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**device_uuid=router-2**")

    assert drawn(page)["lines"][0][-1] == 99


def test_without_a_device_each_is_listed_with_a_link_to_its_data(page: Page) -> None:
    page.goto("/charts/bandwidth")

    page.get_by_role("link", name="router-2").click()
    page.wait_for_url("**device_uuid=router-2**")

    assert drawn(page)["lines"][0][-1] == 99


def test_without_any_device_the_page_says_so(page: Page) -> None:
    services.store.clear()

    page.goto("/charts/bandwidth")

    expect(page.locator("main")).to_contain_text("No device has reported yet.")


def test_a_hundred_devices_are_listed_at_once(page: Page) -> None:
    for number in range(1_001):
        services.store.add(f"device-{number:04}", END, 1, 1)

    page.goto("/charts/bandwidth")

    expect(page.locator("#found")).to_have_text("1,003 devices:")
    expect(page.locator("#listed tbody tr")).to_have_count(100)
    page.get_by_role("link", name="Next →").click()
    expect(page.locator("#listed tbody tr").first).to_contain_text("device-0100")
    expect(page.locator("#listed tbody tr")).to_have_count(100)


def test_windows_without_data_lead_to_the_latest(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END + 10_000, window_time=60, num_windows=3))
    expect(page.locator(".notice")).to_contain_text("No data in the windows shown.")
    assert drawn(page)["lines"] == [[0, 0, 0], [0, 0, 0]]

    page.locator("#latest").click()
    page.wait_for_url(f"**end_time={END}&**")

    assert drawn(page)["lines"] == [[1, 7, 15], [2, 70, 1500]]


def test_entries_of_zero_bytes_are_data(page: Page) -> None:
    services.store.add("silent", END, 0, 0)

    page.goto(address(device_uuid="silent", end_time=END))

    expect(page.locator("canvas")).to_be_visible()
    expect(page.locator(".notice")).to_have_count(0)


def test_steps_to_the_previous_and_the_next_view(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=2))

    page.get_by_role("link", name="Previous").click()
    page.wait_for_url(f"**end_time={END - 120}&**")
    assert drawn(page)["lines"] == [[0, 1], [0, 2]]

    page.get_by_role("link", name="Next").click()
    page.wait_for_url(f"**end_time={END}&**")
    assert drawn(page)["lines"] == [[7, 15], [70, 1500]]


def test_offers_what_is_shown_as_json_and_csv(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END, window_time=60, num_windows=2))

    def linked(name: str) -> APIResponse:
        return page.request.get(page.get_by_role("link", name=name, exact=True).get_attribute("href") or "")

    assert linked("JSON").json()["data"][-1]["bytes_fs"] == 1500
    assert linked("CSV").text().splitlines()[-1] == f"{END},15,1500"


def test_table_is_exact_beyond_what_javascript_can_count(page: Page) -> None:
    for _ in range(3):
        services.store.add("giant", END, 2**53 - 1, 1)

    page.goto(address(device_uuid="giant", end_time=END, num_windows=1))
    drawn(page)
    page.get_by_text("Windows as a table").click()

    expect(page.locator("#windows tbody td")).to_have_text(["Jan 1, 2026, 12:30:00 AM", f"{3 * (2**53 - 1):,}", "3"])


@pytest.mark.parametrize("end_time", [LAST_SECOND, 0])
def test_beginnings_of_time_are_shown_in_seconds(page: Page, end_time: int) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=end_time, window_time=2**31 - 1, num_windows=10_000))

    chart = drawn(page)
    assert chart["labels"][-1] == end_time
    assert chart["ticks"][0].endswith(" s")
    expect(page.locator(".span")).to_contain_text("since 1970")


def test_time_ends_with_the_year_9999(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=LAST_SECOND))

    assert drawn(page)["labels"][-1] == LAST_SECOND
    expect(page.locator(".span")).to_contain_text("Dec 31, 9999")
    expect(page.get_by_role("link", name="Previous")).to_have_count(1)
    expect(page.get_by_role("link", name="Next")).to_have_count(0)


def test_unknown_device_is_said_in_words(page: Page, refusals: list[int]) -> None:
    refusals.append(404)

    response = page.goto(address(device_uuid="nowhere"))

    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("alert")).to_contain_text("The device 'nowhere' was never seen.")
    expect(page.get_by_label("Device", exact=True)).to_have_value("nowhere")
    expect(page.locator("#listed")).to_contain_text("router-2")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"window_time": "0"}, "window_time must be from 1 to 2147483647."),
        ({"window_time": "abc"}, "window_time must be a whole number"),
        ({"num_windows": "10001"}, "num_windows must be from 1 to 10000."),
        ({"end_time": "-1"}, "end_time must be a whole number"),
        ({"end_time": "1700000000000"}, "the number looks like milliseconds, but epoch seconds are expected."),
        ({"device_uuid": " "}, "device_uuid must not be blank."),
    ],
)
def test_wrong_parameter_is_said_in_words(page: Page, refusals: list[int], wrong: dict[str, str], words: str) -> None:
    refusals.append(400)

    response = page.goto(address(**{"device_uuid": DEVICE, **wrong}))

    assert response is not None
    assert response.status == 400
    expect(page.get_by_role("alert")).to_contain_text(words)
    for name, text in wrong.items():
        if name != "windows":
            expect(page.locator(f"#parameters [name={name}]")).to_have_value(text)


def test_name_is_shown_as_the_text_it_is(page: Page) -> None:
    services.store.add(NASTY, END, 1, 2)

    page.goto(f"/charts/bandwidth?end_time={END}")
    page.get_by_role("link", name=NASTY).click()
    page.wait_for_url("**device_uuid=**")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Bandwidth of {NASTY}")
    expect(page).to_have_title(f"{NASTY} – Bandwidth – Time-series statistics")
    expect(page.get_by_label("Device", exact=True)).to_have_value(NASTY)
    assert drawn(page)["lines"][0][-1] == 1


@pytest.mark.parametrize("context_options", [{"viewport": {"width": 360, "height": 740}}])
@pytest.mark.parametrize("path", ["/", "/charts/bandwidth", address(device_uuid="W" * 255, end_time=END)])
def test_fits_a_phone(page: Page, path: str) -> None:
    services.store.add("W" * 255, END, 2**53 - 1, 2**53 - 1)

    page.goto(path)

    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("context_options", [{"color_scheme": "dark"}])
def test_follows_the_colour_scheme(page: Page) -> None:
    page.goto(address(device_uuid=DEVICE, end_time=END))
    drawn(page)
    colour = "Chart.getChart(document.querySelector('canvas')).getDatasetMeta(0).data[0].options.backgroundColor"
    dark = page.evaluate(colour)

    page.emulate_media(color_scheme="light")

    wait_until(page, f"{colour} !== {dark!r}")


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json"])
def test_good_chart_is_html_whatever_is_accepted(api: APIClient, accept: str) -> None:
    answer = api.get(address(device_uuid=DEVICE), HTTP_ACCEPT=accept)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(("query", "status"), [({"device_uuid": "nowhere"}, 404), ({"end_time": "x"}, 400)])
def test_faults_are_problem_details_unless_html_is_preferred(
    api: APIClient, query: dict[str, str], status: int
) -> None:
    problem = api.get(address(**query), HTTP_ACCEPT="*/*")
    page = api.get(address(**query), HTTP_ACCEPT="text/html")

    assert (problem.status_code, page.status_code) == (status, status)
    assert problem["Content-Type"] == "application/problem+json"
    assert page["Content-Type"] == "text/html; charset=utf-8"
