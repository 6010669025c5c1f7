"""Several devices or users in one chart, as the server renders it: whom it shows, what it refuses, what it links to."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.http import HttpResponse, QueryDict
from rest_framework.test import APIClient

from bandwidth import charts as bandwidth_charts
from bandwidth import services as bandwidth
from datapoints import charts as datapoints_charts
from datapoints import services as datapoints
from datapoints.serializers import ChartQuerySerializer
from tests.bandwidth_chart import END, add_entries
from tests.datapoints_chart import add, add_points
from timeseries_project.core import clock

UUID = "3f2b7c1e-9a4d-4c7e-8b1f-2d6a9e0c5b77"
TWO = ("router-1", "router-2")
RANGE = {"start": "2026-01-31T10:00:00Z", "end": "2026-01-31T11:30:00Z", "bucket": "15m", "window_size": 2}


@pytest.fixture(autouse=True)
def data() -> None:
    """Two devices of each app, and one of each whose data are of long ago."""
    add_entries()
    bandwidth.store.add("old", 1_524_818_000, 5, 6)
    datapoints.store.clear()
    add_points()
    add("2018-04-27T08:00:00Z", 5, device="old", user="bob")


def get(api: APIClient, path: str, **parameters: object) -> HttpResponse:
    return api.get(f"/charts/{path}?{urlencode(parameters, doseq=True)}", HTTP_ACCEPT="text/html")


def windows(api: APIClient, *devices: str, **more: object) -> HttpResponse:
    return get(api, "bandwidth", device_uuid=devices, end_time=END, num_windows=3, **more)


def text(page: HttpResponse) -> str:
    return html.unescape(page.content.decode())


def chart(page: HttpResponse) -> dict[str, Any]:
    found = re.search(r'<script id="chart-data" type="application/json">(.*?)</script>', page.content.decode())
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def heading(page: HttpResponse) -> str:
    found = re.search("<h1>(.*?)</h1>", text(page))
    assert found is not None
    return re.sub("<[^>]*>", "", found[1])


class TestBandwidth:
    """`device_uuid` may be repeated."""

    def test_each_device_has_its_lines_over_the_same_windows(self, api: APIClient) -> None:
        page = windows(api, "router-1", "router-2")
        assert page.status_code == 200
        drawn = chart(page)
        assert drawn["labels"] == [END - 120, END - 60, END]
        assert [(line["name"], line["direction"], line["bytes"]) for line in drawn["lines"]] == [
            ("router-1", "to the server", [1, 7, 15]),
            ("router-1", "from the server", [2, 70, 1_500]),
            ("router-2", "to the server", [0, 0, 99]),
            ("router-2", "from the server", [0, 0, 98]),
        ]
        assert heading(page) == "Bandwidth of router-1 and router-2"
        assert "the server of router-1 and router-2; the table" in drawn["about"]

    @pytest.mark.parametrize(
        ("direction", "lines"),
        [
            ("to", [[1, 7, 15], [0, 0, 99]]),
            ("from", [[2, 70, 1_500], [0, 0, 98]]),
            ("sum", [[3, 77, 1_515], [0, 0, 197]]),
        ],
    )
    def test_one_direction_is_chosen(self, api: APIClient, direction: str, lines: list[list[int]]) -> None:
        drawn = chart(windows(api, "router-1", "router-2", direction=direction))
        assert [line["bytes"] for line in drawn["lines"]] == lines

    def test_of_one_device_too(self, api: APIClient) -> None:
        assert [line["bytes"] for line in chart(windows(api, "router-1", direction="sum"))["lines"]] == [[3, 77, 1_515]]

    def test_the_same_device_twice_counts_once(self, api: APIClient) -> None:
        drawn = chart(windows(api, "router-1", "router-1"))
        assert drawn["bytes_ts"] == [1, 7, 15]
        assert "lines" not in drawn

    def test_no_two_lines_look_alike(self, api: APIClient) -> None:
        for number in range(3, 9):
            bandwidth.store.add(f"router-{number}", END, number, number)
        devices = [f"router-{number}" for number in range(1, 9)]
        for direction in ("both", "to"):
            looks = [tuple(line["look"]) for line in chart(windows(api, *devices, direction=direction))["lines"]]
            assert len(set(looks)) == len(looks)
            assert {number for number, _ in looks} == set(range(8))

    def test_more_than_eight_are_refused_with_their_number(self, api: APIClient) -> None:
        page = windows(api, *(f"d{number}" for number in range(9)))
        assert page.status_code == 400
        assert "is given 9 times; one chart shows at most 8." in text(page)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"device_uuid": ["a"] * 900 + ["b", " "]},
            {"device_uuid": ["a", "x" * 256]},
            {"device_uuid": ["a", "b\x00"]},
            {"device_uuid": ["a", "b"], "direction": "up"},
            {"device_uuid": ["a", "b"], "direction": ["to", "from"]},
            {"device_uuid": ["a", "b"], "window_time": "1" + "0" * 400},
            {"device_uuid": [str(number) for number in range(900)]},
        ],
        ids=["blank", "long", "control", "direction", "directions", "huge", "many"],
    )
    def test_what_is_wrong_is_said(self, api: APIClient, parameters: dict[str, object]) -> None:
        page = get(api, "bandwidth", **parameters)
        assert page.status_code == 400
        assert "a parameter is wrong" in text(page)

    def test_lone_surrogates_are_no_device(self, api: APIClient) -> None:
        page = api.get("/charts/bandwidth?device_uuid=%ED%A0%80&device_uuid=router-1", HTTP_ACCEPT="text/html")
        assert page.status_code == 200
        assert [line["name"] for line in chart(page)["lines"]] == ["router-1"] * 2

    def test_an_unknown_device_is_named_and_the_others_are_shown(self, api: APIClient) -> None:
        page = windows(api, "nowhere", "router-1")
        assert page.status_code == 200
        assert "Not shown, as never seen:</strong> <bdi>nowhere</bdi>" in text(page)
        assert [line["look"][0] for line in chart(page)["lines"]] == [1, 1]  # as if the unknown one were there
        assert heading(page) == "Bandwidth of router-1"

    def test_where_all_are_unknown_known_ones_are_listed(self, api: APIClient) -> None:
        page = windows(api, "nowhere", "nobody")
        assert page.status_code == 404
        assert "None of these devices was ever seen: 'nowhere', 'nobody'." in text(page)
        assert 'id="listed"' in text(page)

    def test_a_device_without_data_there_says_when_its_latest_are(self, api: APIClient) -> None:
        page = text(windows(api, "router-1", "old"))
        assert '<time datetime="2018-04-27T08:33:20Z" data-day="words">2018-04-27</time>' in page
        link = re.search('Its latest are of .*?<a href="(.*?)"', page)
        assert link is not None
        query = parse_qs(urlsplit(link[1]).query)
        assert query["device_uuid"] == ["router-1", "old"]
        assert int(query["end_time"][0]) == bandwidth_charts.window_end(1_524_818_000, 60)

    def test_one_device_without_data_says_it_too(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        page = text(windows(api, "old"))
        assert 'Its latest are of <time datetime="2018-04-27T08:33:20Z" data-day="words">2018-04-27</time>' in page
        set_clock("2018-04-27T12:00:00Z")
        assert ">08:33 today</time>" in text(get(api, "bandwidth", device_uuid="old"))

    def test_each_is_removed_by_a_link_and_the_rest_of_the_address_stays(self, api: APIClient) -> None:
        page = text(windows(api, "router-1", UUID, "router-2", unit="MB"))
        links = {name: address for address, name in re.findall(r'<a href="([^"]*)" aria-label="Remove (.*?)"', page)}
        query = parse_qs(urlsplit(links[UUID]).query)
        assert query == {
            "device_uuid": ["router-1", "router-2"],
            "end_time": [str(END)],
            "num_windows": ["3"],
            "unit": ["MB"],
        }
        assert f'<bdi title="{UUID}">3f2b7c1e-9a4…d6a9e0c5b77</bdi>' in page

    def test_at_eight_there_is_no_room_for_one_more(self, api: APIClient) -> None:
        seven = [f"d{number}" for number in range(6)] + ["router-1"]
        assert ">Add a device</label>" in text(windows(api, *seven))
        page = text(windows(api, *seven, "router-2"))
        assert ">Add a device</label>" not in page
        assert "These are 8, the most that one chart shows." in page

    def test_files_are_named_after_what_they_hold(self, api: APIClient) -> None:
        page = text(windows(api, "router-1", "../../etc/passwd", unit="MB", per="second"))
        assert 'download="bandwidth-router-1-20260101T0030Z-PT3M-bytes.csv"' in page
        assert chart(windows(api, "router-1", "router-2", unit="bits", per="second"))["file"] == (
            "bandwidth-router-1-router-2-20260101T0030Z-PT3M-bits-per-second"
        )
        assert 'download="bandwidth-router-1-20260101T0030Z-PT3M-bytes.csv"' in text(windows(api, "router-1"))

    def test_the_links_of_each_lead_to_its_windows(self, api: APIClient) -> None:
        page = text(windows(api, "router-1", "router-2"))
        (link,) = re.findall(r'<a href="([^"]*)" aria-label="JSON: windows of router-2"', page)
        answer = api.get(link).json()
        assert (answer["device_uuid"], [row["bytes_ts"] for row in answer["data"]]) == ("router-2", [0, 0, 99])

    def test_other_ranges_are_those_of_all(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        set_clock("2026-01-01T00:30:00Z")
        page = text(windows(api, "router-1", "old", direction="sum"))
        link = re.search('<a href="([^"]*)"[^>]*>All</a>', page)
        assert link is not None
        query = parse_qs(urlsplit(link[1]).query)
        assert (query["device_uuid"], query["direction"]) == (["router-1", "old"], ["sum"])
        end = int(query.get("end_time", [str(END)])[0])
        length = int(query["window_time"][0])
        assert end - length * int(query["num_windows"][0]) < 1_524_818_000  # the oldest entry, of the other device
        assert chart(windows(api, "router-1", "old"))["lengths"] == chart(windows(api, "router-1"))["lengths"]

    def test_windows_still_to_come_are_said_of_all(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        set_clock("2026-01-01T00:28:30Z")
        assert "The last <span data-number>2</span> windows are not over yet" in text(windows(api, *TWO))
        assert "their lines are dotted" in text(windows(api, *TWO))
        assert "their lines are dashed" in text(windows(api, "router-1"))

    def test_the_version_is_that_of_all(self, set_clock: Callable[[str], int]) -> None:
        set_clock("2026-01-01T00:30:00Z")
        devices = ["router-1", "router-2", "nowhere"]
        versions = [bandwidth_charts._version(devices, 60)]
        for device in ("router-2", "nowhere"):
            assert bandwidth_charts._version(devices, 60) == versions[-1]
            bandwidth.store.add(device, END, 1, 1)
            versions.append(bandwidth_charts._version(devices, 60))
        assert all(version is not None for version in versions)
        assert versions[0] != versions[1] != versions[2]


class TestDatapoints:
    """`device`, or `user`, may be repeated."""

    def test_each_has_its_averages_in_the_same_buckets(self, api: APIClient) -> None:
        page = get(api, "datapoints", device=["thermometer-1", "thermometer-2"], **RANGE)
        drawn = chart(page)
        assert [line["values"] for line in drawn["lines"]] == [
            [20, 26, 28, None, 40, 50],
            [None, None, None, None, 70, None],
        ]
        assert len(drawn["labels"]) == 6
        assert heading(page) == "Datapoints of devices thermometer-1 and thermometer-2"

    def test_or_its_moving_averages(self, api: APIClient) -> None:
        drawn = chart(get(api, "datapoints", device=["thermometer-1", "thermometer-2"], curve="moving_avg", **RANGE))
        assert drawn["lines"][0]["values"] == [None, 23, 27, None, None, 45]
        assert drawn["curve"] == "moving average over 2"

    def test_the_chosen_width_suits_all(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        """A narrow bucket that would do for one is widened for the other, whose data go back for years."""
        set_clock("2026-01-31T12:00:00Z")
        drawn = chart(get(api, "datapoints", device=["thermometer-1", "old"], bucket="15m"))
        assert {len(line["values"]) for line in drawn["lines"]} == {len(drawn["labels"])}
        assert drawn["width"] == "7d"
        newest = max(value for value in drawn["lines"][0]["values"] if value is not None)
        alone = chart(get(api, "datapoints", device="thermometer-1", bucket="7d"))
        assert newest in alone["averages"]

    def test_users(self, api: APIClient) -> None:
        page = get(api, "datapoints", user=["ada", "bob"], **RANGE)
        assert heading(page) == "Datapoints of users ada and bob"
        assert "has <strong>no data in the range shown</strong>" in text(page)
        assert 'data-day="words">2018-04-27</time>' in text(page)

    def test_a_range_that_ends_now_is_that_of_all(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        set_clock("2026-01-31T11:30:00Z")
        asked: dict[str, object] = {
            "device": ["thermometer-1", "thermometer-2", "old"],
            "range": "90m",
            "bucket": "15m",
        }
        page = get(api, "datapoints", **asked)
        drawn = chart(page)
        assert [line["values"][:5] for line in drawn["lines"][:2]] == [
            [20, 26, 28, None, 40],
            [None, None, None, None, 70],
        ]
        (link,) = re.findall(r'<a href="([^"]*)" aria-label="JSON: buckets of thermometer-1"', text(page))
        assert [row["value"] for row in api.get(link).json()][:3] == [20, 26, 28]  # and not all from the first one on
        latest = re.search('Its latest are of .*?<a href="(.*?)"', text(page))
        assert latest is not None
        query = parse_qs(urlsplit(latest[1]).query)
        assert (query["device"], query["end"]) == (asked["device"], ["2018-04-27T08:00:01Z"])
        assert query["start"] == ["2018-04-27T06:30:01Z"]

    def test_the_version_moves_with_the_range(self, api: APIClient, set_clock: Callable[[str], int]) -> None:
        def version() -> object:
            query = ChartQuerySerializer.read_query(
                QueryDict("device=thermometer-1&device=thermometer-2&device=nowhere&range=1h&bucket=15m")
            )
            drawing = datapoints_charts._draw("device", query, clock.now())
            return datapoints_charts._version("device", query, drawing.division)

        set_clock("2026-01-31T11:30:00Z")
        before = version()
        assert before is not None
        assert version() == before
        add("2026-01-31T11:20:00Z", 1, device="thermometer-2")
        written = version()
        assert written != before
        add("2026-01-31T11:20:00Z", 1, device="nowhere")
        known = version()
        assert known != written
        set_clock("2026-01-31T11:45:00Z")
        assert version() != known

    def test_how_one_alone_is_drawn_is_kept(self, api: APIClient) -> None:
        page = text(get(api, "datapoints", device=["thermometer-1", "thermometer-2"], averages="bar", **RANGE))
        assert '<input type="hidden" name="averages" value="bar">' in page
        removed = re.search('<a href="([^"]*)" aria-label="Remove thermometer-2"', page)
        assert removed is not None
        assert parse_qs(urlsplit(removed[1]).query)["averages"] == ["bar"]
        one = text(get(api, "datapoints", device="thermometer-1", curve="moving_avg", **RANGE))
        assert '<input type="hidden" name="curve" value="moving_avg">' in one

    def test_not_both_kinds(self, api: APIClient) -> None:
        page = get(api, "datapoints", device=["a", "b"], user=["c", "d"])
        assert page.status_code == 400
        assert "must not be given together with device" in text(page)

    def test_more_than_eight_are_refused(self, api: APIClient) -> None:
        page = get(api, "datapoints", user=list(range(12)))
        assert page.status_code == 400
        assert "is given 12 times; one chart shows at most 8." in text(page)

    def test_unknown_ones(self, api: APIClient) -> None:
        page = get(api, "datapoints", device=["thermometer-1", "nowhere"], **RANGE)
        assert "Not shown, as without any datapoints:</strong> <bdi>nowhere</bdi>" in text(page)
        none = get(api, "datapoints", device=["nobody", "nowhere"], **RANGE)
        assert none.status_code == 404
        assert "There are no datapoints of the devices 'nobody', 'nowhere'." in text(none)

    def test_the_links_of_each_lead_to_its_buckets(self, api: APIClient) -> None:
        page = text(get(api, "datapoints", device=["thermometer-1", "thermometer-2"], curve="moving_avg", **RANGE))
        (link,) = re.findall(r'<a href="([^"]*)" aria-label="JSON: buckets of thermometer-1"', page)
        assert [row["value"] for row in api.get(link).json()] == [None, 23, 27, None, None, 45]
        assert 'download="datapoints-thermometer-1-20260131T1130Z-PT1H30M-moving_avg-15m.csv"' in page

    @pytest.mark.parametrize(
        "wrong", [{"curve": "median"}, {"curve": ["avg", "avg"]}, {"window_size": "nan"}, {"device": ["a", "\n"]}]
    )
    def test_what_is_wrong_is_said(self, api: APIClient, wrong: dict[str, object]) -> None:
        page = get(api, "datapoints", **({"device": ["thermometer-1", "thermometer-2"]} | wrong))
        assert page.status_code == 400
        assert "a parameter is wrong" in text(page)
