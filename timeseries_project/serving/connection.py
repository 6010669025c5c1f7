"""One client's connection: uvicorn's protocol over llhttp, with bounds on what a client may send and leave undone.

uvicorn leaves to a proxy in front of it how large a head may be and how long it may take, how many requests may wait in
one connection, and that a refusal comes after the answers that are still due; and its parser skips the body of a
request that asks for another protocol. Attributes of uvicorn's class that its documentation does not name are used here
and nowhere else: `tests/test_server*.py` and `tests/test_hostile.py` fail where an update changes them.
"""

from __future__ import annotations

import re
from asyncio import Transport
from enum import Enum
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from timeseries_project.serving.joined import JoinedTransport
from timeseries_project.serving.refusals import refusal

#: Most bytes of a head, of a body's trailers, or of a chunk's extensions, beyond the piece that they begin in.
MAX_OVERHEAD = 64 * 1024
#: Most bytes of a target; most headers.
MAX_TARGET, MAX_HEADERS = 64 * 1024, 100
#: Most requests of one connection that wait for the answer to an earlier one. A piece of 256 kB may hold thousands.
MAX_PIPELINED = 64
#: Seconds in which a head, or what follows a refusal, must be complete.
HEAD_SECONDS = 30.0

_SILENT = 0  # in place of a status: the connection ends without a further answer
#: A request line with a method that llhttp does not know.
_OTHER_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,1024} [!-~]{1,4096} HTTP/1\.[01]\r\n")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_UPGRADE = re.compile(rb"^upgrade(?=:)", re.IGNORECASE | re.MULTILINE)


class _At(Enum):
    """Where in a request the parser is."""

    BEGIN, HEAD, BODY = range(3)


class Connection(HttpToolsProtocol):
    """A connection that reads requests one after another and answers them in their order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = _At.BEGIN
        self._overhead = 0  # bytes since there was a new request or a byte of a body
        self._has_progress = False  # whether there was either in the piece that is being parsed
        self._fault = 400  # what is answered where the parser stops
        self._refused: int | None = None  # what to refuse with, once all earlier requests are answered
        self._owes_since: float | None = None  # since when the client owes us bytes that nobody else waits for

    def connection_made(self, transport: Transport) -> None:
        """Expect the first head."""
        self._joined = JoinedTransport(transport)
        super().connection_made(cast(Transport, self._joined))
        self._owes_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Parse a piece; what follows a refused request is discarded."""
        if self._refused is not None:
            return
        self._unset_keepalive_if_required()
        if self._at is _At.BEGIN and (b"pgrade" in data or not data.isascii()):
            data = _readable(data)
        size, earlier = len(data), self.cycle
        self._has_progress = False
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                if self.parser.get_method() == b"CONNECT":
                    self._refuse(_SILENT)
                    return
                # It had no body, and is answered as if it had not asked (RFC 9110 section 7.8); the rest are requests.
                data = data[upgrade.args[0] :]
            except httptools.HttpParserInvalidMethodError:
                self._refuse(405 if self.cycle is earlier and _OTHER_METHOD.match(data) else 400)
                return
            except httptools.HttpParserError:
                self._refuse(self._fault)
                return
        self._overhead = 0 if self._has_progress else self._overhead + size
        if self._overhead > MAX_OVERHEAD:
            self._refuse(400 if self._at is _At.BODY else 431)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._at = _At.HEAD
        self._has_progress = True
        self._owes_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header. Trailers are discarded: a proxy in front has not seen them (RFC 9110 section 6.5.1)."""
        if self._at is _At.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer. An exception stops the parser, and the request is refused with `_fault`."""
        self._owes_since = None
        if len(self.headers) > MAX_HEADERS or len(self.url) > MAX_TARGET:
            self._fault = 431
            raise ValueError
        if len(self.pipeline) >= MAX_PIPELINED:
            self._fault = _SILENT
            raise ValueError
        if self.parser.get_http_version() not in {"1.1", "1.0"} or (self.parser.should_upgrade() and self._has_body()):
            raise ValueError
        if not self.url.startswith(b"/"):
            self.url = _origin_form(self.url)
        self._at = _At.BODY
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of a body."""
        self._has_progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next request."""
        self._at = _At.BEGIN
        self._owes_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or refuse what was faulty after the last one."""
        self._joined.flush()
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._refused is not None:
            self._end(self._refused)
        elif is_last and self._at is _At.BODY:  # the rest of the body is discarded, but not for ever
            self._owes_since = self.loop.time()

    def expire(self, now: float) -> None:
        """Close if the client has owed bytes for too long. Called now and then."""
        if self._owes_since is not None and now - self._owes_since > HEAD_SECONDS:
            self.transport.close()

    def _has_body(self) -> bool:
        return any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers)

    def _refuse(self, status: int) -> None:
        """Stop reading, and answer with a status, after the requests before this one."""
        self._refused = status
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._end(_SILENT if self._at is _At.BODY else status)
        elif self._at is not _At.BODY:
            pass  # the last answer that is due calls `on_response_complete`
        elif self.pipeline:
            self.pipeline.popleft()  # the newest, whose body is broken
        else:
            self._end(_SILENT if cycle.response_started else status)
            cycle.disconnected = True
            cycle.message_event.set()

    def _end(self, status: int) -> None:
        """Send a last answer and no more. The client closes; if we did, it might lose the answer while it sends."""
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if status != _SILENT:
            self.transport.write(refusal(status))
        self.transport.write_eof()
        self._owes_since = self.loop.time()


def _readable(data: bytes) -> bytes:
    """Return a piece without what llhttp refuses or misreads in the head that begins in it.

    It refuses a target that is not ASCII, and takes a body for another protocol where a header asks for one.

    >>> _readable(bytes.fromhex("2fff20") + bytes([13, 10]) + b"Upgrade: h2c")
    b'/%FF \\r\\nNot-Upgrade: h2c'
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
