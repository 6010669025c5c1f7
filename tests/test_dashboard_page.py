"""The dashboard as a person uses it, in a real browser."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from tests.browsing import cut_off, drawn, figures, hide, shown_at, wait_until
from timeseries_project.core.timestamps import MICROSECONDS
from transactions import services as transactions

pytestmark = pytest.mark.browser

NASTY = """<script>alert("x")</script>'s & "q" / 🛰️ <b>"""
SetClock = Callable[[str], int]


def add_points(now: int, count: int) -> None:
    """Store points of one device, all in the second before now."""
    for number in range(count):
        datapoints.store.add(now * MICROSECONDS - number, 1.0, "thermometer-1", "ada")


def card(name: str) -> str:
    return f"section[aria-labelledby={name}-title]"


def test_shows_what_each_app_has(page: Page, now: int) -> None:
    transactions.window.add(now * 1000, 12.0, now=now * 1000)
    transactions.window.add(now * 1000, 13.0, now=now * 1000)
    add_points(now, 3)
    bandwidth.store.add("router-1", now, 1200, 3400)

    page.goto("/")

    assert figures(page, card("transactions")) == {
        "Count": "2",
        "Sum": "25.00",
        "Average": "12.50",
        "Minimum": "12.00",
        "Maximum": "13.00",
    }
    assert figures(page, card("datapoints")) == {"Added per second": "–", "Points": "3", "Devices": "1", "Users": "1"}
    assert figures(page, card("bandwidth")) == {"Devices": "1", "Entries": "1"}
    expect(page.locator("#busiest tbody td")).to_have_text(["router-1", "1.2 kB", "3.4 kB"])
    expect(page.locator("pre")).to_have_count(0)


def test_posted_values_appear_without_a_reload(page: Page) -> None:
    page.goto("/")
    page.evaluate("window.untouched = true")
    now = page.evaluate("Math.floor(Date.now() / 1000)")

    for path, item in {
        "/api/transactions": {"amount": 12.3, "timestamp": now * 1000},
        "/datapoints": {"timestamp": now, "value": 1, "device": "thermometer-1", "user": "ada"},
        "/api/bandwidth": {"timestamp": now, "device_id": "router-1", "bytes_ts": 1, "bytes_fs": 2},
    }.items():
        assert page.request.post(path, data=item).status == 201

    expect(page.locator(f"{card('transactions')} dd").first).to_have_text("1")
    expect(page.locator(f"{card('datapoints')} dd").nth(1)).to_have_text("1")
    expect(page.locator("#busiest tbody tr")).to_have_count(1)
    assert page.evaluate("window.untouched") is True


def test_rate_is_the_growth_between_two_looks(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    add_points(now, 5)
    page.goto("/")
    expect(page.locator("#rate")).to_have_text("–")

    add_points(set_clock("2026-01-31T12:00:02Z"), 50)
    shown_at(page, "2026-01-31T12:00:02Z")
    expect(page.locator("#rate")).to_have_text("25")

    set_clock("2026-01-31T12:00:06Z")
    datapoints.datapoints_delete(axis="device", key="thermometer-1")
    shown_at(page, "2026-01-31T12:00:06Z")
    expect(page.locator("#rate")).to_have_text("0")
    assert drawn(page, "datapoints-chart") == {"points per second": [[now, None], [now + 2, 25], [now + 6, 0]]}


def test_rate_is_unknown_across_a_restart_and_never_negative(
    page: Page, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    add_points(now, 20)
    page.goto("/")

    monkeypatch.setattr(datapoints, "store", type(datapoints.store)())
    add_points(set_clock("2026-01-31T12:00:02Z"), 4)
    shown_at(page, "2026-01-31T12:00:02Z")
    expect(page.locator("#rate")).to_have_text("–")

    add_points(set_clock("2026-01-31T12:00:04Z"), 8)
    shown_at(page, "2026-01-31T12:00:04Z")
    expect(page.locator("#rate")).to_have_text("4")
    assert drawn(page, "datapoints-chart") == {"points per second": [[now, None], [now + 2, None], [now + 4, 4]]}


def known(page: Page, canvas: str, line: str) -> list[list[float]]:
    """Return the points of a line that have a value."""
    return [point for point in drawn(page, canvas)[line] if point[1] is not None]


def test_curve_of_transactions_is_there_at_once(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    for ago in (200, 3):
        transactions.window.add((now - ago) * 1000, 1.0, now=(now - ago) * 1000)
    page.goto("/")

    times = range(now - 290, now + 1, 10)
    counts = {time: (now - 200 < time <= now - 140) + (time > now - 3) for time in times}
    assert drawn(page, "transactions-chart") == {"transactions": [[time, count] for time, count in counts.items()]}

    set_clock("2026-01-31T12:00:02Z")
    transactions.window.add((now + 1) * 1000, 1.0, now=(now + 1) * 1000)
    shown_at(page, "2026-01-31T12:00:02Z")
    assert drawn(page, "transactions-chart")["transactions"][-2:] == [[now, 1], [now + 2, 2]]


def test_curve_of_datapoints_begins_with_the_page_and_says_so(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    add_points(now, 5)
    page.goto("/")

    assert drawn(page, "datapoints-chart") == {"points per second": [[now, None]]}
    expect(page.locator("#datapoints-title small")).to_have_text(
        "stored, and coming in since you opened this page", use_inner_text=True
    )


def test_five_busiest_devices_lead_to_their_charts(page: Page, now: int) -> None:
    for number in range(1, 8):
        bandwidth.store.add(f"device-{number}", now - 590, number * 1_000, number * 500, now=now)

    page.goto("/")

    expect(page.locator("#bandwidth-title small")).to_have_text("busiest since 11:50:00")
    names = [f"device-{number}" for number in (7, 6, 5, 4, 3)]
    assert page.locator("#busiest tbody a").all_inner_texts() == names
    assert page.evaluate("Chart.getChart('bandwidth-chart').data.labels") == names
    assert drawn(page, "bandwidth-chart") == {
        "to the server": [7000, 6000, 5000, 4000, 3000],
        "from the server": [3500, 3000, 2500, 2000, 1500],
    }

    page.get_by_role("link", name="device-6").click()
    page.wait_for_url(f"**device_uuid=device-6&end_time={now - 540}&**")
    expect(page.locator(".notice")).to_have_count(0)


def test_busiest_are_those_of_now(page: Page, now: int) -> None:
    """One old entry heads the list no more, and what is old of a device does not count."""
    bandwidth.store.add("old", now - 1_201, 9 * 10**15, 0, now=now)
    bandwidth.store.add("router-1", now - 700, 10**12, 0, now=now)
    bandwidth.store.add("router-1", now - 5, 1, 2, now=now)
    bandwidth.store.add("router-2", now - 5, 3, 4, now=now)

    page.goto("/")

    assert figures(page, card("bandwidth")) == {"Devices": "3", "Entries": "4"}
    expect(page.locator("#busiest tbody td")).to_have_text(["router-2", "3 B", "4 B", "router-1", "1 B", "2 B"])


def test_quiet_card_says_since_when_and_where_the_latest_are(page: Page, now: int) -> None:
    bandwidth.store.add("router-1", now - 86_400, 1, 2, now=now)

    page.goto("/")

    expect(page.locator("#quiet")).to_have_text(
        "No device has sent anything since 11:50:00. The latest data are of Jan 30, 2026, 12:00:00 PM: see all devices."
    )
    expect(page.locator("#bandwidth-chart")).to_have_count(0)
    page.get_by_role("link", name="all devices").click()
    expect(page.locator("main")).to_contain_text("router-1")


def test_quiet_card_comes_and_goes_while_the_page_is_open(page: Page, set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    bandwidth.store.add("router-1", now, 1, 2, now=now)
    page.goto("/")
    expect(page.locator("#busiest tbody tr")).to_have_count(1)

    set_clock("2026-01-31T12:20:00Z")
    shown_at(page, "2026-01-31T12:20:00Z")
    expect(page.locator("#quiet")).to_contain_text("since 12:10:00")

    bandwidth.store.add("router-1", now + 1_200, 5, 2, now=now + 1_200)
    shown_at(page, "2026-01-31T12:20:00Z")
    expect(page.locator("#busiest tbody td")).to_have_text(["router-1", "5 B", "2 B"])
    assert drawn(page, "bandwidth-chart") == {"to the server": [5], "from the server": [2]}


def test_hostile_name_is_text(page: Page, now: int) -> None:
    bandwidth.store.add(NASTY, now, 1, 2)
    page.goto("/")

    expect(page.locator("#busiest tbody a")).to_have_text(NASTY)
    assert page.evaluate("Chart.getChart('bandwidth-chart').data.labels") == [NASTY]
    page.locator("#busiest tbody a").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/charts/bandwidth?**")

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Bandwidth of {NASTY}")


def test_focus_stays_on_a_link_that_is_shown_anew(page: Page, set_clock: SetClock) -> None:
    bandwidth.store.add(NASTY, set_clock("2026-01-31T12:00:00Z"), 1, 2)
    page.goto("/")
    page.locator("#busiest a").focus()

    set_clock("2026-01-31T12:00:02Z")
    shown_at(page, "2026-01-31T12:00:02Z")

    expect(page.locator("#busiest a")).to_be_focused()


def test_empty_cards_show_commands_that_fill_them(page: Page) -> None:
    page.goto("/")
    commands = page.locator("pre").all_inner_texts()
    assert len(commands) == 3
    assert page.locator("canvas").count() == 2

    for command in commands:
        quiet = command.replace("curl", "curl --silent --fail", 1)
        subprocess.run(["sh", "-c", quiet], check=True, capture_output=True)

    expect(page.locator("pre")).to_have_count(0)
    expect(page.locator("#bandwidth-chart")).to_be_visible()
    expect(page.locator("#busiest tbody td")).to_have_text(["router-1", "1.2 kB", "3.4 kB"])


def test_hidden_tab_asks_nothing_and_catches_up_when_seen(page: Page, set_clock: SetClock) -> None:
    add_points(set_clock("2026-01-31T12:00:00Z"), 1)
    page.goto("/")
    asked: list[str] = []
    hide(page, True)
    # Static files do not count: the browser fetches the icon at any time.
    page.on("request", lambda request: None if "/static/" in request.url else asked.append(request.url))
    add_points(set_clock("2026-01-31T12:01:00Z"), 30)

    # Longer than a visible page waits before it refreshes.
    with pytest.raises(AssertionError):
        expect(page.locator("#rate")).not_to_have_text("–", timeout=3_000)
    assert asked == []
    hide(page, False)

    expect(page.locator("#rate")).to_have_text("0.5")


def test_outage_is_said_and_caught_up_with(page: Page, failures: list[str], set_clock: SetClock) -> None:
    now = set_clock("2026-01-31T12:00:00Z")
    page.goto("/")

    with cut_off(page, "/", failures):
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached since")
        add_points(set_clock("2026-01-31T12:00:10Z"), 50)

    expect(page.locator("#rate")).to_have_text("5")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert known(page, "transactions-chart", "transactions")[-2:] == [[now, 0], [now + 10, 0]]


def test_says_when_it_was_updated(page: Page, set_clock: SetClock) -> None:
    set_clock("2026-01-31T12:00:00.75Z")

    page.goto("/")

    expect(page.locator(".updated time")).to_have_attribute("datetime", "2026-01-31T12:00:00Z")
    assert page.locator(".updated").inner_text().split()[0] == "Updated"


@pytest.mark.parametrize("context_options", [{"timezone_id": "Asia/Tokyo", "locale": "en-US"}])
def test_time_of_day_is_the_viewers(page: Page, set_clock: SetClock) -> None:
    set_clock("2026-01-31T12:00:00Z")

    page.goto("/")

    expect(page.locator(".updated time")).to_have_text("21:00:00")
    expect(page.locator(".updated time")).to_have_attribute("title", "12:00:00 UTC")


@pytest.mark.parametrize("context_options", [{"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}])
@pytest.mark.parametrize("filled", [False, True])
def test_fits_a_phone(page: Page, now: int, filled: bool) -> None:
    if filled:
        transactions.window.add(now * 1000, -999_999_999.0, now=now * 1000)
        add_points(now, 1)
        for name in ("W" * 255, NASTY, "router-1"):
            bandwidth.store.add(name, now, 2**53 - 1, 2**53 - 1)

    page.goto("/")

    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("context_options", [{"color_scheme": "dark"}])
def test_follows_the_colour_scheme(page: Page, now: int) -> None:
    bandwidth.store.add("router-1", now, 1, 2)
    page.goto("/")
    colours = "['transactions-chart', 'bandwidth-chart'].map((id) => Chart.getChart(id).data.datasets[0].borderColor)"
    assert page.evaluate(colours) == ["#4cb3e6"] * 2

    page.emulate_media(color_scheme="light")

    wait_until(page, f"{colours}.join() === '#0f7bb5,#0f7bb5'")


def test_chart_that_left_the_page_minds_no_colour_scheme(page: Page, set_clock: SetClock) -> None:
    bandwidth.store.add("router-1", set_clock("2026-01-31T12:00:00Z"), 1, 2)
    page.goto("/")
    bandwidth.store.clear()
    set_clock("2026-01-31T12:00:02Z")
    shown_at(page, "2026-01-31T12:00:02Z")
    expect(page.locator("#bandwidth-chart")).to_have_count(0)

    page.emulate_media(color_scheme="dark")

    wait_until(page, "Chart.getChart('transactions-chart').data.datasets[0].borderColor === '#4cb3e6'")


def test_reads_well_aloud(page: Page, now: int) -> None:
    bandwidth.store.add("router-1", now, 1, 2)
    page.goto("/")

    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map((one) => one.tagName)")
    assert levels == ["H1"] + ["H2"] * 6
    for name in ("Transactions in 60 seconds", "Datapoints added per second", "Bytes to and from the server"):
        expect(page.get_by_role("img", name=name)).to_be_visible()
    assert page.locator("[aria-live], [role=status], [role=alert]:visible").count() == 0
