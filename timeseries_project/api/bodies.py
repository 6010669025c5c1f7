"""Receiving request bodies: each with a size limit and a deadline, all within one memory budget."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

from rest_framework.exceptions import ParseError

from timeseries_project.api.errors import BodyTooSlow, TooManyBodies

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

#: Most bytes of a small body. An eighth of the budget is reserved for these, out of reach of stalled large ones.
SMALL = 64 * 1024
#: A body of at least MANY_PIECES pieces is refused if they have fewer than LEAST_PIECE bytes on average: a piece costs
#: as much time as a kilobyte, or as a small request. Clients that write token by token send fewer pieces, or buffer.
MANY_PIECES, LEAST_PIECE = 4_096, 16


class Bodies:
    """All bodies that are being received, on one event loop.

    A deadline is an entry in a dictionary, and a single timer checks all of them: a timer per body would be a large
    part of the cost of a small request.
    """

    def __init__(self, *, budget: int, seconds: float) -> None:
        self.held = 0  # bytes of bodies that are not complete
        self._budget = budget
        self._seconds = seconds
        self._begun: dict[asyncio.Task[Any], float] = {}  # oldest first
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def collect(self, receive: Receive, limit: int) -> tuple[bytes, bool]:
        """Return a body and whether it is complete; of a body beyond the limit only the beginning is returned.

        Raises ParseError if the client disconnects or its chunks are malformed, BodyTooSlow or TooManyBodies.
        """
        task = asyncio.current_task()
        assert task is not None
        self._begin(task)
        try:
            message = await receive()
            if message["type"] != "http.request":
                raise _broken()
            body: bytes = message.get("body", b"")
            if message.get("more_body"):
                return await self._rest(body, receive, limit)
            return body, True
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise BodyTooSlow from None
        finally:
            self._begun.pop(task, None)
            self._overdue.discard(task)

    async def _rest(self, first: bytes, receive: Receive, limit: int) -> tuple[bytes, bool]:
        """Join the pieces as they arrive, because a list would take fifty bytes for each, however small.

        BytesIO grows by an eighth at a time, moves large buffers by their page tables, and returns them uncopied.
        """
        joined, size, pieces, held = io.BytesIO(first), len(first), 1, 0
        joined.seek(size)
        try:
            while size <= limit:
                if self.held + size - held > (self._budget if size <= SMALL else self._budget * 7 // 8):
                    raise TooManyBodies
                if pieces >= MANY_PIECES and size < pieces * LEAST_PIECE:
                    raise ParseError(f"The body comes in pieces of less than {LEAST_PIECE} bytes; send larger ones.")
                self.held += size - held
                held = size
                message = await receive()
                if message["type"] != "http.request":
                    raise _broken()
                size += joined.write(message.get("body", b""))
                pieces += 1
                if not message.get("more_body"):
                    return joined.getvalue(), True
            return joined.getvalue(), False
        finally:
            self.held -= held

    def _begin(self, task: asyncio.Task[Any]) -> None:
        loop = task.get_loop()
        self._begun[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(min(1.0, self._seconds / 4), self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - self._seconds
        overdue = []
        for task, begun in self._begun.items():
            if begun > latest:
                break
            overdue.append(task)
        for task in overdue:
            del self._begun[task]
            self._overdue.add(task)
            task.cancel()
        self._timer = None
        if self._begun:
            self._timer = loop.call_later(min(1.0, self._seconds / 4), self._sweep, loop)


def _broken() -> ParseError:
    return ParseError("The body breaks off before its end.")
