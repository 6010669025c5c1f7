"""Answers on their way out, over ASGI: in parts that wait for the client, worked out while others are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, cast

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from timeseries_project.bodies import Receive

Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Bytes handed to the server at once. It buffers a few such pieces, however large, and then waits for the client.
PIECE = 64 * 1024


async def send_answer(response: HttpResponseBase, method: str, receive: Receive, send: Send, threads: Executor) -> None:
    """Send an answer and close it. Where the client goes, or is cut off, what is left of it is not worked out.

    The server ends the connection of an answer that was not sent to its end, without the mark that ends it.
    """
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    if response.cookies:
        headers += [(b"set-cookie", morsel.OutputString().encode("latin-1")) for morsel in response.cookies.values()]
    try:
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        if method == "HEAD":
            await send(_last(b""))
        elif isinstance(response, HttpResponse):
            await _send_content(response.content, send)
        elif isinstance(response, FileResponse):
            # From the system's cache, nearly always; a thread would take longer than the file.
            response.block_size = PIECE
            await _send_parts(cast(Iterator[bytes], response.streaming_content), receive, send, None)
        else:
            assert isinstance(response, StreamingHttpResponse)
            await _send_parts(cast(Iterator[bytes], response.streaming_content), receive, send, threads)
    finally:
        # Django's signals around a request are not sent: most answers have nothing to close.
        if response._resource_closers:  # type: ignore[attr-defined]  # the stubs lack it
            await asyncio.get_running_loop().run_in_executor(threads, response.close)


async def _send_content(content: bytes, send: Send) -> None:
    """Send what is there as a whole; what is long in pieces, so that it is given back when it was taken."""
    end = len(content) - PIECE
    start = 0
    while start < end:
        await send(_piece(content[start : start + PIECE]))
        start += PIECE
    await send(_last(content[start:] if start else content))


async def _send_parts(parts: Iterator[bytes], receive: Receive, send: Send, threads: Executor | None) -> None:
    """Send parts as they are worked out, the next one in a thread while one is sent.

    A part may take milliseconds, and a lock of a store, for which the loop must not wait. Without threads they are
    worked out here.
    """
    # Sending does not tell that the client has gone, and a long answer to nobody costs as much as to one.
    upcoming = _next(parts, threads)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        while (part := await asyncio.shield(upcoming)) is not None:
            upcoming = _next(parts, threads)
            for start in range(0, len(part), PIECE):
                await send(_piece(part[start : start + PIECE] if len(part) > PIECE else part))
                await asyncio.sleep(0)  # the others' turn; sending alone may not wait
                if gone.done():
                    return
        await send(_last(b""))
    finally:
        gone.cancel()
        # The parts are closed next, which must not happen while one is worked out.
        await asyncio.wait([upcoming])
        upcoming.exception()  # asked for, or it would be logged as one that nobody has seen


def _next(parts: Iterator[bytes], threads: Executor | None) -> asyncio.Future[bytes | None]:
    """Begin to work out the next part, None after the last."""
    loop = asyncio.get_running_loop()
    if threads is not None:
        return loop.run_in_executor(threads, next, parts, None)
    done: asyncio.Future[bytes | None] = loop.create_future()
    done.set_result(next(parts, None))
    return done


def _piece(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


def _last(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
