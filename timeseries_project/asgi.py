"""The ASGI application that production serves: whole bodies in, Django's handler inline, long answers in slices.

A thread per request would be taken by a client that stalls in the middle of a body, and many threads would hand
the interpreter's lock around. So the event loop collects bodies, which costs a stalled client nothing but its
socket; a complete request is answered at once in the loop's own thread; the slices of a long answer are worked out
in threads and sent as the client takes them (`sending`), and one that takes nothing is cut off (`slow_readers`).

What takes longer is done in threads: large bodies and encoded ones, questions that say so (`offload`), and all that
waits for a shared storage. While a thread is at it, small requests are answered in threads too: it may hold a lock,
and the loop must never wait for one.
"""

from __future__ import annotations

import asyncio
import gc
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.exceptions import ParseError

from timeseries_project.wsgi import PunctualHandler, Utf8Request  # first: it names the settings and sets Django up

# isort: split
from timeseries_project.api import access
from timeseries_project.api.bodies import Bodies, Receive, drain
from timeseries_project.api.errors import BodyTooSlow, HeadersTooLarge, TooManyBodies
from timeseries_project.api.headers import FAULT, MAX_BLOCK
from timeseries_project.api.sending import Send, send_answer
from timeseries_project.api.slow_readers import SlowReaders
from timeseries_project.core import clock, offload
from timeseries_project.web import sign_in

Scope = dict[str, Any]

#: Memory for bodies that are on their way, in bodies of the largest size.
BODIES = 8
#: Requests that wait for a shared storage, or for a lock, at a time; one more waits for its turn.
THREADS = 32
#: Requests that take long at a time, and so what is held in memory for them.
HEAVY_THREADS = 4
#: Parts of long answers that are worked out at a time; each takes milliseconds.
PART_THREADS = 2
#: Bodies of more bytes are read in a thread. A body in gzip always is: it may be a hundred times as large.
INLINE_BODY = 64 * 1024
#: Objects that a request has left behind, beyond which they are taken for data.
MANY_OBJECTS = 100_000
#: Seconds after which a thread that computes lets another one have its turn (the interpreter's default is 0.005).
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
        self._heavy = 0  # requests that are in these threads, or wait for one
        sys.setswitchinterval(SWITCH_INTERVAL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one whose body breaks off is refused before anything is done."""
        if scope["type"] != "http":
            return
        environ = _environ(scope)
        if self._slow_readers is None:  # here, in the process that serves, which is not always the one that began
            port = int(environ["SERVER_PORT"])
            self._slow_readers = SlowReaders(port=port, seconds=settings.SEND_TIMEOUT_SECONDS)
            self._slow_readers.watch()
        body, complete = await self._body(environ, receive)
        response = await self._respond(environ, body)
        await send_answer(response, scope["method"], receive, send, self._part_threads)
        if not complete:
            await drain(receive)

    async def _respond(self, environ: dict[str, Any], body: bytes) -> HttpResponseBase:
        """Have Django's handler answer: inline if that is quick, else in a thread.

        Django's signals around a request are not sent: there are no database connections and caches that listen.
        """

        def request() -> Utf8Request:
            environ["wsgi.input"] = io.BytesIO(body)
            return Utf8Request(environ)

        if settings.STORAGE is not None:
            return await self._in_thread(self._threads, request())
        if len(body) <= INLINE_BODY and "HTTP_CONTENT_ENCODING" not in environ:
            if self._heavy:
                try:
                    return await self._in_thread(self._threads, request(), offload.inline)
                except offload.Offload:
                    return await self._respond_heavily(request())
            try:
                return offload.inline(self.get_response, request())
            except offload.Offload:
                pass
        return await self._respond_heavily(request())

    async def _respond_heavily(self, request: Utf8Request) -> HttpResponseBase:
        """Answer in a thread, without garbage collection meanwhile.

        What a large batch stores is no garbage, and the collector would look through all of it again and again, each
        time for as long as a tenth of a second.
        """
        self._heavy += 1
        gc.disable()
        try:
            return await self._in_thread(self._heavy_threads, request)
        finally:
            self._heavy -= 1
            if gc.get_count()[0] > MANY_OBJECTS:
                gc.collect(0)
                gc.freeze()  # what is left was stored: it is never looked through again
            if not self._heavy:
                gc.enable()

    async def _in_thread(self, threads: ThreadPoolExecutor, request: Utf8Request, *through: Any) -> HttpResponseBase:
        request.arrived = clock.elapsed()
        call = (*through, self.get_response, request)
        response: HttpResponseBase = await asyncio.get_running_loop().run_in_executor(threads, *call)
        return response

    async def _body(self, environ: dict[str, Any], receive: Receive) -> tuple[bytes, bool]:
        """Return the body, up to the limit, and whether nothing more of it will come.

        Where it is larger, the rest stays unread, and CONTENT_LENGTH tells the parser, which refuses. What is wrong
        with how it comes is left in the environment, and answered in the place of the request.
        """
        if FAULT in environ:
            return b"", False
        declared = environ.get("CONTENT_LENGTH", "")
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        if not chunked and (not declared.isdecimal() or declared == "0"):
            return b"", True
        limit = _limit(environ)
        if not limit or (not chunked and (len(declared) > 20 or int(declared) > limit)):
            return b"", False
        try:
            body, complete = await self._bodies.collect(receive, limit)
        except (ParseError, BodyTooSlow, TooManyBodies) as fault:
            # Without its history, which knows what waits for the rest: the environment is part of cycles and lives
            # until the garbage collector runs, and the connection is closed only when nobody waits for it.
            fault.__context__ = None
            environ[FAULT] = fault.with_traceback(None)
            return b"", not isinstance(fault, TooManyBodies)  # nothing more of the others is waited for
        if chunked:
            environ["CONTENT_LENGTH"] = str(len(body))
        return body, complete


def _environ(scope: Scope) -> dict[str, Any]:
    """Return the request line and headers as WSGI has them (PEP 3333)."""
    raw_path: bytes = scope["raw_path"]
    path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
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
                continue  # A_B and A-B have one key: whoever filters the latter would let the former through
            key = _header_key(name)
        text = value.decode("latin-1")
        # Repeated headers are one list (RFC 9110 section 5.3); a repeated length is then no number, and refused.
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


_HEADER_KEYS: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def _header_key(name: bytes) -> str:
    return "HTTP_" + name.decode("latin-1").upper().replace("-", "_")


for _name in (b"host", b"user-agent", b"accept", b"accept-encoding", b"connection", b"transfer-encoding"):
    _HEADER_KEYS[_name] = _header_key(_name)


def _limit(environ: dict[str, Any]) -> int:
    """Return how much of a body is taken in: nothing from who may not send one, little where one signs in."""
    if environ["PATH_INFO"].startswith("/sign-"):
        return sign_in.MAX_FORM
    refused = access.is_refused(environ["REQUEST_METHOD"], environ)
    return 0 if refused else settings.MAX_BODY_BYTES


application = Application()
