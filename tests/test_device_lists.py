"""The lists of devices and users on the pages of bandwidth and datapoints, as the server answers them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.storage.client import Storage
from timeseries_project.web import lists

pytestmark = pytest.mark.storages("redis", "cluster")

PATHS = {"bandwidth": "/charts/bandwidth", "devices": "/charts/datapoints", "users": "/charts/datapoints?listed=user"}
#: By place in a row: how many entries, first, last, and bytes in each direction.
COUNT, FIRST, LAST, TO, FROM = range(1, 6)
#: The columns of each list, by their names in `sort`.
COLUMNS = {
    "bandwidth": {"name": 0, "entries": COUNT, "first": FIRST, "last": LAST, "bytes_ts": TO, "bytes_fs": FROM},
    "devices": {"name": 0, "datapoints": COUNT, "first": FIRST, "last": LAST},
    "users": {"name": 0, "datapoints": COUNT, "first": FIRST, "last": LAST},
}
SORTS = [(name, column, down) for name, columns in COLUMNS.items() for column in columns for down in ("", "-")]

each = pytest.mark.parametrize("name", PATHS)


def ask(api: APIClient, path: str) -> Any:
    return api.get(path, HTTP_ACCEPT="text/html")


def names(response: Any) -> list[str]:
    return [unescape(name) for name in re.findall(r'<tr data-key="([^"]*)">', response.content.decode())]


def link(response: Any, text: str) -> str | None:
    found = re.search(rf'<a href="([^"]*)"[^>]*>{text}</a>', response.content.decode())
    return unescape(found[1]) if found else None


def with_(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


@pytest.fixture
def rows(now: int) -> list[tuple[Any, ...]]:
    """Devices, and users of the same names, with figures that order them differently; some are equal."""
    made = []
    for number, name in enumerate(["b", "Ada", "a&b", "zoë", "router-1", "Router-2", "c", "d"]):
        count, first, last = 1 + number * 5 % 3, now - 9_000 - number * 7 % 5, now - number * 3 % 4
        times = [first, *[first + 1] * (count - 1)] if count > 1 else [last]
        times[-1] = last
        sizes = [(number * 11 % 6, 10 ** (number % 4))] * count
        for time in times:
            bandwidth.entry_add(device_id=name, timestamp=time, bytes_ts=sizes[0][0], bytes_fs=sizes[0][1], now=now)
            datapoints.datapoint_add(timestamp=time * 10**6, value=1.0, device=name, user=name, now=now * 10**6)
        made.append((name, count, min(times), last, count * sizes[0][0], count * sizes[0][1]))
    return made


@pytest.mark.parametrize(("name", "column", "down"), SORTS)
@pytest.mark.parametrize("search", ["", "ROUTER", "a"])
def test_every_order_is_that_of_sorting_all_rows(
    api: APIClient, rows: list[tuple[Any, ...]], name: str, column: str, down: str, search: str
) -> None:
    found = ask(api, with_(PATHS[name], f"sort={down}{column}&search={search}"))
    place = COLUMNS[name][column]
    expected = sorted(row for row in rows if search.casefold() in row[0].casefold())
    expected.sort(key=lambda row: row[place], reverse=bool(down))
    assert found.status_code == 200
    assert names(found) == [row[0] for row in expected]
    headings = re.findall(r'<th scope="col" aria-sort="(\w+)">', found.content.decode())
    assert headings == ["descending" if down else "ascending"]


@each
@pytest.mark.parametrize("order", ["name", "-name", "last", "-first"])
def test_pages_follow_one_another_and_lead_back(
    api: APIClient, rows: list[tuple[Any, ...]], name: str, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = names(ask(api, with_(PATHS[name], f"sort={order}")))
    monkeypatch.setattr(lists, "ROWS", 3)
    found = [ask(api, with_(PATHS[name], f"sort={order}"))]
    while (following := link(found[-1], "Next →")) is not None:
        assert f"sort={order}" in following
        found.append(ask(api, following))
    assert [names(page) for page in found] == [whole[:3], whole[3:6], whole[6:]]
    assert names(ask(api, link(found[2], "← Previous") or "")) == whole[3:6]
    assert names(ask(api, link(found[2], "First page") or "")) == whole[:3]
    assert link(found[0], "← Previous") is None


@each
def test_a_search_is_kept_by_every_link_and_begins_with_the_first_page(
    api: APIClient, rows: list[tuple[Any, ...]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "ROWS", 1)
    found = ask(api, with_(PATHS[name], "search=router"))
    following = link(found, "Next →") or ""
    second = ask(api, following)
    assert names(found) + names(second) == ["Router-2", "router-1"]
    form = re.search(r'<form class="lookup".*?</form>', second.content.decode(), re.DOTALL)
    assert form is not None
    assert 'name="search" value="router"' in form[0]
    assert "cursor" not in form[0]
    assert "search=router" in (link(second, "Last seen") or "")
    assert "cursor" not in (link(second, "Last seen") or "")


@each
@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("sort=size", "sort"),
        ("sort=--last", "sort"),
        ("sort=-", "sort"),
        ("sort=%ED%A0%80", "sort"),
        (f"sort={'9' * 400}", "sort"),
        ("sort=last&sort=last", "sort"),
        ("search=%20", "search"),
        (f"search={'x' * 256}", "search"),
        ("search=%00", "search"),
        ("search=a&search=b", "search"),
        ("cursor=x", "cursor"),
        ("cursor=WzFd", "cursor"),
        ("cursor=NaN", "cursor"),
        ("cursor=WyJhIiwiYiJd", "cursor"),
        ("cursor=WzEsIlx1ZDgwMCJd", "cursor"),
        (f"cursor={'A' * 10_000}", "cursor"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    api: APIClient, rows: list[tuple[Any, ...]], name: str, query: str, wrong: str
) -> None:
    response = ask(api, with_(PATHS[name], query))
    assert response.status_code == 400
    assert f"<code>{wrong}</code>" in response.content.decode()
    assert names(response) == []


@each
@pytest.mark.parametrize("query", ["sort=&search=&cursor=", "utm_source=x&sort="])
def test_empty_and_foreign_parameters_count_for_nothing(
    api: APIClient, rows: list[tuple[Any, ...]], name: str, query: str
) -> None:
    assert names(ask(api, with_(PATHS[name], query))) == sorted(row[0] for row in rows)


@each
@pytest.mark.parametrize("value", ["9" * 400, "-5", "0"])
def test_any_place_can_be_a_cursor(api: APIClient, rows: list[tuple[Any, ...]], name: str, value: str) -> None:
    """Also one beyond what 64 bits hold; what comes after it is shown, or that there is nothing."""
    cursor = base64.urlsafe_b64encode(f'[{value},"m"]'.encode()).decode().rstrip("=")
    response = ask(api, with_(PATHS[name], f"sort=last&cursor={quote(cursor)}"))
    assert response.status_code == 200
    assert len(names(response)) == (0 if value.startswith("9") else len(rows))
    if value.startswith("9"):
        assert names(ask(api, link(response, "Show the first ones") or "")) != []


@each
def test_too_many_to_sort_are_listed_by_name_and_it_is_said(
    api: APIClient, rows: list[tuple[Any, ...]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MOST_COUNTED", 2)
    monkeypatch.setattr(lists, "MOST_SORTED", 4)
    response = ask(api, with_(PATHS[name], "sort=-last"))
    assert names(response) == sorted(row[0] for row in rows)
    text = response.content.decode()
    assert "Sorted by name: there are more than" in text
    assert link(response, "Last seen") is None
    assert "data-refresh" not in text
    searched = ask(api, with_(PATHS[name], "sort=-last&search=router"))
    assert "Sorted by name" not in searched.content.decode()
    assert sorted(names(searched)) == ["Router-2", "router-1"]


@each
def test_totals_are_those_of_what_is_found(api: APIClient, rows: list[tuple[Any, ...]], name: str) -> None:
    def totals(query: str) -> str:
        text = ask(api, with_(PATHS[name], query)).content.decode()
        found = re.search(r'<p class="totals">(.*?)</p>', text, re.DOTALL)
        assert found is not None
        return " ".join(re.sub(r"<[^>]*>", "", found[1]).split())

    some = [row for row in rows if "router" in row[0].casefold()]
    of_all, of_some = (sum(row[COUNT] for row in chosen) for chosen in (rows, some))
    if name == "bandwidth":
        sums = [sum(row[place] for row in some) for place in (TO, FROM)]
        assert totals("search=router").startswith(f"2 of 8 devices found: {of_some} entries, {sums[0]} B to the server")
        assert totals("").startswith(f"8 devices: {of_all} entries, ")
    else:
        assert totals("search=router") == f"2 of 8 {name} found: {of_some} datapoints."
        assert totals("") == f"8 {name}: {of_all} datapoints."
    nouns = name.replace("bandwidth", "devices")
    assert totals("search=%3Cb%3E") == f"None of 8 {nouns} has “&lt;b&gt;” in its name. Show all."


@each
def test_an_empty_service_has_no_list(api: APIClient, name: str) -> None:
    text = ask(api, PATHS[name]).content.decode()
    assert "lookup" not in text.split("<form", 1)[-1].split("</form>", 1)[-1]
    assert ask(api, with_(PATHS[name], "search=a&sort=-last")).status_code == 200


def test_curves_are_the_bytes_of_hours_that_are_over(api: APIClient, now: int) -> None:
    """The clock shows 12:00; windows end at whole hours, and each curve reaches to its own highest."""
    for hours, size in ((0, 5), (1, 10), (23, 20), (30, 7)):
        bandwidth.entry_add(device_id="busy", timestamp=now - 3_600 * hours, bytes_ts=size, bytes_fs=size, now=now)
    bandwidth.entry_add(device_id="old", timestamp=now - 100 * 3_600, bytes_ts=1, bytes_fs=1, now=now)
    text = ask(api, "/charts/bandwidth").content.decode()
    [curve] = re.findall(r'points="([^"]*)"', text)
    assert curve == "1,1 5,21 85,21 89,11 93,16"
    assert ">Last 24 h<" in text
    assert len(re.findall(r'<td class="quiet">', text)) == 1


def test_curves_of_old_data_are_those_of_their_last_hour(api: APIClient, now: int) -> None:
    old = now - 50 * 86_400
    for minutes, size in ((0, 5), (10, 20)):
        bandwidth.entry_add(device_id="a", timestamp=old - 60 * minutes, bytes_ts=size, bytes_fs=0, now=now)
    text = ask(api, "/charts/bandwidth").content.decode()
    assert re.findall(r'points="([^"]*)"', text) == ["1,21 73,21 77,1 81,21 89,21 93,16"]
    assert re.search(r"Hour to <time [^>]*data-day>2025-12-12</time>", text)


def test_curves_of_datapoints_are_averages_with_gaps(api: APIClient, now: int) -> None:
    for hours, value in ((1, 1.0), (2, 3.0), (2.1, 5.0), (20, 2.0)):
        moment = int((now - 3_600 * hours) * 10**6)
        datapoints.datapoint_add(timestamp=moment, value=value, device="d", user="u", now=now * 10**6)
    for path in (PATHS["devices"], PATHS["users"]):
        text = ask(api, path).content.decode()
        assert re.findall(r'points="([^"]*)"', text) == ["13,16 13,16", "81,1 85,11 89,21"]


@each
def test_a_page_of_a_shared_storage_is_read_in_few_exchanges(
    api: APIClient, storage_kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows it has."""
    exchanges: list[int] = []
    calls = Storage.calls

    def counted(self: Storage, asked: Any) -> list[Any]:
        exchanges.append(len(asked))
        return calls(self, asked)

    numbers = []
    for count in (1, 100):
        fill = [f"n{number:03}" for number in range(count)]
        now = 1_700_000_000
        bandwidth.entries_add(
            device_id=fill, timestamp=[now] * count, bytes_ts=[1] * count, bytes_fs=[1] * count, now=now
        )
        datapoints.datapoints_add(
            timestamp=[now * 10**6 + count] * count, value=[1.0] * count, device=fill, user=fill, now=now * 10**6
        )
        exchanges.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Storage, "calls", counted)
            assert len(names(ask(api, PATHS[name]))) == count
        numbers.append(len(exchanges))
    assert numbers[0] == numbers[1]
    assert (numbers[0] > 0) == (storage_kind != "memory")


@pytest.mark.parametrize("age", [0, 29, 30, 31, 149, 150, 151, 209, 210, 211, 100_000])
@pytest.mark.parametrize("count", [1, 4])
def test_a_row_leads_to_a_chart_that_shows_the_devices_latest_entry(
    api: APIClient, set_clock: Callable[[str], int], age: int, count: int
) -> None:
    """Halfway through a window, so that the live chart begins half a window later than so many windows ago."""
    now = set_clock("2026-01-31T12:00:30Z")
    bandwidth.entry_add(device_id="d", timestamp=now - age, bytes_ts=12, bytes_fs=34, now=now)
    listed = ask(api, f"/charts/bandwidth?window_time=60&num_windows={count}")

    address = link(listed, "<bdi>d</bdi>")

    assert address is not None
    page = ask(api, address).content.decode()
    assert "Bandwidth of" in page
    assert "No data in the windows shown" not in page
