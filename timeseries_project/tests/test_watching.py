"""Pages that are pushed to who watches them: what is sent, when, to whom, and what ends it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.api import watching
from timeseries_project.asgi import Application
from timeseries_project.core.timestamps import MICROSECONDS
from timeseries_project.env import Rate
from timeseries_project.tests.asgi_requests import in_loop

BOTH = "text/event-stream, text/html;q=0.9"
SECONDS = 30
DATAPOINTS = "/charts/datapoints?device=d&bucket=1h"


class Watcher:
    """A client that asks for the stream of a page."""

    def __init__(self, application: Application, path: str, accept: str = BOTH, **headers: str) -> None:
        self.messages: list[dict[str, Any]] = []
        self.more, self.gone, self.go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.go_on.set()
        named = {"host": "localhost", "accept": accept, "accept-encoding": "gzip"} | headers
        scope = {
            "type": "http",
            "server": ("127.0.0.1", 1),
            "method": "GET",
            "raw_path": path.partition("?")[0].encode(),
            "query_string": path.partition("?")[2].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }
        self.task = asyncio.ensure_future(application(scope, self._receive, self._send))

    async def _send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.more.set()
        await self.go_on.wait()

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def parts(self, count: int) -> list[str]:
        """Return the events and comments, of which there must be so many soon."""
        async with asyncio.timeout(SECONDS):
            while len(self.messages) < 1 + count:
                self.more.clear()
                await self.more.wait()
        return [message.get("body", b"").decode() for message in self.messages[1:]]

    async def ended(self) -> None:
        await asyncio.wait_for(self.task, SECONDS)

    async def leave(self) -> None:
        self.gone.set()
        await self.ended()

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at pages a hundred times as often as a server does."""
    monkeypatch.setattr(watching, "INTERVAL", watching.INTERVAL / 100)


@pytest.fixture
def application() -> Application:
    return Application()


def add_point(now: int, second: int) -> None:
    datapoints.store.add((now + second) * MICROSECONDS, float(second), "d", "u")


def points(part: str) -> str:
    """How many datapoints a chart is said to show."""
    found = re.search(r"<span data-number>(\d+)</span> (datapoints?) in", part)
    assert found
    return " ".join(found.groups())


async def some_rounds(application: Application) -> None:
    """Let every watched page be looked at several times."""
    seen = 0

    def look(_: object) -> Any:
        nonlocal seen
        seen += 1
        return original(_)  # type: ignore[arg-type]

    original = application._watching._look
    application._watching._look = look  # type: ignore[assignment]
    async with asyncio.timeout(SECONDS):
        while seen < 5:
            await asyncio.sleep(0)
    application._watching._look = original


def test_a_stream_begins_with_the_page_and_goes_on_with_what_changes(application: Application, now: int) -> None:
    async def test() -> None:
        watcher = Watcher(application, DATAPOINTS)
        await watcher.parts(2)  # the page, and its part as it is when the ticker first looks
        add_point(now, 1)
        whole, part, changed = await watcher.parts(3)
        await watcher.leave()
        assert watcher.headers["content-type"] == "text/event-stream"
        assert watcher.headers["cache-control"] == "no-store"
        assert watcher.headers["x-accel-buffering"] == "no"
        assert not {"content-length", "content-encoding"} & watcher.headers.keys()
        assert whole.startswith("data: <!DOCTYPE html>")
        assert part.startswith("data: <title>d – Datapoints")
        assert "<nav aria-label=" not in part
        assert points(part) == "1 datapoint"
        assert points(changed) == "2 datapoints"
        assert all(text.endswith("\n\n") and text.count("\n\n") == 1 for text in (whole, part, changed))

    add_point(now, 0)
    in_loop(test())


def test_without_a_change_there_is_no_event_but_a_sign_of_life(
    application: Application, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        watcher = Watcher(application, DATAPOINTS)
        await watcher.parts(2)
        await some_rounds(application)
        assert len(watcher.messages) == 3
        monkeypatch.setattr(watching, "BEAT", 0.0)
        comment = (await watcher.parts(3))[2]
        assert comment == ": 2026-01-31T12:00:00Z\n\n"
        await watcher.leave()

    add_point(now, 0)
    in_loop(test())


def test_a_page_whose_curve_moves_on_changes_with_time(
    application: Application, set_clock: Callable[[str], int]
) -> None:
    async def test() -> None:
        watcher = Watcher(application, "/charts/transactions")
        await watcher.parts(2)
        set_clock("2026-01-31T12:00:02Z")
        assert "12:00:02" in (await watcher.parts(3))[-1]
        await watcher.leave()

    set_clock("2026-01-31T12:00:00Z")
    in_loop(test())


def test_a_page_whose_window_is_not_over_changes_when_it_ends(
    application: Application, set_clock: Callable[[str], int]
) -> None:
    async def test() -> None:
        watcher = Watcher(application, "/charts/bandwidth?device_uuid=router-1&window_time=10")
        assert "2026-01-31 12:00:10" in (await watcher.parts(2))[1]
        set_clock("2026-01-31T12:00:10Z")  # the last second of the window
        await some_rounds(application)
        assert len(watcher.messages) == 3
        set_clock("2026-01-31T12:00:11Z")
        assert "2026-01-31 12:00:20" in (await watcher.parts(3))[2]
        await watcher.leave()

    bandwidth.store.add("router-1", set_clock("2026-01-31T12:00:01Z"), 1, 2)
    in_loop(test())


def test_all_who_watch_a_page_share_one_rendering_and_one_ticker(
    application: Application, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = 0
    repeat = application._watching._repeat

    def counted(environ: dict[str, Any]) -> Any:
        nonlocal rendered
        rendered += 1
        return repeat(environ)

    async def test() -> None:
        nonlocal rendered
        watchers = [Watcher(application, DATAPOINTS) for _ in range(50)]
        for watcher in watchers:
            await watcher.parts(2)
        await some_rounds(application)
        rendered = 0
        seen = [len(watcher.messages) for watcher in watchers]
        add_point(now, 1)
        for watcher, count in zip(watchers, seen, strict=True):
            assert points((await watcher.parts(count))[-1]) == "2 datapoints"
        assert rendered == 1
        ticker = application._watching._ticker
        assert ticker is not None
        assert len(asyncio.all_tasks()) == 2 * len(watchers) + 2  # the ticker, and this; nobody has a timer or a thread
        for watcher in watchers:
            await watcher.leave()
        assert application._watching.streams == 0
        await asyncio.wait_for(ticker, SECONDS)  # nobody watches any more

    monkeypatch.setattr(application._watching, "_repeat", counted)
    add_point(now, 0)
    in_loop(test())


def test_who_reads_slowly_holds_up_nobody_and_gets_the_newest(application: Application, now: int) -> None:
    async def test() -> None:
        slow, quick = Watcher(application, DATAPOINTS), Watcher(application, DATAPOINTS)
        await slow.parts(2)
        await some_rounds(application)
        slow.go_on.clear()
        for second in (1, 2, 3):
            seen = len(quick.messages)
            add_point(now, second)
            assert points((await quick.parts(seen))[-1]) == f"{second + 1} datapoints"
        held = len(slow.messages)
        slow.go_on.set()
        assert points((await slow.parts(held))[-1]) == "4 datapoints"
        await slow.leave()
        await quick.leave()

    add_point(now, 0)
    in_loop(test())


def test_what_cannot_be_pushed_any_more_ends_its_stream(application: Application, now: int) -> None:
    async def test() -> None:
        watcher = Watcher(application, DATAPOINTS)
        await watcher.parts(2)
        datapoints.datapoints_delete(axis="device", key="d")
        await watcher.ended()
        assert watcher.messages[-1] == {"type": "http.response.body", "body": b""}

    add_point(now, 0)
    in_loop(test())


@pytest.mark.parametrize(
    ("path", "accept", "headers", "status"),
    [
        (DATAPOINTS, "text/html", {}, 200),
        (DATAPOINTS, "*/*", {}, 200),
        (DATAPOINTS, "text/event-stream;q=0, text/html", {}, 200),
        (DATAPOINTS, BOTH, {"sec-fetch-site": "cross-site"}, 200),
        (f"{DATAPOINTS}&end=2026-01-31", BOTH, {}, 200),
        ("/charts/datapoints?device=unknown", BOTH, {}, 404),
        ("/charts/datapoints?device=d&bucket=0s", BOTH, {}, 400),
        ("/healthz", "text/event-stream", {}, 406),
        ("/nowhere", BOTH, {}, 404),
        (DATAPOINTS, BOTH, {"host": "other.example"}, 400),
    ],
)
def test_other_requests_get_an_ordinary_answer(
    application: Application, now: int, path: str, accept: str, headers: dict[str, str], status: int
) -> None:
    async def test() -> None:
        watcher = Watcher(application, path, accept, **headers)
        await watcher.ended()
        assert watcher.status == status
        assert "event-stream" not in watcher.headers["content-type"]

    add_point(now, 0)
    in_loop(test())


def test_beyond_the_bound_a_page_is_answered_that_asks_again(
    application: Application, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        first = Watcher(application, DATAPOINTS)
        await first.parts(1)
        page, refused = Watcher(application, DATAPOINTS), Watcher(application, DATAPOINTS, "text/event-stream")
        await page.ended()
        await refused.ended()
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert (refused.status, refused.headers["content-type"]) == (503, "application/problem+json")
        await first.leave()

    monkeypatch.setattr(watching, "most_streams", lambda: 1)
    add_point(now, 0)
    in_loop(test())


def test_a_page_that_is_too_long_is_not_pushed(application: Application, now: int) -> None:
    async def test() -> None:
        watcher = Watcher(application, "/charts/bandwidth?device_uuid=router-1&num_windows=5000")
        await watcher.ended()
        assert watcher.headers["content-type"].startswith("text/html")

    bandwidth.store.add("router-1", now, 1, 2)
    in_loop(test())


def test_who_may_not_read_any_more_is_sent_nothing_more(application: Application, now: int, settings: Settings) -> None:
    async def test() -> None:
        ada = Watcher(application, DATAPOINTS, authorization=f"Bearer {'a' * 16}")
        bob = Watcher(application, DATAPOINTS, authorization=f"Bearer {'b' * 16}")
        none = Watcher(application, DATAPOINTS)
        await none.ended()
        assert none.status == 401
        await ada.parts(2)
        await bob.parts(2)
        await some_rounds(application)
        settings.API_TOKENS = ("b" * 16,)
        seen, held = len(bob.messages), len(ada.messages)
        add_point(now, 1)
        assert points((await bob.parts(seen))[-1]) == "2 datapoints"
        await ada.ended()
        assert "".join(message["body"].decode() for message in ada.messages[held:]) == ""
        await bob.leave()

    settings.API_TOKENS, settings.API_TOKENS_FOR_READS = ("a" * 16, "b" * 16), True
    add_point(now, 0)
    in_loop(test())


def test_a_stream_counts_once_towards_the_rate_limit(application: Application, now: int, settings: Settings) -> None:
    async def test() -> None:
        first = Watcher(application, DATAPOINTS)
        await first.parts(2)
        await some_rounds(application)
        assert len(first.messages) >= 3
        second, third = Watcher(application, "/charts/transactions"), Watcher(application, DATAPOINTS)
        await second.parts(1)
        await third.ended()
        assert (first.status, second.status, third.status) == (200, 200, 429)
        await first.leave()
        await second.leave()

    settings.RATE_LIMIT = Rate(2, 3_600)
    add_point(now, 0)
    in_loop(test())
