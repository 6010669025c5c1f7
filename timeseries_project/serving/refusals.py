"""What the server answers by itself: requests that cannot be read as HTTP, as problem details (RFC 9457)."""

from __future__ import annotations

import json
from email.utils import formatdate
from http import HTTPStatus

_DETAILS = {
    400: "This is not a valid HTTP/1.1 request.",
    405: "No resource has this method.",
    431: "The request line or the headers are too large, or there are too many headers.",
    500: "The server failed to answer.",
}
#: RFC 9110 section 15.5.6 asks for it; nearly every resource has these.
_HEADERS = {405: "allow: GET, HEAD, OPTIONS\r\n"}


def refusal(status: int) -> bytes:
    r"""Return a whole answer, after which the connection ends.

    >>> refusal(400).splitlines()[0]
    b'HTTP/1.1 400 Bad Request'
    """
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": _DETAILS[status]}
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status} {title}\r\n"
        f"date: {formatdate(usegmt=True)}\r\n"
        "content-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\n"
        "x-content-type-options: nosniff\r\n"
        "connection: close\r\n"
        f"{_HEADERS.get(status, '')}\r\n"
    )
    return head.encode() + body
