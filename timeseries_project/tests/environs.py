"""WSGI requests in the form in which a server passes them, and the application's answers."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import unquote_to_bytes

from timeseries_project.wsgi import application

#: A datapoint in NDJSON.
LINE = b'{"timestamp":7,"value":1,"device":"t","user":"u"}\n'


def environ(method: str, path: str, body: bytes = b"", **more: str) -> dict[str, Any]:
    """Return a request's WSGI environment, as a server passes it."""
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        **more,
    }


def environ_of(request: bytes) -> dict[str, Any]:
    """Return the WSGI environment for the bytes of a well-formed request."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ")
    found: dict[str, str] = {}
    for header in headers:
        name, _, value = header.partition(":")
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        found[key] = f"{found[key]},{value.strip()}" if key in found else value.strip()
    return environ(method, target, body, **found)


def call(method: str, path: str, body: bytes = b"", **more: str) -> tuple[int, dict[str, str], Any]:
    """Call the application as a server does; return status, headers, parsed body."""
    answered: list[Any] = []
    chunks = application(
        environ(method, path, body, **more), lambda status, headers: answered.extend((status, headers))
    )
    text = b"".join(chunks)
    headers = dict(answered[1])
    parsed = json.loads(text) if headers.get("Content-Type", "").endswith("json") else text.decode() or None
    return int(answered[0].split()[0]), headers, parsed
