"""The ASGI application that production serves: whole bodies in, Django's handler inline, long answers in slices.

A thread per request would be taken by a client that stalls in the middle of a body, and many threads would hand
the interpreter's lock around. So the event loop collects bodies, which costs a stalled client nothing but its
socket; a complete request is answered at once in the loop's own thread; and between the slices of a long answer
other requests get their turn.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import django
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from timeseries_project.wsgi import Utf8Request

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timeseries_project.settings")


class Application(BaseHandler):
    """Django's handler behind ASGI (HTTP only; https://asgi.readthedocs.io/en/latest/specs/www.html)."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one whose body breaks off is refused before anything is done."""
        if scope["type"] != "http":
            return
        environ = _environ(scope)
        body = await _body(environ, receive)
        environ["wsgi.input"] = io.BytesIO(body or b"")
        request = Utf8Request(environ)
        request.is_whole = body is not None
        # Inline: the handler takes microseconds to milliseconds and awaits nothing. Django's signals around a
        # request are not sent, for there are no database connections and caches that would listen.
        response = self.get_response(request)
        try:
            await _answer(response, scope["method"], receive, send)
        finally:
            if response.streaming:
                response.close()


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
    for name, value in scope["headers"]:
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


async def _body(environ: dict[str, Any], receive: Receive) -> bytes | None:
    """Collect the body, up to the limit; None if it breaks off: the client went away, or its chunks are malformed.

    Where it is larger, what is beyond the limit stays unread, and CONTENT_LENGTH tells the parser, which refuses.
    """
    declared = environ.get("CONTENT_LENGTH", "")
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if not chunked and (not declared.isdecimal() or declared == "0" or len(declared) > 20):
        return b""
    if not chunked and int(declared) > settings.MAX_BODY_BYTES:
        return b""
    message = await receive()
    if not message.get("more_body"):
        parts = [message.get("body", b"")] if message["type"] == "http.request" else None
    else:
        parts = await _parts(message, receive)
    if parts is None:
        return None
    body = b"".join(parts)
    if chunked:
        environ["CONTENT_LENGTH"] = str(len(body))
    return body


async def _parts(message: dict[str, Any], receive: Receive) -> list[bytes] | None:
    parts, size = [], 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body") or size > settings.MAX_BODY_BYTES:
            return parts
        message = await receive()
    return None


async def _answer(response: HttpResponseBase, method: str, receive: Receive, send: Send) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    if isinstance(response, HttpResponse):
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else response.content})
        return
    assert isinstance(response, StreamingHttpResponse)
    if method != "HEAD":
        # Sending does not tell that the client has gone, and a long answer to nobody costs as much as to one.
        gone = asyncio.ensure_future(_disconnected(receive))
        for part in cast(Iterator[bytes], response.streaming_content):
            await asyncio.sleep(0)  # the others' turn; sending alone may not wait
            if gone.done():
                return
            await send({"type": "http.response.body", "body": part, "more_body": True})
        gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


django.setup(set_prefix=False)
application = Application()
