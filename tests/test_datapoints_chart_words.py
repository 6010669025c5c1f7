"""The datapoints page around its chart, in a real browser: lists, texts, figures, and downloads."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from datapoints import services
from tests.browsing import query_of, wait_until
from tests.datapoints_chart import DEVICE, NASTY, NOW, WHOLE, add, add_points, address, drawn

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def points(now: int) -> None:
    """Store the same points for each test, and set the clock to their end."""
    add_points()


def test_key_is_searched(page: Page) -> None:
    page.goto("/charts/datapoints")
    page.get_by_label("Device", exact=True).fill("METER-2")

    expect(page.locator("#device-keys option")).to_have_count(1)
    expect(page.locator("#device-keys option")).to_have_attribute("value", "thermometer-2")

    page.get_by_label("Of a", exact=True).select_option("user")
    page.get_by_label("User", exact=True).fill("a")
    expect(page.locator("#user-keys option")).to_have_attribute("value", "ada")


def test_words_are_in_the_number_that_they_count(page: Page) -> None:
    page.goto(address(device="thermometer-2", start="2026-01-31T11:00:00Z", end="2026-01-31T11:20:00Z", bucket="1s"))
    expect(page.locator(".span")).to_contain_text("1 datapoint in 1,200 buckets of 1s;")

    page.goto(address(device="thermometer-2", start="2026-01-31T11:00:00Z", end="2026-01-31T11:15:00Z", bucket="15m"))
    expect(page.locator(".span")).to_contain_text("1 datapoint in 1 bucket of 15m;")


def test_figures_and_table_tell_what_is_drawn(page: Page) -> None:
    page.goto(address(**WHOLE))
    drawn(page)

    expect(page.locator(".span")).to_contain_text("6 datapoints in 6 buckets of 15m")
    expect(page.locator("#mean")).to_have_text("30.6667")  # (10 + 30 + 26 + 28 + 40 + 50) / 6
    expect(page.locator(".figures b")).to_have_text(["50", "20", "50", "45", "23", "45"])
    page.get_by_text("Buckets as a table").click()
    rows = page.locator("#buckets tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.nth(1).locator("td")).to_have_text(["Jan 31, 2026, 10:15:00 AM", "26.0", "1", "23.0"])
    expect(rows.nth(3).locator("td")).to_have_text(["Jan 31, 2026, 10:45:00 AM", "–", "0", "–"])


def test_words_and_table_need_no_javascript(api: APIClient) -> None:
    text = api.get(address(**WHOLE)).content.decode()

    cells = "<td data-number>26.0</td><td data-number>1</td><td data-number>23.0</td>"
    assert f'<td><time datetime="2026-01-31T10:15:00Z">2026-01-31 10:15:00</time></td>{cells}' in text
    assert "<span data-number>6</span> datapoints in <span data-number>6</span> buckets of 15m" in text


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

    href = page.get_by_role("link", name="Averages as JSON", exact=True).get_attribute("href") or ""

    assert parse_qs(urlsplit(href).query)["bucket"] == ["5s"]
    assert len(page.request.get(href).json()) == len(drawn(page)["labels"])


def test_picture_is_saved(page: Page) -> None:
    page.goto(address(**WHOLE))
    drawn(page)

    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()

    assert saved.value.suggested_filename == "datapoints-thermometer-1-20260131T1130Z-PT1H30M-15m.png"


def test_without_a_key_devices_and_users_are_listed_with_links(page: Page) -> None:
    page.goto("/charts/datapoints")
    page.get_by_role("link", name="Users").click()
    expect(page.locator("#users")).to_contain_text("ada")
    page.get_by_role("link", name="Devices").click()

    page.locator("#devices").get_by_role("link", name="thermometer-2").click()
    page.wait_for_url("**device=thermometer-2**")

    assert drawn(page)["lines"][0][0] == 70
    expect(page.get_by_label("Device", exact=True)).to_have_value("thermometer-2")


def test_a_range_without_the_keys_data_is_not_linked(page: Page) -> None:
    page.goto(address(start="2020-01-01", end="2020-01-02", bucket="1m", listed="user"))

    page.locator("#users").get_by_role("link", name="ada").click()
    page.wait_for_url("**user=ada**")

    assert query_of(page) == {"user": ["ada"], "bucket": ["1m"], "window_size": ["4"]}


def test_a_hundred_keys_are_listed_at_once(page: Page) -> None:
    for number in range(1_001):
        add(NOW, 1, device=f"device-{number:04}")

    page.goto("/charts/datapoints")

    expect(page.locator("#found")).to_have_text("1,003 devices:")
    expect(page.locator("#devices tbody tr")).to_have_count(100)
    page.get_by_role("link", name="Next →").click()
    expect(page.locator("#devices tbody tr").first).to_contain_text("device-0100")
    expect(page.locator("#devices tbody tr")).to_have_count(100)


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
    expect(page.locator(f"#parameters [name={axis}]")).to_have_value("nowhere")
    expect(page.locator(f"#{axis}s")).to_contain_text({"device": "thermometer-2", "user": "ada"}[axis])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bucket": "15"}, "bucket must be a whole number and s, m, h, d, w, mo or y"),
        ({"bucket": "367d"}, "bucket must be a whole number and s, m, h, d, w, mo or y"),
        ({"window_size": "0"}, "window_size must be from 1 to 2147483647."),
        ({"window_size": "1.5"}, "window_size must be a whole number"),
        ({"start": "yesterday"}, "start must be an ISO 8601 date"),
        ({"end": "1969-01-01"}, "end lies before 1970."),
        ({"start": "2026-02-01", "end": "2026-01-01"}, "start must not be after end."),
        ({"device": " "}, "device must not be blank."),
        ({"user": "ada"}, "user must not be given together with device."),
    ],
)
def test_wrong_parameter_is_said_in_words(page: Page, refusals: list[int], wrong: dict[str, str], words: str) -> None:
    refusals.append(400)

    response = page.goto(address(**{"device": DEVICE, **wrong}))

    assert response is not None
    assert response.status == 400
    expect(page.get_by_role("alert")).to_contain_text(words)
    for name, text in wrong.items():
        expect(page.locator(f"#parameters [name={name}]")).to_have_value(text)
        expect(page.locator(f"#parameters [name={name}]")).to_be_visible()


@pytest.mark.parametrize("axis", ["device", "user"])
def test_name_is_shown_as_the_text_it_is(page: Page, axis: str) -> None:
    add("2026-01-31T11:00:00Z", 1, **{axis: NASTY})

    page.goto(f"/charts/datapoints?listed={axis}")
    page.locator(f"#{axis}s").get_by_role("link", name=NASTY).click()
    page.wait_for_url(f"**{axis}=**")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Datapoints of {axis} {NASTY}")
    expect(page).to_have_title(f"{NASTY} – Datapoints – Time-series statistics")
    expect(page.locator(f"#{axis}")).to_have_value(NASTY)
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
    assert page["Vary"] == "Accept, Accept-Encoding"
