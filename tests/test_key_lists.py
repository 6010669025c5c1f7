"""Lists of keys over HTTP: in parts with cursors, and whole, sent as they are read."""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from rest_framework.test import APIClient

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.api import listings
from timeseries_project.asgi import Application
from timeseries_project.core import clock
from timeseries_project.tests.asgi_requests import asking
from timeseries_project.tests.problems import problem

pytestmark = [pytest.mark.usefixtures("now"), pytest.mark.storages("redis", "cluster")]

LISTS = [("/devices", "device"), ("/users", "user"), ("/api/bandwidth/devices", "device_id")]
NAMES = sorted([f"{letter}{number}" for letter in "aÅ😀" for number in range(12)] + ["a", "A", "/", "ﬀ", "\N{BOM}x"])

lists = pytest.mark.parametrize(("path", "field"), LISTS)


def add(names: list[str]) -> None:
    """Fill every list with the same keys; the times of datapoints have fractions, with which long lists write all."""
    count = len(names)
    datapoints.datapoints_add(
        timestamp=[1_500_000] * count, value=[1.0] * count, device=names, user=names, now=clock.now()
    )
    bandwidth.entries_add(
        device_id=names, timestamp=[1] * count, bytes_ts=[2] * count, bytes_fs=[3] * count, now=clock.now_s()
    )


def delete(name: str) -> None:
    datapoints.datapoints_delete(axis="device", key=name)
    bandwidth.device_delete(device_id=name)


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def following(response: Any) -> str | None:
    """Return the address of the next part, if there is one."""
    if "Link" not in response:
        return None
    address, relation = response["Link"].split(";")
    assert relation.strip() == 'rel="next"'
    return str(address.strip("<>"))


def parts(api: APIClient, url: str, read: Callable[[bytes], list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    while True:
        response = api.get(url)
        assert response.status_code == 200, response.content
        yield read(content(response))
        following_url = following(response)
        if following_url is None:
            return
        url = following_url


def csv_rows(text: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text.decode())))


def arrow_rows(text: bytes) -> list[dict[str, Any]]:
    return list(pa.ipc.open_stream(text).read_all().to_pylist())


READERS: dict[str, Callable[[bytes], Any]] = {"json": msgspec.json.decode, "csv": csv_rows, "arrow": arrow_rows}


@lists
@pytest.mark.parametrize("limit", [1, 7, len(NAMES) - 1, len(NAMES), len(NAMES) + 1])
@pytest.mark.parametrize("form", ["json", "csv", "arrow"])
def test_parts_follow_one_another_and_give_all_once(
    api: APIClient, path: str, field: str, limit: int, form: str
) -> None:
    add(NAMES[::-1])
    read = READERS[form]
    found = list(parts(api, f"{path}?limit={limit}&format={form}", read))
    assert [row[field] for part in found for row in part] == NAMES
    assert [len(part) for part in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1]
    assert [row for part in found for row in part] == read(content(api.get(f"{path}?format={form}")))


@lists
def test_parts_of_what_is_searched_follow_one_another(api: APIClient, path: str, field: str) -> None:
    add(NAMES)
    found = [row[field] for part in parts(api, f"{path}?search=a1&limit=2", msgspec.json.decode) for row in part]
    assert found == ["a1", "a10", "a11"]
    assert [row[field] for row in api.get(f"{path}?search=FF&limit=1").json()] == ["ﬀ"]


@lists
def test_a_cursor_stays_right_while_keys_come_and_go(api: APIClient, path: str, field: str) -> None:
    add(["b", "d", "f", "h", "j"])
    first = api.get(f"{path}?limit=2")
    assert [row[field] for row in first.json()] == ["b", "d"]
    add(["a", "c", "e", "k"])
    for gone in ("b", "d", "h"):  # including the last key of the first part
        delete(gone)
    rest = [row[field] for part in parts(api, following(first) or "", msgspec.json.decode) for row in part]
    assert rest == ["e", "f", "j", "k"]


@lists
def test_a_cursor_alone_gives_all_that_follow(api: APIClient, path: str, field: str) -> None:
    add(NAMES)
    address = following(api.get(f"{path}?limit=3")) or ""
    assert [row[field] for row in api.get(address.replace("&limit=3", "")).json()] == NAMES[3:]


@lists
@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "%C3%BC", "MQ", "bnVsbA", "Ilx1ZDgwMCI"])
def test_what_is_no_cursor_is_refused(api: APIClient, path: str, field: str, cursor: str) -> None:
    errors = problem(api.get(f"{path}?cursor={cursor}"), 400)["errors"]
    assert [error["field"] for error in errors] == ["cursor"]


class TestLongLists:
    """Lists of several portions, whose keys were added in random order."""

    COUNT = 2_500

    @pytest.fixture(autouse=True)
    def names(self) -> list[str]:
        names = [f"n{number * 977 % self.COUNT:04}" for number in range(self.COUNT)]
        add(names)
        return sorted(names)

    @lists
    @pytest.mark.parametrize("form", ["json", "csv", "arrow"])
    def test_are_streamed_as_they_would_be_answered_at_once(
        self, api: APIClient, names: list[str], path: str, field: str, form: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        response = api.get(f"{path}?format={form}")
        assert response.streaming
        streamed = list(response.streaming_content)
        assert len(streamed) >= 3
        monkeypatch.setattr(listings, "PORTION", 10_000)
        whole = api.get(f"{path}?limit=10000&format={form}")
        assert not whole.streaming
        assert whole["Content-Type"] == response["Content-Type"]
        read = READERS[form]
        assert read(b"".join(streamed)) == read(whole.content)
        if form != "arrow":  # whose batches are the portions
            assert b"".join(streamed) == whole.content
        assert [row[field] for row in read(whole.content)] == names

    @lists
    def test_are_read_when_they_are_sent(
        self, api: APIClient, names: list[str], storage_kind: str, path: str, field: str
    ) -> None:
        """Clients that do not read cost no memory; keys deleted meanwhile are left out, new ones are included."""
        response = api.get(path)
        portions = iter(response.streaming_content)
        begun = next(portions)
        delete(names[-1])
        add(["n9999"])
        rows = [row[field] for row in msgspec.json.decode(begun + b"".join(portions))]
        if storage_kind == "memory":
            assert rows == [*names[:-1], "n9999"]
        else:
            assert rows == names[:-1]  # all names are read before the first is sent

    @lists
    def test_the_page_for_people_shows_the_first_and_says_how_many_there_are(
        self, api: APIClient, names: list[str], path: str, field: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module, name = (bandwidth, "devices_portions") if field == "device_id" else (datapoints, "keys_portions")
        taken: list[int] = []
        portions = getattr(module, name)

        def counted(*axis: Any, **query: Any) -> Iterator[list[Any]]:
            for portion in portions(*axis, **query):
                taken.append(len(portion))
                yield portion

        monkeypatch.setattr(module, name, counted)
        page = content(api.get(f"{path}?format=api")).decode()
        assert "Showing the first 1,000 of 2,500 items" in page
        assert names[999] in page
        assert names[1_000] not in page
        assert sum(taken) <= 2_000
        searched = content(api.get(f"{path}?format=api&search=n")).decode()
        assert "Showing the first 1,000 items" in searched

    @pytest.mark.parametrize("path", ["/devices", "/api/bandwidth/devices"])
    def test_portions_are_taken_in_threads(self, path: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The event loop never waits for a lock or a storage."""
        readers: list[str] = []
        for module, name in ((bandwidth, "devices_portions"), (datapoints, "keys_portions")):
            portions = getattr(module, name)

            def noted(*axis: Any, portions: Any = portions, **query: Any) -> Iterator[list[Any]]:
                for portion in portions(*axis, **query):
                    readers.append(threading.current_thread().name)
                    yield portion

            monkeypatch.setattr(module, name, noted)
        with ThreadPoolExecutor(1) as thread:
            status, body = thread.submit(asyncio.run, asking(Application())("GET", path)).result()
        assert (status, len(msgspec.json.decode(body))) == (200, self.COUNT)
        assert len(readers) == 3
        assert readers[2].startswith("part")
