"""Ranges of chart pages as the server offers them: links that work without JavaScript, and what is in addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from bandwidth import ranges as windows
from bandwidth import services as bandwidth
from bandwidth.serializers import MAX_WINDOWS
from datapoints import charts as datapoints_page
from datapoints import services as datapoints
from tests import bandwidth_chart, datapoints_chart
from tests.bandwidth_chart import DEVICE, END
from tests.datapoints_chart import DEVICE as THERMOMETER
from timeseries_project.api import watching
from timeseries_project.core import timestamps
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.tests.drawn import drawn
from timeseries_project.web.ranges import PRESETS

SetClock = Callable[[str], int]

WRONG_RANGES = [
    *(
        "0s",
        "-1h",
        "+1h",
        "1.5h",
        "1",
        "h",
        "1 h",
        "1H",
        "1w",
        "1mo",
        "NaN",
        "Infinity",
        "1e3s",
        "١h",
        "1_0s",
        "36526d",
    ),
    *("9" * 10 + "d", "1" + "0" * 400 + "s", "x" * 10_000, "\ud800", "1h\n", "\x00", "1h&1h"),
]


class Link(NamedTuple):
    """A link of a page: its text, where it leads to, and whether it is marked as the one that is shown."""

    text: str
    url: str
    chosen: bool

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query))


def links(api: APIClient, url: str) -> dict[str, Link]:
    """Return the links of a page to other ranges, by their text."""
    answer = api.get(url, HTTP_ACCEPT="text/html")
    assert answer.status_code == 200, url
    found = re.findall(r'<a (?:id="[^"]*" )?href="([^"]*)"([^>]*)>([^<]*)</a>', answer.content.decode())
    return {
        unescape(text): Link(unescape(text), unescape(href), 'aria-current="true"' in more)
        for href, more, text in found
    }


def chosen(api: APIClient, url: str) -> list[str]:
    return [link.text for link in links(api, url).values() if link.chosen]


def copied(api: APIClient, url: str, kind: str) -> str:
    """Return the address that a page offers for copying."""
    match = re.search(rf'data-{kind}="([^"]*)"', api.get(url).content.decode())
    assert match
    return unescape(match[1])


def shown(api: APIClient, url: str) -> dict[str, Any]:
    """Return what a page's chart is drawn from, and the context around it."""
    answer = api.get(url, HTTP_ACCEPT="text/html")
    assert answer.status_code == 200
    match = re.search(r'<script id="chart-data" type="application/json">(.*?)</script>', answer.content.decode())
    assert match
    return dict(json.loads(match[1]), live="data-refresh" in answer.content.decode())


# Bandwidth


@pytest.fixture
def entries(set_clock: SetClock) -> int:
    """Three minutes of entries up to now, which is 20 seconds after the latest one."""
    bandwidth_chart.add_entries()
    return set_clock("2026-01-01T00:30:20Z")


@pytest.mark.parametrize(("text", "seconds"), PRESETS)
def test_presets_of_bandwidth_are_live_windows_that_fit(api: APIClient, entries: int, text: str, seconds: int) -> None:
    page = bandwidth_chart.address(device_uuid=DEVICE, end_time=END - 60, unit="kbit", per="second", threshold="1k")

    link = links(api, page)[text]

    assert int(link.query["window_time"]) * int(link.query["num_windows"]) == seconds
    assert 60 <= int(link.query["num_windows"]) <= 120
    assert "end_time" not in link.query
    assert [link.query[name] for name in ("unit", "per", "threshold")] == ["kbit", "second", "1k"]
    assert not link.chosen
    assert chosen(api, link.url) == [text]
    assert shown(api, link.url)["live"]


def test_fifteen_minutes_are_sixty_windows_of_fifteen_seconds(api: APIClient, entries: int) -> None:
    link = links(api, bandwidth_chart.address(device_uuid=DEVICE))["15 min"]

    assert (link.query["window_time"], link.query["num_windows"]) == ("15", "60")


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"window_time": 10, "num_windows": 360}, "1 h"),
        ({"window_time": 10, "num_windows": 360, "end_time": END}, None),
        ({}, None),
    ],
)
def test_a_preset_is_chosen_whatever_its_windows_but_only_up_to_now(
    api: APIClient, entries: int, parameters: dict[str, int], text: str | None
) -> None:
    page = bandwidth_chart.address(device_uuid=DEVICE, **parameters)

    assert chosen(api, page) == ([] if text is None else [text])


def test_all_of_a_device_that_reports_is_live_and_holds_everything(api: APIClient, entries: int) -> None:
    link = links(api, bandwidth_chart.address(device_uuid=DEVICE, end_time=END))["All"]

    page = shown(api, link.url)
    assert page["live"]
    assert sum(page["bytes_ts"]) == 10 + 5 + 7 + 1
    assert len(page["labels"]) >= 60
    assert chosen(api, link.url) == ["All"]


def test_all_of_a_device_that_is_silent_ends_with_its_latest_entry(api: APIClient, set_clock: SetClock) -> None:
    bandwidth_chart.add_entries()
    set_clock("2027-01-01T00:00:00Z")

    link = links(api, bandwidth_chart.address(device_uuid=DEVICE))["All"]

    page = shown(api, link.url)
    assert not page["live"]
    assert sum(page["bytes_fs"]) == 1_000 + 500 + 70 + 2
    assert page["labels"][-1] - page["window_time"] < END <= page["labels"][-1]
    assert page["labels"][-1] - page["labels"][0] < 300
    assert chosen(api, link.url) == ["All"]


@drawn(200)
@given(begin=st.integers(-1, 4 * 10**9), length=st.integers(1, 4 * 10**9), quiet=st.integers(-(10**6), 10**9))
def test_windows_between_two_seconds_hold_both_and_end_with_the_present_one(
    begin: int, length: int, quiet: int
) -> None:
    end = begin + length
    now = max(end + quiet, 0)

    found = windows.between(begin, end, now)

    present = windows.window_end(now, found.window_time)
    stop = present if found.end_time is None else found.end_time
    assert 1 <= found.num_windows <= MAX_WINDOWS
    assert stop <= present
    assert stop - found.span <= max(begin, 0) or stop == present
    assert stop >= min(end, now)
    assert found.num_windows < 60 * 14 or found.window_time == windows.LENGTHS[-1]


def test_steps_keep_the_windows_and_next_ends_now(api: APIClient, entries: int) -> None:
    preset = links(api, bandwidth_chart.address(device_uuid=DEVICE))["15 min"]
    end = END + 30  # of the window of now

    before = links(api, preset.url)["← Previous"]
    assert before.query == {**preset.query, "end_time": str(end - 900)}
    assert "Next →" not in links(api, preset.url)
    assert "Now" not in links(api, preset.url)
    assert links(api, before.url)["Next →"].query == preset.query
    assert links(api, links(api, before.url)["← Previous"].url)["Next →"].query == before.query
    assert links(api, before.url)["Now"].query == preset.query


def test_zooming_out_doubles_the_range_around_its_middle(api: APIClient, entries: int) -> None:
    page = bandwidth_chart.address(device_uuid=DEVICE, end_time=END - 7_200, window_time=60, num_windows=60)

    wider = links(api, page)["Zoom out"].query

    assert wider == {
        "device_uuid": DEVICE,
        "end_time": str(END - 5_400),
        "window_time": "120",
        "num_windows": "60",
    }


@pytest.mark.parametrize("end", [{}, {"end_time": END - 60}, {"end_time": END + 5_000}])
def test_zooming_out_ends_now_at_the_latest(api: APIClient, entries: int, end: dict[str, int]) -> None:
    page = bandwidth_chart.address(device_uuid=DEVICE, window_time=60, num_windows=60, **end)

    wider = links(api, page)["Zoom out"].query

    assert wider == {"device_uuid": DEVICE, "window_time": "120", "num_windows": "60"}


@pytest.mark.parametrize(("end", "count"), [(END - 60, 60), (3_600, 60), (0, 10_000), (253_402_300_799, 10_000)])
def test_there_are_no_ranges_before_1970(api: APIClient, entries: int, end: int, count: int) -> None:
    page = bandwidth_chart.address(device_uuid=DEVICE, end_time=end, window_time=2**31 - 1, num_windows=count)

    assert "Zoom out" not in links(api, page)


def test_the_frozen_link_shows_what_is_shown_for_ever(api: APIClient, entries: int, set_clock: SetClock) -> None:
    live = bandwidth_chart.address(device_uuid=DEVICE, window_time=60, num_windows=3, unit="KiB")
    before = shown(api, live)

    frozen, relative = copied(api, live, "frozen"), copied(api, live, "live")
    set_clock("2026-01-02T00:00:00Z")

    after = shown(api, frozen)
    assert not after["live"]
    assert [after[name] for name in ("labels", "bytes_ts", "unit")] == [
        before[name] for name in ("labels", "bytes_ts", "unit")
    ]
    assert shown(api, relative)["labels"][-1] == END + 23 * 3_600 + 30 * 60
    assert copied(api, frozen, "live") == relative


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"num_windows": 3}, "The last window is not over yet: its line is dashed"),
        ({"num_windows": 3, "end_time": END + 60}, "The last window is not over yet: its line is dashed"),
        ({"num_windows": 5, "end_time": END + 120}, "The last 2 windows are not over yet:"),
        ({"num_windows": 3, "end_time": END + 600}, "None of the windows is over yet: their lines are dashed"),
        ({"num_windows": 3, "end_time": END}, None),
    ],
)
def test_how_many_windows_are_not_over_is_said(
    api: APIClient, entries: int, parameters: dict[str, int], words: str | None
) -> None:
    page = api.get(bandwidth_chart.address(device_uuid=DEVICE, **parameters)).content.decode()

    if words is None:
        assert 'id="open"' not in page
    else:
        assert words in re.sub("<[^>]*>", "", page)


# Datapoints


@pytest.fixture
def points(now: int) -> int:
    """Two hours of quarter-hours, the latest 45 minutes before now."""
    datapoints_chart.add_points()
    return now


@pytest.mark.parametrize(("text", "seconds"), PRESETS)
def test_presets_of_datapoints_are_live_and_leave_the_bucket_to_the_page(
    api: APIClient, points: int, text: str, seconds: int
) -> None:
    page = datapoints_chart.address(
        device=THERMOMETER, bucket="7d", offset="4d", window_size=2, averages="bar", start="2026-01-31T10:00:00Z"
    )

    link = links(api, page)[text]

    assert set(link.query) == {"device", "range", "window_size", "averages"}
    assert chosen(api, link.url) == [text]
    found = shown(api, link.url)
    assert found["live"]
    assert found["stop"] > points
    assert found["labels"][0] > points - seconds - found["bucket"]


def test_a_range_moves_on_with_now(api: APIClient, points: int, set_clock: SetClock) -> None:
    page = datapoints_chart.address(device=THERMOMETER, range="1h", bucket="15m", window_size=1)
    before = shown(api, page)
    set_clock("2026-01-31T12:15:00Z")
    after = shown(api, page)

    assert before["averages"] == [40.0, 50.0, None, None, None]
    assert after["averages"] == [50.0, None, None, None, None]


@pytest.mark.parametrize("text", ["3600s", "60m", "1h"])
def test_spellings_of_a_range_are_one_range(api: APIClient, points: int, text: str) -> None:
    assert chosen(api, datapoints_chart.address(device=THERMOMETER, range=text)) == ["1 h"]


def test_a_range_longer_than_the_data_begins_with_them(api: APIClient, points: int) -> None:
    page = shown(api, datapoints_chart.address(device=THERMOMETER, range="36525d"))

    assert page["labels"][0] == datapoints_chart.FIRST


def test_the_data_of_a_range_are_those_of_the_api(api: APIClient, points: int) -> None:
    text = api.get(datapoints_chart.address(device=THERMOMETER, range="1h", bucket="15m")).content.decode()
    match = re.search(r'id="averages-json" href="([^"]*)"', text)
    assert match

    answer = api.get(unescape(match[1]))

    assert [row["value"] for row in answer.json()] == [40.0, 50.0, None, None, None]


@pytest.mark.parametrize("text", WRONG_RANGES)
def test_a_wrong_range_is_said_in_words(api: APIClient, points: int, text: str) -> None:
    answer = api.get("/charts/datapoints", {"device": THERMOMETER, "range": text.encode("utf-8", "surrogatepass")})

    assert answer.status_code == 400
    answer = api.get(
        "/charts/datapoints",
        {"device": THERMOMETER, "range": text.encode("utf-8", "surrogatepass")},
        HTTP_ACCEPT="text/html",
    )
    assert answer.status_code == 400
    assert "<code>range</code> must be a whole number and s, m, h or d" in answer.content.decode()
    assert '<details id="exact" open>' in answer.content.decode()


@pytest.mark.parametrize("parameters", [{"start": "2026-01-31"}, {"end": "2026-01-31"}, {"start": "1", "end": "2"}])
def test_a_range_goes_with_no_start_and_no_end(api: APIClient, points: int, parameters: dict[str, str]) -> None:
    page = datapoints_chart.address(device=THERMOMETER, range="1h", **parameters)

    answer = api.get(page, HTTP_ACCEPT="text/html")

    assert answer.status_code == 400
    assert "ends now: it must not be given together with start or end." in answer.content.decode()


@pytest.mark.parametrize("name", ["range", "averages"])
def test_repeated_and_empty_parameters(api: APIClient, points: int, name: str) -> None:
    page = datapoints_chart.address(device=THERMOMETER)

    assert api.get(f"{page}&{name}=").status_code == 200
    answer = api.get(f"{page}&{name}=1h&{name}=1h", HTTP_ACCEPT="text/html")
    assert answer.status_code == 400
    assert "is given more than once." in answer.content.decode()


@pytest.mark.parametrize("text", ["bars", "1", "x" * 10_000, "\x00", "BAR"])
def test_averages_are_a_line_or_bars(api: APIClient, points: int, text: str) -> None:
    answer = api.get("/charts/datapoints", {"device": THERMOMETER, "averages": text}, HTTP_ACCEPT="text/html")

    assert answer.status_code == 400
    assert "must be one of line, bar." in answer.content.decode()


@pytest.mark.parametrize("path", ["/statistics/devices/thermometer-1/avg", "/datapoints"])
@pytest.mark.parametrize("name", ["range", "averages"])
def test_the_api_has_the_parameters_that_it_had(api: APIClient, points: int, path: str, name: str) -> None:
    assert api.get(path, {name: "1h"}).status_code == 400


def test_all_of_a_device_that_reports_is_the_page_without_a_range(api: APIClient, points: int) -> None:
    link = links(api, datapoints_chart.address(device=THERMOMETER, range="1h", bucket="1m"))["All"]

    assert link.query == {"device": THERMOMETER, "window_size": "4"}
    assert chosen(api, link.url) == ["All"]


def test_all_of_a_device_that_is_silent_ends_with_its_latest_point(api: APIClient, set_clock: SetClock) -> None:
    datapoints_chart.add_points()
    set_clock("2027-01-01T00:00:00Z")

    link = links(api, datapoints_chart.address(device=THERMOMETER))["All"]

    assert (link.query["start"], link.query["end"]) == ("2026-01-31T10:00:00Z", "2026-01-31T11:15:01Z")
    assert chosen(api, link.url) == ["All"]
    assert sum(shown(api, link.url)["counts"]) == 6


def test_steps_from_a_preset_and_back(api: APIClient, points: int) -> None:
    preset = datapoints_chart.address(device=THERMOMETER, range="1h", window_size=2)

    before = links(api, preset)["← Previous"]

    assert (before.query["start"], before.query["end"]) == ("2026-01-31T10:00:00Z", "2026-01-31T11:00:00Z")
    assert "Next →" not in links(api, preset)
    assert "Now" not in links(api, preset)
    assert links(api, before.url)["Next →"].query == {"device": THERMOMETER, "range": "1h", "window_size": "2"}
    earlier = links(api, before.url)["← Previous"]
    assert links(api, earlier.url)["Next →"].query == before.query
    assert links(api, earlier.url)["Now"].query["range"] == "1h"


def test_zooming_out_of_datapoints(api: APIClient, points: int) -> None:
    page = datapoints_chart.address(
        device=THERMOMETER, start="2026-01-31T10:40:00Z", end="2026-01-31T11:00:00Z", bucket="1s", averages="bar"
    )

    wider = links(api, page)["Zoom out"]

    assert wider.query == {
        "device": THERMOMETER,
        "window_size": "4",
        "start": "2026-01-31T10:30:00Z",
        "end": "2026-01-31T11:10:00Z",
        "averages": "bar",
    }
    live = links(api, links(api, wider.url)["Zoom out"].url)["Zoom out"]
    assert live.query == {"device": THERMOMETER, "window_size": "4", "range": "160m", "averages": "bar"}
    assert "Zoom out" not in links(api, live.url)  # it shows everything


def test_the_frozen_link_of_datapoints(api: APIClient, points: int, set_clock: SetClock) -> None:
    live = datapoints_chart.address(device=THERMOMETER, range="1h", averages="bar", window_size=1)
    before = shown(api, live)

    frozen, relative = copied(api, live, "frozen"), copied(api, live, "live")
    set_clock("2026-02-02T00:00:00Z")
    datapoints_chart.add("2026-02-01T00:00:00Z", 1)

    after = shown(api, frozen)
    assert not after["live"]
    assert after["averages"] == before["averages"]
    assert after["labels"] == before["labels"]
    assert "averages=bar" in frozen
    assert "range=1h" in relative
    assert links(api, frozen)["Now"].query["range"] == "61m"  # whole buckets


@pytest.mark.parametrize("start", [0, 1, 253_402_300_799])
@pytest.mark.parametrize("end", [None, 0, 1, 253_402_300_799])
def test_every_link_of_an_extreme_range_leads_to_a_page(
    api: APIClient, points: int, start: int, end: int | None
) -> None:
    if end is not None and start > end:
        return
    page = datapoints_chart.address(
        device=THERMOMETER, start=f"{start}.0", **({} if end is None else {"end": f"{end}.0"})
    )

    ahead = [link.url for link in links(api, page).values() if "/charts/datapoints" in link.url]

    ahead += [copied(api, page, kind) for kind in ("live", "frozen")]
    assert [url for url in ahead if api.get(url).status_code != 200] == []


def test_a_pushed_range_is_renewed_when_its_first_bucket_has_left(set_clock: SetClock) -> None:
    """Even if nothing is reported and the last bucket goes on."""
    set_clock("2026-01-31T12:00:00Z")
    datapoints_chart.add_points()
    request = RequestFactory().get(datapoints_chart.address(device=THERMOMETER, range="90m", bucket="1h"))
    datapoints_page.chart(request)
    version = request.META[watching.LIVE]
    before = version()
    set_clock("2026-01-31T12:29:59Z")
    assert version() == before
    set_clock("2026-01-31T12:30:00Z")
    assert version() != before


def test_unknown_keys_and_lists_keep_the_range(api: APIClient, points: int) -> None:
    datapoints.store.add(points * MICROSECONDS, 1.0, "fresh", "ada")
    text = api.get(datapoints_chart.address(range="15m"), HTTP_ACCEPT="text/html").content.decode()
    hrefs = [unescape(href) for href in re.findall(r'<a href="([^"]*device=[^"]*)"', text)]

    ranges_of = {dict(parse_qsl(urlsplit(href).query))["device"]: "range=15m" in href for href in hrefs}

    # A chart of the last 15 minutes would be empty for the others.
    assert ranges_of == {"fresh": True, THERMOMETER: False, "thermometer-2": False}


# Both


@pytest.mark.parametrize(
    ("page", "parameters", "is_open"),
    [
        ("bandwidth", {"end_time": "x"}, True),
        ("bandwidth", {"num_windows": "0"}, True),
        ("bandwidth", {"unit": "x"}, False),
        ("bandwidth", {}, False),
        ("datapoints", {"end": "x"}, True),
        ("datapoints", {"start": "2", "end": "1"}, True),
        ("datapoints", {"bucket": "x"}, False),
        ("datapoints", {}, False),
    ],
)
def test_exact_fields_are_for_those_who_open_them_or_got_one_wrong(
    api: APIClient, entries: int, page: str, parameters: dict[str, str], is_open: bool
) -> None:
    text = api.get(f"/charts/{page}", parameters, HTTP_ACCEPT="text/html").content.decode()

    assert ('<details id="exact" open>' in text) is is_open
    assert ('<details id="exact">' in text) is not is_open
    assert bandwidth.store.usage().devices == 2
    assert timestamps.parse("2026-01-01T00:30:20Z") == entries * MICROSECONDS
