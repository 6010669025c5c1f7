"""Pages that are pushed: who watches a live page is sent its new versions, as an event stream, instead of asking.

A stream is the page in another media type (`Accept: text/event-stream`), so that addresses, access and limits are those
of the page. One ticker looks at all watched pages of the process. It renders a page once for all who watch it, if what
it depends on has changed, and rests ten times as long as it has worked: however many pages are open, pushing takes
less than a tenth of one processor. A watcher costs a connection and a coroutine that sleeps.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from timeseries_project.api import access, answers
from timeseries_project.api.bodies import Receive
from timeseries_project.api.framework import sent_headers
from timeseries_project.api.negotiation import media_ranges
from timeseries_project.api.sending import Send, disconnected
from timeseries_project.api.throttling import COUNTED
from timeseries_project.core import clock, timestamps

Environ = dict[str, Any]
#: Returns what a page depends on, beside its address: while two values are equal and not None, so are two pages.
Version = Callable[[], object]
#: Renders a page if its version is another one than the known one: (version, page or None).
Look = Callable[[], tuple[object, HttpResponseBase | None]]

#: Least seconds between two looks at a page.
INTERVAL = 2.0
#: How many times as long as it has worked the ticker rests, and the least seconds of rest that are worth a timer.
REST, LEAST_REST = 10, 0.02
#: Seconds without an event after which a comment shows that the connection lives; proxies give up after 30 or 60.
BEAT = 15.0
#: Most streams of a process; the system's limit of open files may allow fewer.
MOST = 2_000
#: Most bytes of a page that is pushed; larger ones are polled, which is compressed.
LARGEST = answers.FREE
MEDIA_TYPE = "text/event-stream"

#: Environment key under which a page that can be pushed leaves its `Version`.
LIVE = "timeseries.live"
#: Environment key of a request for the part of a page that changes.
PART = "timeseries.part"

#: What pages read of a request, beside its credentials: two requests that agree in these see the same.
_READ = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_HOST", "HTTP_X_FORWARDED_PROTO", "wsgi.url_scheme")
_UNKNOWN = object()


def can_be_pushed(request: HttpRequest, version: Version) -> None:
    """Say of the page that answers a request that it changes, and by what it depends on."""
    request.META[LIVE] = version


@cache
def most_streams() -> int:
    """Return how many streams this process may have: at most half of its open files."""
    return min(MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


def accepts_events(environ: Environ) -> bool:
    """Whether a client asks for an event stream by its name, and no page of another site made it ask."""
    accept: str = environ.get("HTTP_ACCEPT", "")
    if environ["REQUEST_METHOD"] != "GET" or MEDIA_TYPE not in accept.lower() or access.is_foreign(environ):
        return False
    return any(quality and f"{kind}/{subtype}" == MEDIA_TYPE for kind, subtype, quality in media_ranges(accept))


def accepts_pages(environ: Environ) -> bool:
    """Whether a client that asks for an event stream takes a page instead."""
    ranges = media_ranges(environ.get("HTTP_ACCEPT", ""))
    return any(quality and kind in ("text", "*") and subtype in ("html", "*") for kind, subtype, quality in ranges)


class _Page:
    """A page that somebody watches, as it is now."""

    def __init__(self, version: Version, news: asyncio.Future[None]) -> None:
        self.version = version
        self.known: object = _UNKNOWN
        self.watchers: list[Environ] = []  # the requests of those who watch it
        self.event = b""
        self.number = self.beat = 0  # of the newest event, and of the newest comment
        self.spoken = 0.0  # when there was an event or a comment
        self.is_over = False
        self.news = news  # done when there is something new

    def tell(self, now: float) -> None:
        """Wake all who watch."""
        self.spoken = now
        told, self.news = self.news, self.news.get_loop().create_future()
        told.set_result(None)


class Watching:
    """The watched pages of a process; to be used in its event loop.

    `look` runs a function as a request is run: in the loop if that is quick, else in a thread. `repeat` answers the
    request of an environment again.
    """

    def __init__(
        self,
        look: Callable[[Look], Awaitable[tuple[object, HttpResponseBase | None]]],
        repeat: Callable[[Environ], HttpResponseBase],
    ) -> None:
        self.streams = 0
        self._look = look
        self._repeat = repeat
        self._pages: dict[tuple[object, ...], _Page] = {}
        self._ticker: asyncio.Task[None] | None = None

    def has_room(self) -> bool:
        """Whether there may be one stream more."""
        return self.streams < most_streams()

    def is_fit(self, environ: Environ, response: HttpResponseBase) -> bool:
        """Whether an answer is a page that can be pushed."""
        is_page = isinstance(response, HttpResponse) and response.status_code == 200 and LIVE in environ
        return is_page and len(response.content) <= LARGEST  # type: ignore[attr-defined]  # it has content

    async def stream(self, environ: Environ, response: HttpResponse, receive: Receive, send: Send) -> None:
        """Send a page that was just rendered, and its new versions, until the client has gone or may see no more."""
        headers = dict(sent_headers(response))
        del headers[b"content-length"]
        headers |= {b"content-type": MEDIA_TYPE.encode(), b"cache-control": b"no-store", b"x-accel-buffering": b"no"}
        loop = asyncio.get_running_loop()
        key = tuple(environ.get(name) for name in _READ)
        page = self._pages.setdefault(key, _Page(environ[LIVE], loop.create_future()))
        page.watchers.append(environ)
        page.known = _UNKNOWN  # this one's page may be newer or older than that of others
        number, beat = page.number, page.beat
        self.streams += 1
        if self._ticker is None:
            self._ticker = loop.create_task(self._tick())
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            start = {"type": "http.response.start", "status": 200, "headers": [*headers.items()], "endless": True}
            await send(start)
            await send(_piece(_event(response.content)))
            while not (gone.done() or page.is_over or access.is_refused("GET", environ)):
                if number != page.number:
                    number, beat = page.number, page.beat
                    await send(_piece(page.event))
                elif beat != page.beat:
                    beat = page.beat
                    await send(_piece(_comment()))
                else:
                    await asyncio.wait((gone, page.news), return_when=asyncio.FIRST_COMPLETED)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self.streams -= 1
            page.watchers = [other for other in page.watchers if other is not environ]
            if not page.watchers and self._pages.get(key) is page:
                del self._pages[key]

    async def _tick(self) -> None:
        """Look at the watched pages, round after round, while there are any."""
        loop = asyncio.get_running_loop()
        pause, due = INTERVAL, 0.0
        while self._pages:
            await asyncio.sleep(pause)
            round_begin = loop.time()
            for key, page in list(self._pages.items()):
                if not page.watchers:  # they have left since the round began
                    continue
                begin = loop.time()
                await self._renew(page)
                if page.is_over and self._pages.get(key) is page:
                    del self._pages[key]
                rest, due = _rest(due, loop.time() - begin)
                await asyncio.sleep(rest)  # also lets requests be answered
            pause = max(due, INTERVAL - (loop.time() - round_begin))
        self._ticker = None

    async def _renew(self, page: _Page) -> None:
        """Render a page if it has changed, and tell who watches it."""
        admitted = next((environ for environ in page.watchers if not access.is_refused("GET", environ)), None)
        now = asyncio.get_running_loop().time()
        try:
            version, response = await self._look(lambda: self._rendered(page, admitted))
        except Exception:  # the page of the next request will say what is wrong
            page.is_over = True
            page.tell(now)
            return
        if response is not None:
            fits = isinstance(response, HttpResponse) and response.status_code == 200
            content = response.content if isinstance(response, HttpResponse) else b""
            page.is_over = not fits or len(content) > LARGEST
            page.event, page.known = _event(content), version
            page.number += 1
        elif now - page.spoken >= BEAT:
            page.beat += 1
        else:
            return
        page.tell(now)

    def _rendered(self, page: _Page, environ: Environ | None) -> tuple[object, HttpResponseBase | None]:
        """Return the version of a page, read before the page itself, and the page unless it is the known one."""
        version = page.version()
        if version is not None and version == page.known:
            return version, None
        if environ is None:
            return version, HttpResponse(status=401)
        return version, self._repeat({**environ, PART: True, COUNTED: True, "HTTP_ACCEPT": "text/html"})


def _rest(due: float, worked: float) -> tuple[float, float]:
    """Return for how many seconds to rest after some work, and how many are still due: short rests are saved up.

    >>> _rest(0.0, 0.5), _rest(0.0, 0.001), _rest(0.015, 0.001)
    ((5.0, 0.0), (0.0, 0.01), (0.025, 0.0))
    """
    due += REST * worked
    return (due, 0.0) if due >= LEAST_REST else (0.0, due)


def _event(content: bytes) -> bytes:
    r"""Return a page as an event; a carriage return would end a line there.

    >>> _event(b"<p>\n</p>\r")
    b'data: <p>\ndata: </p>&#13;\n\n'
    """
    return b"data: " + content.replace(b"\r", b"&#13;").replace(b"\n", b"\ndata: ") + b"\n\n"


def _comment() -> bytes:
    second = timestamps.MICROSECONDS
    return f": {timestamps.render(clock.now() // second * second)}\n\n".encode()


def _piece(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}
