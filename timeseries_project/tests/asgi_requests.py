"""Requests to the production server's application, in the form in which a server passes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from timeseries_project.asgi import Application

SECONDS = 30
Answer = tuple[int, bytes]
T = TypeVar("T")
Ask = Callable[..., Coroutine[Any, Any, Answer]]


def asking(application: Application) -> Ask:
    """Return a function that sends a request to the application, as a server does."""

    async def ask(method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        sent: list[dict[str, Any]] = []
        named = {
            "host": "localhost",
            "content_length": str(len(body)),
            "content_type": "application/x-ndjson",
        } | headers
        scope = {
            "type": "http",
            "server": ("127.0.0.1", 1),
            "method": method,
            "raw_path": path.partition("?")[0].encode(),
            "query_string": path.partition("?")[2].encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()],
        }
        messages = [{"type": "http.request", "body": body}]

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await asyncio.wait_for(application(scope, receive, send), SECONDS)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    return ask


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new event loop in a thread: the tests' own thread may have a loop, for the browser."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
