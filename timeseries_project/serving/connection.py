"""One client's connection: uvicorn's protocol over llhttp, with bounds on what a client may send and leave undone.

uvicorn answers whatever its parser can read, and leaves these to a proxy in front of it: how large a head may be and
how long it may take, how many requests may wait in one connection, and in which order a refusal comes after the
answers that are still due. It also refuses targets that are not ASCII. Attributes of uvicorn's class that its
documentation does not name are used here and nowhere else; `tests/test_server*.py` and `tests/test_hostile.py` fail
where an update changes them.
"""

from __future__ import annotations

import string
from typing import Any
from urllib.parse import quote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from timeseries_project.serving.refusals import refusal

#: Most bytes of a request line with its headers, beyond those that came in one piece with the end of the head; most
#: bytes of a target; most headers.
MAX_HEAD, MAX_TARGET, MAX_HEADERS = 64 * 1024, 64 * 1024, 100
#: Most requests of one connection that wait for the answer to an earlier one. A piece of 256 kB may hold thousands.
MAX_PIPELINED = 64
#: Seconds in which a head, or what follows a refusal, must be complete.
HEAD_SECONDS = 30.0
#: In place of a status: the connection ends without a further answer.
_SILENT = 0
_ASCII = string.printable


class Connection(HttpToolsProtocol):
    """A connection that reads requests one after another and answers them in their order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True  # between two messages too
        self._in_body = False
        self._head = 0  # bytes of the head that is being received, without its first piece
        self._is_first = False  # whether the head began in the piece that is being parsed
        self._fault = 400  # what is answered where the parser stops
        self._refused: int | None = None  # the status to refuse with, once all earlier requests are answered
        self._waits_since: float | None = None  # since when the client owes us bytes

    def connection_made(self, transport: Any) -> None:
        """Expect the first head."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Parse a piece; what follows a refused request is discarded."""
        if self._refused is not None:
            return
        self._unset_keepalive_if_required()
        self._is_first = False
        was_in_head = self._in_head
        size = len(data)
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                # Answered as if it had not asked for another protocol (RFC 9110 section 7.8); the rest are requests.
                data = data[upgrade.args[0] :]
            except httptools.HttpParserError:
                self._refuse(self._fault)
                return
        if was_in_head and self._in_head and not self._is_first:
            self._head += size
            if self._head > MAX_HEAD:
                self._refuse(431)

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        self._head = 0
        self._is_first = True
        self._waits_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """Collect the target; bytes that are not ASCII are escaped, and mean the same."""
        super().on_url(url if url.isascii() else quote(url, safe=_ASCII).encode())

    def on_headers_complete(self) -> None:
        """Begin to answer. An exception stops the parser, and the request is refused with `_fault`."""
        self._waits_since = None
        if len(self.headers) > MAX_HEADERS or len(self.url) > MAX_TARGET:
            self._fault = 431
            raise ValueError
        if len(self.pipeline) >= MAX_PIPELINED:
            self._fault = _SILENT
            raise ValueError
        self._in_head = False
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the next request."""
        self._waits_since = None
        self._in_head = True
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request, or refuse what was faulty after the last one."""
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._refused is not None:
            self._end(self._refused)
        elif is_last and self._in_body:  # the rest of the body is discarded, but not for ever
            self._waits_since = self.loop.time()

    def expire(self, now: float) -> None:
        """Close if the client has owed bytes for too long. Called now and then."""
        if self._waits_since is not None and now - self._waits_since > HEAD_SECONDS:
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Stop reading, and answer with a status, after the requests before this one."""
        self._refused = status
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._end(_SILENT if self._in_body else status)
        elif self._in_body and self.pipeline:
            self.pipeline.popleft()  # the newest, whose body is broken
        elif self._in_body:
            self._end(_SILENT if cycle.response_started else status)
            cycle.disconnected = True
            cycle.message_event.set()
        # else the last answer that is due calls `on_response_complete`

    def _end(self, status: int) -> None:
        """Send a last answer and no more. The client closes; if we did, it might lose the answer while it sends."""
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if status != _SILENT:
            self.transport.write(refusal(status))
        self.transport.write_eof()
        self._waits_since = self.loop.time()
