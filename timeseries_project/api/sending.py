"""Sending answers over ASGI: in parts, as fast as the client reads, computing the next part while one is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, cast

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from timeseries_project.api.bodies import Receive
from timeseries_project.api.framework import closers, sent_headers

Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Bytes passed to the server at once. It buffers a few pieces, of any size, and then waits for the client.
PIECE = 64 * 1024


async def send_answer(response: HttpResponseBase, method: str, receive: Receive, send: Send, threads: Executor) -> None:
    """Send an answer and close it. If the client disconnects, the remaining parts are not computed.

    The server closes the connection of an answer that was not sent whole without sending the end of its body.
    """
    headers = sent_headers(response)
    if response.cookies:
        headers += [(b"set-cookie", morsel.OutputString().encode("latin-1")) for morsel in response.cookies.values()]
    try:
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        if method == "HEAD":
            await send(_last(b""))
        elif isinstance(response, HttpResponse):
            await _send_content(response.content, send)
        elif isinstance(response, FileResponse):
            # Read here: the file is nearly always in the system's cache, and a thread would take longer.
            response.block_size = PIECE
            await _send_parts(cast(Iterator[bytes], response.streaming_content), receive, send, None)
        else:
            assert isinstance(response, StreamingHttpResponse)
            await _send_parts(cast(Iterator[bytes], response.streaming_content), receive, send, threads)
    finally:
        if closers(response):
            await asyncio.get_running_loop().run_in_executor(threads, response.close)


async def _send_content(content: bytes, send: Send) -> None:
    """Send content that is in memory; in pieces if it is long, so that the server frees each after sending it."""
    end = len(content) - PIECE
    start = 0
    while start < end:
        await send(_piece(content[start : start + PIECE]))
        start += PIECE
    await send(_last(content[start:] if start else content))


async def _send_parts(parts: Iterator[bytes], receive: Receive, send: Send, threads: Executor | None) -> None:
    """Send parts as they are computed, each in a thread while the one before is sent.

    A part may take milliseconds and a lock of a store, for which the loop must not wait. Without `threads` the parts
    are computed in the loop.
    """
    # Sending does not reveal that the client has disconnected; without this, the whole answer would be computed.
    upcoming = _next(parts, threads)
    gone = asyncio.ensure_future(disconnected(receive))
    try:
        while (part := await asyncio.shield(upcoming)) is not None:
            upcoming = _next(parts, threads)
            for start in range(0, len(part), PIECE):
                await send(_piece(part[start : start + PIECE] if len(part) > PIECE else part))
                await asyncio.sleep(0)  # lets other tasks run; `send` may return without waiting
                if gone.done():
                    return
        await send(_last(b""))
    finally:
        gone.cancel()
        # The caller closes the parts next, which must not happen while one is computed.
        await asyncio.wait([upcoming])
        upcoming.exception()  # retrieved, or asyncio would log it as never retrieved


def _next(parts: Iterator[bytes], threads: Executor | None) -> asyncio.Future[bytes | None]:
    """Start to compute the next part; the result is None after the last."""
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


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone, or the server stops and the answer has no end of its own."""
    while (await receive())["type"] != "http.disconnect":
        pass
