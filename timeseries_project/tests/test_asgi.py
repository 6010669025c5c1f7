"""The production server's application: small requests inline, large ones in threads that hold nobody up."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import threading

import pytest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import override_settings

from bandwidth import services as bandwidth
from datapoints import services as datapoints
from timeseries_project.asgi import INLINE_BODY, MANY_OBJECTS, Application
from timeseries_project.core import offload
from timeseries_project.env import Rate
from timeseries_project.tests.asgi_requests import asking, in_loop


def lines(count: int, timestamp: str = "%d", device: str = "d") -> bytes:
    spelt = f'{{"timestamp":{timestamp},"value":1,"device":"{device}","user":"u"}}\n'
    return b"".join((spelt % i).encode() for i in range(count))


LARGE = lines(INLINE_BODY // 40)


def test_a_large_body_that_waits_for_a_lock_holds_up_no_one_else() -> None:
    async def scenario() -> None:
        ask = asking(Application())
        with datapoints.store._lock:
            large = asyncio.create_task(ask("POST", "/datapoints", LARGE))
            packed = asyncio.create_task(
                ask("POST", "/datapoints", gzip.compress(lines(1, device="e")), content_encoding="gzip")
            )
            waiting = [large, packed]
            assert await ask("GET", "/healthz") == (200, b'{"status":"ok"}')
            # While a heavy request is under way, small ones run in threads too, and wait for the lock there.
            waiting.append(asyncio.create_task(ask("GET", "/devices")))
            assert (await ask("GET", "/api/statistics"))[0] == 200
            assert not any(task.done() for task in waiting)
        assert [(await task)[0] for task in waiting] == [201, 201, 200]

    in_loop(scenario())


def test_what_finds_out_that_it_takes_long_is_begun_again_in_a_thread_and_answered_once() -> None:
    async def scenario() -> None:
        ask = asking(Application())
        unusual = lines(1_000, timestamp="%d.0", device="unusual").replace(b'"u"}', b'"u" ,"x":1}')
        unusual = unusual[: unusual.rfind(b"\n", 0, INLINE_BODY) + 1]
        with override_settings(RATE_LIMIT=Rate(1, 60)):
            status, body = await ask("POST", "/datapoints", unusual)
            assert (status, json.loads(body)) == (201, {"created": unusual.count(b"\n")})
            assert (await ask("GET", "/devices"))[0] == 429

    in_loop(scenario())


def test_only_the_loops_own_thread_is_left() -> None:
    offload.leave_loop()
    with pytest.raises(offload.Offload):
        offload.inline(offload.leave_loop)
    offload.leave_loop()
    assert offload.inline(lambda: 1) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/schema/",
        "/charts/bandwidth?device_uuid=d&num_windows=10000",
        "/datapoints?limit=10000",
        "/datapoints?limit=10000&format=api",
    ],
)
def test_what_takes_long_to_write_is_written_in_a_thread(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bandwidth.store.add("d", 1, 1, 1)
    application = Application()
    loops, inline = [], []
    get_response = application.get_response

    def noted(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        inline.append(threading.current_thread() in loops)
        return response

    monkeypatch.setattr(application, "get_response", noted)

    async def scenario() -> int:
        loops.append(threading.current_thread())
        return (await asking(application)("GET", path))[0]

    assert in_loop(scenario()) == 200
    assert inline == [False]


def test_a_large_body_is_freed_before_garbage_is_collected() -> None:
    body = b"".join(b'{"timestamp":%d,"value":1,"device":"d","user":"u"}\n' % i for i in range(5_000))

    async def scenario() -> list[io.BytesIO]:
        assert (await asking(Application())("POST", "/datapoints", body))[0] == 201
        return [held for held in gc.get_objects() if type(held) is io.BytesIO and not held.closed]

    assert not any(held.getvalue() == body for held in in_loop(scenario()))


def test_what_a_large_batch_stores_is_not_looked_through_for_garbage() -> None:
    body = b"".join(b'{"timestamp":1,"value":1,"device":"d%d","user":"u"}\n' % i for i in range(MANY_OBJECTS + 20_000))
    frozen = gc.get_freeze_count()

    async def scenario() -> None:
        ask = asking(Application())
        with datapoints.store._lock:
            large = asyncio.create_task(ask("POST", "/datapoints", body))
            assert (await ask("GET", "/healthz"))[0] == 200
            assert not gc.isenabled()
        assert (await large)[0] == 201
        assert gc.isenabled()

    try:
        in_loop(scenario())
        assert gc.get_freeze_count() - frozen > MANY_OBJECTS
    finally:
        gc.unfreeze()
