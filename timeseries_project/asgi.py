"""The ASGI application of the production server: collects whole bodies, runs Django's handler, sends the answers.

With a thread per request, a client that stalls in the middle of a body would occupy a thread, and many threads would
compete for the interpreter's lock. So the event loop collects bodies, and a stalled client costs only its socket.
A complete request is answered at once in the loop's own thread. The slices of a long answer are computed in threads
and sent as fast as the client reads them (`sending`); a client that reads nothing is disconnected (`slow_readers`).

Slow requests are answered in threads: those with large or encoded bodies, those whose code asks for it (`offload`),
and all requests over a shared storage. While such a thread works, small requests are answered in threads too: it may
hold a lock, and the loop must never wait for one.
"""

from __future__ import annotations

import asyncio
import gc
import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from rest_framework.exceptions import ParseError

from timeseries_project.wsgi import PunctualHandler  # first: it names the settings and sets Django up

# isort: split
from timeseries_project.api import access, prefix
from timeseries_project.api.bodies import Bodies, Receive
from timeseries_project.api.configuration import configuration
from timeseries_project.api.errors import BodyTooSlow, HeadersTooLarge, TooManyAnswers, TooManyBodies
from timeseries_project.api.framework import Utf8Request
from timeseries_project.api.headers import FAULT, MAX_BLOCK
from timeseries_project.api.sending import Send, send_answer
from timeseries_project.api.slow_readers import SlowReaders
from timeseries_project.api.watching import Look, Watching, accepts_events, accepts_pages
from timeseries_project.core import clock, offload
from timeseries_project.web import sign_in

Scope = dict[str, Any]
T = TypeVar("T")

#: Memory budget for bodies that are being received, in multiples of MAX_BODY_BYTES.
BODIES = 8
#: Threads for requests that may wait for a shared storage or a lock; further requests queue.
THREADS = 32
#: Threads for slow requests; their number bounds the memory that these requests hold.
HEAVY_THREADS = 4
#: Threads that compute parts of long answers; a part takes milliseconds.
PART_THREADS = 2
#: Most bytes of a body that is parsed inline. A gzip body is always parsed in a thread: it may expand a hundredfold.
INLINE_BODY = 64 * 1024
#: New objects after a slow request beyond which they are taken to be stored data.
MANY_OBJECTS = 100_000
#: Seconds after which the interpreter switches between computing threads (its default is 0.005).
SWITCH_INTERVAL = 0.001


class Application(PunctualHandler):
    """Django's handler behind ASGI (HTTP only; https://asgi.readthedocs.io/en/latest/specs/www.html)."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
        self._bodies = Bodies(budget=BODIES * settings.MAX_BODY_BYTES, seconds=settings.BODY_TIMEOUT_SECONDS)
        self._threads = ThreadPoolExecutor(THREADS, "request")
        self._heavy_threads = ThreadPoolExecutor(HEAVY_THREADS, "heavy")
        self._part_threads = ThreadPoolExecutor(PART_THREADS, "part")
        self._slow_readers: SlowReaders | None = None
        self._watching = Watching(self._look, self._render)
        self._prefixed = prefix.is_possible()
        self._heavy = 0  # requests that run in the heavy threads or wait for one
        sys.setswitchinterval(SWITCH_INTERVAL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; if its body breaks off, it is refused before anything is done."""
        if scope["type"] != "http":
            return
        environ = _environ(scope)
        if self._prefixed:
            prefix.place(environ)
        if self._slow_readers is None:  # here, because the serving process may be a fork of the one that created this
            port = int(environ["SERVER_PORT"])
            self._slow_readers = SlowReaders(port=port, seconds=settings.SEND_TIMEOUT_SECONDS)
            self._slow_readers.watch()
        body = await self._body(environ, receive)
        wants_events = accepts_events(environ) and self._prepare_stream(environ)
        response = await self._respond(environ, body)
        if wants_events and self._watching.is_fit(environ, response):
            assert isinstance(response, HttpResponse)
            await self._watching.stream(environ, response, receive, send)
        else:
            await send_answer(response, scope["method"], receive, send, self._part_threads)

    def _prepare_stream(self, environ: dict[str, Any]) -> bool:
        """Whether a client that asks for a stream can have one; if not, and it takes nothing else, it is refused."""
        if not self._watching.has_room():
            if not accepts_pages(environ):
                environ.setdefault(FAULT, TooManyAnswers())
            return False
        environ.pop("HTTP_ACCEPT_ENCODING", None)  # a stream is sent as it is: nothing may collect it
        return True

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request; the prefix of addresses is set anew for each, because threads outlive requests."""
        if self._prefixed:
            set_script_prefix(request.META["SCRIPT_NAME"])
        return super().get_response(request)

    def repeat(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request again; it has the prefix and the time limit of any other."""
        if self._prefixed:
            set_script_prefix(request.META["SCRIPT_NAME"])
        return super().repeat(request)

    async def _respond(self, environ: dict[str, Any], body: bytes) -> HttpResponseBase:
        """Answer with Django's handler.

        Django's request signals are not sent, because no database connection or cache listens to them.
        """

        def answer(arrived: float | None) -> HttpResponseBase:
            environ["wsgi.input"] = io.BytesIO(body)
            request = Utf8Request(environ)
            request.arrived = arrived
            try:
                return self.get_response(request)
            finally:
                del environ["wsgi.input"]  # the body is freed here, and not when the thread has finished with us

        return await self._do(answer, small=len(body) <= INLINE_BODY and "HTTP_CONTENT_ENCODING" not in environ)

    async def _look(self, look: Look) -> tuple[object, HttpResponseBase | None]:
        """Look at a page that is watched."""
        return await self._do(lambda _: look(), small=True)

    def _render(self, environ: dict[str, Any]) -> HttpResponseBase:
        """Render a page that is watched."""
        return self.repeat(Utf8Request({**environ, "wsgi.input": io.BytesIO()}))

    async def _do(self, work: Callable[[float | None], T], *, small: bool) -> T:
        """Do the work of a request: inline if that is quick, else in a thread. It is given the time of its arrival."""
        if configuration().storage is not None:
            return await self._in_thread(self._threads, work)
        if small:
            try:
                if self._heavy:
                    return await self._in_thread(self._threads, lambda arrived: offload.inline(work, arrived))
                return offload.inline(work, None)
            except offload.Offload:
                pass
        return await self._do_heavily(work)

    async def _do_heavily(self, work: Callable[[float | None], T]) -> T:
        """Do the work in a thread, without garbage collection meanwhile.

        What a large batch stores is no garbage, and the collector would look through all of it again and again, each
        time for as long as a tenth of a second.
        """
        self._heavy += 1
        gc.disable()
        try:
            return await self._in_thread(self._heavy_threads, work)
        finally:
            self._heavy -= 1
            if gc.get_count()[0] > MANY_OBJECTS:
                gc.collect(0)
                gc.freeze()  # what is left was stored: it is never looked through again
            if not self._heavy:
                gc.enable()

    async def _in_thread(self, threads: ThreadPoolExecutor, work: Callable[[float | None], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, work, clock.elapsed())

    async def _body(self, environ: dict[str, Any], receive: Receive) -> bytes:
        """Return the body, up to the limit.

        The rest of a larger body stays unread, and the server throws it away; the parser refuses the body by its
        CONTENT_LENGTH. A fault in the transfer is stored in the environment and answered instead of the request.
        """
        if FAULT in environ:
            return b""
        declared = environ.get("CONTENT_LENGTH", "")
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if not chunked and (not declared.isdecimal() or declared == "0"):
            return b""
        limit = _limit(environ)
        if not limit or (not chunked and (len(declared) > 20 or int(declared) > limit)):
            return b""
        try:
            body, _ = await self._bodies.collect(receive, limit)
        except (ParseError, BodyTooSlow, TooManyBodies) as fault:
            # Without context and traceback, which refer to the coroutine that waits for the rest: the environment is
            # part of cycles and lives until the garbage collector runs, and the connection closes only when no
            # coroutine waits for it.
            fault.__context__ = None
            environ[FAULT] = fault.with_traceback(None)
            return b""
        if chunked:
            environ["CONTENT_LENGTH"] = str(len(body))
        return body


def _environ(scope: Scope) -> dict[str, Any]:
    """Return the request line and headers as a WSGI environment (PEP 3333)."""
    raw_path: bytes = scope["raw_path"]
    path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    server, client = scope.get("server") or ("", 80), scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": "",  # no host is taken for granted where a request names none (RFC 9112 section 3.2)
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.url_scheme": scope.get("scheme", "http"),
    }
    headers = scope["headers"]
    if sum(len(name) + len(value) for name, value in headers) > MAX_BLOCK:
        environ[FAULT], headers = HeadersTooLarge(), ()
    for name, value in headers:
        key = _HEADER_KEYS.get(name)
        if key is None:
            if b"_" in name:
                continue  # A_B and A-B have the same key: a proxy that filters A-B would let A_B through
            key = _header_key(name)
        text = value.decode("latin-1")
        # Repeated headers form one list (RFC 9110 section 5.3); a repeated length is then not a number and refused.
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


_HEADER_KEYS: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def _header_key(name: bytes) -> str:
    return "HTTP_" + name.decode("latin-1").upper().replace("-", "_")


for _name in (b"host", b"user-agent", b"accept", b"accept-encoding", b"connection", b"transfer-encoding"):
    _HEADER_KEYS[_name] = _header_key(_name)


def _limit(environ: dict[str, Any]) -> int:
    """Return the most bytes of a body to collect: none if the request is refused, few on the sign-in pages."""
    if environ["PATH_INFO"].startswith("/sign-"):
        return sign_in.MAX_FORM
    refused = access.is_refused(environ["REQUEST_METHOD"], environ)
    return 0 if refused else configuration().max_body_bytes


application = Application()
