"""One client's connection: bytes are parsed by llhttp (httptools), and each request becomes an exchange.

Requests of one connection are answered one after another, in their order. A request that cannot be read is refused
after the answers before it, and nothing behind it is read. What a client may send without giving the application
anything to do is bounded, in bytes and in time.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import Transport
from collections import deque
from enum import Enum
from typing import Any, Protocol, cast
from urllib.parse import unquote

import httptools

from timeseries_project.serving.exchange import MAX_WAITING, Exchange
from timeseries_project.serving.refusals import refusal

#: Most bytes of a head, of a body's trailers, or of a chunk's extensions, beyond the piece that they begin in.
MAX_OVERHEAD = 64 * 1024
#: Most bytes of a target; most headers.
MAX_TARGET, MAX_HEADERS = 64 * 1024, 100
#: Most requests of one connection that wait for the answer to an earlier one. A piece of 256 kB may hold thousands.
MAX_PIPELINED = 64
#: Seconds in which a head must be complete, and after which a client that was refused must have closed.
HEAD_SECONDS = 30.0
#: Seconds that a connection is kept between two requests: more than proxies keep theirs (nginx: 60), so that none of
#: them sends a request to a connection that is just being closed.
KEEP_SECONDS = 75.0
#: Seconds that one is kept while its server leaves: a client that is just about to send has done so by then.
REST_SECONDS = 1.0

_SILENT = 0  # in place of a status: the connection ends without a further answer
#: A request line with a method that llhttp does not know.
_OTHER_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,1024} [!-~]{1,4096} HTTP/1\.[01]\r\n")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_UPGRADE = re.compile(rb"^upgrade(?=:)", re.IGNORECASE | re.MULTILINE)
_ASGI = {"version": "3.0", "spec_version": "2.3"}


class Serving(Protocol):
    """What a connection knows of its server."""

    application: Any
    connections: set[Connection]
    #: The line of the header `date`.
    date: bytes
    #: Whether each connection is to end with its next answer, behind which no request waits.
    is_leaving: bool


class _At(Enum):
    """Where in a request the parser is."""

    BEGIN, HEAD, BODY = range(3)


class Connection(asyncio.Protocol):
    """A connection that reads requests and has them answered."""

    transport: Transport

    def __init__(self, server: Serving, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.is_paused = False  # whether the client reads more slowly than we write
        self._writers: list[asyncio.Future[None]] = []
        self._is_reading = True
        self._parser = httptools.HttpRequestParser(self)
        # A request behind one that closes the connection is no error: it stays unanswered (RFC 9112 section 9.6).
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._at = _At.BEGIN
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects_continue = False
        self._newest: Exchange | None = None  # whose body is being received, or was received last
        self._answering: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._overhead = 0  # bytes since there was a new request or a byte of a body
        self._has_progress = False  # whether there was either in the piece that is being parsed
        self._fault = 400  # what is answered where the parser stops
        self._refused: int | None = None  # what to refuse with, once all earlier requests are answered
        self._ends_at: float | None = None  # when to close unless the client goes on

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect the first head."""
        self.transport = cast(Transport, transport)
        self._local = transport.get_extra_info("sockname")[:2]
        self._remote = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.server.connections.add(self)
        self._end_in(HEAD_SECONDS)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the application, if it is answering."""
        self.server.connections.discard(self)
        self._queue.clear()
        if self._answering is not None:
            self._answering.lose()
        self.resume_writing()
        # Nothing is left for the garbage collector, which would need a full collection to find it.
        self._newest = self._answering = None
        del self._parser

    def pause_writing(self) -> None:
        """Hold up what the application sends."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """Let the application go on sending."""
        self.is_paused = False
        for writer in self._writers:
            if not writer.done():
                writer.set_result(None)
        self._writers.clear()

    def data_received(self, data: bytes) -> None:
        """Parse a piece; what follows a refused request is discarded."""
        if self._refused is not None:
            return
        if self._at is _At.BEGIN and (b"pgrade" in data or not data.isascii()):
            data = _readable(data)
        size, earlier = len(data), self._newest
        self._has_progress = False
        while data:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                if self._parser.get_method() == b"CONNECT":
                    self._refuse(_SILENT)
                    return
                # It had no body, and is answered as if it had not asked (RFC 9110 section 7.8); the rest are requests.
                data = data[upgrade.args[0] :]
            except httptools.HttpParserInvalidMethodError:
                self._refuse(405 if self._newest is earlier and _OTHER_METHOD.match(data) else 400)
                return
            except httptools.HttpParserError:
                self._refuse(self._fault)
                return
        if self._has_progress:
            self._overhead = 0
            if self._at is _At.HEAD:
                self._end_in(HEAD_SECONDS)
        else:
            self._overhead += size
            if self._overhead > MAX_OVERHEAD:
                self._refuse(400 if self._at is _At.BODY else 431)

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._at = _At.HEAD
        self._target = b""
        self._headers = []
        self._expects_continue = False
        self._has_progress = True

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header. Trailers are discarded: a proxy in front has not seen them (RFC 9110 section 6.5.1)."""
        if self._at is _At.HEAD:
            name = name.lower()
            self._headers.append((name, value))
            if name == b"expect" and value.lower() == b"100-continue":
                self._expects_continue = True

    def on_headers_complete(self) -> None:
        """Begin to answer. An exception stops the parser, and the request is refused with `_fault`."""
        parser, headers, target = self._parser, self._headers, self._target
        version = parser.get_http_version()
        if len(headers) > MAX_HEADERS or len(target) > MAX_TARGET:
            self._fault = 431
            raise ValueError
        if len(self._queue) >= MAX_PIPELINED:
            self._fault = _SILENT
            raise ValueError
        if version not in {"1.1", "1.0"} or (parser.should_upgrade() and _has_body(headers)):
            raise ValueError
        self._at = _At.BODY
        self._ends_at = None
        path, _, query = (target if target.startswith(b"/") else _origin_form(target)).partition(b"?")
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": unquote(path.decode("ascii")) if b"%" in path else path.decode("ascii"),
            "raw_path": path,
            "query_string": query.partition(b"#")[0] if b"#" in query else query,
            "root_path": "",
            "headers": headers,
            "server": self._local,
            "client": self._remote,
        }
        is_kept = version == "1.1" and parser.should_keep_alive()
        self._newest = exchange = Exchange(
            self, scope, is_kept=is_kept, expects_continue=self._expects_continue and version == "1.1"
        )
        if self._answering is None:
            self._answer(exchange)
        else:
            self._queue.append(exchange)
            self._pause_reading()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of a body."""
        self._has_progress = True
        exchange = self._newest
        assert exchange is not None
        if not exchange.is_answered and exchange.feed(body) > MAX_WAITING:
            self._pause_reading()

    def on_message_complete(self) -> None:
        """Expect the next request."""
        self._at = _At.BEGIN
        assert self._newest is not None
        self._newest.complete()
        if self._answering is None:  # it was answered before its body was complete
            self._rest()

    # What exchanges call

    async def writable(self) -> None:
        """Wait until the client has read some of what was written, or has gone."""
        writer = self.loop.create_future()
        self._writers.append(writer)
        await writer

    def resume_reading(self) -> None:
        """Read on, if reading was paused."""
        if not self._is_reading and not self._queue:
            self._is_reading = True
            self.transport.resume_reading()

    def has_waiting(self) -> bool:
        """Whether requests wait behind the one that is being answered."""
        return bool(self._queue)

    def answered(self, exchange: Exchange) -> None:
        """Go on with the next request, or refuse what was faulty after the last one."""
        self._answering = None
        if self.transport.is_closing():
            return
        if not exchange.is_kept:
            self._end(_SILENT)
        elif self._queue:
            self._answer(self._queue.popleft())
        elif self._refused is not None:
            self._end(self._refused)
        else:
            self._rest()
        self.resume_reading()

    # What the server calls

    def expire(self, now: float) -> None:
        """Close if the client should have gone on by now. Called now and then."""
        if self._ends_at is not None and now > self._ends_at:
            self.transport.close()

    def leave(self) -> None:
        """End the answer that is being given if it is endless; close if the client has sent nothing for a while.

        A connection on which nothing was sent yet goes on: its client would not expect that it is closed.
        """
        if self._answering is not None:
            self._answering.end_stream()
        elif self._newest is not None and self._at is _At.BEGIN and self._refused is None and self._ends_at is not None:
            self._ends_at -= KEEP_SECONDS - REST_SECONDS
            self.expire(self.loop.time())

    def stop(self) -> None:
        """Close after the request that is being answered, or at once."""
        if self._answering is None:
            self.transport.close()
        else:
            self._answering.stop()

    def _answer(self, exchange: Exchange) -> None:
        self._answering = exchange
        exchange.task = self.loop.create_task(exchange.run(self.server.application))

    def _pause_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self.transport.pause_reading()

    def _rest(self) -> None:
        """Wait for the next request. The rest of a body is discarded, but not for ever."""
        keep = REST_SECONDS if self.server.is_leaving else KEEP_SECONDS
        self._end_in(HEAD_SECONDS if self._at is _At.BODY else keep)

    def _end_in(self, seconds: float) -> None:
        self._ends_at = self.loop.time() + seconds

    def _refuse(self, status: int) -> None:
        """Stop reading, and answer with a status, after the requests before this one."""
        self._refused = status
        answering = self._answering
        if answering is None:
            self._end(_SILENT if self._at is _At.BODY else status)
        elif self._at is _At.BODY and self._queue:
            self._queue.pop()  # the newest, whose body is broken
        elif self._at is _At.BODY:
            self._end(_SILENT if answering.is_started else status)
            answering.lose()
        # else the last answer that is due ends the connection

    def _end(self, status: int) -> None:
        """Send a last answer and no more. The client closes; if we did, it might lose the answer while it sends."""
        self._refused = status
        self._queue.clear()
        if self.transport.is_closing():
            return
        if status != _SILENT:
            self.transport.write(refusal(status))
        if self._at is _At.BEGIN and status == _SILENT:
            self.transport.close()
            return
        self.transport.write_eof()
        self.resume_reading()
        self._end_in(HEAD_SECONDS)


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in headers)


def _readable(data: bytes) -> bytes:
    r"""Return a piece without what llhttp refuses or misreads in the head that begins in it.

    It refuses a target that is not ASCII, and takes a body for another protocol where a header asks for one.

    >>> _readable("GET /ü HTTP/1.1\r\nUpgrade: h2c\r\n".encode())
    b'GET /%C3%BC HTTP/1.1\r\nNot-Upgrade: h2c\r\n'
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    line, line_end, headers = head.partition(b"\r\n")
    line = _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line)
    return line + line_end + _UPGRADE.sub(b"Not-Upgrade", headers) + end + rest


def _origin_form(target: bytes) -> bytes:
    """Return the path and query of a target in another form (RFC 9112 section 3.2).

    >>> _origin_form(b"http://localhost?a=1"), _origin_form(b"localhost:80"), _origin_form(b"*")
    (b'/?a=1', b'/', b'*')
    """
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return b"/"
    return (url.path or b"/") + (b"?" + url.query if url.query else b"")
