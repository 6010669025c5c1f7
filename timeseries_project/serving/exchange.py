"""One request and its answer: the two ASGI callables of the application, and the bytes that they become."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from timeseries_project.serving.refusals import refusal

if TYPE_CHECKING:
    from timeseries_project.serving.connection import Connection

Message = dict[str, Any]

#: Bytes of a body that wait for the application; the client is not read from while there are more.
MAX_WAITING = 64 * 1024
#: Most bytes that are copied in order to be sent in one segment with what is before them.
_SMALL = 16 * 1024
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_DISCONNECT: Message = {"type": "http.disconnect"}

log = logging.getLogger(__name__)


class Exchange:
    """A request that is being received or answered."""

    __slots__ = (
        "_body",
        "_chunked",
        "_connection",
        "_continue",
        "_has_body",
        "_head",
        "_is_taken",
        "_left",
        "_waiter",
        "is_answered",
        "is_endless",
        "is_gone",
        "is_kept",
        "is_started",
        "is_stopping",
        "is_whole",
        "scope",
        "task",
    )

    def __init__(self, connection: Connection, scope: Message, *, is_kept: bool, expects_continue: bool) -> None:
        self._connection = connection
        self.scope = scope
        self.is_kept = is_kept  # whether the connection goes on after the answer
        self.is_whole = False  # whether the body has been received to its end
        self.is_gone = False  # whether there is no client any more
        self.is_started = self.is_answered = False
        self.is_endless = False  # whether the answer goes on until the application is told to end it
        self.is_stopping = False  # whether it was told
        self.task: asyncio.Task[None] | None = None
        self._continue = expects_continue
        self._body: bytes | bytearray = b""
        self._is_taken = False  # whether the application has been given the end of the body
        self._waiter: asyncio.Future[None] | None = None
        self._head = b""  # of the answer, until the first piece of its body
        self._has_body = True  # whether the answer has
        self._chunked = False
        self._left = 0  # bytes of the answer's body that are still to come, if its length is declared

    async def run(self, application: Any) -> None:
        """Let the application answer; a connection whose answer is not whole is cut."""
        try:
            await application(self.scope, self.receive, self.send)
        except Exception:
            log.exception("The application failed.")
            if not self.is_started and not self.is_gone:
                self._connection.transport.write(refusal(500))
                self._connection.transport.close()
                return
        if not self.is_answered and not self.is_gone:
            self._connection.transport.abort()

    def feed(self, body: bytes) -> int:
        """Take a piece of the body; return how many bytes wait for the application."""
        if not self._body:
            self._body = body
        elif isinstance(self._body, bytearray):
            self._body += body
        else:
            self._body = bytearray(self._body + body)
        self.wake()
        return len(self._body)

    def complete(self) -> None:
        """Take the end of the body."""
        self.is_whole = True
        self.wake()

    def lose(self) -> None:
        """Take notice that the client has gone."""
        self.is_gone = True
        self.wake()

    def stop(self) -> None:
        """Let the answer be the last of the connection; one that is endless is ended, as if the client had gone."""
        self.is_kept = False
        self.end_stream()

    def end_stream(self) -> None:
        """End the answer if it is endless, as if the client had gone."""
        self.is_stopping = True
        self.wake()

    def wake(self) -> None:
        """Let `receive` look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        """Return the next piece of the body; after the last one, wait until the client has gone or is answered.

        An answer that is endless is to end too when the server stops.
        """
        if self._continue:
            self._continue = False
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._is_over() and (self._is_taken or not (self._body or self.is_whole)):
            self._connection.resume_reading()
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        if self._is_over():
            return _DISCONNECT
        body, self._body, self._is_taken = self._body, b"", self.is_whole
        return {"type": "http.request", "body": bytes(body), "more_body": not self.is_whole}

    async def send(self, message: Message) -> None:
        """Send the head or a piece of the answer; wait while the client reads more slowly."""
        connection = self._connection
        if connection.is_paused:
            await connection.writable()
        if self.is_gone:
            return
        if not self.is_started:
            self.is_endless = message.get("endless", False)
            self._begin(message["status"], message["headers"])
            return
        body: bytes = message.get("body", b"")
        is_last = not message.get("more_body", False)
        self._left -= len(body)
        self._write(body, is_last)
        if is_last:
            if self._left and self._has_body and not self._chunked:
                raise RuntimeError(f"The answer has another length than it declares: {-self._left} bytes more.")
            self.is_answered = True
            self.wake()
            connection.answered(self)

    def _is_over(self) -> bool:
        return self.is_gone or self.is_answered or (self.is_endless and self.is_stopping)

    def _write(self, body: bytes, is_last: bool) -> None:
        if self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if is_last:
                body += b"0\r\n\r\n"
        transport = self._connection.transport
        if self._head:
            head, self._head = self._head, b""
            if len(body) <= _SMALL:
                transport.write(head + body)
            else:
                transport.writelines((head, body))
        elif body:
            transport.write(body)

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.is_started = True
        self._continue = False
        if self._connection.server.is_leaving:
            self.is_kept = self.is_kept and self._connection.has_waiting()
            self.end_stream()
        self._has_body = self.scope["method"] != "HEAD" and status not in {204, 304}
        parts = [_STATUS_LINES[status], self._connection.server.date]
        lines = 3
        length = None
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                self.is_kept = self.is_kept and value.lower() != b"close"
                continue
            lines += 1
            parts += (name, b": ", value, b"\r\n")
        if length is not None:
            self._left = length
        elif self._has_body and self.scope["http_version"] == "1.1":
            self._chunked = True
            lines += 1
            parts.append(b"transfer-encoding: chunked\r\n")
        elif self._has_body:
            self.is_kept = False  # the end of the connection is that of the answer
        if not self.is_kept:
            lines += 1
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        self._head = b"".join(parts)
        if self._head.count(b"\n") != lines:
            raise ValueError("A header of the answer holds a line end, which would begin another header.")
