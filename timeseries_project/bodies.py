"""Requests' bodies on their way in: each under a limit and a deadline, all of them under one budget of memory."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

from rest_framework.exceptions import ParseError

from timeseries_project.api.errors import BodyTooSlow, TooManyBodies

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

#: Bodies up to this size have an eighth of the budget to themselves, which large ones that stall cannot take.
SMALL = 64 * 1024
#: A body of so many pieces is refused if they have less than so many bytes on average: each costs as much time as
#: a kilobyte does, and as the smallest requests. Who writes a body token by token stays below or puts a buffer between.
MANY_PIECES, LEAST_PIECE = 4_096, 16
#: What is read and thrown away of a body that is refused, in bytes and in seconds. Many clients look for an answer
#: only when they have sent all; where the connection is cut before, they see that and never the answer.
DRAIN_BYTES, DRAIN_SECONDS = 64 * 2**20, 5.0


class Bodies:
    """All bodies that are being collected, on one event loop.

    A deadline costs an entry in a dictionary, and one timer looks after all of them: a timer for each body would
    be a good part of what a small request costs.
    """

    def __init__(self, *, budget: int, seconds: float) -> None:
        self.held = 0  # bytes of bodies that are not complete
        self._budget = budget
        self._seconds = seconds
        self._begun: dict[asyncio.Task[Any], float] = {}  # the oldest first
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def collect(self, receive: Receive, limit: int) -> tuple[bytes, bool]:
        """Return a body and whether it is complete; one beyond the limit is not, and has a little more than that.

        ParseError (the client went, or its chunks are malformed), BodyTooSlow or TooManyBodies otherwise.
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
        """Join the pieces as they come: a list of them takes fifty bytes for each, however small.

        BytesIO grows by an eighth at a time, moves large buffers by their page tables, and gives them away uncopied.
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


async def drain(receive: Receive) -> None:
    """Read what a refused client still sends and keep nothing, so that it comes to see its answer."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < DRAIN_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body"):
                    return
    except TimeoutError:
        return
